// @ts-check
// Asks for the lines that are to be seen, by blocks, and never for what is missing.

import { BLOCK } from './blocks.js';

/** Requests for blocks at the same time. */
const REQUESTS = 2;
/** Rows for which lines are asked beyond the view on each side, so that steady scrolling finds them there. */
const AHEAD = 200;
/** After a jump, lines are asked for only when the view has rested so long, in milliseconds. */
const REST = 60;
/** Milliseconds before a block that could not be had is asked for again. */
const AGAIN = 2000;

/**
 * @typedef {object} Lines
 * @property {(from: number, limit: number, signal: AbortSignal) => Promise<import('../types.js').LogLines>} lines
 */

export class Loader {
  /**
   * @param {Lines} lines
   * @param {import('./blocks.js').Blocks} blocks
   * @param {import('./gaps.js').Gaps} gaps
   * @param {AbortSignal} signal
   * @param {(change: () => void) => void} onChange makes a change of the gaps and paints again
   */
  constructor(lines, blocks, gaps, signal, onChange) {
    this.lines = lines;
    this.blocks = blocks;
    this.gaps = gaps;
    this.signal = signal;
    this.onChange = onChange;
    this.requests = 0;
    this.restsSince = -REST;
  }

  /** The view jumped. */
  rest() {
    this.restsSince = performance.now();
  }

  /** Blocks to ask for, for the lines in these rows. @param {number} from @param {number} to @returns {number[]} */
  wanted(from, to) {
    const { gaps, blocks } = this;
    const last = Math.min(blocks.total, gaps.lineAt(to));
    const found = gaps.present(gaps.lineAt(Math.max(0, from)), last).flatMap(([a, b]) => blocks.wanted(a, b));
    return [...new Set(found)];
  }

  /** Asks for the blocks that the view needs. @param {number} from the first row @param {number} to the last row */
  ask(from, to) {
    if (to < from) return;
    const rest = REST - (performance.now() - this.restsSince);
    // What is in view comes before what is near it.
    const near = this.wanted(from, to);
    const wanted = near.length > 0 ? near : this.wanted(from - AHEAD, to + AHEAD);
    if (wanted.length === 0) return;
    if (rest > 0) {
      setTimeout(() => this.onChange(() => {}), rest);
      return;
    }
    for (const index of wanted) {
      if (this.requests >= REQUESTS) return;
      this.load(index);
    }
  }

  /** @param {number} index */
  async load(index) {
    const { blocks, gaps, signal } = this;
    this.requests += 1;
    blocks.setAsked(index, true);
    const known = blocks.total;
    const last = Math.min(known, (index + 1) * BLOCK);
    try {
      /** @type {import('../types.js').LogLine[]} */
      const lines = [];
      // An answer may be shorter than what was asked for; `next` says where it stopped.
      for (let from = index * BLOCK + 1; from <= last;) {
        const answer = await this.lines.lines(from, last - from + 1, signal);
        lines.push(...answer.lines);
        this.onChange(() => gaps.learn(answer.lines, answer.next));
        if (answer.next <= from) break;
        from = answer.next;
      }
      blocks.answer(index, lines, known);
    } catch {
      if (signal.aborted) return;
      // The block stays "asked for" until the next try, so that a dashboard in trouble is not flooded.
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
      blocks.setAsked(index, false);
    } finally {
      this.requests -= 1;
      this.onChange(() => {});
    }
  }
}
