// @ts-check
// The log's controls.

import { h, setText } from '../dom.js';
import { count, plural } from '../format.js';
import { icon } from '../icons.js';

/** @typedef {import('./rows.js').Stamps} Stamps */
/**
 * @typedef {object} Actions
 * @property {(open: boolean) => void} onOpen
 * @property {(stamps: Stamps) => void} onStamps
 * @property {(text: string, step: 1 | -1) => void} onSearch
 * @property {(full: boolean) => void} onFull
 */

const STAMPS_KEY = 'nixfleet.stamps';

/** The times to show, as last chosen; on a narrow screen there is no room for them at first. @returns {Stamps} */
export function chosenStamps() {
  try {
    const stamps = localStorage.getItem(STAMPS_KEY);
    if (stamps === 'none' || stamps === 'relative' || stamps === 'absolute') return stamps;
  } catch {
    // Storage is refused: the default holds.
  }
  return innerWidth < 700 ? 'none' : 'relative';
}

export class Toolbar {
  /** @param {string} bodyId @param {string} raw address of the raw output @param {string} rawName @param {Actions} actions */
  constructor(bodyId, raw, rawName, actions) {
    this.actions = actions;
    this.count = h('span', { class: 'log-count' });
    this.state = h('span', { class: 'log-state' });
    this.found = h('span', { class: 'log-found', role: 'status' });
    this.fold = h('button', { class: 'fold', type: 'button', 'aria-expanded': 'true', 'aria-controls': bodyId, onclick: () => this.toggle() },
      icon('chevron'), 'Log');
    this.search = h('input', {
      type: 'search', placeholder: 'Find in loaded lines', 'aria-label': 'Find in loaded lines', spellcheck: 'false',
      title: 'Enter finds the next one, Shift and Enter the one before',
      onkeydown: (/** @type {KeyboardEvent} */ event) => {
        if (event.key !== 'Enter') return;
        event.preventDefault();
        actions.onSearch(this.search.value, event.shiftKey ? -1 : 1);
      },
      oninput: () => {
        if (this.search.value === '') actions.onSearch('', 1);
      },
    });
    this.stamps = h('select', { 'aria-label': 'Times', onchange: () => this.choose() },
      h('option', { value: 'none' }, 'No times'),
      h('option', { value: 'relative' }, 'Since start'),
      h('option', { value: 'absolute' }, 'Time of day'));
    this.stamps.value = chosenStamps();
    this.full = h('button', { type: 'button', class: 'full-button', 'aria-pressed': 'false', onclick: () => this.setFull(!this.isFull) }, 'View full log');
    this.element = h('div', { class: 'log-bar' },
      this.fold, this.count, this.state, h('span', { class: 'gap' }), this.found, this.search, this.stamps, this.full,
      h('a', { class: 'button', href: raw, download: rawName, title: 'The exact bytes that the command wrote' }, icon('down'), 'Raw'));
  }

  get isFull() {
    return this.full.getAttribute('aria-pressed') === 'true';
  }

  /** @param {boolean} full */
  setFull(full) {
    this.full.setAttribute('aria-pressed', String(full));
    setText(this.full, full ? 'Leave full view' : 'View full log');
    if (full && this.fold.getAttribute('aria-expanded') === 'false') this.toggle();
    this.actions.onFull(full);
  }

  toggle() {
    const open = this.fold.getAttribute('aria-expanded') !== 'true';
    this.fold.setAttribute('aria-expanded', String(open));
    this.actions.onOpen(open);
  }

  choose() {
    const stamps = /** @type {Stamps} */ (this.stamps.value);
    try {
      localStorage.setItem(STAMPS_KEY, stamps);
    } catch {
      // Storage is refused: the choice holds until the page is left.
    }
    this.actions.onStamps(stamps);
  }

  /** @param {number} lines @param {string} state */
  show(lines, state) {
    setText(this.count, plural(lines, 'line'));
    setText(this.state, state);
  }

  /** @param {number | null} n @param {number} held */
  showFound(n, held) {
    setText(this.found, n === null ? `Not in the ${count(held)} loaded lines` : `Line ${count(n)}`);
  }

  clearFound() {
    setText(this.found, '');
  }
}
