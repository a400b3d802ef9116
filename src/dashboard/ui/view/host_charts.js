// @ts-check
// How a host was: charts of the last hour, day, two weeks or year.

import { get } from '../api.js';
import { Chart } from '../chart.js';
import { fill, h, setText } from '../dom.js';

/** @typedef {{avg: (number | null)[], min: (number | null)[], max: (number | null)[]}} Series */
/** @typedef {{host: string, from: string, step_s: number, points: number, series: Record<string, Series>}} History */

/** Name, `since`, and after how many milliseconds it is asked for again. @type {[string, string, number][]} */
const RANGES = [['1 h', '1h', 15_000], ['24 h', '24h', 60_000], ['14 d', '14d', 600_000], ['1 y', '366d', 3_600_000]];

/**
 * What is drawn: for each chart its title, unit, fixed top, and lines; of a line the first series that is known counts.
 * @type {{title: string, unit: string, top?: number, lines: {label: string, from: string[], name: string}[]}[]}
 */
const CHARTS = [
  { title: 'Load', unit: '', lines: [{ label: 'load', from: ['load1', 'load'], name: 'one' }] },
  { title: 'CPU', unit: '%', top: 100, lines: [{ label: 'cpu', from: ['cpu'], name: 'one' }] },
  { title: 'Memory', unit: '%', top: 100, lines: [{ label: 'memory', from: ['memory', 'ram'], name: 'one' }, { label: 'swap', from: ['swap_used', 'swap'], name: 'two' }] },
  { title: 'Disk', unit: '%', top: 100, lines: [{ label: 'fullest', from: ['disk'], name: 'one' }, { label: 'root', from: ['disk_root'], name: 'two' }, { label: 'store', from: ['disk_store'], name: 'three' }] },
  { title: 'Temperature', unit: '°C', lines: [{ label: 'hottest', from: ['temperature'], name: 'one' }] },
  { title: 'GPU memory', unit: '%', top: 100, lines: [{ label: 'fullest', from: ['vram'], name: 'one' }] },
];

export class HostCharts {
  /** @param {string} host */
  constructor(host) {
    this.host = host;
    this.range = 0;
    /** @type {number | null} */
    this.cores = null;
    this.ending = new AbortController();
    this.asked = -Infinity;
    /** @type {Map<string, Chart>} */
    this.charts = new Map();
    this.buttons = RANGES.map(([name], at) => h('button', { type: 'button', 'aria-pressed': String(at === this.range), onclick: () => this.choose(at) }, name));
    this.note = h('p', { class: 'quiet' }, 'Loading …');
    this.list = h('div', { class: 'charts' });
    this.element = h('section', { class: 'card history', 'aria-label': 'History' },
      h('div', { class: 'history-head' }, h('h2', {}, 'History'), h('div', { class: 'switch', role: 'group', 'aria-label': 'Length of time' }, ...this.buttons)),
      this.note, this.list);
  }

  /** @param {number} range */
  choose(range) {
    this.range = range;
    this.buttons.forEach((button, at) => button.setAttribute('aria-pressed', String(at === range)));
    this.asked = -Infinity;
    this.tick();
  }

  /** @param {number | undefined} cores */
  setCores(cores) {
    this.cores = cores ?? null;
  }

  /** Asks again when it is time. */
  tick() {
    const [, since, again] = RANGES[this.range] ?? ['', '1h', 60_000];
    if (document.hidden || performance.now() - this.asked < again) return;
    this.asked = performance.now();
    this.load(since, this.range);
  }

  /** @param {string} since @param {number} range */
  async load(since, range) {
    try {
      const history = /** @type {History} */ (await get(`/api/hosts/${encodeURIComponent(this.host)}/metrics?since=${since}`, this.ending.signal));
      if (range === this.range) this.draw(history);
    } catch {
      if (this.ending.signal.aborted || range !== this.range) return;
      this.note.hidden = false;
      setText(this.note, this.charts.size > 0 ? 'The dashboard does not tell the newest values now.' : 'The dashboard does not tell the history now.');
    }
  }

  /** @param {History} history */
  draw(history) {
    /** @type {HTMLElement[]} */
    const shown = [];
    for (const chart of CHARTS) {
      const lines = chart.lines.flatMap(({ label, from, name }, at) => {
        const found = from.map((series) => history.series[series]).find((series) => series !== undefined);
        if (!found) return [];
        // One band is enough: several would hide each other.
        return at === 0 ? [{ label, name, ...found }] : [{ label, name, avg: found.avg }];
      }).filter((line, at, all) => all.findIndex((other) => other.avg.join() === line.avg.join()) === at);
      if (lines.length === 0) continue;
      const drawn = this.charts.get(chart.title) ?? new Chart(chart.title, chart.top ? { unit: chart.unit, top: chart.top } : { unit: chart.unit });
      this.charts.set(chart.title, drawn);
      shown.push(drawn.element);
      if (!drawn.element.isConnected) this.list.append(drawn.element);
      drawn.draw({ from: Date.parse(history.from), step: history.step_s * 1000, points: history.points, lines, limit: chart.title === 'Load' ? this.cores : null });
    }
    if ([...this.list.children].some((child, at) => child !== shown[at]) || this.list.childElementCount !== shown.length) fill(this.list, ...shown);
    this.note.hidden = shown.length > 0;
    setText(this.note, 'No metrics are known of this time.');
  }

  leave() {
    this.ending.abort();
    for (const chart of this.charts.values()) chart.leave();
  }
}
