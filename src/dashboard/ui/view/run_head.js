// @ts-check
// What a run is and how it stands, above its log.

import { dashboardNow } from '../api.js';
import { h, setAttribute, setText } from '../dom.js';
import { between, bytes, dateTime, duration, generationName, plural } from '../format.js';
import { icon } from '../icons.js';
import { hostPath } from '../router.js';
import { isFinal, isWaiting, phaseWord, runWord } from '../words.js';
import { drawBadge } from './host_parts.js';
import { Now } from './now.js';
import { completeness, sentence, waitingText } from './outcome.js';
import { drawPhases } from './phases.js';
import { Trouble } from './trouble.js';

/** @typedef {import('../types.js').Run} Run */

const RECOVERED = 'It was taken for lost and then found again: what is shown here is what the host told afterwards.';

export class RunHead {
  /**
   * @param {{onStop: () => void, onForce: () => void, onReboot: () => void, findError: () => Promise<number | null>, onBuild: (build: {name: string, drv?: string | undefined}) => void}} actions
   * @param {string} stopRefusal why this reader may not stop runs; empty if he may
   */
  constructor(actions, stopRefusal) {
    this.command = h('span', {});
    this.host = h('a', {});
    this.state = h('span', { class: 'badge' });
    this.recovered = h('span', { class: 'mark warn recovered', hidden: true, title: RECOVERED }, icon('back'), 'Recovered');
    this.output = h('span', { class: 'mark output', hidden: true });
    this.stopWord = h('span', {}, 'Stop');
    this.stop = h('button', { type: 'button', class: 'danger stop', onclick: actions.onStop, title: stopRefusal }, icon('stop'), this.stopWord);
    this.stop.disabled = stopRefusal !== '';
    this.refusal = h('span', { role: 'status' });
    this.force = h('button', { type: 'button', class: 'danger', onclick: actions.onForce }, 'Stop anyway…');
    this.force.disabled = stopRefusal !== '';
    this.refused = h('p', { class: 'stop-refused', hidden: true }, icon('alert'), this.refusal, this.force);
    this.facts = h('p', { class: 'run-facts' });
    this.recoveredNote = h('p', { class: 'quiet run-note', hidden: true }, RECOVERED);
    this.trouble = new Trouble(actions.onReboot, actions.findError, actions.onBuild);
    this.phases = h('ol', { class: 'phases', 'aria-label': 'Phases' });
    this.now = new Now(actions.onBuild);
    // What ticks is apart from what is announced.
    this.note = h('span', { role: 'status' });
    this.noteLeft = h('span', { class: 'left', 'aria-live': 'off' });
    this.hostNote = h('p', { class: 'host-note', hidden: true }, icon('turn'), this.noteLeft, this.note);
    this.waiting = h('p', { class: 'host-note waiting', hidden: true });
    this.element = h('div', { class: 'run-head' },
      h('div', { class: 'run-title' }, h('h1', {}, this.command, h('span', { class: 'quiet' }, ' on '), this.host), this.state, this.recovered, this.output,
        h('span', { class: 'gap' }), this.stop),
      this.facts, this.refused, this.waiting, this.hostNote, this.trouble.element, this.recoveredNote, this.phases, this.now.element);
  }

  /** @param {Run} run */
  draw(run) {
    const final = isFinal(run.state);
    const waiting = isWaiting(run);
    setText(this.command, [run.command, ...run.args].join(' '));
    setText(this.host, run.host);
    this.host.href = hostPath(run.host);
    drawBadge(this.state, runWord(run));
    this.recovered.hidden = this.recoveredNote.hidden = !run.recovered;
    const said = completeness(run);
    this.output.hidden = said === null;
    if (said) {
      drawBadge(this.output, said, `mark output ${said.kind}`);
      this.output.title = said.title;
    }
    this.stop.hidden = final;
    const refused = final ? '' : run.stop_refused ?? '';
    setText(this.refusal, refused === '' ? '' : sentence(refused));
    this.refused.hidden = refused === '';
    setText(this.stopWord, waiting ? 'Cancel' : 'Stop');
    document.title = `${title(run)} – NixFleet`;
    this.now.draw(run);
    this.trouble.draw(run);
    this.tick(run);
  }

  /** What changes by time alone. @param {Run} run */
  tick(run) {
    const now = dashboardNow();
    this.now.tick(run);
    drawPhases(this.phases, run, now);
    setText(this.facts, facts(run).join(' · '));
    setAttribute(this.facts, 'title', `Run ${run.id}`);
    const waiting = waitingText(run, now);
    setText(this.waiting, waiting);
    this.waiting.hidden = waiting === '';
  }

  /** What is to say of the run's host, and what counts down in it. @param {string} text @param {string} [left] */
  noteHost(text, left = '') {
    setText(this.note, text);
    setText(this.noteLeft, left);
    this.hostNote.hidden = text === '';
  }

  /** What is shown was so when the host was last heard. @param {boolean} away @param {Run | null} run */
  setAway(away, run) {
    this.now.setAway(away, run);
    this.element.classList.toggle('away', away);
  }
}

/** @param {Run} run */
function title(run) {
  const word = isFinal(run.state) || run.phase === null ? runWord(run).word : phaseWord(run.phase);
  return `${word}: ${run.command} on ${run.host}`;
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
