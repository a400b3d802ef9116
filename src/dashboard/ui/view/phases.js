// @ts-check
// A run's steps: Evaluating → Building → Activating → Switching → Done. `steps` is pure.

import { add, h } from '../dom.js';
import { between, duration } from '../format.js';
import { icon } from '../icons.js';
import { isFinal, isTrouble, phaseWord, stateWord } from '../words.js';

/** @typedef {import('../types.js').Run} Run */
/** @typedef {import('../types.js').Phase} Phase */
/** @typedef {'done' | 'current' | 'pending' | 'failed' | 'warn' | 'skipped'} StepState */
/** @typedef {{name: string, word: string, state: StepState, ms: number, line: number | null, running: boolean}} Step `ms` so far */

/** @type {Phase[]} */
const ACTIVATING = ['evaluating', 'building', 'activating', 'switching'];
/** Phases that a command goes through when nothing goes wrong. @type {Record<string, Phase[]>} */
const EXPECTED = {
  switch: ACTIVATING,
  try: ACTIVATING,
  'pull-switch': ACTIVATING,
  rollback: ['activating', 'switching'],
  'dry-activate': ['evaluating', 'building', 'activating'],
  boot: ['evaluating', 'building', 'activating'],
  build: ['evaluating', 'building'],
};
/** @type {Phase[]} */
const ORDER = ['evaluating', 'fetching', 'building', 'activating', 'switching', 'running'];

/**
 * @param {Run} run
 * @param {number} now milliseconds since the epoch by the dashboard's clock
 * @returns {Step[]}
 */
export function steps(run, now) {
  const final = isFinal(run.state);
  const seen = new Set(run.phases.map((span) => span.phase));
  const expected = EXPECTED[run.command] ?? (seen.size === 0 ? ['running'] : []);
  const names = ORDER.filter((phase) => seen.has(phase) || expected.includes(phase));
  const reached = Math.max(-1, ...[...seen].map((phase) => names.indexOf(phase)));
  const steps = names.map((name, at) => {
    const spans = run.phases.filter((span) => span.phase === name);
    const current = run.phase === name;
    /** @type {StepState} */
    let state = spans.length > 0 ? 'done' : final || at < reached ? 'skipped' : 'pending';
    if (current) state = !final ? 'current' : isTrouble(run.state) && !isActive(run.state) ? 'failed' : 'done';
    const ms = spans.reduce((sum, span) => sum + length(span, run, final, now), 0);
    const line = spans[0]?.first_line ?? null;
    return { name, word: phaseWord(name), state, ms: spans.length > 0 ? ms : Number.NaN, line, running: current && !final };
  });
  return [...steps, end(run, final)];
}

/** The new configuration is active, whatever else is to say. @param {string} state */
const isActive = (state) => state === 'degraded' || state === 'reboot_required';

/**
 * @param {import('../types.js').RunPhase} span
 * @param {Run} run
 * @param {boolean} final
 * @param {number} now
 */
function length(span, run, final, now) {
  const until = span.ended_at ?? (final ? run.finished_at : null);
  const ms = until ? between(span.started_at, until) : final ? Number.NaN : now - Date.parse(span.started_at);
  return Number.isNaN(ms) ? 0 : Math.max(0, ms);
}

/** @param {Run} run @param {boolean} final @returns {Step} */
function end(run, final) {
  const good = run.state === 'succeeded';
  return {
    name: 'end',
    word: final && !good ? stateWord(run.state).word : 'Done',
    state: !final ? 'pending' : good ? 'done' : isActive(run.state) ? 'warn' : 'failed',
    ms: Number.NaN,
    line: null,
    running: false,
  };
}

/** @type {Record<StepState, string>} */
const ICONS = { done: 'check', current: 'arc', pending: 'ring', failed: 'cross', warn: 'alert', skipped: 'dot' };
/** @type {Record<StepState, string>} */
const SAID = { done: 'done', current: 'now', pending: 'to come', failed: 'failed here', warn: 'with a warning', skipped: 'not reached' };

/**
 * @param {HTMLElement} list an `ol`
 * @param {Run} run
 * @param {number} now
 */
export function drawPhases(list, run, now) {
  const drawn = steps(run, now);
  // Times tick in place; the list is built anew only when a step changes, so that nothing is announced twice.
  const key = drawn.map((step) => `${step.name}:${step.state}:${step.word}`).join();
  if (list.dataset.key !== key) {
    list.dataset.key = key;
    list.replaceChildren();
    for (const step of drawn) {
      const word = step.line !== null && step.line > 0
        ? h('a', { href: `#L${step.line}`, title: 'To its first line' }, step.word) : h('span', {}, step.word);
      const item = h('li', { class: `step ${step.state}`, 'data-phase': step.name }, icon(ICONS[step.state]), word,
        h('span', { class: 'unseen' }, `(${SAID[step.state]})`), h('span', { class: 'step-time' }));
      if (step.state === 'current') item.setAttribute('aria-current', 'step');
      add(list, item);
    }
  }
  drawn.forEach((step, at) => {
    const time = list.children[at]?.querySelector('.step-time');
    const text = Number.isNaN(step.ms) ? '' : step.ms < 1000 && !step.running ? '< 1 s' : duration(step.ms);
    if (time && time.textContent !== text) time.textContent = text;
  });
}
