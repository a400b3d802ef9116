// @ts-check
// All hosts as the dashboard last told, with the moment at which it told. One stream for every view that wants it.

import { get } from './api.js';
import { Stream } from './live.js';
import { isWaiting } from './words.js';

/** @typedef {import('./types.js').Host} Host */
/** @typedef {import('./types.js').Run} Run */
/** @typedef {{host: Host, told: number}} Entry a host, and when it was told on `performance.now()` */
/** @typedef {{hosts?: (names: Set<string> | null) => void, run?: (run: Run) => void, alerts?: () => void}} Listener `null`: all of them */

/** Waiting runs that are asked for at the start; more become known when something happens to them. */
const WAITING = 200;
/** A page in the background gives its connection back after so many milliseconds: browsers allow six per dashboard. */
const BACKGROUND = 30_000;

export class Fleet {
  /** @param {(state: import('./live.js').StreamState) => void} onState */
  constructor(onState) {
    this.onState = onState;
    /** @type {Map<string, Entry>} */
    this.entries = new Map();
    /** Runs that wait for their host, by id. @type {Map<string, Run>} */
    this.waiting = new Map();
    /** Runs told since the waiting ones were asked for: the answer may be older. @type {Set<string>} */
    this.fresh = new Set();
    /** Whether the first list has arrived. */
    this.loaded = false;
    /** @type {Set<Listener>} */
    this.listeners = new Set();
    /** @type {Stream | null} */
    this.stream = null;
    /** Names changed since the last frame; null for all. @type {Set<string> | null} */
    this.changed = new Set();
    this.frame = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.release = undefined;
    document.addEventListener('visibilitychange', () => this.settle());
  }

  /** @param {Listener} listener @returns {() => void} ends it */
  listen(listener) {
    this.listeners.add(listener);
    this.settle();
    if (this.loaded) listener.hosts?.(null);
    return () => {
      this.listeners.delete(listener);
      this.settle();
    };
  }

  /** Opens the stream while somebody looks, closes it when nobody does. */
  settle() {
    clearTimeout(this.release);
    if (this.listeners.size > 0 && !document.hidden) {
      this.stream ??= new Stream(() => '/api/events', {
        hosts: (data) => this.all(data.hosts),
        host: (data) => this.one(data),
        run: (data) => this.ran(data),
        alerts: () => this.alerted(),
      }, this.onState);
      return;
    }
    this.release = setTimeout(() => {
      this.stream?.close();
      this.stream = null;
    }, document.hidden ? BACKGROUND : 0);
  }

  /** @param {Host[]} hosts */
  all(hosts) {
    const told = performance.now();
    this.entries = new Map(hosts.map((host) => [host.hostname, { host, told }]));
    this.loaded = true;
    this.note(null);
    this.alerted();
    this.askWaiting();
  }

  /** Alerts have changed, or may have. */
  alerted() {
    for (const listener of this.listeners) listener.alerts?.();
  }

  /** @param {Run} run */
  ran(run) {
    this.fresh.add(run.id);
    this.setWaiting(run);
    for (const listener of this.listeners) listener.run?.(run);
  }

  /** @param {Run} run */
  setWaiting(run) {
    const was = this.waiting.delete(run.id);
    if (isWaiting(run)) this.waiting.set(run.id, run);
    if (was || isWaiting(run)) this.note(run.host);
  }

  /** The stream tells of changes; what has been waiting since before it is asked for. */
  async askWaiting() {
    this.fresh.clear();
    try {
      const { runs } = /** @type {{runs: Run[]}} */ (await get(`/api/runs?state=queued&limit=${WAITING}`));
      const ids = new Set(runs.map((run) => run.id));
      for (const run of this.waiting.values()) {
        if (!ids.has(run.id) && !this.fresh.has(run.id)) this.setWaiting({ ...run, queued_until: null });
      }
      for (const run of runs) if (!this.fresh.has(run.id)) this.setWaiting(run);
    } catch {
      // The dashboard is away; the stream's next beginning asks again.
    }
  }

  /** Runs that wait for a host, the first asked for first. @param {string} host @returns {Run[]} */
  waitingFor(host) {
    return [...this.waiting.values()].filter((run) => run.host === host).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** @param {Host} host */
  one(host) {
    this.entries.set(host.hostname, { host, told: performance.now() });
    this.note(host.hostname);
  }

  /** @param {string | null} name */
  note(name) {
    if (name === null) this.changed = null;
    else this.changed?.add(name);
    this.frame ||= requestAnimationFrame(() => {
      const changed = this.changed;
      this.frame = 0;
      this.changed = new Set();
      for (const listener of this.listeners) listener.hosts?.(changed);
    });
  }
}

/** Milliseconds since the host's last heartbeat; NaN if there was none. @param {Entry} entry */
export function heartbeatAge(entry) {
  const age = entry.host.last_heartbeat_age_ms;
  if (age !== null && age !== undefined) return age + performance.now() - entry.told;
  return entry.host.last_seen ? Date.now() - Date.parse(entry.host.last_seen) : Number.NaN;
}

/** Milliseconds until a reconnecting host counts as offline, and its run as lost; NaN if there is no deadline. @param {Entry} entry */
export function deadlineLeft(entry) {
  const left = entry.host.reconnect_deadline_ms;
  return left === null || left === undefined ? Number.NaN : Math.max(0, left - (performance.now() - entry.told));
}
