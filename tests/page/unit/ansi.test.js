// @ts-check
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { BASIC, parse, stripped } from '../../../src/dashboard/ui/log/ansi.js';
import { BACKGROUND, LEAST_CONTRAST, contrast, indexed, readable, textColour } from '../../../src/dashboard/ui/log/colour.js';

/** @param {string} input @param {[string, string][]} expected text and classes */
function check(input, expected) {
  assert.deepEqual(parse(input).map((piece) => [piece.text, piece.classes]), expected, JSON.stringify(input));
}

test('basic colours and weights are classes', () => {
  check('plain', [['plain', '']]);
  check('', []);
  check('\x1b[31mred\x1b[0m end', [['red', 'c1'], [' end', '']]);
  check('\x1b[1;35mwarning:\x1b[0m', [['warning:', 'bold c5']]);
  check('\x1b[1mbold\x1b[22m not', [['bold', 'bold'], [' not', '']]);
  check('\x1b[92mbright\x1b[39mplain', [['bright', 'c10'], ['plain', '']]);
  check('\x1b[2;3;4;9mall\x1b[m', [['all', 'dim italic under strike']]);
  check('\x1b[7minverse\x1b[27m', [['inverse', 'inverse']]);
  check('\x1b[38;5;9mnine', [['nine', 'c9']]);
});

test('256 and true colours carry their value, and what follows is read on', () => {
  assert.deepEqual(parse('\x1b[38;5;208mx')[0]?.fg, [255, 135, 0]);
  assert.deepEqual(parse('\x1b[38;2;1;2;3;1mx')[0], { text: 'x', classes: 'bold', fg: [1, 2, 3], bg: null });
  assert.deepEqual(parse('\x1b[38:5:208mx')[0]?.fg, [255, 135, 0]);
  assert.deepEqual(parse('\x1b[48;5;232mx')[0]?.bg, [8, 8, 8]);
  assert.deepEqual(parse('\x1b[38;2;999;-1;3mx')[0]?.fg ?? null, null, 'what is no SGR is dropped');
});

test('escapes that are no SGR, and control characters, do nothing', () => {
  check('a\x1b[2Kb\x1b[10;20Hc', [['a', ''], ['b', ''], ['c', '']]);
  check('\x1b]0;title\x07shown', [['shown', '']]);
  check('\x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\', [['link', '']]);
  check('a\x07b\x08c', [['a\u2407b\u2408c', '']]);
  check('safe\u202egnp.exe', [['safe\ufffdgnp.exe', '']]);
  check('tab\there', [['tab\there', '']]);
  check('<script>alert(1)</script>', [['<script>alert(1)</script>', '']]);
  check('cut \x1b[3', [['cut ', '']]);
  check('cut \x1b', [['cut ', '']]);
  assert.equal(stripped('\x1b[1mb\x1b[0m\x1b]0;t\x07c'), 'bc');
});

test('a hostile line is parsed in linear time', () => {
  const started = performance.now();
  for (const line of ['\x1b['.repeat(30_000), '\x1b]'.repeat(30_000), '\x1b[38;5;'.repeat(8000), '\x1b[0m'.repeat(15_000)]) parse(line);
  assert.ok(performance.now() - started < 1000);
});

test('every palette colour can be read in both themes', () => {
  for (let n = 16; n < 256; n += 1) {
    for (const background of [BACKGROUND.light, BACKGROUND.dark]) {
      assert.ok(contrast(readable(indexed(n), background), background) >= LEAST_CONTRAST, `colour ${n}`);
    }
    for (const back of BASIC) assert.ok(contrast(readable(indexed(n), back), back) >= LEAST_CONTRAST, `colour ${n} on ${back}`);
  }
  assert.match(textColour([255, 255, 0], null), /^light-dark\(rgb\(\d+ \d+ \d+\), rgb\(255 255 0\)\)$/);
});

test('the colours of the stylesheet can be read in both themes', () => {
  const css = readFileSync(new URL('../../../src/dashboard/ui/colours.css', import.meta.url), 'utf8');
  /** @param {string} hex @returns {import('../../../src/dashboard/ui/log/colour.js').Rgb} */
  const rgb = (hex) => [
    Number.parseInt(hex.slice(1, 3), 16), Number.parseInt(hex.slice(3, 5), 16), Number.parseInt(hex.slice(5, 7), 16)];
  /** @type {Map<string, {light: import('../../../src/dashboard/ui/log/colour.js').Rgb, dark: import('../../../src/dashboard/ui/log/colour.js').Rgb}>} */
  const colours = new Map();
  for (const match of css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)) {
    colours.set(match[1] ?? '', { light: rgb(match[2] ?? ''), dark: rgb(match[3] ?? '') });
  }
  /** @param {string} name */
  const colour = (name) => {
    const found = colours.get(name);
    assert.ok(found, `--${name} is in colours.css`);
    return found;
  };
  assert.deepEqual(colour('log'), BACKGROUND, 'colour.js and colours.css name the same background');
  const pairs = [...Array.from({ length: 16 }, (_, n) => [`c${n}`, 'log']), ['log-text', 'log'], ['log-quiet', 'log'], ['log-text', 'log-mark'],
    ...['text', 'quiet', 'link', 'good', 'warn', 'bad', 'busy'].flatMap((name) => [[name, 'card'], [name, 'page']]),
    ['quiet', 'raised'], ['good', 'good-back'], ['warn', 'warn-back'], ['bad', 'bad-back'], ['busy', 'busy-back']];
  for (const [text = '', back = ''] of pairs) {
    for (const theme of /** @type {const} */ (['light', 'dark'])) {
      const found = contrast(colour(text)[theme], colour(back)[theme]);
      assert.ok(found >= LEAST_CONTRAST, `--${text} on --${back}, ${theme}: ${found.toFixed(2)}`);
    }
  }
});
