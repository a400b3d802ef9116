// @ts-check
// The last hour of the hosts in view, asked for together and not too often.

import { get } from './api.js';

/** @typedef {{load: (number | null)[], memory: (number | null)[]}} RecentHost */

/** Milliseconds after which what is shown is asked for again: points are minutes. */
const AGAIN = 60_000;
/** Milliseconds between two questions, also for hosts that came into view. */
const CALM = 2000;
/** The most hosts of one question. */
const MOST = 400;

export class Recent {
  /** @param {(names: string[]) => void} onNews */
  constructor(onNews) {
    this.onNews = onNews;
    /** @type {Map<string, {at: number, host: RecentHost | null}>} */
    this.held = new Map();
    this.asked = -CALM;
    this.asking = false;
    this.ending = new AbortController();
  }

  /** @param {string} name @returns {RecentHost | null} */
  of(name) {
    return this.held.get(name)?.host ?? null;
  }

  /** Asks for those of `names` that are missing or old. @param {string[]} names */
  async want(names) {
    const now = performance.now();
    if (this.asking || document.hidden || now - this.asked < CALM) return;
    const old = names.filter((name) => now - (this.held.get(name)?.at ?? -AGAIN) >= AGAIN).slice(0, MOST);
    if (old.length === 0) return;
    this.asked = now;
    this.asking = true;
    try {
      const { hosts } = /** @type {{hosts: Record<string, RecentHost>}} */ (await get(`/api/metrics?hosts=${old.map(encodeURIComponent).join(',')}`, this.ending.signal));
      for (const name of old) this.held.set(name, { at: now, host: hosts[name] ?? null });
      this.onNews(old);
    } catch {
      // The dashboard is away; what is shown grows old and is asked for again.
    }
    this.asking = false;
  }

  leave() {
    this.ending.abort();
  }
}
