// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fullest, percent } from '../../../src/dashboard/ui/amounts.js';
import { bandPath, linePath, roundUp, stretches, tickText, ticks } from '../../../src/dashboard/ui/chart.js';

const same = (/** @type {number} */ value) => value;

test('a line breaks off at a gap and never crosses it', () => {
  const values = [null, 1, 2, null, 4, null, null, 5, 6];
  assert.deepEqual(stretches(values), [[1, 2], [4, 4], [7, 8]]);
  assert.equal(linePath(values, same, same), 'M1 1L2 2M4 4h.01M7 5L8 6');
  assert.equal(linePath([null, null], same, same), '');
  assert.equal(linePath([], same, same), '');
});

test('a band has the same gaps', () => {
  assert.equal(bandPath([1, 1, null, 2], [3, 4, null, 5], same, same), 'M0 3L1 4L1 1L0 1Z');
});

test('scales end at round numbers', () => {
  for (const [value, expected] of /** @type {[number, number][]} */ ([[0, 1], [0.3, 0.5], [1, 1], [1.2, 2], [4.2, 5], [7, 10], [51, 100], [Number.NaN, 1]])) {
    assert.equal(roundUp(value), expected);
  }
});

test('labels are few and on whole units', () => {
  const from = Date.UTC(2026, 0, 31, 8, 7);
  const hour = ticks(from, from + 3_600_000, 5, 0);
  assert.deepEqual(hour.map((at) => new Date(at).toISOString().slice(11, 16)), ['08:15', '08:30', '08:45', '09:00']);
  assert.deepEqual(ticks(from, from + 86_400_000, 3, 60).map((at) => new Date(at).toISOString().slice(8, 16)), ['31T11:00', '31T23:00']);
  for (const span of [3_600_000, 86_400_000, 14 * 86_400_000, 366 * 86_400_000]) assert.ok(ticks(from, from + span, 6).length <= 7);
  assert.match(tickText(from, 1000), /^\d\d:\d\d$/);
  assert.match(tickText(from, 14 * 86_400_000), /^01-3\d$/);
  assert.match(tickText(from, 366 * 86_400_000), /^2026-0\d$/);
});

test('how much is in use', () => {
  assert.equal(percent({ total: 100, available: 25 }), 75);
  assert.equal(percent({ total: 0, available: 0 }), 0);
  assert.equal(percent({ total: 5, available: 9 }), 0);
  const disk = (/** @type {number} */ available) => ({ mount: '/', total: 10, available });
  assert.equal(fullest({ age_ms: 0, disks: [disk(5), disk(1), { mount: '/x', total: 0, available: 0 }] }), 90);
  assert.equal(fullest({ age_ms: 0 }), null);
});
