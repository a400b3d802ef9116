// @ts-check
// Where alerts are told, how that goes, and a button that tries it.

import { dashboardNow, get, post } from '../api.js';
import { announce, fill, h, setText } from '../dom.js';
import { age, plural } from '../format.js';
import { showError } from './dialogs.js';

/** @typedef {import('../types.js').AlertChannel} AlertChannel */

export class Channels {
  /** @param {import('../types.js').Role} role */
  constructor(role) {
    this.role = role;
    this.error = h('p', { class: 'error', role: 'alert', hidden: true });
    this.list = h('ul', { class: 'alert-list' });
    this.note = h('p', { class: 'quiet' });
    this.element = h('section', { class: 'card' }, h('h2', {}, 'Channels'), this.error, this.list, this.note);
    /** What came of tests, by channel. @type {Map<string, {text: string, tone: string}>} */
    this.tested = new Map();
  }

  async load() {
    try {
      const { channels } = /** @type {{channels: AlertChannel[]}} */ (await get('/api/alerts/channels'));
      this.draw(channels);
    } catch (error) {
      showError(this.error, error);
    }
  }

  /** @param {AlertChannel[]} channels */
  draw(channels) {
    this.error.hidden = true;
    const focused = document.activeElement instanceof HTMLElement && this.list.contains(document.activeElement) ? document.activeElement.dataset.channel : null;
    fill(this.list, ...channels.map((channel) => this.row(channel)));
    if (focused) /** @type {HTMLElement | null} */ (this.list.querySelector(`button[data-channel="${CSS.escape(focused)}"]`))?.focus();
    setText(this.note, channels.length === 0 ? 'None: alerts are shown here and told nobody. Write [[channel]] into the dashboard’s configuration.' : '');
    this.note.hidden = channels.length > 0;
  }

  /** @param {AlertChannel} channel */
  row(channel) {
    const facts = [
      channel.last_sent_at ? `last told ${age(dashboardNow() - Date.parse(channel.last_sent_at))}` : 'nothing told yet',
      channel.queued > 0 ? `${plural(channel.queued, 'message')} waiting` : '',
      channel.failed > 0 ? `${plural(channel.failed, 'message')} given up` : '',
    ].filter((text) => text !== '');
    const result = this.tested.get(channel.name);
    return h('li', { class: 'channel-row' },
      h('strong', { class: 'alert-host' }, channel.name), h('span', { class: 'quiet' }, channel.kind),
      h('span', { class: 'quiet channel-facts' }, facts.join(', ')),
      this.role === 'viewer' ? null
        : h('button', { type: 'button', 'data-channel': channel.name, onclick: (/** @type {MouseEvent} */ event) => this.test(channel.name, event) }, 'Send a test'),
      result ? h('span', { class: `alert-told ${result.tone}` }, result.text)
        : channel.last_error ? h('span', { class: 'alert-told bad' }, channel.last_error) : null);
  }

  /** @param {string} name @param {MouseEvent} event */
  async test(name, event) {
    const button = /** @type {HTMLButtonElement} */ (event.currentTarget);
    button.disabled = true;
    setText(button, 'Sending …');
    try {
      const tested = await post(`/api/alerts/channels/${encodeURIComponent(name)}/test`);
      const text = tested.outcome === 'sent' ? 'The test has arrived.' : `The test did not arrive: ${tested.error ?? ''}`;
      this.tested.set(name, { text, tone: tested.outcome === 'sent' ? 'good' : 'bad' });
      announce(text);
      await this.load();
    } catch (error) {
      button.disabled = false;
      setText(button, 'Send a test');
      showError(this.error, error);
    }
  }
}
