// @ts-check
// Where in a log the first error stands. The API does not say; the log is asked from where the run's last phase began.

import { stripped } from '../log/ansi.js';

/** @typedef {import('../types.js').LogLines} LogLines */
/** @typedef {(from: number, limit: number) => Promise<LogLines>} Ask */

/** Lines in one request: what the dashboard answers at most. */
const PAGE = 5000;
/** Requests for one search; after them, only the log's end is looked at. */
const PAGES = 8;

/** Whether a line says that something went wrong, in the words of Nix or of a compiler. @param {string} text */
export const isError = (text) => /^\s*error:|^\s*Error:|: error:/.test(text);

/**
 * The first error line's number; null if there is none where it is looked for.
 * @param {Ask} ask
 * @param {{lines: number, phases: {first_line: number}[]}} run
 */
export async function firstError(ask, run) {
  let from = Math.max(1, run.phases.at(-1)?.first_line ?? 1);
  for (let page = 0; page <= PAGES && from <= run.lines; page += 1) {
    if (page === PAGES) from = Math.max(from, run.lines - PAGE + 1);
    const answer = await ask(from, PAGE);
    const found = answer.lines.find((line) => isError(stripped(line.text)));
    if (found) return found.n;
    if (answer.next <= from) return null;
    from = answer.next;
  }
  return null;
}
