// @ts-check
// Where output is missing. A gap of any number of lines is one row, so rows and lines are counted apart. Pure.

import { bytes, plural } from '../format.js';

/** @typedef {import('../types.js').LogGap} LogGap */
/** @typedef {{from: number, to: number, text: string, hidden: number}} Gap lines, and how many rows are saved before it */

/** What stands in the log where the dashboard only has its own words for a gap. */
const MARKER = /^\[\d+ lines?, (\d+) bytes? of output are missing: (.*)\]$/s;

/** What a reason says again of how much is missing. */
const COUNTED = /: \d+ lines, \d+ bytes .*$/s;

/** @param {LogGap} gap */
export function gapText(gap) {
  const what = gap.lines > 0 ? `${plural(gap.lines, 'line')} (${bytes(gap.bytes)}) ${gap.lines === 1 ? 'is' : 'are'} missing here`
    : `${bytes(gap.bytes)} of this line are missing`;
  return `${what}: ${gap.reason === '' ? 'the host could not keep them' : gap.reason.replace(COUNTED, '')}`;
}

export class Gaps {
  constructor() {
    /** In order, without overlap. @type {Gap[]} */
    this.gaps = [];
    /** Lines that have a hole. @type {Map<number, string>} */
    this.holes = new Map();
  }

  /** @param {LogGap} gap @returns {boolean} whether that was new */
  add(gap) {
    if (gap.lines === 0) {
      const text = gapText(gap);
      const known = this.holes.get(gap.line);
      if (known?.includes(text)) return false;
      this.holes.set(gap.line, known ? `${known} … ${text}` : text);
      return true;
    }
    let from = gap.line;
    let to = gap.line + gap.lines - 1;
    // The same gap, seen from somewhere inside it, may be known by its other part.
    const same = this.gaps.filter((held) => held.from <= to && from <= held.to);
    if (same.some((held) => held.from <= from && to <= held.to)) return false;
    from = Math.min(from, ...same.map((held) => held.from));
    to = Math.max(to, ...same.map((held) => held.to));
    this.gaps = [...this.gaps.filter((held) => !same.includes(held)), { from, to, text: gapText(gap), hidden: 0 }].sort((a, b) => a.from - b.from);
    let hidden = 0;
    for (const held of this.gaps) {
      held.hidden = hidden;
      hidden += held.to - held.from;
    }
    return true;
  }

  /**
   * Learns from lines that the dashboard answered: numbers that jump are a gap, and the line before the jump says why.
   * @param {import('../types.js').LogLine[]} lines
   * @param {number} next the number after them
   * @returns {boolean} whether there was a new one
   */
  learn(lines, next) {
    let found = false;
    lines.forEach((line, at) => {
      const lost = (lines[at + 1]?.n ?? next) - line.n;
      if (lost < 2) return;
      const told = MARKER.exec(line.text);
      found = this.add({ line: line.n, lines: lost, bytes: Number(told?.[1] ?? Number.NaN), reason: told?.[2] ?? line.text }) || found;
    });
    return found;
  }

  /** The gap in which a line is. @param {number} n @returns {Gap | null} */
  at(n) {
    const gap = this.before(n);
    return gap && n <= gap.to ? gap : null;
  }

  /** The last gap that begins at a line or before it. @param {number} n @returns {Gap | null} */
  before(n) {
    return this.last((gap) => gap.from <= n);
  }

  /** The last gap that is so; every one before it is. @param {(gap: Gap) => boolean} so @returns {Gap | null} */
  last(so) {
    let low = 0;
    let high = this.gaps.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const gap = this.gaps[middle];
      if (gap && so(gap)) low = middle + 1;
      else high = middle;
    }
    return this.gaps[low - 1] ?? null;
  }

  /** The row, from 0, in which a line is shown. @param {number} n */
  rowOf(n) {
    const gap = this.before(n);
    if (!gap) return n - 1;
    return n <= gap.to ? gap.from - 1 - gap.hidden : n - 1 - gap.hidden - (gap.to - gap.from);
  }

  /** The line shown in a row; the first one of a gap. @param {number} row */
  lineAt(row) {
    const gap = this.last((held) => held.from - 1 - held.hidden <= row);
    if (!gap) return row + 1;
    return row === gap.from - 1 - gap.hidden ? gap.from : row + 1 + gap.hidden + (gap.to - gap.from);
  }

  /** Rows of so many lines. @param {number} total */
  rows(total) {
    return total < 1 ? 0 : this.rowOf(total) + 1;
  }

  /**
   * What of a range of lines is not missing.
   * @param {number} from
   * @param {number} to
   * @returns {[number, number][]}
   */
  present(from, to) {
    /** @type {[number, number][]} */
    const found = [];
    let at = from;
    for (const gap of this.gaps) {
      if (gap.to < at || gap.from > to) continue;
      if (gap.from > at) found.push([at, gap.from - 1]);
      at = gap.to + 1;
    }
    if (at <= to) found.push([at, to]);
    return found;
  }
}
