// @ts-check
// What the table of hosts and a host's page both show: status, activity, metrics.

import { fullest, percent } from '../amounts.js';
import { fill, h, setAttribute, setText } from '../dom.js';
import { deadlineLeft, heartbeatAge } from '../fleet.js';
import { age, countdown } from '../format.js';
import { icon } from '../icons.js';
import { activityShort, countShort, leftShort, share } from '../progress.js';
import { hostWord, isActivation, phaseWord, runWord } from '../words.js';

/** @typedef {import('../fleet.js').Entry} Entry */

/** @param {HTMLElement} place @param {import('../words.js').Word} word @param {string} [name] its class */
export function drawBadge(place, word, name = 'badge') {
  if (place.dataset.word === word.word) return;
  place.dataset.word = word.word;
  place.className = `${name} ${word.tone}`;
  fill(place, icon(word.icon), word.word);
}

/** @param {HTMLElement} place @param {import('../types.js').Host} host */
export function drawStatus(place, host) {
  drawBadge(place, hostWord(host));
  place.title = host.absence_reason ?? '';
}
/** @param {HTMLElement} place @param {import('../types.js').Run} run */
export const drawState = (place, run) => drawBadge(place, runWord(run));


/** When the host was last heard, or how long it has to come back. @param {Entry} entry */
export function lastSeenText(entry) {
  if (entry.host.status === 'never_seen') return 'never';
  return age(heartbeatAge(entry));
}

/** @param {Entry} entry */
export function deadlineText(entry) {
  if (entry.host.status !== 'reconnecting') return '';
  const left = deadlineLeft(entry);
  if (Number.isNaN(left)) return '';
  return deadlineWords(left, isActivation(entry.host.activity?.phase ?? null));
}

/** @param {number} left milliseconds @param {boolean} activating whether a run is lost then */
export function deadlineWords(left, activating) {
  return left <= 0 ? 'deadline reached' : `counts as ${activating ? 'lost' : 'offline'} in ${countdown(left)}`;
}

/** A progress bar with its numbers in words. */
export class ProgressBar {
  constructor() {
    this.fill = h('span', { class: 'bar-fill' });
    this.bar = h('span', { class: 'bar', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' }, this.fill);
    this.text = h('span', { class: 'bar-text' });
    this.element = h('span', { class: 'progress' }, this.bar, this.text);
  }

  /** @param {number | null} done 0 to 1; null for no bar: it would promise a measure that there is not @param {string} text */
  draw(done, text) {
    this.element.hidden = done === null && text === '';
    this.bar.hidden = done === null;
    setText(this.text, text);
    if (done === null) return;
    this.fill.style.setProperty('transform', `scaleX(${done})`);
    setAttribute(this.bar, 'aria-valuenow', String(Math.round(done * 100)));
    setAttribute(this.bar, 'aria-valuetext', text === '' ? null : text);
    setAttribute(this.bar, 'aria-label', 'Progress');
  }
}

/** How far a host's run is, and what is left of it: `37/112 · ~6 min`. @param {Entry} entry @param {number} now on `performance.now()` */
export function howFar({ host: { activity }, told }, now) {
  const parts = activity ? [countShort(activity), leftShort(activity.eta, now - told)] : [];
  return parts.filter((part) => part !== '').join(' · ');
}

/** What a host is doing, as one line and a bar. */
export class Doing {
  constructor() {
    this.what = h('span', { class: 'what' });
    this.progress = new ProgressBar();
    this.activity = h('span', { class: 'activity' });
    this.element = h('div', { class: 'doing' }, this.what, this.progress.element, this.activity);
  }

  /** @param {Entry} entry */
  draw(entry) {
    const { host } = entry;
    const doing = host.activity;
    // An offline host does nothing that anybody knows of; a reconnecting one did this when it was last heard.
    const live = host.status === 'online';
    const known = doing !== null && (live || host.status === 'reconnecting');
    this.element.classList.toggle('old', known && !live);
    if (!known) {
      const pending = live ? host.pending_command : null;
      setText(this.what, pending ?? (live ? 'idle' : host.status === 'never_seen' ? '' : 'not known'));
      this.what.className = pending ? 'what' : 'what quiet';
      this.progress.draw(null, '');
      setText(this.activity, '');
      return;
    }
    this.what.className = 'what';
    setText(this.what, `${live ? '' : 'was at '}${doing.command}${doing.phase ? ` · ${phaseWord(doing.phase)}` : ''}`);
    this.tick(entry);
    setText(this.activity, live ? activityShort(doing.progress) : '');
  }

  /** What changes by time alone. @param {Entry} entry */
  tick(entry) {
    const doing = entry.host.status === 'online' ? entry.host.activity : null;
    this.progress.draw(doing && share(doing, doing.eta), doing ? howFar(entry, performance.now()) : '');
  }
}

/** The numbers of a host: StaSysMo's, else what the agent reads itself; null where there are none. @param {import('../types.js').Host} host */
export function numbers(host) {
  if (host.status !== 'online') return null;
  const { metrics, resources } = host;
  const own = resources && !resources.stale ? resources : null;
  if (!metrics && !own) return null;
  return {
    cpu: metrics?.cpu ?? null,
    ram: metrics?.ram ?? (own?.memory ? percent(own.memory) : null),
    swap: metrics?.swap ?? (own?.swap ? percent(own.swap) : null),
    disk: own ? fullest(own) : null,
    load: metrics?.load ?? own?.load?.[0] ?? null,
  };
}

/** The few numbers of a host, or that there are none. */
export class MetricsView {
  constructor() {
    this.values = /** @type {const} */ (['cpu', 'ram', 'swap', 'disk', 'load']).map((name) => {
      const value = h('b', {});
      return { name, value, element: h('span', { class: 'metric', 'data-metric': name }, h('i', {}, name), value) };
    });
    /** The last one: beside it there is room for a small line. */
    this.load = /** @type {HTMLElement} */ (this.values.at(-1)?.element);
    this.none = h('span', { class: 'quiet' });
    this.element = h('div', { class: 'metrics' }, this.none, ...this.values.map((value) => value.element));
  }

  /** @param {Entry} entry */
  draw({ host }) {
    const metrics = numbers(host);
    this.none.hidden = metrics !== null;
    setText(this.none, host.status === 'online' ? 'no metrics' : host.status === 'never_seen' ? '' : 'not known');
    for (const { name, value, element } of this.values) {
      const number = metrics?.[name] ?? null;
      element.hidden = number === null;
      if (number === null) continue;
      setText(value, name === 'load' ? number.toFixed(2) : `${Math.round(number)} %`);
      if (name === 'load') continue;
      element.classList.toggle('high', number >= 90);
      element.style.setProperty('--share', String(Math.min(1, Math.max(0, number / 100))));
    }
  }
}
