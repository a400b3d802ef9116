// @ts-check
// Which lines are in view. Browsers cap an element's height (Chromium at 16,777,200 px, about 840,000 lines), so a longer log
// is shown in a box that is lower than the log, and the way through the box is stretched. Pure.

/** Highest box, in pixels; below every browser's cap. */
export const TALLEST = 15_000_000;

export class Scroll {
  /** @param {number} rowHeight @param {number} [tallest] */
  constructor(rowHeight, tallest = TALLEST) {
    this.rowHeight = rowHeight;
    this.tallest = tallest;
    this.rows = 0;
    this.viewport = 0;
    /** Pixels above the view if the box were as high as the log. */
    this.top = 0;
  }

  /** Height of the log. */
  get full() {
    return this.rows * this.rowHeight;
  }

  /** Height of the box. */
  get box() {
    return Math.min(this.full, this.tallest);
  }

  /** The largest {@link top}. */
  get end() {
    return Math.max(0, this.full - this.viewport);
  }

  /** How many pixels of log one pixel of scrolling moves; 1 for all but very long logs. */
  get ratio() {
    const way = this.box - this.viewport;
    return this.full > this.tallest && way > 0 ? this.end / way : 1;
  }

  /** Where the box must be scrolled to. */
  get boxTop() {
    return this.top / this.ratio;
  }

  /** Whether the last line is in view, give or take one and a half lines. */
  get atEnd() {
    return this.top >= this.end - this.rowHeight * 1.5;
  }

  /** @param {number} rows @param {number} viewport */
  measure(rows, viewport) {
    this.rows = rows;
    this.viewport = viewport;
    this.moveTo(this.top);
  }

  /** @param {number} top */
  moveTo(top) {
    this.top = Math.min(this.end, Math.max(0, top));
  }

  /** @param {number} boxTop */
  boxMovedTo(boxTop) {
    this.moveTo(boxTop * this.ratio);
  }

  /** Brings a row (from 0) into the upper third of the view. @param {number} row */
  reveal(row) {
    this.moveTo(row * this.rowHeight - this.viewport / 3);
  }

  /**
   * Rows to draw, the first included and the last not.
   * @param {number} extra rows beyond the view on each side
   */
  range(extra) {
    const first = Math.floor(this.top / this.rowHeight);
    const last = Math.ceil((this.top + this.viewport) / this.rowHeight);
    return { from: Math.max(0, first - extra), to: Math.min(this.rows, last + extra) };
  }

  /** Where a row (from 0) stands in the box, so that it appears at the right place of the view. @param {number} row */
  place(row) {
    return this.boxTop + row * this.rowHeight - this.top;
  }
}
