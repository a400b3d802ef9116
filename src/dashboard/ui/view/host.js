// @ts-check
// A host: facts, commands, the current run, past runs.

import { get } from '../api.js';
import { add, announce, fill, h, setText } from '../dom.js';
import { age, dateTime, generationName, plural } from '../format.js';
import { runPath } from '../router.js';
import { isFinal, runWord, skewText } from '../words.js';
import { Commands } from './commands.js';
import { showError } from './dialogs.js';
import { HostEvents } from './host_events.js';
import { Doing, MetricsView, deadlineText, drawState, drawStatus, lastSeenText } from './host_parts.js';
import { HostCharts } from './host_charts.js';
import { completeness, waitingText } from './outcome.js';
import { ResourcesView } from './resources.js';
import { took } from './run_head.js';
import { Waiting } from './waiting.js';

/** @typedef {import('../types.js').Run} Run */
/** @typedef {import('../fleet.js').Entry} Entry */

/** Runs in one request. */
const PAGE = 20;

class HostView {
  /** @param {HTMLElement} root @param {import('../app.js').Context} context @param {string} name */
  constructor(root, context, name) {
    this.context = context;
    this.name = name;
    this.ending = new AbortController();
    /** @type {Map<string, {run: Run, element: HTMLElement}>} */
    this.runs = new Map();
    document.title = `${name} – NixFleet`;

    this.status = h('span', { class: 'badge' });
    this.seen = h('span', { class: 'quiet' });
    this.doing = new Doing();
    this.runLink = h('a', { class: 'button strong' }, 'View full log');
    this.current = h('section', { class: 'card current', 'aria-label': 'Current run', hidden: true }, this.doing.element, this.runLink);
    this.metrics = new MetricsView();
    this.resources = new ResourcesView();
    this.charts = new HostCharts(name);
    const { role } = context.session;
    this.commands = new Commands(name, role);
    this.waiting = new Waiting(role === 'viewer' ? 'Your role is viewer: it may not cancel runs.' : '');
    this.error = h('p', { class: 'error', role: 'alert', hidden: true });
    this.facts = h('dl', { class: 'facts' });
    this.list = h('div', { role: 'table', class: 'runs', 'aria-label': `Runs of ${name}` });
    this.older = h('button', { type: 'button', hidden: true, onclick: () => this.load() }, 'Older runs');
    this.none = h('p', { class: 'quiet' }, 'Loading …');
    this.missing = h('p', { class: 'quiet' }, 'Loading …');
    this.cards = h('div', { hidden: true },
      this.current,
      this.waiting.element, this.commands.element,
      this.resources.element, this.charts.element,
      h('section', { class: 'card' }, h('h2', {}, 'Facts'), this.metrics.element, this.facts),
      h('section', { class: 'card' }, h('h2', {}, 'Runs'), this.error, this.list, this.none, this.older));
    this.happened = new HostEvents(name);
    this.cards.append(this.happened.element);
    this.factsKey = '';
    fill(root,
      h('div', { class: 'host-title' }, h('h1', {}, name), this.status, this.resources.badges, this.seen),
      this.missing, this.cards);
    root.className = 'host-page';
    this.ticking = setInterval(() => this.tick(), 1000);
    this.unlisten = context.fleet.listen({
      hosts: (names) => (names === null || names.has(name)) && this.draw(),
      run: (run) => run.host === name && this.told(run),
    });
    this.load();
  }

  /** @returns {Entry | undefined} */
  get entry() {
    return this.context.fleet.entries.get(this.name);
  }

  draw() {
    const { entry } = this;
    this.missing.hidden = entry !== undefined;
    this.cards.hidden = entry === undefined;
    if (!entry) {
      setText(this.missing, this.context.fleet.loaded ? `There is no host ${this.name}.` : 'Loading …');
      return;
    }
    const { host } = entry;
    drawStatus(this.status, host);
    this.happened.draw(host);
    this.doing.draw(entry);
    this.metrics.draw(entry);
    // The same numbers stand under Resources already.
    this.metrics.element.hidden = host.metrics === null && Boolean(host.resources);
    this.resources.draw(entry);
    this.charts.setCores(host.resources?.cores);
    const run = host.status === 'offline' ? null : host.activity?.run;
    this.current.hidden = !run;
    if (run) this.runLink.href = runPath(run);
    this.commands.draw(host);
    this.waiting.draw(this.context.fleet.waitingFor(this.name));
    this.drawFacts(entry);
    this.tick();
  }

  tick() {
    const { entry } = this;
    if (!entry) return;
    const deadline = deadlineText(entry);
    setText(this.seen, `last seen ${lastSeenText(entry)}${deadline ? ` · ${deadline}` : ''}`);
    this.doing.tick(entry);
    this.resources.tick(entry);
    this.charts.tick();
    this.waiting.tick();
    for (const { run, element } of this.runs.values()) {
      const time = element.querySelector('.run-took');
      if (time && !isFinal(run.state)) setText(time, took(run));
    }
  }

  /** @param {Entry} entry */
  drawFacts({ host }) {
    /** @type {[string, string][]} */
    const facts = [
      ['Generation', generationName(host.generation)], ['System', host.facts?.os || [host.host_type, host.os_version].filter(Boolean).join(' ')], ['nixpkgs', host.nixpkgs_version],
      ['Agent', `${host.agent_version}${host.agent_version ? ', ' : ''}protocol ${host.protocol}`],
      ['Kernel', [host.facts?.kernel ?? '', host.facts?.architecture ?? ''].filter(Boolean).join(', ')],
      ['Heartbeats', `${host.heartbeats}, every ${host.heartbeat_interval} s; offline after ${host.offline_after}`],
      ['Went away', host.flaps > 0 ? `${plural(host.flaps, 'time')} in the last hour` : ''], ['Clock', skewText(host.clock_skew_ms)],
      ['Maintenance', host.maintenance ? `until ${dateTime(host.maintenance.until)}, by ${host.maintenance.by}${host.maintenance.reason ? `: ${host.maintenance.reason}` : ''}` : ''],
      ['Absence', host.expected_absence ? 'expected' : ''],
      ['Location', host.location], ['Device', host.device_type], ['Tags', (host.tags ?? []).join(', ')], ['Comment', host.comment],
    ];
    const key = JSON.stringify(facts);
    if (key === this.factsKey) return;
    this.factsKey = key;
    fill(this.facts, ...facts.filter(([, value]) => value !== '').flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));
  }

  async load() {
    const last = [...this.runs.keys()].sort()[0];
    const before = last ? `&before=${encodeURIComponent(last)}` : '';
    this.older.disabled = true;
    try {
      const { runs } = await get(`/api/runs?host=${encodeURIComponent(this.name)}&limit=${PAGE}${before}`, this.ending.signal);
      for (const run of runs) this.put(run);
      this.older.hidden = runs.length < PAGE;
      this.none.hidden = this.runs.size > 0;
      setText(this.none, 'No runs yet.');
    } catch (error) {
      if (!this.ending.signal.aborted) showError(this.error, error);
    }
    this.older.disabled = false;
  }

  /** Something happened in a run. @param {Run} run */
  told(run) {
    const before = this.runs.get(run.id)?.run;
    if (before && runWord(before).word !== runWord(run).word) announce(`${run.command} on ${run.host}: ${runWord(run).word}. ${isFinal(run.state) ? run.reason ?? '' : ''}`);
    this.put(run);
  }

  /** Run ids are ordered by time: the newest comes first. @param {Run} run */
  put(run) {
    const held = this.runs.get(run.id);
    const element = held?.element ?? h('div', { role: 'row', class: 'run-row', 'data-run': run.id });
    this.runs.set(run.id, { run, element });
    this.none.hidden = true;
    const state = h('span', { class: 'badge' });
    drawState(state, run);
    const said = completeness(run);
    const notes = [run.recovered ? 'Recovered.' : '', said && said.kind !== 'verified' ? `${said.word}.` : '', waitingText(run), run.reason ?? ''];
    fill(element);
    add(element,
      h('div', { role: 'cell', class: 'run-command' }, h('a', { href: runPath(run.id) }, run.command)),
      h('div', { role: 'cell' }, state),
      h('div', { role: 'cell', class: 'run-took' }, took(run)),
      h('div', { role: 'cell', class: 'run-when', title: dateTime(run.created_at) }, age(Date.now() - Date.parse(run.created_at))),
      h('div', { role: 'cell' }, run.requested_by),
      h('div', { role: 'cell', class: 'run-reason' }, notes.filter((note) => note !== '').join(' ')));
    if (held) return;
    const next = [...this.list.children].find((child) => (/** @type {HTMLElement} */ (child).dataset.run ?? '') < run.id);
    this.list.insertBefore(element, next ?? null);
  }

  leave() {
    this.ending.abort();
    this.charts.leave();
    this.happened.leave();
    clearInterval(this.ticking);
    this.unlisten();
  }
}

/** @param {HTMLElement} root @param {import('../app.js').Context} context @param {string} name @returns {() => void} */
export function hostView(root, context, name) {
  const view = new HostView(root, context, name);
  return () => view.leave();
}
