// @ts-check
// What happened to a host: the newest events, on the host's page.

import { get } from '../api.js';
import { fill, h } from '../dom.js';
import { age, dateTime } from '../format.js';
import { eventWord } from '../words.js';
import { showError } from './dialogs.js';

/** @typedef {import('../types.js').Host} Host */

/** Events that are shown. */
const SHOWN = 10;
/** The dashboard writes events once a second; until then they are not answered. In milliseconds. */
const WRITTEN = 1500;

export class HostEvents {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
    this.ending = new AbortController();
    this.list = h('ul', { class: 'happened' });
    this.error = h('p', { class: 'error', role: 'alert', hidden: true });
    this.element = h('section', { class: 'card', 'aria-label': 'Events', hidden: true }, h('h2', {}, 'Events'), this.error, this.list);
    this.key = '';
    /** @type {number | undefined} */
    this.timer = undefined;
  }

  /** Loads again when something has happened. @param {Host} host */
  draw(host) {
    const key = JSON.stringify([host.status, host.generation, host.agent_version, host.maintenance, host.flaps, (Math.abs(host.clock_skew_ms ?? 0) > 2000)]);
    if (key === this.key) return;
    const first = this.key === '';
    this.key = key;
    clearTimeout(this.timer);
    if (first) this.load();
    this.timer = window.setTimeout(() => this.load(), WRITTEN);
  }

  async load() {
    try {
      /** @type {{events: import('../types.js').HostEvent[]}} */
      const { events } = await get(`/api/hosts/${encodeURIComponent(this.name)}/events?limit=${SHOWN}`, this.ending.signal);
      this.error.hidden = true;
      this.element.hidden = events.length === 0;
      fill(this.list, ...events.map((event) => h('li', { 'data-kind': event.kind },
        h('b', {}, eventWord(event.kind)),
        h('span', { class: 'quiet', title: dateTime(event.at) }, age(Date.now() - Date.parse(event.at))),
        h('span', {}, event.detail))));
    } catch (error) {
      if (this.ending.signal.aborted) return;
      this.element.hidden = false;
      showError(this.error, error);
    }
  }

  leave() {
    this.ending.abort();
    clearTimeout(this.timer);
  }
}
