// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BuildLines, KEPT, PAGE } from '../../../src/dashboard/ui/log/build_lines.js';

/** @param {number} from @param {number} to */
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i, text: `line ${from + i}` }));
/** @param {{n: number, text: string}[]} told @param {number} total @param {boolean} [complete] @param {boolean} [dropped] @param {boolean} [incomplete] */
const answer = (told, total, complete = false, dropped = false, incomplete = false) => ({ lines: told, next: 0, total, complete, rest_dropped: dropped, incomplete });
/** @param {{added: import('../../../src/dashboard/ui/log/build_lines.js').Row[]}} taken */
const shown = ({ added }) => added.map((row) => (row.note ? row.text : row.n));

test('each line once, and the next question goes on after it', () => {
  const log = new BuildLines();
  assert.equal(log.query('/nix/store/a+b.drv'), `drv=%2Fnix%2Fstore%2Fa%2Bb.drv&from=1&limit=${PAGE}`);
  assert.deepEqual(log.take(answer(lines(1, 3), 5)), { added: lines(1, 3).map((line) => ({ ...line, note: false })), gone: 0, more: true });
  assert.match(log.query('x'), /from=4&/);
  assert.deepEqual(shown(log.take(answer(lines(2, 5), 5))), [4, 5]);
  const nothing = log.take(answer([], 5));
  assert.deepEqual([shown(nothing), nothing.more, log.complete], [[], false, false]);
  assert.deepEqual(shown(log.take(answer([], 5, true))), []);
  assert.equal(log.complete, true);
});

test('lines that are missing are told where they would stand', () => {
  const log = new BuildLines();
  assert.deepEqual(shown(log.take(answer([...lines(2, 3), ...lines(8, 8)], 12))), ['Line 1 could not be kept.', 2, 3, 'Lines 4 to 7 could not be kept.', 8]);
  // More may come while the run goes on.
  assert.deepEqual(shown(log.take(answer([], 12))), []);
  const end = shown(log.take(answer([], 12, true, true)));
  assert.equal(end[0], 'Lines 9 to 12 could not be kept.');
  assert.match(String(end[1]), /limit of build logs/);
  assert.deepEqual(shown(log.take(answer([], 12, true, true))), [], 'said once');
});

test('of a long log its head and its end are shown, and the page holds no more than it can', () => {
  const log = new BuildLines();
  const first = log.take(answer(lines(1, PAGE), 100_000));
  assert.match(String(shown(first).at(-1)), new RegExp(`^Lines ${PAGE + 1} to ${100_000 - KEPT + PAGE} are not shown`));
  let at = 100_000 - KEPT + PAGE + 1;
  assert.match(log.query('x'), new RegExp(`from=${at}&`));
  let gone = 0;
  for (let total = 0; total < 20; total += 1) {
    gone += log.take(answer(lines(at, at + PAGE - 1), at + PAGE - 1)).gone;
    at += PAGE;
  }
  assert.equal(log.rows, KEPT + PAGE);
  assert.equal(gone + log.rows, PAGE + 1 + 20 * PAGE);
});

test('a log whose end may be missing says so once, behind its last line', () => {
  const log = new BuildLines();
  assert.deepEqual(shown(log.take(answer(lines(1, 2), 4, false, false, true))), [1, 2]);
  assert.deepEqual(shown(log.take(answer(lines(3, 4), 4, false, false, true))), [3, 4, 'It may have printed more here: records of this run are missing.']);
  assert.deepEqual(shown(log.take(answer([], 4, false, false, true))), []);
  assert.deepEqual(shown(log.take(answer([], 4, true, false, true))), []);
});
