// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCK, Blocks } from '../../../src/dashboard/ui/log/blocks.js';
import { Follow } from '../../../src/dashboard/ui/log/follow.js';
import { marks, marksHash } from '../../../src/dashboard/ui/log/marks.js';
import { Scroll, TALLEST } from '../../../src/dashboard/ui/log/scroll.js';

/** @param {number} from @param {number} to */
const lines = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => ({ n: from + i, at: '2026-01-01T00:00:00.000Z', text: `line ${from + i}` }));

test('lines that come twice stay once, in their place', () => {
  const blocks = new Blocks();
  blocks.put(lines(1, 3));
  blocks.put(lines(2, 4));
  assert.equal(blocks.total, 4);
  assert.deepEqual(blocks.numbers(), [1, 2, 3, 4]);
  blocks.put([{ n: -1, at: '', text: '' }, { n: 0, at: '', text: '' }, { n: 1.5, at: '', text: '' }]);
  assert.equal(blocks.total, 4);
});

test('only what is not here and not asked for is wanted', () => {
  const blocks = new Blocks();
  blocks.total = 2000;
  assert.deepEqual(blocks.wanted(490, 510), [0, 1]);
  blocks.setAsked(0, true);
  assert.deepEqual(blocks.wanted(490, 510), [1]);
  blocks.answer(0, lines(1, BLOCK), 2000);
  assert.deepEqual(blocks.wanted(1, BLOCK), []);
  assert.deepEqual(blocks.wanted(BLOCK, BLOCK + 1), [1]);
});

test('a line that an answer covers and does not have is missing; one after it is not', () => {
  const blocks = new Blocks();
  blocks.total = 10;
  blocks.answer(0, lines(1, 8), 10);
  assert.equal(blocks.get(9), 'missing');
  assert.equal(blocks.get(11), null);
  blocks.put(lines(9, 9));
  assert.deepEqual(blocks.get(9), { at: Date.parse('2026-01-01T00:00:00.000Z'), text: 'line 9' });
});

test('the least recently read block goes first, and one being asked for stays', () => {
  const blocks = new Blocks(2);
  blocks.put([...lines(1, 1), ...lines(BLOCK + 1, BLOCK + 1)]);
  blocks.wanted(1, 1);
  blocks.put(lines(2 * BLOCK + 1, 2 * BLOCK + 1));
  assert.notEqual(blocks.get(1), null);
  assert.equal(blocks.get(BLOCK + 1), null);
  blocks.setAsked(0, true);
  blocks.put(lines(3 * BLOCK + 1, 3 * BLOCK + 1));
  blocks.put(lines(4 * BLOCK + 1, 4 * BLOCK + 1));
  assert.notEqual(blocks.get(1), null);
});

test('find goes round in both directions', () => {
  const blocks = new Blocks();
  blocks.put(lines(1, 30));
  const has5 = (/** @type {string} */ text) => text.includes('5');
  assert.equal(blocks.find(has5, 0, 1), 5);
  assert.equal(blocks.find(has5, 5, 1), 15);
  assert.equal(blocks.find(has5, 25, 1), 5);
  assert.equal(blocks.find(has5, 5, -1), 25);
  assert.equal(blocks.find(() => false, 0, 1), null);
});

test('a short log scrolls one to one', () => {
  const scroll = new Scroll(20);
  scroll.measure(100, 400);
  assert.equal(scroll.box, 2000);
  scroll.boxMovedTo(600);
  assert.deepEqual(scroll.range(0), { from: 30, to: 50 });
  assert.equal(scroll.place(30), 600);
  scroll.moveTo(99_999);
  assert.equal(scroll.top, 1600);
  assert.ok(scroll.atEnd);
});

test('two million lines stay below what a browser can show, and the first and the last can be reached', () => {
  const scroll = new Scroll(20);
  scroll.measure(2_000_000, 600);
  assert.equal(scroll.box, TALLEST);
  scroll.boxMovedTo(TALLEST - 600);
  assert.equal(Math.round(scroll.top), 2_000_000 * 20 - 600);
  assert.deepEqual(scroll.range(0), { from: 1_999_970, to: 2_000_000 });
  scroll.boxMovedTo(0);
  assert.equal(scroll.range(0).from, 0);
  scroll.reveal(1_234_567);
  const { from, to } = scroll.range(0);
  assert.ok(from <= 1_234_567 && 1_234_567 < to);
  assert.ok(Math.abs(scroll.place(from) - scroll.boxTop) <= 20, 'the first row in view stands at the top of the view');
});

test('a log that grows does not move what is read, also beyond the highest box', () => {
  const scroll = new Scroll(20);
  scroll.measure(700_000, 600);
  scroll.moveTo(1_000_000);
  scroll.measure(1_500_000, 600);
  assert.equal(scroll.top, 1_000_000);
  assert.equal(scroll.range(0).from, 50_000);
});

test('scrolling up stops following, and the end resumes it', () => {
  const follow = new Follow(true);
  follow.grew(10);
  assert.equal(follow.fresh, 0);
  follow.scrolled(false);
  follow.grew(25);
  assert.equal(follow.state, 'scroll');
  assert.equal(follow.fresh, 15);
  follow.scrolled(true);
  assert.equal(follow.state, 'follow');
  assert.equal(follow.fresh, 0);
});

test('a pointer at rest holds the log until it leaves', () => {
  const follow = new Follow(true);
  follow.grew(10);
  follow.hover(true);
  follow.grew(12);
  assert.equal(follow.state, 'hover');
  assert.equal(follow.fresh, 2);
  follow.hover(false);
  assert.equal(follow.state, 'follow');
  assert.equal(follow.fresh, 0);
});

test('who asks for the newest line gets it although the pointer is there', () => {
  const follow = new Follow(true);
  follow.hover(true);
  follow.scrolled(false);
  follow.resume();
  follow.grew(5);
  assert.equal(follow.state, 'follow');
  follow.hover(false);
  follow.hover(true);
  assert.equal(follow.state, 'hover');
});

test('a log opened at a line never follows by itself', () => {
  const follow = new Follow(false);
  follow.grew(5);
  follow.hover(false);
  assert.equal(follow.state, 'scroll');
});

test('addresses of lines', () => {
  /** @type {[string, {from: number, to: number} | null][]} */
  const table = [['#L12', { from: 12, to: 12 }], ['#L120-L140', { from: 120, to: 140 }], ['#L140-L120', { from: 120, to: 140 }],
    ['#L5-9', { from: 5, to: 9 }], ['', null], ['#L0', null], ['#Lx', null], ['#L1e9', null], ['#L1-', null]];
  for (const [hash, expected] of table) assert.deepEqual(marks(hash), expected, hash);
  assert.equal(marksHash(3, 3), '#L3');
  assert.equal(marksHash(3, 5), '#L3-L5');
});
