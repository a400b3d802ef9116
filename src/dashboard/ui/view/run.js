// @ts-check
// A run: how it stands, its phases, its log, live.

import { RequestError, get } from '../api.js';
import { announce, fill, h } from '../dom.js';
import { age } from '../format.js';
import { Stream } from '../live.js';
import { Panel } from '../log/panel.js';
import { isFinal, isTrouble, phaseWord, stateWord, statusWord } from '../words.js';
import { askStop, showError } from './dialogs.js';
import { RunHead } from './run_head.js';

/** @typedef {import('../types.js').Run} Run */
/** @typedef {import('../types.js').Host} Host */

/** Milliseconds between two looks at the run's host while the run goes on. */
const HOST_EVERY = 5000;

class RunView {
  /** @param {HTMLElement} root @param {import('../app.js').Context} context @param {string} id */
  constructor(root, context, id) {
    this.root = root;
    this.context = context;
    this.path = `/api/runs/${encodeURIComponent(id)}`;
    this.ending = new AbortController();
    /** @type {Run | null} */
    this.run = null;
    /** @type {Panel | null} */
    this.panel = null;
    /** @type {Stream | null} */
    this.stream = null;
    this.ended = false;
    this.head = new RunHead(() => askStop(() => /** @type {Run} */ (this.run)),
      context.session.role === 'viewer' ? 'Your role is viewer: it may not stop runs.' : '');
    root.className = 'run-page';
    fill(root, h('p', { class: 'quiet' }, 'Loading …'));
    this.ticking = setInterval(() => this.run && !isFinal(this.run.state) && this.head.tick(this.run), 1000);
    this.watching = setInterval(() => this.lookAtHost(), HOST_EVERY);
    this.start();
  }

  async start() {
    const { signal } = this.ending;
    try {
      const run = /** @type {Run} */ (await get(this.path, signal));
      this.open(run);
    } catch (error) {
      if (signal.aborted) return;
      const place = h('p', { class: 'error' });
      fill(this.root, place);
      showError(place, error);
      // Away, not unknown: try until it is back.
      if (error instanceof RequestError && (error.status === 0 || error.status >= 500)) setTimeout(() => !signal.aborted && this.start(), 3000);
    }
  }

  /** @param {Run} run */
  open(run) {
    const panel = new Panel({
      lines: (from, limit, signal) => get(`${this.path}/log?from=${from}&limit=${limit}`, signal),
      raw: `${this.path}/log.txt`,
      rawName: `${run.host}-${run.command}-${run.id}.txt`,
    }, !isFinal(run.state));
    this.panel = panel;
    fill(this.root, this.head.element, panel.element);
    this.set(run);
    // What was there when the page asked comes by blocks, what came after it by the stream: no gap, and nothing twice.
    panel.setTotal(run.lines);
    // What went wrong is at the end.
    if (isTrouble(run.state)) panel.toEnd();
    this.stream = new Stream(() => `${this.path}/events?from=${panel.blocks.total + 1}`, {
      run: (data) => this.set(data),
      lines: (data) => panel.append(data.lines),
      partial: (data) => panel.partial(data.text),
      end: () => this.end(),
    }, (state) => !this.ended && this.context.connection.set('run', state));
    this.lookAtHost();
  }

  /** @param {Run} run */
  set(run) {
    const before = this.run;
    this.run = run;
    if (this.panel) this.panel.look.start = run.started_at;
    this.head.draw(run);
    if (!before) return;
    if (before.state !== run.state) {
      announce(`${run.command} on ${run.host}: ${stateWord(run.state).word}. ${isFinal(run.state) ? run.reason ?? '' : ''}`);
      if (isFinal(run.state)) this.head.noteHost('');
    } else if (before.phase !== run.phase && run.phase) {
      announce(phaseWord(run.phase));
    }
  }

  /** The last line has come. */
  end() {
    this.ended = true;
    this.stream?.close();
    this.context.connection.set('run', 'live');
    if (this.run && this.panel) this.panel.setTotal(this.run.lines);
    this.panel?.finish();
    this.head.noteHost('');
  }

  /** Says so when nothing new can come because the host is not there. */
  async lookAtHost() {
    if (!this.run || isFinal(this.run.state) || document.hidden) return;
    try {
      const host = /** @type {Host} */ (await get(`/api/hosts/${encodeURIComponent(this.run.host)}`, this.ending.signal));
      if (!this.run || isFinal(this.run.state)) return;
      const seen = host.last_heartbeat_age_ms === null ? '' : `, last heard ${age(host.last_heartbeat_age_ms)}`;
      const away = host.status === 'online' ? '' : `${host.hostname} is ${statusWord(host.status).word.toLowerCase()}${seen}. `
        + 'The run goes on there; its output arrives when the host is back.';
      this.head.noteHost(away);
    } catch {
      // The banner tells when the dashboard is away.
    }
  }

  leave() {
    this.ending.abort();
    clearInterval(this.ticking);
    clearInterval(this.watching);
    this.stream?.close();
    this.panel?.close();
  }
}

/** @param {HTMLElement} root @param {import('../app.js').Context} context @param {string} id @returns {() => void} */
export function runView(root, context, id) {
  const view = new RunView(root, context, id);
  return () => view.leave();
}
