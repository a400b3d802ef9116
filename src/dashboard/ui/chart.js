// @ts-check
// Charts in SVG, drawn by hand: a line for the mean, a band from the least to the most, and nothing where nothing is known.

import { fill, h } from './dom.js';

const SVG = 'http://www.w3.org/2000/svg';
/** Pixels: a chart's height, and the room for its labels. */
const HEIGHT = 132;
const LEFT = 40;
const BOTTOM = 18;
const TOP = 8;
const RIGHT = 10;

/** @typedef {(number | null)[]} Values */
/** @typedef {{label: string, name: string, avg: Values, min?: Values, max?: Values}} Line `name`: its class */
/** @typedef {{from: number, step: number, points: number, lines: Line[], limit?: number | null}} Drawing `from`, `step`: milliseconds; `limit`: a line that matters, such as all cores */

/**
 * Stretches without a gap, as first and last index.
 * @param {Values} values
 * @returns {[number, number][]}
 */
export function stretches(values) {
  /** @type {[number, number][]} */
  const found = [];
  values.forEach((value, at) => {
    if (value === null) return;
    const last = found.at(-1);
    if (last && last[1] === at - 1) last[1] = at;
    else found.push([at, at]);
  });
  return found;
}

/** @param {number} number */
const short = (number) => String(Math.round(number * 10) / 10);

/**
 * A line that breaks off at each gap; a point that stands alone is a dot.
 * @param {Values} values @param {(at: number) => number} x @param {(value: number) => number} y
 */
export function linePath(values, x, y) {
  return stretches(values).map(([first, last]) => {
    const points = values.slice(first, last + 1).map((value, at) => `${short(x(first + at))} ${short(y(value ?? 0))}`);
    return first === last ? `M${points[0]}h.01` : `M${points.join('L')}`;
  }).join('');
}

/**
 * The area between two lines, with the same gaps.
 * @param {Values} min @param {Values} max @param {(at: number) => number} x @param {(value: number) => number} y
 */
export function bandPath(min, max, x, y) {
  return stretches(min).filter(([first, last]) => last > first).map(([first, last]) => {
    const edge = (/** @type {Values} */ values) => values.slice(first, last + 1).map((value, at) => `${short(x(first + at))} ${short(y(value ?? 0))}`);
    return `M${edge(max).join('L')}L${edge(min).reverse().join('L')}Z`;
  }).join('');
}

/** The next number of 1, 2 or 5 and zeros. @param {number} value */
export function roundUp(value) {
  if (!(value > 0)) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * ([1, 2, 5].find((step) => value <= step * unit * 1.000001) ?? 10);
}

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const TICKS = [5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, 60 * MINUTE, 180 * MINUTE, 360 * MINUTE, 720 * MINUTE, DAY, 2 * DAY, 7 * DAY, 14 * DAY, 30 * DAY, 61 * DAY, 122 * DAY];

/**
 * Moments to label: at most `most`, on whole units of the reader's clock.
 * @param {number} from @param {number} to @param {number} most @param {number} [zone] the clock's distance from UTC in minutes
 */
export function ticks(from, to, most, zone = -new Date(from).getTimezoneOffset()) {
  const step = TICKS.find((step) => (to - from) / step <= most) ?? 366 * DAY;
  const shift = zone * MINUTE;
  /** @type {number[]} */
  const found = [];
  for (let at = Math.ceil((from + shift) / step) * step - shift; at <= to; at += step) found.push(at);
  return found;
}

/** @param {number} at @param {number} span milliseconds of the whole chart */
export function tickText(at, span) {
  const date = new Date(at);
  const two = (/** @type {number} */ number) => String(number).padStart(2, '0');
  if (span <= 2 * DAY) return `${two(date.getHours())}:${two(date.getMinutes())}`;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`.slice(span > 200 * DAY ? 0 : 5, span > 200 * DAY ? 7 : undefined);
}

/**
 * @param {string} tag @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
function svg(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

export class Chart {
  /** @param {string} title @param {{unit: string, top?: number}} how `top`: a scale that always ends there */
  constructor(title, how) {
    this.title = title;
    this.how = how;
    this.now = h('span', { class: 'chart-now' });
    this.picture = svg('svg', { class: 'chart-picture', role: 'img', height: HEIGHT });
    this.picture.addEventListener('pointermove', (event) => this.point(/** @type {PointerEvent} */ (event)));
    this.picture.addEventListener('pointerleave', () => this.point(null));
    this.element = h('figure', { class: 'chart' }, h('figcaption', {}, h('b', {}, title), this.now), this.picture);
    /** @type {Drawing | null} */
    this.drawing = null;
    this.width = 0;
    this.cursor = svg('line', { class: 'chart-cursor', y1: TOP, y2: HEIGHT - BOTTOM });
    this.sized = new ResizeObserver(() => this.picture.clientWidth !== this.width && this.drawing && this.draw(this.drawing));
    this.sized.observe(this.picture);
  }

  /** @param {number} value */
  text(value) {
    return `${value < 10 && this.how.unit !== '%' ? value.toFixed(2) : Math.round(value * 10) / 10}${this.how.unit === '' ? '' : `\u202f${this.how.unit}`}`;
  }

  /** @param {Drawing} drawing */
  draw(drawing) {
    this.drawing = drawing;
    const { lines, points, from, step } = drawing;
    this.width = this.picture.clientWidth || 320;
    const { width } = this;
    const values = lines.flatMap((line) => [...(line.max ?? line.avg), drawing.limit ?? null]).filter((value) => value !== null);
    const top = this.how.top ?? roundUp(Math.max(...values, 0));
    const x = (/** @type {number} */ at) => LEFT + ((at + 0.5) / points) * (width - LEFT - RIGHT);
    this.x = x;
    const y = (/** @type {number} */ value) => HEIGHT - BOTTOM - (Math.min(value, top) / top) * (HEIGHT - BOTTOM - TOP);
    const span = points * step;
    const place = (/** @type {number} */ at) => LEFT + ((at - from) / span) * (width - LEFT - RIGHT);
    const grid = [0, 0.5, 1].flatMap((share) => [
      svg('line', { class: 'chart-grid', x1: LEFT, x2: width - RIGHT, y1: y(share * top), y2: y(share * top) }),
      svg('text', { x: LEFT - 6, y: y(share * top) + 4, 'text-anchor': 'end' }, String(Math.round(share * top * 100) / 100)),
    ]);
    const moments = ticks(from, from + span, Math.max(2, Math.floor(width / 70))).filter((at) => place(at) < width - 24 && place(at) > LEFT + 8)
      .map((at) => svg('text', { x: place(at), y: HEIGHT - 4, 'text-anchor': 'middle' }, tickText(at, span)));
    const drawn = lines.flatMap((line) => [
      ...(line.min && line.max ? [svg('path', { class: `chart-band ${line.name}`, d: bandPath(line.min, line.max, x, y) })] : []),
      svg('path', { class: `chart-line ${line.name}`, d: linePath(line.avg, x, y) }),
    ]);
    const limit = drawing.limit ? [svg('line', { class: 'chart-limit', x1: LEFT, x2: width - RIGHT, y1: y(drawing.limit), y2: y(drawing.limit) })] : [];
    this.picture.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.picture.replaceChildren(...grid, ...moments, ...limit, ...drawn);
    this.picture.setAttribute('aria-label', `${this.title}: ${lines.map((line) => this.summary(line)).join('; ')}`);
    this.point(null);
  }

  /** A line in words. @param {Line} line */
  summary(line) {
    const known = line.avg.filter((value) => value !== null);
    const last = known.at(-1);
    if (last === undefined) return `${line.label} not known`;
    const least = Math.min(...(line.min ?? line.avg).filter((value) => value !== null));
    const most = Math.max(...(line.max ?? line.avg).filter((value) => value !== null));
    return `${line.label} last ${this.text(last)}, from ${this.text(least)} to ${this.text(most)}`;
  }

  /** Says what is under the pointer, or the newest values without one. @param {PointerEvent | null} event */
  point(event) {
    const { drawing } = this;
    if (!drawing) return;
    let at = -1;
    if (event) {
      const share = (event.offsetX - LEFT) / (this.width - LEFT - RIGHT);
      at = Math.min(drawing.points - 1, Math.max(0, Math.floor(share * drawing.points)));
      const x = String(this.x?.(at) ?? 0);
      this.cursor.setAttribute('x1', x);
      this.cursor.setAttribute('x2', x);
      this.picture.append(this.cursor);
    } else {
      this.cursor.remove();
    }
    const words = drawing.lines.map((line) => {
      const place = at >= 0 ? at : line.avg.findLastIndex((value) => value !== null);
      const value = line.avg[place] ?? null;
      const [least, most] = [line.min?.[place] ?? null, line.max?.[place] ?? null];
      const range = at >= 0 && least !== null && most !== null && most - least > 0.05 ? ` (${this.text(least)} to ${this.text(most)})` : '';
      const text = value === null ? 'not known' : `${this.text(value)}${range}`;
      return { name: line.name, text: drawing.lines.length > 1 ? `${line.label} ${text}` : text };
    });
    fill(this.now, ...(at >= 0 ? [h('i', {}, when(drawing.from + at * drawing.step, drawing.step))] : []),
      ...words.map(({ name, text }) => h('span', { class: `chart-key ${name}` }, text)));
  }

  leave() {
    this.sized.disconnect();
  }
}

/** @param {number} at @param {number} step */
function when(at, step) {
  return `${tickText(at, step >= 3_600_000 ? 30 * DAY : 0)}${step >= 3_600_000 && step < DAY ? ` ${tickText(at, 0)}` : ''}`;
}

/** A small line without labels, as high as its row allows. */
export class Sparkline {
  constructor() {
    this.line = svg('path', { class: 'chart-line' });
    this.element = svg('svg', { class: 'spark', viewBox: '0 0 120 24', preserveAspectRatio: 'none', role: 'img' }, this.line);
    this.drawn = '';
  }

  /** @param {Values | null} values @param {number} top what the height means, unless a value is larger @param {string} label */
  draw(values, top, label) {
    const known = values?.filter((value) => value !== null) ?? [];
    this.element.toggleAttribute('hidden', known.length === 0);
    if (!values || known.length === 0) return;
    const most = Math.max(top, ...known);
    const path = linePath(values, (at) => (at / Math.max(1, values.length - 1)) * 120, (value) => 23 - (value / most) * 22);
    if (path === this.drawn) return;
    this.drawn = path;
    this.line.setAttribute('d', path);
    this.element.setAttribute('aria-label', `${label} in the last hour, at most ${Math.max(...known).toFixed(2)}`);
  }
}
