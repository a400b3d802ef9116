// @ts-check
// What is to say of a run beside its state: whether its output is whole, whether it waits, what to do next. Pure.

import { bytes, dateTime, duration } from '../format.js';
import { isFinal, isWaiting, phaseWord } from '../words.js';

/** @typedef {import('../types.js').Run} Run */
/** @typedef {import('../words.js').Word & {kind: string, title: string}} Said */

/** Whether lines may still come. @param {Run} run */
export const isComing = (run) => !isFinal(run.state) || run.bytes_pending > 0 || isUnended(run);

/** Over, and not yet at the end of its records: there is no other reason for being incomplete. @param {Run} run */
const isUnended = (run) => run.incomplete && run.bytes_missing === 0 && run.verified !== false && !run.unheard;

/** Whether the output of a run that is over is whole; null while there is nothing to say. @param {Run} run @returns {Said | null} */
export function completeness(run) {
  if (!isFinal(run.state)) return null;
  if (run.bytes_pending > 0 || isUnended(run)) {
    const rest = run.bytes_pending > 0 ? bytes(run.bytes_pending) : 'the end';
    return { kind: 'coming', tone: 'warn', icon: 'down', word: `Incomplete: ${rest} still to come`,
      title: `The run is over. ${run.host} still sends its output.` };
  }
  if (run.verified === false) {
    return { kind: 'differs', tone: 'bad', icon: 'alert', word: 'Checksum differs', title: 'The output here is not byte for byte what the host wrote.' };
  }
  if (run.bytes_missing > 0) {
    return { kind: 'missing', tone: 'warn', icon: 'alert', word: `Incomplete: ${bytes(run.bytes_missing)} missing`, title: 'Not all of the output is here; the log says where and why.' };
  }
  if (run.unheard) {
    return { kind: 'missing', tone: 'warn', icon: 'alert', word: 'Incomplete: lines may be missing', title: sentence(run.unheard) };
  }
  if (run.verified && run.state === 'lost') {
    return { kind: 'verified', tone: 'still', icon: 'check', word: 'All that was kept is here, checksum verified', title: 'What the run may have printed after that, nobody knows.' };
  }
  if (run.verified) {
    return { kind: 'verified', tone: 'still', icon: 'check', word: 'Complete, checksum verified', title: 'The output here is byte for byte what the host wrote.' };
  }
  return null;
}

/** What the log says of itself once nothing more comes. @param {Run} run */
export function logEnd(run) {
  const said = completeness(run);
  if (said === null) return 'complete';
  return said.kind === 'verified' ? 'complete' : said.kind === 'differs' ? 'checksum differs' : 'incomplete';
}

/** In words, what `completeness` says in short. @param {Run} run @returns {string[]} */
export function outputWarnings(run) {
  /** @type {string[]} */
  const found = [];
  if (!isFinal(run.state)) return found;
  if (run.verified === false) {
    found.push(`The checksum of the output is not the one that ${run.host} computed: what is shown here is not what the command wrote. The journal on ${run.host} has it, if it is still there.`);
  }
  if (run.unheard) found.push(`Lines of the output may be missing: ${run.unheard}.`);
  if (run.bytes_missing > 0) found.push(`${bytes(run.bytes_missing)} of output are missing; the log says where and why.`);
  return found;
}

/** Until when a run waits, and how long that still is; empty if it does not. @param {Run} run @param {number} [now] without: what does not tick */
export function waitingText(run, now) {
  if (!isWaiting(run) || !run.queued_until) return '';
  if (now === undefined) return `Waiting for ${run.host} until ${dateTime(run.queued_until)}.`;
  const left = Date.parse(run.queued_until) - now;
  return left > 0 ? `Waiting for ${run.host} until ${dateTime(run.queued_until)}, ${duration(left)} left.` : `Waiting for ${run.host}; its time is up.`;
}

/**
 * Why nobody knows how a run ended, what is known, and what to do. A host that looked at its own links says all of it in one
 * reason, divided by semicolons, the next step last; otherwise there is only what the dashboard has.
 * @param {Run} run
 * @returns {{reason: string, known: string[], next: string}}
 */
export function lost(run) {
  const parts = (run.reason ?? '').split('; ');
  if (/^lost (while|before) /.test(run.reason ?? '') && parts.length > 1) {
    return { reason: sentence((parts[0] ?? '').replace(/^lost while \w+: /, '')), known: parts.slice(1, -1).map(sentence), next: sentence(parts.at(-1) ?? '') };
  }
  const last = run.phases.at(-1);
  const known = [];
  if (!run.started_at) known.push(`${run.host} never said that it had started.`);
  else if (last && last.phase !== 'running') known.push(`It was last seen ${phaseWord(last.phase).toLowerCase()}, since ${dateTime(last.started_at)}.`);
  else known.push(`It started at ${dateTime(run.started_at)}.`);
  if (run.exit_code === null) known.push('No exit code arrived: it may have succeeded or failed.');
  return {
    reason: run.reason ?? 'No reason was reported.', known,
    // The dashboard's own reasons end with it.
    next: run.reason ? '' : `See whether ${run.host} is there and which generation it runs before you run ${run.command} again.`,
  };
}

/** @param {string} text */
export const sentence = (text) => text === '' ? '' : `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
