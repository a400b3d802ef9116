// @ts-check
// Questions before something that changes a host.

import { RequestError } from '../api.js';
import { fill, h } from '../dom.js';
import { sentence } from './outcome.js';

/**
 * @typedef {object} Question
 * @property {string} title
 * @property {string[]} text
 * @property {string} yes the button that does it
 * @property {boolean} [danger]
 * @property {string} [no] the button that does not; `Cancel` without
 * @property {string} [agree] a sentence that must be agreed to first
 * @property {Node} [choice] what else can be chosen
 * @property {{button: string, when: (refusal: RequestError) => boolean, then: () => void}} [anyway] a way on from a refusal
 * @property {() => Promise<void>} act throws a RequestError when it was refused
 */

/** Asks, acts, and shows a refusal in the dialog. @param {Question} question */
export function ask(question) {
  const error = h('p', { class: 'error', role: 'alert', hidden: true });
  const yes = h('button', { type: 'submit', class: question.danger ? 'strong danger' : 'strong' }, question.yes);
  const cancel = h('button', { type: 'button', autofocus: true, onclick: () => dialog.close() }, question.no ?? 'Cancel');
  const anyway = h('button', { type: 'button', class: 'danger anyway', hidden: true, onclick: () => {
    dialog.close();
    question.anyway?.then();
  } }, question.anyway?.button ?? '');
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
        if (!question.anyway || !(refusal instanceof RequestError) || !question.anyway.when(refusal)) return;
        yes.hidden = true;
        anyway.hidden = false;
        anyway.focus();
      }
    },
  },
  h('h2', { id: 'question' }, question.title),
  ...question.text.map((text) => h('p', {}, text)),
  question.choice ?? null,
  agree && h('label', { class: 'check' }, agree, ` ${question.agree}`),
  error,
  h('div', { class: 'actions' }, cancel, anyway, yes));
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
