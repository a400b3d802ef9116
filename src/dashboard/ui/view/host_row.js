// @ts-check
// One row of the table of hosts. It is filled when it first comes into view, and drawn again only while it is in view.

import { Sparkline } from '../chart.js';
import { add, fill, h, setText } from '../dom.js';
import { dateTime, generationName, plural } from '../format.js';
import { hostPath, runPath } from '../router.js';
import { hostWord, phaseWord, statusOf } from '../words.js';
import { Doing, MetricsView, deadlineText, drawStatus, lastSeenText } from './host_parts.js';

/** @typedef {import('../fleet.js').Entry} Entry */

/** Milliseconds out of view after which a row is emptied. */
const SHED = 10_000;

export class HostRow {
  /**
   * @param {Entry} entry
   * @param {() => import('../types.js').Run[]} waiting runs that wait for this host
   * @param {() => import('../recent.js').RecentHost | null} recent its last hour
   */
  constructor(entry, waiting, recent) {
    this.entry = entry;
    this.waiting = waiting;
    this.recent = recent;
    const { hostname } = entry.host;
    this.dot = h('span', { class: 'theme-dot', 'aria-hidden': 'true' });
    this.sub = h('span', { class: 'sub' });
    this.name = h('div', { role: 'cell', class: 'cell-name' }, this.dot, h('a', { href: hostPath(hostname) }, hostname), this.sub);
    this.element = h('div', { role: 'row', class: 'host', 'data-host': hostname }, this.name);
    /** @type {ReturnType<typeof HostRow.cells> | null} */
    this.cells = null;
    /** Whether the host changed since it was drawn. */
    this.stale = true;
    this.visible = false;
    /** When it went out of view, on `performance.now()`. */
    this.leftAt = 0;
    this.text = '';
    this.search();
  }

  static cells() {
    return {
      status: h('span', { class: 'badge' }),
      deadline: h('span', { class: 'sub deadline' }),
      waiting: h('a', { class: 'sub waiting', hidden: true }),
      doing: new Doing(),
      log: h('a', { class: 'to-run' }, 'Log'),
      metrics: new MetricsView(),
      spark: new Sparkline(),
      generation: h('div', { role: 'cell', class: 'cell-generation', 'data-label': 'Generation' }),
      seen: h('div', { role: 'cell', class: 'cell-seen', 'data-label': 'Last seen' }),
    };
  }

  /** @param {Entry} entry */
  set(entry) {
    this.entry = entry;
    this.stale = true;
    this.search();
  }

  /** What the filter looks at. */
  search() {
    const { host } = this.entry;
    const doing = host.status === 'online' || host.status === 'reconnecting' ? host.activity : null;
    this.text = [host.hostname, hostWord(host).word, host.host_type, host.location, host.device_type, host.comment, ...(host.tags ?? []),
      host.generation, doing?.command ?? '', doing?.phase ? phaseWord(doing.phase) : '', ...this.waiting().map((run) => `waits waiting ${run.command}`)].join('\n').toLowerCase();
  }

  /** @param {boolean} visible */
  see(visible) {
    this.visible = visible;
    this.leftAt = performance.now();
    if (visible) this.draw();
  }

  draw() {
    if (!this.visible) return;
    const cells = (this.cells ??= this.build());
    if (this.stale) {
      this.stale = false;
      const { host } = this.entry;
      setText(this.sub, [host.location, host.device_type, ...(host.tags ?? [])].filter((text) => text !== '').join(' · '));
      // Only a plain colour is taken from a host.
      const colour = /^#[0-9a-f]{6}$/i.test(host.theme_color) ? host.theme_color : '';
      this.dot.style.setProperty('background-color', colour);
      this.element.dataset.status = statusOf(host);
      drawStatus(cells.status, host);
      cells.doing.draw(this.entry);
      cells.metrics.draw(this.entry);
      this.drawRecent();
      const run = host.status === 'offline' ? null : host.activity?.run;
      cells.log.hidden = !run;
      if (run) cells.log.href = runPath(run);
      drawWaiting(cells.waiting, this.waiting(), host);
      setText(cells.generation, host.generation === '' ? '–' : generationName(host.generation));
      cells.generation.title = host.generation;
    }
    this.tick();
  }

  drawRecent() {
    // The line of a host that is away ends where it was last heard.
    this.cells?.spark.draw(this.recent()?.load ?? null, this.entry.host.resources?.cores ?? 1, 'Load');
  }

  /** What changes by time alone. */
  tick() {
    if (!this.visible || !this.cells) return;
    setText(this.cells.seen, lastSeenText(this.entry));
    const deadline = deadlineText(this.entry);
    setText(this.cells.deadline, deadline);
    this.cells.doing.tick(this.entry);
  }

  build() {
    const cells = HostRow.cells();
    cells.metrics.load.append(cells.spark.element);
    add(this.element,
      h('div', { role: 'cell', class: 'cell-status' }, cells.status, cells.deadline),
      h('div', { role: 'cell', class: 'cell-doing' }, cells.doing.element, cells.log, cells.waiting),
      h('div', { role: 'cell', class: 'cell-metrics' }, cells.metrics.element),
      cells.generation, cells.seen);
    return cells;
  }

  /** Leaves only the name of a row that has been out of view for a while, so that thousands of hosts stay light. */
  shed() {
    if (!this.cells || this.visible || performance.now() - this.leftAt < SHED) return;
    this.cells = null;
    this.stale = true;
    fill(this.element, this.name);
  }
}

/** @param {HTMLAnchorElement} place @param {import('../types.js').Run[]} runs those that are known @param {import('../types.js').Host} host */
function drawWaiting(place, runs, host) {
  const [first] = runs;
  const count = Math.max(runs.length, host.queued);
  place.hidden = count === 0;
  place.href = first ? runPath(first.id) : hostPath(host.hostname);
  const more = count > 1 ? ` and ${count - 1} more` : '';
  setText(place, first ? `${first.command} waits until ${dateTime(first.queued_until)}${more}` : plural(count, 'run waits', 'runs wait'));
}
