// @ts-check
// What is not as it should be: a strip above the hosts, and a page of its own with what has been and whom it was told.

import { get } from '../api.js';
import { fill, h, setText } from '../dom.js';
import { plural } from '../format.js';
import { icon } from '../icons.js';
import { alertRow } from './alert_row.js';
import { Channels } from './channels.js';
import { showError } from './dialogs.js';

/** @typedef {import('../types.js').Alert} Alert */

/** Alerts above the hosts. */
const STRIP = 3;
/** Alerts that are asked for at once. */
const PAGE = 100;
/** Ages are drawn, and what changed without a word is asked for, every so many milliseconds. */
const AGAIN = 30_000;
/** Changes that come within so many milliseconds are asked for together. */
const CALM = 300;

const RANK = ['critical', 'warning', 'info'];

/** @param {Alert[]} alerts */
const worstFirst = (alerts) => [...alerts].sort((a, b) => RANK.indexOf(a.severity) - RANK.indexOf(b.severity));

/** Asks for what fires: at once, when something changes, and every now and then. */
class Firing {
  /** @param {(alerts: Alert[]) => void} show @param {(error: unknown) => void} [refuse] */
  constructor(show, refuse) {
    this.show = show;
    this.refuse = refuse;
    this.left = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.soon = undefined;
    this.timer = setInterval(() => this.load(), AGAIN);
  }

  load() {
    if (this.left || document.hidden || this.soon !== undefined) return;
    this.soon = setTimeout(() => this.ask(), CALM);
  }

  async ask() {
    this.soon = undefined;
    try {
      const { alerts } = /** @type {{alerts: Alert[]}} */ (await get(`/api/alerts?state=firing&limit=${PAGE}`));
      if (!this.left) this.show(alerts);
    } catch (error) {
      // What is shown stays; the next change asks again.
      if (!this.left) this.refuse?.(error);
    }
  }

  leave() {
    this.left = true;
    clearInterval(this.timer);
    clearTimeout(this.soon);
  }
}

export class AlertStrip {
  constructor() {
    this.list = h('ul', { class: 'alert-list' });
    this.more = h('a', { class: 'alert-more', href: '/alerts' });
    this.element = h('section', { class: 'alert-strip', 'aria-label': 'Alerts', hidden: true }, this.list, this.more);
    this.firing = new Firing((alerts) => this.draw(alerts));
  }

  load() {
    this.firing.load();
  }

  /** @param {Alert[]} alerts */
  draw(alerts) {
    this.element.hidden = alerts.length === 0;
    fill(this.list, ...worstFirst(alerts).slice(0, STRIP).map(alertRow));
    const most = alerts.length === PAGE ? 'more than ' : '';
    setText(this.more, alerts.length > STRIP ? `All ${most}${plural(alerts.length, 'alert')}` : 'All alerts');
  }

  leave() {
    this.firing.leave();
  }
}

class AlertsView {
  /** @param {HTMLElement} root @param {import('../app.js').Context} context */
  constructor(root, context) {
    this.error = h('p', { class: 'error', role: 'alert', hidden: true });
    this.list = h('ul', { class: 'alert-list' });
    this.note = h('p', { class: 'quiet' }, 'Loading …');
    this.past = h('ul', { class: 'alert-list' });
    this.pastNote = h('p', { class: 'quiet' }, '');
    this.older = h('button', { type: 'button', hidden: true, onclick: () => this.loadPast(this.last) }, 'Older ones');
    this.channels = new Channels(context.session.role);
    /** The id of the oldest that is shown. */
    this.last = '';
    this.firing = new Firing((alerts) => this.draw(alerts), (error) => showError(this.error, error));
    fill(root, h('div', { class: 'alerts-page' }, h('h1', {}, 'Alerts'), this.error,
      h('section', { class: 'card' }, h('h2', {}, 'Now'), this.list, this.note),
      this.channels.element,
      h('section', { class: 'card' }, h('h2', {}, 'Over'), this.past, this.pastNote, this.older)));
    document.title = 'Alerts – NixFleet';
    this.unlisten = context.fleet.listen({ alerts: () => this.firing.load() });
    this.firing.load();
  }

  /** @param {Alert[]} alerts */
  draw(alerts) {
    this.error.hidden = true;
    fill(this.list, ...worstFirst(alerts).map(alertRow));
    this.note.hidden = alerts.length > 0 && alerts.length < PAGE;
    fill(this.note, ...(alerts.length === 0 ? [icon('check'), ' No rule fires.'] : [`The newest ${PAGE} of them.`]));
    this.loadPast('');
    this.channels.load();
  }

  /** @param {string} before empty: from the newest on */
  async loadPast(before) {
    try {
      const query = before === '' ? '' : `&before=${encodeURIComponent(before)}`;
      const { alerts } = /** @type {{alerts: Alert[]}} */ (await get(`/api/alerts?state=recovered&limit=${PAGE}${query}`));
      if (before === '') fill(this.past);
      this.past.append(...alerts.map(alertRow));
      this.last = alerts.at(-1)?.id ?? this.last;
      this.older.hidden = alerts.length < PAGE;
      setText(this.pastNote, this.past.childElementCount === 0 ? 'Nothing yet.' : '');
      this.pastNote.hidden = this.past.childElementCount > 0;
    } catch (error) {
      showError(this.error, error);
    }
  }

  leave() {
    this.firing.leave();
    this.unlisten();
  }
}

/** @param {HTMLElement} root @param {import('../app.js').Context} context @returns {() => void} */
export function alertsView(root, context) {
  const view = new AlertsView(root, context);
  return () => view.leave();
}
