// @ts-check
// The lines that the page holds, in blocks of a fixed number, the least recently read dropped first. Each line stands under its
// number, so what comes twice stays once, and what is missing is asked for.

/** @typedef {import('../types.js').LogLine} LogLine */
/** @typedef {{at: number, text: string}} Held a line; the time in milliseconds since the epoch */
/** @typedef {{lines: (Held | undefined)[], asked: boolean, upTo: number}} Block `upTo`: the last line that an answer covered */

/** Lines in a block, and in a request. */
export const BLOCK = 500;
/** Blocks kept: 50,000 lines. */
export const KEPT = 100;

export class Blocks {
  /** @param {number} [kept] */
  constructor(kept = KEPT) {
    this.kept = kept;
    /** In the order of use, the newest last. @type {Map<number, Block>} */
    this.blocks = new Map();
    /** The highest line number known. */
    this.total = 0;
  }

  /** @param {number} n */
  static index(n) {
    return Math.floor((n - 1) / BLOCK);
  }

  /** @param {number} index @returns {Block} */
  block(index) {
    let block = this.blocks.get(index);
    if (block) this.blocks.delete(index);
    else block = { lines: [], asked: false, upTo: 0 };
    this.blocks.set(index, block);
    if (this.blocks.size > this.kept) {
      for (const [oldest, held] of this.blocks) {
        // One that is being asked for stays, or its answer would be asked for again at once.
        if (held.asked) continue;
        this.blocks.delete(oldest);
        break;
      }
    }
    return block;
  }

  /** @param {LogLine[]} lines */
  put(lines) {
    for (const line of lines) {
      if (!Number.isSafeInteger(line.n) || line.n < 1) continue;
      this.block(Blocks.index(line.n)).lines[(line.n - 1) % BLOCK] = { at: Date.parse(line.at), text: line.text };
      if (line.n > this.total) this.total = line.n;
    }
  }

  /**
   * The line; `missing` if the dashboard has been asked and has none (nobody kept it); null if it is not here yet.
   * @param {number} n
   * @returns {Held | 'missing' | null}
   */
  get(n) {
    const block = this.blocks.get(Blocks.index(n));
    return block?.lines[(n - 1) % BLOCK] ?? (block && block.upTo >= n ? 'missing' : null);
  }

  /**
   * Blocks that must be asked for to show these lines, and that nobody has asked for yet.
   * @param {number} from the first line
   * @param {number} to the last line
   * @returns {number[]}
   */
  wanted(from, to) {
    const found = [];
    for (let index = Blocks.index(Math.max(1, from)); index <= Blocks.index(to); index += 1) {
      const block = this.block(index);
      if (block.asked) continue;
      const first = Math.max(from, index * BLOCK + 1);
      const last = Math.min(to, (index + 1) * BLOCK);
      for (let n = first; n <= last; n += 1) {
        if (this.get(n) === null) {
          found.push(index);
          break;
        }
      }
    }
    return found;
  }

  /** Holds nothing any more, so that all is asked for again. */
  forget() {
    this.blocks.clear();
  }

  /** @param {number} index @param {boolean} asked */
  setAsked(index, asked) {
    this.block(index).asked = asked;
  }

  /**
   * An answer that covers a block as far as the run had come.
   * @param {number} index
   * @param {LogLine[]} lines
   * @param {number} known how many lines the run had when it was asked
   */
  answer(index, lines, known) {
    this.put(lines);
    const block = this.block(index);
    block.asked = false;
    block.upTo = Math.max(block.upTo, Math.min(known, (index + 1) * BLOCK));
  }

  /**
   * The next line held that contains a text, going round; null if none does.
   * @param {(text: string) => boolean} matches
   * @param {number} after
   * @param {1 | -1} step
   * @returns {number | null}
   */
  find(matches, after, step) {
    const numbers = this.numbers();
    if (step < 0) numbers.reverse();
    const isNext = (/** @type {number} */ n) => (step > 0 ? n > after : n < after);
    const order = [...numbers.filter(isNext), ...numbers.filter((n) => !isNext(n))];
    for (const n of order) {
      const line = this.get(n);
      if (line && line !== 'missing' && matches(line.text)) return n;
    }
    return null;
  }

  /** The numbers of all lines held, ascending. @returns {number[]} */
  numbers() {
    /** @type {number[]} */
    const numbers = [];
    for (const index of [...this.blocks.keys()].sort((a, b) => a - b)) {
      this.blocks.get(index)?.lines.forEach((line, i) => line && numbers.push(index * BLOCK + i + 1));
    }
    return numbers;
  }
}
