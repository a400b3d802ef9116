// @ts-check
// How far a run is, in words, as the command line says it too. Pure.

import { count, duration } from './format.js';
import { isActivation, phaseWord } from './words.js';

/** @typedef {import('./types.js').Progress} Progress */
/** @typedef {import('./types.js').Eta} Eta */
/** @typedef {import('./types.js').RunningBuild} RunningBuild */
/** @typedef {{phase: string | null, progress: Progress | null}} Doing */

/**
 * Bytes in decimal units, as download sizes are told: `812 B`, `1.2 GB`, `214 MB`.
 * @param {number} number
 */
export function size(number) {
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let value = Math.max(0, number);
  let unit = 0;
  while (Math.round(value) >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && Math.round(value * 10) < 100 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** What is counted: done, of how many, what; null where nothing is. @param {Doing} run @returns {{done: number, total: number, unit: string} | null} */
function counted({ phase, progress }) {
  // What was built and fetched is over once the activation begins.
  if (!progress || isActivation(phase)) return null;
  const { fetches } = progress;
  // Builds may be planned by then, but none of them has begun.
  const shown = phase === 'fetching' && fetches && fetches.planned > 0 ? { done: fetches.done, total: fetches.planned, unit: 'paths' } : progress;
  return shown.done === 0 && shown.total === 0 ? null : shown;
}

/** @type {Record<string, string>} */
const UNIT = { paths: ' paths', tests: ' tests' };

/**
 * The parts of the line but the time: `Building 37 of 112`, `214 MB of 1.2 GB fetched`, `12 MB/s`. Empty before the first phase.
 * @param {Doing} run
 * @returns {string[]}
 */
export function progressParts(run) {
  const { phase, progress } = run;
  if (phase === null) return [];
  const shown = counted(run);
  // Bytes have a part of their own.
  const numbers = shown && shown.unit !== 'bytes' ? ` ${count(shown.done)}${shown.total > 0 ? ` of ${count(shown.total)}` : ''}${UNIT[shown.unit] ?? ''}` : '';
  const parts = [`${phaseWord(phase)}${numbers}`];
  if (!progress || isActivation(phase)) return parts;
  const { builds, fetches, running } = progress;
  if (builds && builds.running > 0 && !running?.length) parts.push(`${count(builds.running)} running`);
  if (builds && builds.failed > 0) parts.push(`${count(builds.failed)} failed`);
  if (fetches) parts.push(...fetchParts(fetches));
  return parts;
}

/** @param {NonNullable<Progress['fetches']>} fetches */
function fetchParts({ bytes_done: done, bytes_total: total, bytes_per_second: rate }) {
  if (done === 0 && total === 0) return [];
  if (total > 0 && done >= total) return [`${size(done)} fetched`];
  const parts = [total > 0 ? `${size(done)} of ${size(total)} fetched` : `${size(done)} fetched`];
  if (rate) parts.push(`${size(rate)}/s`);
  return parts;
}

/** For a row of a table: `37/112`, `20/80 paths`, `214 MB/1.2 GB`. @param {Doing} run */
export function countShort(run) {
  const shown = counted(run);
  if (!shown) return '';
  const number = shown.unit === 'bytes' ? size : count;
  return `${number(shown.done)}${shown.total > 0 ? `/${number(shown.total)}` : ''}${UNIT[shown.unit] ?? ''}`;
}

/** How much is done, 0 to 1; null where nothing tells. @param {Doing} run @param {Eta | null | undefined} eta */
export function share(run, eta) {
  if (eta) return Math.min(1, Math.max(0, eta.percent / 100));
  const shown = counted(run);
  return shown && shown.total > 0 ? Math.min(1, shown.done / shown.total) : null;
}

/** From here on, hours are said, in halves. */
const HOURS_FROM = 90 * 60;
/** What takes longer than nine of ten times before. */
const OVERDUE = 'longer than usual';
/** In the words of `leftText` and in those of `leftShort`. */
const LONG = { few: 'a few seconds', about: 'about ', upTo: 'up to ', to: ' to ', seconds: ' seconds', minute: ' minute', minutes: ' minutes', hours: ' hours' };
const SHORT = { few: '<10 s', about: '~', upTo: '<', to: '–', seconds: ' s', minute: ' min', minutes: ' min', hours: ' h' };

/**
 * What is left of the time that was told `passed` milliseconds ago. As that grows, the text never says more; one that is told
 * anew may.
 * @param {Eta | null | undefined} eta
 * @param {number} passed
 */
export function leftText(eta, passed) {
  if (!eta) return '';
  return eta.seconds === null ? 'calculating…' : left(eta, eta.seconds, passed, LONG);
}

/** The same for a row of a table: `~6 min`, `4–9 min`. @param {Eta | null | undefined} eta @param {number} passed */
export function leftShort(eta, passed) {
  return !eta || eta.seconds === null ? '' : left(eta, eta.seconds, passed, SHORT);
}

/** @param {Eta} eta @param {number} told @param {number} passed @param {typeof LONG} words */
function left({ seconds_most: toldMost, overdue }, told, passed, words) {
  // Nobody knows how much longer: a number would promise something.
  if (overdue) return OVERDUE;
  const gone = Math.max(0, passed) / 1000;
  const seconds = Math.max(0, told - gone);
  const most = Math.max(0, (toldMost ?? 0) - gone);
  return most > seconds ? range(seconds, most, words) : about(seconds, words);
}

/** @param {number} seconds @param {typeof LONG} words */
function about(seconds, words) {
  if (seconds < 10) return words.few;
  if (seconds < 55) return `${words.about}${Math.round(seconds / 10) * 10}${words.seconds}`;
  if (seconds >= HOURS_FROM) return `${words.about}${Math.round(seconds / 1800) / 2}${words.hours}`;
  const minutes = Math.round(seconds / 60);
  return `${words.about}${minutes}${minutes === 1 ? words.minute : words.minutes}`;
}

/** @param {number} seconds @param {number} most @param {typeof LONG} words */
function range(seconds, most, words) {
  const [unit, step] = most < 60 ? [words.seconds, 10] : most < HOURS_FROM ? [words.minutes, 60] : [words.hours, 1800];
  const one = step === 10 ? 10 : step === 60 ? 1 : 0.5;
  const [low, high] = [Math.floor(seconds / step) * one, Math.ceil(most / step) * one];
  const named = `${high}${high === 1 && step === 60 ? words.minute : unit}`;
  if (low === 0) return `${words.upTo}${named}`;
  return low === high ? `${words.about}${named}` : `${low}${words.to}${named}`;
}

/** A build that runs: `buildPhase on big`, and since when. @param {RunningBuild} build @param {number} now by the dashboard's clock */
export function buildText(build, now) {
  const where = [build.phase ?? '', build.host ? `on ${build.host}` : ''].filter((part) => part !== '').join(' ');
  return { name: build.name, where, elapsed: duration(now - build.since) };
}

/** What is built now, for a row of a table; Nix's own words where builds are not known. @param {Progress | null} progress */
export function activityShort(progress) {
  const [first, ...others] = progress?.running ?? [];
  if (!first) return progress?.activity ?? '';
  const { name, where } = buildText(first, 0);
  return `${[name, where].filter((part) => part !== '').join(' ')}${others.length > 0 ? ` and ${count(others.length)} more` : ''}`;
}
