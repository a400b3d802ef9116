// @ts-check
// A stream of server-sent events that stays: it opens again when it breaks, and notices when it is silently dead.

import { session } from './api.js';

/** @typedef {'connecting' | 'live' | 'lost'} StreamState */

/** Without any event for so long, the dashboard is asked whether it is there. Milliseconds. */
const SILENCE = 15_000;
/** Longest wait before the next try, in milliseconds. */
const LONGEST_WAIT = 10_000;

export class Stream {
  /**
   * @param {() => string} address asked before each try, so that a stream can go on where it stopped
   * @param {Record<string, (data: any) => void>} handlers by the event's name
   * @param {(state: StreamState) => void} onState
   */
  constructor(address, handlers, onState) {
    this.address = address;
    this.handlers = handlers;
    this.onState = onState;
    /** @type {EventSource | null} */
    this.source = null;
    this.tries = 0;
    this.heard = performance.now();
    this.probing = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.retry = undefined;
    this.watch = setInterval(() => this.probe(), 5000);
    this.offline = () => this.broken();
    this.online = () => this.open();
    addEventListener('offline', this.offline);
    addEventListener('online', this.online);
    this.onState('connecting');
    this.open();
  }

  open() {
    clearTimeout(this.retry);
    this.source?.close();
    this.heard = performance.now();
    const source = new EventSource(this.address());
    this.source = source;
    source.onopen = () => this.alive();
    source.onerror = () => this.broken();
    for (const [name, handle] of Object.entries(this.handlers)) {
      source.addEventListener(name, (event) => {
        this.alive();
        handle(JSON.parse(event.data));
      });
    }
    source.addEventListener('ping', () => this.alive());
  }

  alive() {
    this.heard = performance.now();
    this.tries = 0;
    this.onState('live');
  }

  /** The connection is gone: try again, each time later. */
  broken() {
    this.source?.close();
    this.onState('lost');
    clearTimeout(this.retry);
    const wait = Math.min(LONGEST_WAIT, 500 * 2 ** this.tries) * (0.5 + Math.random() / 2);
    this.tries += 1;
    // Asking for the session first tells an ended login (401 leads to the login page) from a dashboard that is away.
    this.retry = setTimeout(() => session().then(() => this.open(), () => this.broken()), wait);
  }

  /** A dead connection can stay open for minutes; a short request tells. */
  async probe() {
    if (this.probing || this.source?.readyState !== EventSource.OPEN) return;
    if (performance.now() - this.heard < SILENCE) return;
    this.probing = true;
    try {
      await session();
      this.heard = performance.now();
    } catch {
      this.broken();
    } finally {
      this.probing = false;
    }
  }

  close() {
    clearTimeout(this.retry);
    clearInterval(this.watch);
    removeEventListener('offline', this.offline);
    removeEventListener('online', this.online);
    this.source?.close();
  }
}
