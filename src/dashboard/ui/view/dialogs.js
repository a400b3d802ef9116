// @ts-check
// Questions before something that changes a host.

import { RequestError, post } from '../api.js';
import { fill, h } from '../dom.js';
import { isActivation } from '../words.js';

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} text
 * @property {string} yes the button that does it
 * @property {boolean} [danger]
 * @property {string} [agree] a sentence that must be agreed to first
 * @property {() => Promise<void>} act throws a RequestError when it was refused
 */

/** Asks, acts, and shows a refusal in the dialog. @param {Question} question */
export function ask(question) {
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const yes = h('button', { type: 'submit', class: question.danger ? 'strong danger' : 'strong' }, question.yes);
  const cancel = h('button', { type: 'button', autofocus: true, onclick: () => dialog.close() }, 'Cancel');
  const agree = question.agree ? h('input', { type: 'checkbox', onchange: () => (yes.disabled = !agree?.checked) }) : null;
  if (agree) yes.disabled = true;
  const form = h('form', {
    onsubmit: async (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      yes.disabled = true;
      error.hidden = true;
      try {
        await question.act();
        dialog.close();
      } catch (refusal) {
        showError(error, refusal);
        yes.disabled = false;
      }
    },
  },
  h('h2', { id: 'question' }, question.title),
  ...question.text.map((text) => h('p', {}, text)),
  agree && h('label', { class: 'check' }, agree, ` ${question.agree}`),
  error,
  h('div', { class: 'actions' }, cancel, yes));
  const dialog = h('dialog', { 'aria-labelledby': 'question', onclose: () => dialog.remove() }, form);
  document.body.append(dialog);
  dialog.showModal();
}

/** @param {HTMLElement} place @param {unknown} refusal */
export function showError(place, refusal) {
  const text = refusal instanceof RequestError ? [refusal.message, refusal.hint] : ['That did not work.', 'Load the page again.'];
  fill(place, h('strong', {}, sentence(text[0] ?? '')), text[1] ? ` ${sentence(text[1])}` : null);
  place.hidden = false;
}

/** @param {string} text */
function sentence(text) {
  const start = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(start) || start === '' ? start : `${start}.`;
}

/**
 * Asks before a run is stopped; in the middle of an activation it explains what a stop would do and asks twice.
 * @param {() => import('../types.js').Run} current
 */
export function askStop(current) {
  const run = current();
  const stop = (/** @type {boolean} */ force) => post(`/api/runs/${encodeURIComponent(run.id)}/stop`, { force });
  const force = () => ask({
    title: `Stop ${run.command} in the middle of the activation?`,
    text: [
      `${run.host} is switching to its new configuration. Stopping now can leave it between two configurations: services stopped and not started again, links half changed.`,
      'Waiting is almost always better. If it hangs, stop it and run switch or rollback at once.',
    ],
    agree: `I know that ${run.host} may be left half switched.`,
    yes: 'Stop anyway',
    danger: true,
    act: () => stop(true),
  });
  if (isActivation(run.phase)) {
    force();
    return;
  }
  ask({
    title: `Stop ${run.command} on ${run.host}?`,
    text: ['Its processes are asked to end, and killed if they do not. What has been built so far stays in the store. A stop during the activation is refused.'],
    yes: 'Stop the run',
    danger: true,
    act: async () => {
      try {
        await stop(false);
      } catch (refusal) {
        // The activation may have begun while the question was open.
        if (!(refusal instanceof RequestError && refusal.status === 409 && isActivation(current().phase))) throw refusal;
        force();
      }
    },
  });
}
