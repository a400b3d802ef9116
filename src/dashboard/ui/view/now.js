// @ts-check
// What a run does this second: how far it is, when it will be over, what is being built.

import { dashboardNow } from '../api.js';
import { h, setText } from '../dom.js';
import { plural } from '../format.js';
import { buildText, leftText, progressParts, share } from '../progress.js';
import { isFinal, isWaiting } from '../words.js';
import { ProgressBar } from './host_parts.js';

/** @typedef {import('../types.js').Run} Run */
/** @typedef {import('../types.js').RunningBuild} RunningBuild */

/** Rows whose room is kept. */
const ROOM = 4;

export class Now {
  /** @param {(build: {name: string}) => void} onBuild opens a build's log */
  constructor(onBuild) {
    this.onBuild = onBuild;
    this.progress = new ProgressBar();
    this.activity = h('span', { class: 'activity' });
    this.builds = h('ul', { class: 'builds', 'aria-label': 'What is being built', hidden: true });
    this.element = h('div', { class: 'run-now' }, this.progress.element, this.activity, this.builds);
    /** The most rows of builds so far: their room stays, so that the log below does not jump. */
    this.rows = 0;
    this.key = '';
    /** Rows of builds. @type {Map<string, HTMLElement>} */
    this.shown = new Map();
    /** When the run was told, on `performance.now()`. */
    this.told = 0;
    /** Nothing is heard of the host: what was so when it was last heard does not move. */
    this.away = false;
  }

  /** @param {Run} run */
  draw(run) {
    this.told = performance.now();
    const final = isFinal(run.state);
    const running = final ? [] : run.progress?.running ?? [];
    // Its room stays while the run goes on.
    this.element.hidden = final || isWaiting(run);
    this.drawBuilds(running, run.progress?.builds?.running ?? 0);
    setText(this.activity, final || running.length > 0 ? '' : run.progress?.activity ?? '');
    this.tick(run, true);
  }

  /** What changes by time alone. @param {Run} run @param {boolean} [told] it was told just now */
  tick(run, told = false) {
    if (isFinal(run.state) || (this.away && !told)) return;
    const left = this.away ? '' : leftText(run.eta, performance.now() - this.told);
    this.progress.draw(share(run, run.eta), [...progressParts(run), left].filter((part) => part !== '').join(' · '));
    const now = dashboardNow();
    (run.progress?.running ?? []).forEach((build, at) => {
      const time = this.builds.children[at]?.querySelector('.elapsed');
      if (time) setText(time, buildText(build, now).elapsed);
    });
  }

  /** @param {boolean} away @param {Run | null} run */
  setAway(away, run) {
    if (this.away === away) return;
    this.away = away;
    if (run) this.tick(run, true);
  }

  /** @param {RunningBuild} build */
  row(build) {
    const { name } = buildText(build, 0);
    return h('li', {}, h('button', { type: 'button', class: 'link build-name', 'aria-label': `Log of ${name}`, onclick: () => this.onBuild({ name: build.name }) }, name), h('span', { class: 'quiet build-where' }), h('span', { class: 'elapsed quiet' }));
  }

  /** @param {RunningBuild[]} running those that are named @param {number} count all of them */
  drawBuilds(running, count) {
    this.builds.hidden = running.length === 0 && this.rows === 0;
    const key = JSON.stringify([running, count]);
    if (key === this.key) return;
    this.key = key;
    // A row stays the same element while its build runs: a click or the focus is not lost when another one ends.
    const before = this.shown;
    this.shown = new Map();
    const rows = running.map((build) => {
      const id = JSON.stringify([build.name, build.host, build.since]);
      // Two of a name that began together are two rows.
      const row = (this.shown.has(id) ? undefined : before.get(id)) ?? this.row(build);
      if (!this.shown.has(id)) this.shown.set(id, row);
      const { name, where } = buildText(build, 0);
      row.title = `${name} ${where}`.trim();
      const place = row.querySelector('.build-where');
      if (place) setText(/** @type {HTMLElement} */ (place), where);
      return row;
    });
    const more = count - running.length;
    if (running.length > 0 && more > 0) rows.push(h('li', { class: 'quiet' }, `and ${plural(more, 'more build')}`));
    for (const child of [...this.builds.children]) if (!rows.includes(/** @type {HTMLElement} */ (child))) child.remove();
    rows.forEach((row, at) => {
      const there = this.builds.children[at];
      if (there !== row) this.builds.insertBefore(row, there ?? null);
    });
    this.rows = Math.max(this.rows, Math.min(ROOM, this.builds.children.length));
    this.builds.style.setProperty('--rows', String(this.rows));
  }
}
