// @ts-check
// A run: how it stands, its phases, its log, live.

import { RequestError, get, post } from '../api.js';
import { announce, fill, h } from '../dom.js';
import { age } from '../format.js';
import { Stream } from '../live.js';
import { Panel } from '../log/panel.js';
import { go, runPath } from '../router.js';
import { isActivation, isFinal, isTrouble, isWaiting, phaseWord, runWord, statusWord } from '../words.js';
import { openBuildLog } from './build_log.js';
import { ask, showError } from './dialogs.js';
import { firstError } from './first_error.js';
import { deadlineWords } from './host_parts.js';
import { completeness, isComing, logEnd } from './outcome.js';
import { RunHead } from './run_head.js';
import { askForce, askStop } from './stop.js';

/** @typedef {import('../types.js').Run} Run */
/** @typedef {import('../types.js').Host} Host */

/** Milliseconds between two looks at the run's host while something may come from it. */
const HOST_EVERY = 5000;
/** Lines that may wait for this page; of more, only the newest are sent. */
const BEHIND = 5000;

class RunView {
  /** @param {HTMLElement} root @param {import('../app.js').Context} context @param {string} id */
  constructor(root, context, id) {
    this.root = root;
    this.context = context;
    this.id = id;
    this.path = `/api/runs/${encodeURIComponent(id)}`;
    this.ending = new AbortController();
    /** @type {Run | null} */
    this.run = null;
    /** When the run was told, on `performance.now()`. */
    this.told = 0;
    /** The run's host as it was last seen. @type {Host | null} */
    this.host = null;
    /** When that was, on `performance.now()`. */
    this.hostTold = 0;
    /** Missing bytes for which the gaps have been asked. */
    this.gapsOf = 0;
    /** @type {Panel | null} */
    this.panel = null;
    /** @type {Stream | null} */
    this.stream = null;
    /** Closes the log of a build. @type {(() => void) | null} */
    this.closeBuild = null;
    this.ended = false;
    /** The dashboard asked for the output again, because it was not what the host had: what is drawn may be wrong. */
    this.doubted = false;
    /** Ends the watch over a run that is over and may yet change. @type {(() => void) | null} */
    this.unlisten = null;
    const isViewer = context.session.role === 'viewer';
    this.head = new RunHead({ onStop: () => askStop(() => /** @type {Run} */ (this.run)), onForce: () => this.run && askForce(this.run), onReboot: () => this.reboot(), findError: () => this.findError(), onBuild: (build) => this.openBuild(build) },
      isViewer ? 'Your role is viewer: it may not stop runs.' : '');
    root.className = 'run-page';
    fill(root, h('p', { class: 'quiet' }, 'Loading …'));
    this.ticking = setInterval(() => this.tick(), 1000);
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
    }, isComing(run));
    this.panel = panel;
    fill(this.root, this.head.element, panel.element);
    this.set(run);
    // What was there when the page asked comes by blocks, what came after it by the stream: no gap, and nothing twice.
    panel.setTotal(run.lines);
    // What went wrong is at the end.
    if (isTrouble(run.state)) panel.toEnd();
    this.listen();
    this.lookAtHost();
  }

  /** Opens the stream, after the lines that are known. */
  listen() {
    const { panel } = this;
    if (!panel) return;
    this.ended = false;
    this.stream?.close();
    this.stream = new Stream(() => `${this.path}/events?from=${panel.blocks.total + 1}&behind=${BEHIND}`, {
      run: (data) => this.set(data),
      lines: (data) => panel.append(data),
      // They come by blocks when somebody looks at them.
      skipped: (data) => panel.setTotal(data.to),
      partial: (data) => panel.partial(data.text),
      end: () => this.end(),
    }, (state) => !this.ended && this.context.connection.set('run', state));
  }

  /** @param {Run} run */
  set(run) {
    const before = this.run;
    this.run = run;
    this.told = performance.now();
    if (this.panel) this.panel.look.start = run.started_at;
    this.head.draw(run);
    this.drawAway();
    if (run.bytes_missing > this.gapsOf) this.loadGaps(run);
    if (!before) return;
    if (run.bytes < before.bytes) this.doubted = true;
    if (before.state !== run.state) {
      announce(`${run.command} on ${run.host}: ${runWord(run).word}. ${isFinal(run.state) ? run.reason ?? '' : ''}`);
      if (isFinal(run.state)) this.lookAtHost();
    } else if (before.phase !== run.phase && run.phase) {
      announce(phaseWord(run.phase));
    } else if (completeness(before)?.kind !== completeness(run)?.kind) {
      announce(completeness(run)?.word ?? '');
    }
  }

  tick() {
    if (!this.run || !isComing(this.run)) return;
    this.head.tick(this.run);
    this.drawAway();
  }

  /** @param {Run} run */
  async loadGaps(run) {
    this.gapsOf = run.bytes_missing;
    try {
      const { gaps } = await get(`${this.path}/gaps`, this.ending.signal);
      this.panel?.setGaps(gaps);
      this.head.trouble.gaps = gaps;
      if (this.run) this.head.draw(this.run);
    } catch {
      // Asked again with the next thing that is told of the run; the log shows gaps where it comes upon them.
      this.gapsOf = 0;
    }
  }

  /** The last line has come. */
  end() {
    const { run, panel } = this;
    this.ended = true;
    this.stream?.close();
    this.stream = null;
    this.context.connection.set('run', 'live');
    if (!run || !panel) return;
    panel.setTotal(run.lines);
    if (this.doubted) panel.again();
    this.doubted = false;
    panel.finish(logEnd(run));
    this.drawAway();
    // It may be found again, or the rest of its output may come after all.
    if (run.state === 'lost' || run.incomplete) this.unlisten ??= this.context.fleet.listen({ run: (told) => told.id === this.id && this.toldAfter(told) });
  }

  /** What is told of the run after its stream had ended. @param {Run} run */
  toldAfter(run) {
    const lines = this.panel?.blocks.total ?? 0;
    this.set(run);
    if (!this.ended || (!isComing(run) && run.lines <= lines)) return;
    this.panel?.goOn();
    this.listen();
  }

  /** Looks at the host while something may come from it, or may be asked of it. */
  async lookAtHost() {
    const { run } = this;
    if (!run || document.hidden) return;
    const canReboot = run.state === 'reboot_required' && this.context.session.role !== 'viewer';
    if (!isComing(run) && !canReboot) return;
    try {
      this.host = /** @type {Host} */ (await get(`/api/hosts/${encodeURIComponent(run.host)}`, this.ending.signal));
      this.hostTold = performance.now();
      this.head.trouble.canReboot = canReboot && this.host.commands.some((command) => command.name === 'reboot');
      if (this.run) this.head.trouble.draw(this.run);
      this.drawAway();
    } catch {
      // The banner tells when the dashboard is away.
    }
  }

  /** Says so when nothing new can come because the host is not there. */
  drawAway() {
    const { run, host } = this;
    if (!run || !isComing(run) || isWaiting(run)) {
      this.head.setAway(false, run);
      this.head.noteHost('');
      return;
    }
    const rest = isFinal(run.state) ? 'The rest of the output arrives when it is back.' : 'The run goes on there; its output arrives when it is back.';
    const left = this.deadline(run);
    if (!Number.isNaN(left)) {
      const why = isActivation(run.phase) ? ' in the middle of its activation, as it may' : '';
      this.head.setAway(true, run);
      this.head.noteHost(`${run.host} has gone away${why}. ${rest}`, `Reconnecting, ${deadlineWords(left, true)}.`);
    } else if (host && host.status !== 'online') {
      const seen = host.last_heartbeat_age_ms === null ? '' : `, last heard ${age(host.last_heartbeat_age_ms)}`;
      this.head.setAway(true, run);
      this.head.noteHost(`${run.host} is ${statusWord(host.status).word.toLowerCase()}${seen}. ${rest}`);
    } else {
      this.head.setAway(false, run);
      this.head.noteHost('');
    }
  }

  /** Milliseconds until the run counts as lost, as the run or its host was told of it; NaN if it does not. @param {Run} run */
  deadline(run) {
    const now = performance.now();
    if (run.reconnect_deadline_ms !== null) return run.reconnect_deadline_ms - (now - this.told);
    const left = this.host?.status === 'reconnecting' && isActivation(run.phase) && !isFinal(run.state) ? this.host.reconnect_deadline_ms : null;
    return left === null ? Number.NaN : left - (now - this.hostTold);
  }

  /** The first line of the log that says what went wrong; null if there is none where it is looked for. */
  async findError() {
    const { run } = this;
    if (!run) return null;
    return firstError((from, limit) => get(`${this.path}/log?from=${from}&limit=${limit}`, this.ending.signal), run);
  }

  /** @param {{name: string, drv?: string | undefined}} build */
  openBuild(build) {
    this.closeBuild = openBuildLog(this.path, build, () => this.run !== null && !isComing(this.run));
  }

  reboot() {
    const { run } = this;
    if (!run) return;
    ask({
      title: `Reboot ${run.host}?`,
      text: [run.reason ?? '', `Everything that runs on ${run.host} ends. It is away until it has started again.`].filter((text) => text !== ''),
      yes: 'Reboot',
      danger: true,
      act: async () => {
        const queued = await post(`/api/hosts/${encodeURIComponent(run.host)}/command`, { command: 'reboot', args: [] });
        go(runPath(queued.command_id));
      },
    });
  }

  leave() {
    this.ending.abort();
    clearInterval(this.ticking);
    clearInterval(this.watching);
    this.unlisten?.();
    this.stream?.close();
    this.closeBuild?.();
    this.panel?.close();
  }
}

/** @param {HTMLElement} root @param {import('../app.js').Context} context @param {string} id @returns {() => void} */
export function runView(root, context, id) {
  const view = new RunView(root, context, id);
  return () => view.leave();
}
