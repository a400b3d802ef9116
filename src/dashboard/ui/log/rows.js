// @ts-check
// The row elements of the lines in view. A row that stays in view stays the same element, so a selection in it stays too.

import { add, fill, h } from '../dom.js';
import { clock, count, since } from '../format.js';
import { parse } from './ansi.js';
import { backColour, textColour } from './colour.js';

/** Characters of a line that are drawn in its row; the rest opens in a dialog. */
const LONGEST = 2000;

/** @typedef {'none' | 'relative' | 'absolute'} Stamps */
/**
 * @typedef {object} Look
 * @property {Stamps} stamps
 * @property {string | null} start when the run started
 * @property {{from: number, to: number} | null} marked lines named by the address
 * @property {number | null} found the line that the search stands on
 */
/** @typedef {import('./blocks.js').Held | {gap: string} | 'missing' | 'partial' | null} Shown a line, or what is there instead */
/** @typedef {{element: HTMLElement, key: string}} Row */

export class Rows {
  /** @param {HTMLElement} parent @param {(n: number) => void} onWhole opens a whole line */
  constructor(parent, onWhole) {
    this.parent = parent;
    this.onWhole = onWhole;
    /** @type {Map<number, Row>} */
    this.rows = new Map();
  }

  /**
   * Draws these lines in their order, and nothing else.
   * @param {number[]} numbers ascending
   * @param {(n: number) => Shown} get
   * @param {(n: number) => string | undefined} hole what a line lacks
   * @param {string} partial
   * @param {Look} look
   */
  draw(numbers, get, hole, partial, look) {
    const keep = new Set(numbers);
    for (const [n, row] of this.rows) {
      if (!keep.has(n)) {
        row.element.remove();
        this.rows.delete(n);
      }
    }
    /** @type {Element | null} */
    let next = this.parent.firstElementChild;
    for (const n of numbers) {
      let row = this.rows.get(n);
      if (!row) {
        row = { element: h('div', { class: 'line' }), key: '' };
        this.rows.set(n, row);
        this.parent.insertBefore(row.element, next);
      }
      next = row.element.nextElementSibling;
      const line = get(n);
      const marked = look.marked !== null && n >= look.marked.from && n <= look.marked.to;
      const kind = line === null ? 'wait' : typeof line === 'string' ? line : 'gap' in line ? 'gap' : 'held';
      const lacks = hole(n) ?? '';
      const text = line !== null && typeof line !== 'string' && 'gap' in line ? line.gap : kind === 'partial' ? partial : '';
      const key = `${kind}|${look.stamps}|${look.start}|${marked}|${look.found === n}|${text}|${lacks}`;
      if (row.key === key) continue;
      row.key = key;
      row.element.className = `line ${kind}${marked ? ' marked' : ''}${look.found === n ? ' found' : ''}`;
      row.element.dataset.n = String(n);
      const [stamp, ...rest] = this.content(n, line, partial, look);
      const lost = lacks === '' ? null : h('span', { class: 'hole' }, `⟨${lacks}⟩`);
      fill(row.element, this.number(n, kind), stamp ?? null, lost, ...rest);
    }
  }

  /** Draws every row anew. */
  forget() {
    for (const row of this.rows.values()) row.key = '';
  }

  /** @param {number} n @param {string} kind */
  number(n, kind) {
    if (kind === 'partial') return h('span', { class: 'n' }, '…');
    return h('a', { class: 'n', href: `#L${n}`, tabindex: '-1', 'aria-label': `Line ${n}` }, String(n));
  }

  /**
   * @param {number} n
   * @param {Shown} line
   * @param {string} partial
   * @param {Look} look
   * @returns {(Node | null)[]}
   */
  content(n, line, partial, look) {
    const blank = look.stamps === 'none' ? null : h('span', { class: 'at' });
    if (line === null) return [blank, h('span', { class: 'text' }, '…')];
    if (line === 'missing') return [blank, h('span', { class: 'text' }, 'This line is missing.')];
    if (line !== 'partial' && 'gap' in line) return [blank, h('span', { class: 'text' }, line.gap)];
    const text = line === 'partial' ? partial : line.text;
    const stamp = line === 'partial' || look.stamps === 'none' ? blank : this.stamp(line.at, look);
    const shown = h('span', { class: 'text' });
    add(shown, ...pieces(text.length > LONGEST ? text.slice(0, LONGEST) : text));
    if (text.length <= LONGEST || line === 'partial') return [stamp, shown];
    const whole = h('button', { class: 'whole', type: 'button', onclick: () => this.onWhole(n) },
      `… ${count(text.length - LONGEST)} more characters`);
    return [stamp, shown, whole];
  }

  /** @param {number} at @param {Look} look */
  stamp(at, look) {
    const iso = Number.isNaN(at) ? '' : new Date(at).toISOString();
    return h('time', { class: 'at', datetime: iso, title: iso }, look.stamps === 'relative' ? since(iso, look.start) : clock(iso));
  }
}

/**
 * A line's text as elements.
 * @param {string} text
 * @returns {Node[]}
 */
export function pieces(text) {
  return parse(text).map((piece) => {
    if (piece.classes === '' && !piece.fg && !piece.bg) return document.createTextNode(piece.text);
    const span = h('span', piece.classes ? { class: piece.classes } : {}, piece.text);
    if (piece.fg) span.style.setProperty('color', textColour(piece.fg, piece.bg));
    if (piece.bg) span.style.setProperty('background-color', backColour(piece.bg));
    return span;
  });
}
