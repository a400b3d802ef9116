// @ts-check
// Stopping a run: asked once; in the middle of an activation refused with the reason, and then asked again with what it risks.

import { RequestError, post } from '../api.js';
import { isActivation, isFinal, isWaiting } from '../words.js';
import { ask } from './dialogs.js';

/** @typedef {import('../types.js').Run} Run */

/** How long to wait for the host's answer before the question goes away, in milliseconds. */
const ANSWER = 3000;
/** After so long, a refusal that stood there before is taken for the answer. */
const SAME = 1000;

/** @param {Run} run @param {boolean} force */
const stop = (run, force) => post(`/api/runs/${encodeURIComponent(run.id)}/stop`, { force });

/**
 * The host answers by what becomes of the run: it ends, or says why it goes on.
 * @param {() => Run} current
 * @param {string | undefined} before the refusal that was there before
 */
async function answered(current, before) {
  const asked = performance.now();
  for (;;) {
    const waited = performance.now() - asked;
    const { state, stop_refused: refused } = current();
    if (isFinal(state) || waited > ANSWER) return;
    if (refused !== undefined && (refused !== before || waited > SAME)) throw new RequestError(409, 'refused', refused, '');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** @param {() => Run} current the run as it stands when that matters */
export function askStop(current) {
  const run = current();
  if (isWaiting(run)) {
    ask({
      title: `Cancel ${run.command} on ${run.host}?`,
      text: [`It waits for ${run.host} and has not started: nothing has changed there.`],
      yes: 'Cancel the run',
      no: 'Keep waiting',
      danger: true,
      act: () => stop(run, false),
    });
    return;
  }
  ask({
    title: `Stop ${run.command} on ${run.host}?`,
    text: ['Its processes are asked to end, and killed if they do not. What has been built so far stays in the store. Once the activation has begun, a stop is refused.'],
    yes: 'Stop the run',
    no: 'Let it go on',
    danger: true,
    act: async () => {
      const before = current().stop_refused;
      await stop(run, false);
      await answered(current, before);
    },
    anyway: {
      button: 'Stop anyway…',
      when: (refusal) => refusal.status === 409 && (refusal.code === 'refused' || isActivation(current().phase)) && !isFinal(current().state),
      then: () => askForce(run),
    },
  });
}

/** Asks again, with what it risks. @param {Run} run */
export function askForce(run) {
  ask({
    title: `Stop ${run.command} in the middle of the activation?`,
    text: [
      `${run.host} is switching to its new configuration. Stopping now can leave it between two configurations: services stopped and not started again, links half changed, perhaps no way to reach it.`,
      'Waiting is almost always better. If it hangs, stop it and run switch or rollback at once.',
    ],
    agree: `I know that ${run.host} may be left half switched.`,
    yes: 'Stop anyway',
    no: 'Let it go on',
    danger: true,
    act: () => stop(run, true),
  });
}
