// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activityShort, buildText, countShort, leftShort, leftText, progressParts, share, size } from '../../../src/dashboard/ui/progress.js';
import { howFar } from '../../../src/dashboard/ui/view/host_parts.js';
import { firstError, isError } from '../../../src/dashboard/ui/view/first_error.js';
import { START } from './run.js';

/** @typedef {import('../../../src/dashboard/ui/types.js').Progress} Progress */

/** @type {Progress} */
const EXAMPLE = {
  done: 37, total: 112, unit: 'builds', builds: { planned: 112, running: 3, done: 37, failed: 0 },
  fetches: { planned: 80, done: 20, bytes_done: 214_000_000, bytes_total: 1_200_000_000, bytes_per_second: 12_000_000 },
};

/** @param {string | null} phase @param {Progress | null} progress @param {string} long @param {string} short @param {number | null} part */
function check(phase, progress, long, short, part) {
  const run = { phase, progress };
  assert.equal(progressParts(run).join(' · '), long);
  assert.equal(countShort(run), short);
  assert.equal(share(run, null), part);
}

test('how far a run is', () => {
  check('building', { ...EXAMPLE, running: [{ name: 'hello', since: 0 }] }, 'Building 37 of 112 · 214 MB of 1.2 GB fetched · 12 MB/s', '37/112', 37 / 112);
  check('building', EXAMPLE, 'Building 37 of 112 · 3 running · 214 MB of 1.2 GB fetched · 12 MB/s', '37/112', 37 / 112);
  check('fetching', { ...EXAMPLE, builds: { planned: 112, running: 0, done: 0, failed: 0 } }, 'Fetching 20 of 80 paths · 214 MB of 1.2 GB fetched · 12 MB/s', '20/80 paths', 0.25);
  check('building', { done: 1, total: 2, unit: 'builds', builds: { planned: 2, running: 0, done: 1, failed: 1 } }, 'Building 1 of 2 · 1 failed', '1/2', 0.5);
  check('building', { done: 1, total: 2, unit: 'builds', fetches: { planned: 1, done: 1, bytes_done: 5e6, bytes_total: 5e6, bytes_per_second: 9 } },
    'Building 1 of 2 · 5.0 MB fetched', '1/2', 0.5);
  check('fetching', { done: 5e6, total: 1e7, unit: 'bytes' }, 'Fetching', '5.0 MB/10 MB', 0.5);
  check('running', { done: 3, total: 0, unit: 'tests' }, 'Running 3 tests', '3 tests', null);
  check('evaluating', { done: 0, total: 0, unit: 'builds' }, 'Evaluating', '', null);
  check('switching', EXAMPLE, 'Switching', '', null);
  check('building', null, 'Building', '', null);
  check(null, EXAMPLE, '', '37/112', 37 / 112);
});

test('the expected time outranks the count in the bar', () => {
  assert.equal(share({ phase: 'building', progress: EXAMPLE }, { percent: 42, seconds: 5 }), 0.42);
  assert.equal(share({ phase: 'switching', progress: null }, { percent: 99, seconds: null }), 0.99);
});

test('sizes', () => {
  /** @type {[number, string][]} */
  const table = [[0, '0 B'], [999, '999 B'], [1000, '1.0 kB'], [9_949, '9.9 kB'], [9_950, '10 kB'], [214e6, '214 MB'], [999_499_999, '999 MB'], [999_500_000, '1.0 GB'], [1.2e9, '1.2 GB']];
  for (const [bytes, text] of table) assert.equal(size(bytes), text);
});

test('times that are left', () => {
  /** @type {[number, number | undefined, string, string][]} */
  const table = [
    [0, undefined, 'a few seconds', '<10 s'], [14, undefined, 'about 10 seconds', '~10 s'], [54, undefined, 'about 50 seconds', '~50 s'],
    [55, undefined, 'about 1 minute', '~1 min'], [90, undefined, 'about 2 minutes', '~2 min'], [360, undefined, 'about 6 minutes', '~6 min'],
    [5399, undefined, 'about 90 minutes', '~90 min'], [5400, undefined, 'about 1.5 hours', '~1.5 h'], [7300, undefined, 'about 2 hours', '~2 h'],
    [360, 300, 'about 6 minutes', '~6 min'], [15, 38, '10 to 40 seconds', '10–40 s'], [5, 38, 'up to 40 seconds', '<40 s'],
    [250, 530, '4 to 9 minutes', '4–9 min'], [30, 60, 'up to 1 minute', '<1 min'], [120, 121, '2 to 3 minutes', '2–3 min'],
    [5400, 10_000, '1.5 to 3 hours', '1.5–3 h'], [600, 5400, 'up to 1.5 hours', '<1.5 h'],
  ];
  for (const [seconds, most, long, short] of table) {
    const eta = { percent: 0, seconds, ...(most === undefined ? {} : { seconds_most: most }) };
    assert.equal(leftText(eta, 0), long);
    assert.equal(leftShort(eta, 0), short);
  }
  assert.equal(leftText({ percent: 3, seconds: null }, 60_000), 'calculating…');
  assert.equal(leftShort({ percent: 3, seconds: null }, 60_000), '');
  const late = { percent: 97, seconds: 20, seconds_most: 90, overdue: true };
  assert.deepEqual([leftText(late, 0), leftShort(late, 60_000)], ['longer than usual', 'longer than usual'], 'no number');
  assert.equal(leftText(null, 0) + leftText(undefined, 0) + leftShort(undefined, 0), '');
});

/** The largest number in seconds that a text names; what is not a number is the least. @param {string} text */
function named(text) {
  const number = Number(/[\d.]+(?=\D*$)/.exec(text)?.[0] ?? 0);
  return number * (text.includes('hour') ? 3600 : text.includes('minute') ? 60 : 1);
}

test('time that passes never makes it longer', () => {
  for (const most of [undefined, 9000]) {
    const eta = { percent: 0, seconds: 7000, ...(most === undefined ? {} : { seconds_most: most }) };
    let before = Number.POSITIVE_INFINITY;
    for (let passed = -5; passed < 9100; passed += 1) {
      const text = leftText(eta, passed * 1000);
      assert.ok(named(text) <= before, `${text} after ${before} s`);
      before = named(text);
    }
    assert.equal(leftText(eta, 9100_000), 'a few seconds');
  }
});

test('how far the run of a host is', () => {
  const told = 5000;
  /** @param {Partial<import('../../../src/dashboard/ui/types.js').HostActivity> | null} activity @param {number} passed */
  const shown = (activity, passed) => howFar(/** @type {any} */ ({ host: { activity: activity && { phase: 'building', progress: EXAMPLE, ...activity } }, told }), told + passed);
  const eta = { percent: 42, seconds: 360 };
  assert.equal(shown({ eta }, 0), '37/112 · ~6 min');
  assert.equal(shown({ eta }, 120_000), '37/112 · ~4 min');
  assert.equal(shown({ eta: { percent: 42, seconds: null } }, 0), '37/112');
  assert.equal(shown({ eta, phase: 'switching' }, 0), '~6 min');
  assert.equal(shown({}, 0), '37/112');
  assert.equal(shown(null, 0), '');
});

test('what is being built', () => {
  const build = { name: 'hello-2.12', host: 'big', phase: 'buildPhase', since: START };
  assert.deepEqual(buildText(build, START + 65_000), { name: 'hello-2.12', where: 'buildPhase on big', elapsed: '1 min 5 s' });
  assert.deepEqual(buildText({ name: 'x', since: START }, START - 5000), { name: 'x', where: '', elapsed: '0 s' }, 'a clock that is ahead');
  assert.equal(activityShort({ ...EXAMPLE, activity: 'building a' }), 'building a');
  assert.equal(activityShort({ ...EXAMPLE, activity: 'building a', running: [build, build] }), 'hello-2.12 buildPhase on big and 1 more');
  assert.equal(activityShort({ ...EXAMPLE, running: [{ name: 'x', since: 0 }] }), 'x');
  assert.equal(activityShort(null), '');
});

test('lines that tell of an error', () => {
  for (const text of ['error: builder failed', '       error: no', 'Error: x', 'foo.c:3: error: x']) assert.ok(isError(text), text);
  for (const text of ['0 errors', 'no error', 'warning: error']) assert.ok(!isError(text), text);
});

/** A log of `total` lines of which some are errors. @param {number} total @param {number[]} errors */
function log(total, errors) {
  let asked = 0;
  return {
    asked: () => asked,
    ask: async (/** @type {number} */ from, /** @type {number} */ limit) => {
      asked += 1;
      const to = Math.min(total, from + limit - 1);
      const lines = Array.from({ length: to - from + 1 }, (_, at) => ({ n: from + at, at: '', text: errors.includes(from + at) ? '\x1b[31;1merror:\x1b[0m no' : 'x' }));
      return { lines, next: to + 1, complete: true };
    },
  };
}

test('the first error line is looked for from where the last phase began', async () => {
  /** @type {[number, number[], number, number | null, number][]} */
  const table = [[100, [5, 20, 30], 10, 20, 1], [100, [5], 10, null, 1], [12_000, [11_000], 1, 11_000, 3], [900_000, [899_999], 1, 899_999, 9], [900_000, [], 1, null, 9], [0, [], 1, null, 0]];
  for (const [total, errors, from, expected, requests] of table) {
    const { ask, asked } = log(total, errors);
    assert.equal(await firstError(ask, { lines: total, phases: [{ first_line: from }] }), expected);
    assert.equal(asked(), requests, `${total} ${from}`);
  }
});
