// @ts-check
// The log of one build in a dialog; it grows while the run goes on.

import { RequestError, get } from '../api.js';
import { add, fill, h, setText } from '../dom.js';
import { plural } from '../format.js';
import { BuildLines } from '../log/build_lines.js';
import { pieces } from '../log/rows.js';
import { showError } from './dialogs.js';

/** Milliseconds between two requests while nothing new is known to be there. */
const EVERY = 1000;
/** Nearer to its end, in pixels, the log moves with what comes. */
const NEAR = 30;

/** @typedef {{name: string, drv?: string | undefined}} Build */

/**
 * Opens it. Answers how to close it.
 * @param {string} path the run's, in the API
 * @param {Build} build
 * @param {() => boolean} isOver whether nothing more comes of the run
 */
export function openBuildLog(path, build, isOver) {
  const ending = new AbortController();
  const text = h('div', { class: 'build-log', tabindex: '0', role: 'log', 'aria-label': `What ${build.name} printed`, 'aria-live': 'off' });
  const state = h('p', { class: 'quiet', role: 'status' }, 'Loading …');
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const dialog = h('dialog', { class: 'wide', 'aria-labelledby': 'build-log', onclose: () => {
    ending.abort();
    dialog.remove();
  } },
  h('h2', { id: 'build-log' }, build.name), state, text, error,
  h('form', { method: 'dialog', class: 'actions' }, h('button', { autofocus: true }, 'Close')));
  document.body.append(dialog);
  dialog.showModal();
  follow(path, build, isOver, { text, state, error, signal: ending.signal });
  return () => dialog.close();
}

/**
 * @param {string} path @param {Build} build @param {() => boolean} isOver
 * @param {{text: HTMLElement, state: HTMLElement, error: HTMLElement, signal: AbortSignal}} place
 */
async function follow(path, build, isOver, { text, state, error, signal }) {
  const lines = new BuildLines();
  let { drv } = build;
  while (!signal.aborted) {
    let more = false;
    try {
      // Before the question: what it does not find then will never be there.
      const over = isOver();
      drv ??= await named(path, build.name, signal);
      const answer = drv === undefined ? null : await ask(`${path}/builds/log?${lines.query(drv)}`, signal);
      error.hidden = true;
      if (answer) {
        const taken = lines.take(answer);
        more = taken.more;
        draw(text, taken);
        setText(state, `${plural(answer.total, 'line')}${lines.complete ? '' : ', following'}`);
      } else {
        setText(state, over ? 'Nothing of it is kept apart: Nix tells what a build prints since 2.30, and what it told may have been removed. The run’s own log may have it.' : 'It has printed nothing yet.');
      }
      if (lines.complete || (over && !answer)) return;
    } catch (failure) {
      if (signal.aborted) return;
      showError(error, failure);
    }
    if (!more) await pause(signal);
  }
}

/** An answer; null where the run has no such log. @param {string} path @param {AbortSignal} signal */
async function ask(path, signal) {
  try {
    return /** @type {import('../types.js').BuildLogLines} */ (await get(path, signal));
  } catch (failure) {
    if (failure instanceof RequestError && failure.status === 404) return null;
    throw failure;
  }
}

/** The newest build of that name. @param {string} path @param {string} name @param {AbortSignal} signal @returns {Promise<string | undefined>} */
async function named(path, name, signal) {
  const { builds } = /** @type {import('../types.js').BuildLogs} */ (await get(`${path}/builds`, signal));
  return builds.findLast((build) => build.name === name)?.drv;
}

/** @param {HTMLElement} text @param {{added: import('../log/build_lines.js').Row[], gone: number}} taken */
function draw(text, { added, gone }) {
  const atEnd = text.scrollHeight - text.scrollTop - text.clientHeight < NEAR;
  const rows = document.createDocumentFragment();
  for (const row of added) {
    const line = h('div', { class: row.note ? 'build-note' : 'build-line' });
    if (row.note) fill(line, row.text);
    else add(line, h('span', { class: 'n', 'aria-hidden': 'true' }, String(row.n)), ...pieces(row.text));
    rows.append(line);
  }
  text.append(rows);
  for (let n = 0; n < gone; n += 1) text.firstElementChild?.remove();
  if (atEnd) text.scrollTop = text.scrollHeight;
}

/** @param {AbortSignal} signal @returns {Promise<void>} */
function pause(signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, EVERY);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
