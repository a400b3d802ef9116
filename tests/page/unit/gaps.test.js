// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gaps, gapText } from '../../../src/dashboard/ui/log/gaps.js';

/** @param {...[number, number]} lost first lines and how many @returns {Gaps} */
function gaps(...lost) {
  const made = new Gaps();
  for (const [line, lines] of lost) made.add({ line, lines, bytes: lines * 10, reason: 'full' });
  return made;
}
const ranges = (/** @type {Gaps} */ of) => of.gaps.map((gap) => [gap.from, gap.to]);
const line = (/** @type {number} */ n, text = 'x') => ({ n, at: '', text });

test('without gaps, rows are lines', () => {
  const none = gaps();
  assert.equal(none.rows(10), 10);
  assert.equal(none.rows(0), 0);
  assert.equal(none.rowOf(7), 6);
  assert.equal(none.lineAt(6), 7);
  assert.deepEqual(none.present(3, 9), [[3, 9]]);
});

test('each gap is one row, wherever it is', () => {
  // The rows: 1 2 [3-5] 6 [7-1000006] 1000007 1000008
  const two = gaps([7, 1_000_000], [3, 3]);
  assert.equal(two.rows(1_000_008), 7);
  assert.deepEqual([0, 1, 2, 3, 4, 5, 6].map((row) => two.lineAt(row)), [1, 2, 3, 6, 7, 1_000_007, 1_000_008]);
  assert.deepEqual([1, 2, 3, 4, 5, 6, 7, 500_000, 1_000_006, 1_000_007].map((n) => two.rowOf(n)), [0, 1, 2, 2, 2, 3, 4, 4, 4, 5]);
  assert.equal(two.at(5)?.from, 3);
  assert.equal(two.at(6), null);
  assert.deepEqual(two.present(1, 1_000_008), [[1, 2], [6, 6], [1_000_007, 1_000_008]]);
  assert.deepEqual(two.present(4, 10), [[6, 6]]);
  assert.deepEqual(two.present(3, 5), []);
});

test('a log may begin or end with a gap', () => {
  const both = gaps([1, 10], [21, 5]);
  assert.equal(both.lineAt(0), 1);
  assert.equal(both.lineAt(1), 11);
  assert.equal(both.rows(25), 12);
});

test('the same gap, told again or from its middle, stays one', () => {
  const one = gaps([3, 10]);
  assert.equal(one.add({ line: 3, lines: 10, bytes: 100, reason: 'full' }), false);
  assert.equal(one.add({ line: 7, lines: 6, bytes: 100, reason: 'full' }), false);
  assert.deepEqual(ranges(one), [[3, 12]]);
  const middle = gaps([7, 6]);
  assert.equal(middle.add({ line: 3, lines: 10, bytes: 100, reason: 'full' }), true);
  assert.deepEqual(ranges(middle), [[3, 12]]);
  assert.deepEqual(ranges(gaps([1, 2], [3, 2])), [[1, 2], [3, 4]], 'two gaps that touch are two');
});

test('numbers that jump are a gap', () => {
  const learnt = new Gaps();
  assert.equal(learnt.learn([line(1), line(2, '[3 lines, 2048 bytes of output are missing: no space]'), line(5)], 6), true);
  assert.deepEqual(ranges(learnt), [[2, 4]]);
  assert.equal(learnt.gaps[0]?.text, '3 lines (2.0 KiB) are missing here: no space');
  assert.equal(learnt.learn([line(6), line(7)], 8), false);
  assert.equal(learnt.learn([line(8)], 20), true, 'a gap at the end of an answer');
  assert.deepEqual(ranges(learnt), [[2, 4], [8, 19]]);
  assert.equal(learnt.learn([line(30, '[3 lines, 2048 bytes of output are missing: no space]'), line(31)], 32), false, 'a program may print what it likes');
});

test('what is missing is counted in words', () => {
  assert.equal(gapText({ line: 1, lines: 1, bytes: 5, reason: '' }), '1 line (5 B) is missing here: the host could not keep them');
  assert.equal(gapText({ line: 1, lines: 0, bytes: 5, reason: 'full' }), '5 B of this line are missing: full');
  assert.equal(gapText({ line: 1, lines: 3, bytes: 50, reason: 'the journal’s limit: 3 lines, 50 bytes were given up on the host' }), '3 lines (50 B) are missing here: the journal’s limit');
  const holes = gaps();
  assert.equal(holes.add({ line: 4, lines: 0, bytes: 5, reason: 'full' }), true);
  assert.equal(holes.add({ line: 4, lines: 0, bytes: 5, reason: 'full' }), false);
  assert.equal(holes.rows(10), 10, 'a hole in a line takes no row');
});
