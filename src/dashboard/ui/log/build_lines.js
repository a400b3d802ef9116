// @ts-check
// What of one build's log is shown: where to ask on, and which rows an answer adds. Pure.

/** @typedef {import('../types.js').BuildLogLines} BuildLogLines */
/** @typedef {{n: number, text: string, note: boolean}} Row `note`: not what the builder printed, but what is said of it */

/** Lines in one request. */
export const PAGE = 1000;
/** Rows that are kept in the page: the first ones go. Of a log that is longer when it is opened, the middle is passed over. */
export const KEPT = 4000;

export class BuildLines {
  constructor() {
    /** The number to ask for next. */
    this.next = 1;
    /** Rows in the page. */
    this.rows = 0;
    this.complete = false;
    /** Whether it was said that more may be missing. */
    this.doubted = false;
  }

  /** The query of the next request. @param {string} drv */
  query(drv) {
    return `drv=${encodeURIComponent(drv)}&from=${this.next}&limit=${PAGE}`;
  }

  /**
   * Takes an answer: the rows to add at the end, how many then go at the start, and whether more is there now.
   * @param {BuildLogLines} answer
   * @returns {{added: Row[], gone: number, more: boolean}}
   */
  take(answer) {
    /** @type {Row[]} */
    const added = [];
    for (const { n, text } of answer.lines) {
      if (n < this.next) continue;
      if (n > this.next) added.push(missing(this.next, n - 1));
      added.push({ n, text, note: false });
      this.next = n + 1;
    }
    if (answer.incomplete && answer.total < this.next && !this.doubted) {
      this.doubted = true;
      added.push(note('It may have printed more here: records of this run are missing.'));
    }
    const more = !answer.complete && added.length > 0 && answer.total >= this.next;
    if (answer.complete && !this.complete) {
      this.complete = true;
      if (answer.total >= this.next) added.push(missing(this.next, answer.total));
      if (answer.rest_dropped) added.push(note('What it printed after this was not kept: the limit of build logs of a run is reached.'));
    }
    const ahead = answer.total - this.next + 1;
    if (more && ahead > KEPT) {
      const to = answer.total - KEPT + PAGE;
      added.push(note(`Lines ${this.next} to ${to} are not shown here; nixfleet logs RUN --build NAME prints all of them.`));
      this.next = to + 1;
    }
    this.rows += added.length;
    const gone = Math.max(0, this.rows - KEPT - PAGE);
    this.rows -= gone;
    return { added, gone, more };
  }
}

/** @param {string} text @returns {Row} */
const note = (text) => ({ n: 0, text, note: true });

/** @param {number} from @param {number} to */
const missing = (from, to) => note(from === to ? `Line ${from} could not be kept.` : `Lines ${from} to ${to} could not be kept.`);
