// @ts-check
// Whether the log moves with its end. Pure.

/** @typedef {'follow' | 'hover' | 'scroll'} FollowState following; held while the pointer rests on it; left by scrolling */

export class Follow {
  /** @param {boolean} following */
  constructor(following) {
    this.left = !following;
    this.hovering = false;
    /** The reader asked to go on although the pointer rests on the log. */
    this.insisted = false;
    /** Lines that the reader has been shown. */
    this.seen = 0;
    this.total = 0;
  }

  /** @returns {FollowState} */
  get state() {
    if (this.left) return 'scroll';
    return this.hovering && !this.insisted ? 'hover' : 'follow';
  }

  /** Lines that came since the log stopped moving. */
  get fresh() {
    return this.state === 'follow' ? 0 : Math.max(0, this.total - this.seen);
  }

  /** @param {number} total */
  grew(total) {
    this.total = total;
    if (this.state === 'follow') this.seen = total;
  }

  /** The pointer (a mouse or a pen, not a finger) came onto the log or left it. @param {boolean} on */
  hover(on) {
    this.hovering = on;
    if (!on) this.insisted = false;
    this.grew(this.total);
  }

  /** The reader scrolled. @param {boolean} atEnd whether the last line is in view now */
  scrolled(atEnd) {
    if (atEnd) {
      this.left = false;
      this.seen = this.total;
    } else {
      this.left = true;
    }
  }

  /** A line was opened by its address. */
  leave() {
    this.left = true;
  }

  /** The reader asked for the newest line. */
  resume() {
    this.left = false;
    this.insisted = this.hovering;
    this.grew(this.total);
  }
}
