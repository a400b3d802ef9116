// @ts-check
// What the page promises of its files: nothing inline, nothing from elsewhere, nothing parsed as markup, everything there.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const UI = fileURLToPath(new URL('../../../src/dashboard/ui/', import.meta.url));
const names = readdirSync(UI, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile()).map((entry) => relative(UI, join(entry.parentPath, entry.name)));
const text = (/** @type {string} */ name) => readFileSync(join(UI, name), 'utf8');

test('every file is short', () => {
  for (const name of names) assert.ok(text(name).split('\n').length <= 400, name);
});

test('no markup is made from text, and nothing is inline', () => {
  for (const name of names.filter((name) => name.endsWith('.js'))) {
    assert.doesNotMatch(text(name), /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|setAttribute\('(?:style|on)/, name);
    assert.match(text(name), /^\/\/ @ts-check\n/, name);
  }
  for (const name of names.filter((name) => name.endsWith('.html'))) {
    assert.doesNotMatch(text(name), /<style|style=|\son\w+=|<script>|javascript:/i, name);
  }
});

test('everything that is named is there, and comes from the dashboard', () => {
  for (const name of names) {
    const content = text(name);
    const found = name.endsWith('.html') ? [...content.matchAll(/(?:src|href)="(?!#)([^"]+)"/g)].map((match) => (match[1] ?? '').replace(/^\/ui\//, ''))
      : name.endsWith('.js') ? [...content.matchAll(/from '([^']+)'/g)].map((match) => join(dirname(name), match[1] ?? '')) : [];
    for (const reference of found) assert.ok(existsSync(join(UI, reference)), `${name} names ${reference}`);
    assert.doesNotMatch(content.replace('http://www.w3.org/2000/svg', ''), /https?:\/\//, name);
    if (name.endsWith('.css')) assert.doesNotMatch(content, /@import|url\(/, name);
  }
});

test('every module is reached from a page', () => {
  const reached = new Set(['types.js']);
  const walk = (/** @type {string} */ name) => {
    if (reached.has(name)) return;
    reached.add(name);
    for (const match of text(name).matchAll(/from '([^']+)'/g)) walk(join(dirname(name), match[1] ?? ''));
  };
  for (const html of names.filter((name) => name.endsWith('.html'))) {
    reached.add(html);
    for (const match of text(html).matchAll(/(?:src|href)="\/ui\/([^"]+)"/g)) walk(match[1] ?? '');
  }
  assert.deepEqual(names.filter((name) => !reached.has(name)), []);
});
