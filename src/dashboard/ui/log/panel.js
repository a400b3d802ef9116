// @ts-check
// The log of a run: only the lines in view are elements, only the blocks near them are held, and it moves with its end until
// the reader holds it.

import { fill, h, setText } from '../dom.js';
import { plural } from '../format.js';
import { icon } from '../icons.js';
import { stripped } from './ansi.js';
import { Blocks } from './blocks.js';
import { Follow } from './follow.js';
import { Gaps } from './gaps.js';
import { Loader } from './loader.js';
import { marks, marksHash } from './marks.js';
import { Rows, pieces } from './rows.js';
import { Scroll } from './scroll.js';
import { Toolbar, chosenStamps } from './toolbar.js';

/** Height of a row in pixels; log.css reads it as `--row`. */
const ROW = 20;
/** Rows drawn beyond the view on each side. */
const EXTRA = 12;
/** A jump of more than so many views is one after which the view rests before lines are asked for. */
const JUMP = 4;

/** @typedef {import('./loader.js').Lines & {raw: string, rawName: string}} Source `raw`: address of the raw output */

export class Panel {
  /** @param {Source} source @param {boolean} live whether more lines may come */
  constructor(source, live) {
    this.source = source;
    this.live = live;
    this.blocks = new Blocks();
    this.gaps = new Gaps();
    /** What the state says once no more lines will come. */
    this.ended = 'complete';
    this.scroll = new Scroll(ROW);
    this.partialText = '';
    /** @type {import('./rows.js').Look} */
    this.look = { stamps: chosenStamps(), start: null, marked: marks(location.hash), found: null };
    this.follow = new Follow(live && this.look.marked === null);
    this.ending = new AbortController();
    this.loader = new Loader(source, this.blocks, this.gaps, this.ending.signal, (change) => {
      this.keepPlace(change);
      this.paintSoon();
    });
    this.frame = 0;
    this.known = 0;
    /** Where the pointer was last seen on the log. @type {{x: number, y: number} | null} */
    this.pointer = null;
    this.paintedTop = Number.NaN;
    this.pending = this.look.marked;

    this.rowsElement = h('div', { class: 'rows' });
    this.box = h('div', { class: 'box' }, this.rowsElement);
    this.view = h('div', { class: 'log-view', tabindex: '0', role: 'region', 'aria-label': 'Log lines' }, this.box);
    this.view.style.setProperty('--row', `${ROW}px`);
    this.fresh = h('button', { type: 'button', class: 'fresh', hidden: true, onclick: () => this.resume() });
    this.empty = h('p', { class: 'log-empty' });
    this.body = h('div', { class: 'log-body', id: 'log-body' }, this.view, this.empty, this.fresh);
    this.rows = new Rows(this.rowsElement, (n) => this.openWhole(n));
    this.bar = new Toolbar('log-body', source.raw, source.rawName, {
      onOpen: (open) => {
        this.body.hidden = !open;
        this.paintSoon();
      },
      onStamps: (stamps) => {
        this.look.stamps = stamps;
        this.paintSoon();
      },
      onSearch: (text, step) => this.search(text, step),
      onFull: (full) => {
        document.documentElement.classList.toggle('full-log', full);
        this.paintSoon();
      },
    });
    this.element = h('section', { class: 'log', 'aria-label': 'Log' }, this.bar.element, this.body);
    this.wire();
  }

  wire() {
    const signal = this.ending.signal;
    const view = this.view;
    view.addEventListener('scroll', () => this.scrolled(), { signal, passive: true });
    view.addEventListener('wheel', (event) => this.wheel(event), { signal, passive: false });
    view.addEventListener('keydown', (event) => this.key(event), { signal });
    view.addEventListener('click', (event) => this.numberClicked(event), { signal });
    // Only a pointer that can rest holds the log; a finger scrolls, and holds it while it is down.
    this.body.addEventListener('pointermove', (event) => this.pointed(event), { signal, passive: true });
    this.body.addEventListener('pointerleave', () => this.hover(false), { signal });
    view.addEventListener('touchstart', () => this.hover(true), { signal, passive: true });
    for (const end of ['touchend', 'touchcancel']) view.addEventListener(end, () => this.hover(false), { signal, passive: true });
    addEventListener('hashchange', () => this.addressed(), { signal });
    addEventListener('keydown', (event) => {
      if (event.key === 'Escape' && this.bar.isFull && !document.querySelector('dialog[open]')) this.bar.setFull(false);
    }, { signal });
    const sized = new ResizeObserver(() => this.paintSoon());
    sized.observe(view);
    signal.addEventListener('abort', () => sized.disconnect());
  }

  close() {
    this.ending.abort();
    cancelAnimationFrame(this.frame);
    document.documentElement.classList.remove('full-log');
  }

  /** Shows the last line, without following. */
  toEnd() {
    if (this.look.marked === null) this.pending = { from: Math.max(1, this.blocks.total), to: this.blocks.total };
    this.paintSoon();
  }

  /** @param {number} total how many lines the run has */
  setTotal(total) {
    this.blocks.total = Math.max(this.blocks.total, total);
    this.grew();
  }

  /** @param {import('../types.js').LogLines} answer */
  append(answer) {
    this.blocks.put(answer.lines);
    this.blocks.total = Math.max(this.blocks.total, answer.next - 1);
    this.keepPlace(() => this.gaps.learn(answer.lines, answer.next));
    this.grew();
  }

  /** @param {import('../types.js').LogGap[]} gaps */
  setGaps(gaps) {
    this.keepPlace(() => gaps.forEach((gap) => this.gaps.add(gap)));
    this.paintSoon();
  }

  /** Rows that a gap takes away above what is read do not move it. @param {() => void} change */
  keepPlace(change) {
    const { gaps, scroll } = this;
    const row = Math.floor(scroll.top / ROW);
    const line = gaps.lineAt(row);
    change();
    const moved = gaps.rowOf(line) - row;
    if (moved === 0 || this.follow.state === 'follow') return;
    scroll.measure(gaps.rows(this.blocks.total), scroll.viewport);
    scroll.moveTo(scroll.top + moved * ROW);
  }

  /** @param {string} text the line that is not finished */
  partial(text) {
    this.partialText = text;
    this.paintSoon();
  }

  /** No more lines will come. @param {string} state what that means for the log as a whole */
  finish(state) {
    this.live = false;
    this.ended = state;
    this.partial('');
  }

  /** What was shown is not what the run printed: asks for it again. */
  again() {
    this.blocks.forget();
    this.rows.forget();
    this.paintSoon();
  }

  /** More lines will come after all. */
  goOn() {
    this.live = true;
    this.paintSoon();
  }

  grew() {
    this.follow.grew(this.blocks.total);
    this.paintSoon();
  }

  /**
   * A pointer that came to lie on the log because the page changed under it (after a click on the button that started the
   * run) does not hold the log; one that was moved does.
   * @param {PointerEvent} event
   */
  pointed(event) {
    if (event.pointerType === 'touch' || this.follow.hovering) return;
    const at = { x: event.clientX, y: event.clientY };
    if (this.pointer && (this.pointer.x !== at.x || this.pointer.y !== at.y)) this.hover(true);
    this.pointer = at;
  }

  /** @param {boolean} on */
  hover(on) {
    if (!on) this.pointer = null;
    this.follow.hover(on);
    this.paintSoon();
  }

  resume() {
    this.follow.resume();
    this.scroll.moveTo(this.scroll.end);
    this.paintSoon();
  }

  scrolled() {
    const at = this.view.scrollTop;
    if (Math.abs(at - this.known) < 1) return;
    // A view that grew is moved up by the browser and still shows the end: nobody scrolled.
    const up = at < this.known && at + this.view.clientHeight < this.view.scrollHeight - 2;
    this.known = at;
    this.scroll.measure(this.scroll.rows, this.view.clientHeight);
    this.scroll.boxMovedTo(at);
    this.moved(up);
  }

  /** The reader moved the view. @param {boolean} up even by a little: a slow scroll must not be pulled back */
  moved(up) {
    this.follow.scrolled(!up && this.scroll.atEnd);
    this.paintSoon();
  }

  /** @param {number} top */
  moveTo(top) {
    const up = top < this.scroll.top;
    this.scroll.moveTo(top);
    this.moved(up);
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    // Said before the scroll happens, so that a flood of lines cannot pull the reader back down.
    if (event.deltaY < 0 && this.scroll.top > 0) {
      this.follow.leave();
      this.paintSoon();
    }
    if (this.scroll.ratio === 1 || event.deltaY === 0 || event.ctrlKey) return;
    event.preventDefault();
    this.moveTo(this.scroll.top + event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? ROW : 1));
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(ROW, this.scroll.viewport - 2 * ROW);
    /** @type {Record<string, number>} */
    const steps = { ArrowUp: -2 * ROW, ArrowDown: 2 * ROW, PageUp: -page, PageDown: page, ' ': event.shiftKey ? -page : page };
    const step = steps[event.key];
    if (event.key === 'End') this.resume();
    else if (event.key === 'Home') this.moveTo(0);
    else if (step !== undefined && event.target === this.view) this.moveTo(this.scroll.top + step);
    else return;
    event.preventDefault();
  }

  /** With Shift, a click on a number extends what is marked. @param {MouseEvent} event */
  numberClicked(event) {
    const number = event.target instanceof Element ? event.target.closest('a.n') : null;
    const n = Number(number?.textContent);
    if (!event.shiftKey || !number || !this.look.marked) return;
    event.preventDefault();
    const { from } = this.look.marked;
    history.replaceState(null, '', marksHash(Math.min(from, n), Math.max(from, n)));
    this.look.marked = marks(location.hash);
    this.paintSoon();
  }

  addressed() {
    this.look.marked = marks(location.hash);
    const first = this.gaps.rowOf(this.look.marked?.from ?? 0);
    const { from, to } = this.scroll.range(0);
    // A line that can be seen already, because its number was clicked, stays where it is.
    if (first > from && first < to - 1) this.follow.leave();
    else {
      this.pending = this.look.marked;
      // On a narrow screen the log may be below what is in view.
      this.view.scrollIntoView({ block: 'nearest' });
    }
    this.paintSoon();
  }

  /** @param {string} text @param {1 | -1} step */
  search(text, step) {
    const wanted = text.toLowerCase();
    if (wanted === '') {
      this.look.found = null;
      this.bar.clearFound();
    } else {
      const n = this.blocks.find((line) => stripped(line).toLowerCase().includes(wanted), this.look.found ?? 0, step);
      this.look.found = n;
      this.bar.showFound(n, this.blocks.numbers().length);
      if (n !== null) {
        this.follow.leave();
        this.scroll.reveal(this.gaps.rowOf(n));
      }
    }
    this.paintSoon();
  }

  /** @param {number} n */
  openWhole(n) {
    const line = this.blocks.get(n);
    if (!line || line === 'missing') return;
    const text = h('pre', { class: 'log-whole', tabindex: '0' });
    fill(text, ...pieces(line.text));
    const dialog = h('dialog', { class: 'wide', 'aria-label': `Line ${n}`, onclose: () => dialog.remove() },
      h('h2', {}, `Line ${n}`), text,
      h('form', { method: 'dialog', class: 'actions' }, h('button', { autofocus: true }, 'Close')));
    document.body.append(dialog);
    dialog.showModal();
  }

  paintSoon() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.paint();
    });
  }

  paint() {
    const { scroll, view, blocks } = this;
    const { gaps } = this;
    const total = blocks.total;
    const rows = gaps.rows(total);
    this.bar.show(total, this.stateText());
    this.paintFresh();
    if (this.body.hidden || view.clientHeight === 0) return;
    const hasPartial = this.partialText !== '';
    scroll.measure(rows + (hasPartial ? 1 : 0), view.clientHeight);
    if (this.pending && total > 0) {
      this.follow.leave();
      scroll.reveal(gaps.rowOf(Math.min(this.pending.from, total)));
      if (this.pending.from <= total || !this.live) this.pending = null;
    } else if (this.follow.state === 'follow') {
      scroll.moveTo(scroll.end);
    }
    if (Math.abs(scroll.top - this.paintedTop) > JUMP * scroll.viewport) this.loader.rest();
    this.paintedTop = scroll.top;
    this.box.style.setProperty('height', `${scroll.box}px`);
    if (Math.abs(view.scrollTop - scroll.boxTop) >= 1) view.scrollTop = scroll.boxTop;
    this.known = view.scrollTop;
    const { from, to } = scroll.range(EXTRA);
    const numbers = Array.from({ length: Math.max(0, to - from) }, (_, at) => (from + at < rows ? gaps.lineAt(from + at) : total + 1));
    this.rows.draw(numbers, (n) => this.shown(n), (n) => gaps.holes.get(n), this.partialText, this.look);
    // Measured from where the browser really stands: it rounds to device pixels.
    this.rowsElement.style.setProperty('transform', `translateY(${scroll.place(from) - scroll.boxTop + this.known}px)`);
    this.empty.hidden = total > 0 || hasPartial;
    setText(this.empty, this.live ? 'No output yet.' : 'This run printed nothing.');
    this.loader.ask(from, Math.min(rows, to) - 1);
  }

  /** @param {number} n @returns {import('./rows.js').Shown} */
  shown(n) {
    if (n > this.blocks.total) return 'partial';
    const gap = this.gaps.at(n);
    return gap ? { gap: gap.text } : this.blocks.get(n);
  }

  stateText() {
    if (!this.live) return this.ended;
    return { follow: 'following', hover: 'held while the pointer rests here', scroll: 'not following' }[this.follow.state];
  }

  paintFresh() {
    const { state, fresh } = this.follow;
    this.fresh.hidden = !this.live || state === 'follow' || (state === 'hover' && fresh === 0);
    if (!this.fresh.hidden) {
      const text = fresh === 0 ? 'Follow' : `${plural(fresh, 'new line')}`;
      if (this.fresh.textContent !== text) fill(this.fresh, icon('down'), text);
    }
  }
}
