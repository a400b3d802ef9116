// @ts-check
// What a run is and how it stands, above its log.

import { dashboardNow } from '../api.js';
import { add, fill, h, setAttribute, setText } from '../dom.js';
import { between, bytes, count, dateTime, duration, generationName, plural } from '../format.js';
import { icon } from '../icons.js';
import { hostPath } from '../router.js';
import { isFinal, isTrouble, phaseWord, stateWord } from '../words.js';
import { ProgressBar, drawState } from './host_parts.js';
import { drawPhases } from './phases.js';

/** @typedef {import('../types.js').Run} Run */

/** States of a run that ended in the middle of a phase. */
const BROKEN_OFF = ['failed', 'stopped', 'timed_out'];

export class RunHead {
  /** @param {() => void} onStop @param {string} stopRefusal why this reader may not stop runs; empty if he may */
  constructor(onStop, stopRefusal) {
    this.command = h('span', {});
    this.host = h('a', {});
    this.state = h('span', { class: 'badge' });
    this.stop = h('button', { type: 'button', class: 'danger', onclick: onStop, title: stopRefusal }, icon('stop'), 'Stop');
    this.stop.disabled = stopRefusal !== '';
    this.facts = h('p', { class: 'run-facts' });
    this.trouble = h('section', { class: 'trouble', 'aria-label': 'How it ended', hidden: true });
    this.phases = h('ol', { class: 'phases', 'aria-label': 'Phases' });
    this.progress = new ProgressBar();
    this.activity = h('span', { class: 'activity' });
    this.counters = h('span', { class: 'counters quiet' });
    this.now = h('div', { class: 'run-now' }, this.progress.element, this.activity, this.counters);
    this.hostNote = h('p', { class: 'host-note', role: 'status', hidden: true });
    this.element = h('div', { class: 'run-head' },
      h('div', { class: 'run-title' }, h('h1', {}, this.command, h('span', { class: 'quiet' }, ' on '), this.host), this.state, h('span', { class: 'gap' }), this.stop),
      this.facts, this.trouble, this.phases, this.now, this.hostNote);
    this.shown = '';
  }

  /** @param {Run} run */
  draw(run) {
    const final = isFinal(run.state);
    setText(this.command, [run.command, ...run.args].join(' '));
    setText(this.host, run.host);
    this.host.href = hostPath(run.host);
    drawState(this.state, run.state);
    this.stop.hidden = final;
    document.title = `${title(run)} – NixFleet`;
    this.progress.draw(final ? null : run.progress);
    setText(this.activity, final ? '' : run.progress?.activity ?? '');
    setText(this.counters, final ? '' : counters(run));
    // Its room stays while the run goes on, so that the log does not jump.
    this.now.hidden = final;
    this.drawTrouble(run);
    this.tick(run);
  }

  /** What changes by time alone. @param {Run} run */
  tick(run) {
    drawPhases(this.phases, run, dashboardNow());
    setText(this.facts, facts(run).join(' · '));
    setAttribute(this.facts, 'title', `Run ${run.id}`);
  }

  /** The reason first: why it ended, what failed, where to look. @param {Run} run */
  drawTrouble(run) {
    const trouble = isTrouble(run.state);
    const missing = run.bytes_missing > 0;
    const key = JSON.stringify([run.state, run.reason, run.exit_code, run.failed_units, run.bytes_missing, run.phase]);
    if (key === this.shown) return;
    this.shown = key;
    this.trouble.hidden = !trouble && !missing;
    this.trouble.className = `trouble ${stateWord(run.state).tone}`;
    fill(this.trouble);
    if (trouble) {
      const last = run.phases.at(-1);
      const where = last && last.phase !== 'running' ? ` while ${phaseWord(last.phase).toLowerCase()}` : '';
      add(this.trouble,
        h('h2', {}, icon(stateWord(run.state).icon), `${stateWord(run.state).word}${BROKEN_OFF.includes(run.state) ? where : ''}`),
        h('p', { class: 'reason' }, run.reason ?? 'No reason was reported.'),
        run.failed_units.length > 0 ? h('div', {}, `${run.failed_units.length === 1 ? 'Unit' : 'Units'} that failed:`,
          h('ul', { class: 'units' }, ...run.failed_units.map((unit) => h('li', {}, h('code', {}, unit))))) : null,
        h('p', { class: 'quiet clues' }, h('span', {}, run.exit_code === null ? 'No exit code' : `Exit code ${run.exit_code}`),
          last && last.first_line > 0 ? h('a', { href: `#L${last.first_line}` }, `Where ${phaseWord(last.phase).toLowerCase()} began`) : null,
          run.lines > 0 ? h('a', { href: `#L${run.lines}` }, 'Last line') : null));
    }
    if (missing) add(this.trouble, h('p', {}, `${bytes(run.bytes_missing)} of output are missing: the host could not keep them.`));
  }

  /** @param {string} text */
  noteHost(text) {
    setText(this.hostNote, text);
    this.hostNote.hidden = text === '';
  }
}

/** @param {Run} run */
function title(run) {
  const word = isFinal(run.state) || run.phase === null ? stateWord(run.state).word : phaseWord(run.phase);
  return `${word}: ${run.command} on ${run.host}`;
}

/** @param {Run} run */
function counters(run) {
  const parts = [];
  const { builds, fetches, unit } = run.progress ?? {};
  if (builds && builds.planned > 0 && unit !== 'builds') parts.push(`${count(builds.done)} of ${count(builds.planned)} built`);
  if (builds && builds.running > 0) parts.push(`${count(builds.running)} building`);
  if (builds && builds.failed > 0) parts.push(`${count(builds.failed)} failed`);
  if (fetches && fetches.planned > 0 && unit !== 'paths') parts.push(`${count(fetches.done)} of ${count(fetches.planned)} paths`);
  if (fetches && fetches.bytes_total > 0 && unit !== 'bytes') parts.push(`${bytes(fetches.bytes_done)} of ${bytes(fetches.bytes_total)}`);
  return parts.join(' · ');
}

/** @param {Run} run */
function facts(run) {
  const parts = [`asked for by ${run.requested_by} at ${dateTime(run.created_at)}`];
  parts.push(took(run));
  if (run.warnings > 0) parts.push(plural(run.warnings, 'warning'));
  if (run.errors > 0) parts.push(plural(run.errors, 'error'));
  if (run.bytes > 0) parts.push(`${bytes(run.bytes)} of output`);
  if (isFinal(run.state) && run.generation) parts.push(`generation ${generationName(run.generation)}`);
  return parts;
}

/** How long it took or has been going on. @param {Run} run */
export function took(run) {
  if (!run.started_at) return isFinal(run.state) ? 'never started' : `waiting for ${duration(dashboardNow() - Date.parse(run.created_at))}`;
  if (!isFinal(run.state)) return `running for ${duration(dashboardNow() - Date.parse(run.started_at))}`;
  const ms = between(run.started_at, run.finished_at);
  return Number.isNaN(ms) ? 'end not known' : `took ${ms < 1000 ? 'under 1 s' : duration(ms)}`;
}
