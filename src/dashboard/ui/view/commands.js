// @ts-check
// A host's commands: given now, or, when the host is away or busy, left waiting for it if the reader chooses so.

import { post } from '../api.js';
import { fill, h, setText } from '../dom.js';
import { icon } from '../icons.js';
import { go, runPath } from '../router.js';
import { statusWord } from '../words.js';
import { ask, showError } from './dialogs.js';

/** @typedef {import('../types.js').Host} Host */
/** @typedef {import('../types.js').OfferedCommand} OfferedCommand */
/** @typedef {{text: string, when: string}} Refusal `when`: what a run could wait for; empty if waiting does not help */

/** How long a run may wait: seconds, and their words. @type {[number, string][]} */
const WAITS = [[3600, '1 hour'], [86_400, '1 day'], [7 * 86_400, '7 days']];
/** The one that is chosen at first. */
const USUAL = 86_400;

/** Why no command can be given now; null if one can. @param {Host} host @param {import('../types.js').Role} role @returns {Refusal | null} */
export function refusal(host, role) {
  const name = host.hostname;
  if (role === 'viewer') return { text: 'Your role is viewer: ask an administrator for the role operator to run commands.', when: '' };
  if (host.commands.length === 0) return { text: `${name} ${host.status === 'never_seen' ? 'was never seen' : 'offers no commands'}.`, when: '' };
  if (host.status !== 'online') return { text: `${name} is ${statusWord(host.status).word.toLowerCase()}: commands can be given when it is back.`, when: 'when it is back' };
  const busy = host.activity?.command ?? host.pending_command;
  return busy ? { text: `${busy} is running: one run at a time on each host.`, when: 'when that is over' } : null;
}

export class Commands {
  /** @param {string} name the host's @param {import('../types.js').Role} role */
  constructor(name, role) {
    this.name = name;
    this.role = role;
    /** @type {Refusal | null} */
    this.refused = null;
    this.key = '';
    this.refusal = h('p', { class: 'refusal', id: 'refusal' });
    this.wait = h('input', { type: 'checkbox', onchange: () => this.redraw() });
    this.waitText = h('span', {});
    this.waitLabel = h('label', { class: 'check wait' }, this.wait, this.waitText);
    this.list = h('div', { class: 'commands' });
    this.error = h('p', { class: 'error', role: 'alert', hidden: true });
    this.element = h('section', { class: 'card' }, h('h2', {}, 'Commands'), this.refusal, this.waitLabel, this.list, this.error);
    /** @type {Host | null} */
    this.host = null;
  }

  /** @param {Host} host */
  draw(host) {
    this.host = host;
    this.refused = refusal(host, this.role);
    setText(this.refusal, this.refused?.text ?? '');
    this.refusal.hidden = this.refused === null;
    const when = this.refused?.when ?? '';
    this.waitLabel.hidden = when === '';
    setText(this.waitText, `Run it ${when}`);
    // A choice made for one outage is none for the next.
    if (when === '') this.wait.checked = false;
    this.redraw();
  }

  redraw() {
    const { host, refused } = this;
    if (!host) return;
    const waits = this.wait.checked;
    const commands = host.commands.filter((command) => command.name !== 'stop');
    const key = JSON.stringify([commands, refused?.text, waits]);
    if (key === this.key) return;
    this.key = key;
    const focused = document.activeElement instanceof HTMLElement && this.list.contains(document.activeElement) ? document.activeElement.dataset.command : null;
    fill(this.list, ...commands.map((command) => h('div', { class: 'command' },
      h('button', { type: 'button', 'data-command': command.name, disabled: refused !== null && !waits, 'aria-describedby': refused ? 'refusal' : null,
        title: refused && !waits ? refused.text : null, class: command.name === 'switch' ? 'strong' : '', onclick: () => this.wish(command) },
      refused && waits ? icon('clock') : null, command.name),
      h('span', { class: 'quiet' }, command.description))));
    if (focused) /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-command="${CSS.escape(focused)}"]`))?.focus();
  }

  /** @param {OfferedCommand} command */
  wish(command) {
    this.error.hidden = true;
    const { name, refused } = this;
    const changes = command.changes_host ? `It changes ${name}.` : '';
    if (refused && this.wait.checked) {
      const longest = h('select', { name: 'longest' }, ...WAITS.map(([seconds, words]) => h('option', { value: seconds, selected: seconds === USUAL }, words)));
      ask({
        title: `Run ${command.name} on ${name} ${refused.when}?`,
        text: [command.description, `It starts by itself then, whoever looks. ${changes}`].filter((text) => text !== ''),
        choice: h('label', { class: 'choice' }, 'Wait at most ', longest),
        yes: 'Wait and run',
        act: () => this.give(command, { queue: true, expires_in: Number(longest.value) }),
      });
    } else if (command.changes_host) {
      ask({
        title: `Run ${command.name} on ${name}?`,
        text: [command.description, changes].filter((text) => text !== ''),
        yes: `Run ${command.name}`,
        act: () => this.give(command),
      });
    } else {
      this.give(command).catch((error) => showError(this.error, error));
    }
  }

  /** @param {OfferedCommand} command @param {{queue?: boolean, expires_in?: number}} [wait] */
  async give(command, wait = {}) {
    const queued = await post(`/api/hosts/${encodeURIComponent(this.name)}/command`, { command: command.name, args: [], ...wait });
    go(runPath(queued.command_id));
  }
}
