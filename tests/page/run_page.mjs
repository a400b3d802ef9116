// @ts-check
// What the checks read from a run's page, and do on it.

import assert from 'node:assert/strict';
import { PATIENCE, until } from './browser.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** Longest that a demo rebuild may take, in milliseconds. */
export const REBUILD = Number(process.env.REBUILD_MS ?? 300_000);

/** Notes every phase that becomes current, and how late each line comes into the page. In the page's own world. */
export function observer() {
  const notes = { phases: /** @type {string[]} */ ([]), late: /** @type {number[]} */ ([]), measuring: true, opened: 0 };
  Object.assign(window, { notes });
  let newest = 0;
  new MutationObserver(() => {
    const now = Date.now();
    if (notes.opened === 0 && document.querySelector('.log')) notes.opened = now;
    const phase = document.querySelector('.step.current')?.getAttribute('data-phase');
    if (phase && notes.phases.at(-1) !== phase) notes.phases.push(phase);
    for (const row of document.querySelectorAll('.line.held')) {
      const n = Number(/** @type {HTMLElement} */ (row).dataset.n);
      // One above the newest was drawn because the view moved or grew, not because it came.
      if (n <= newest) continue;
      newest = n;
      const at = Date.parse(row.querySelector('time')?.dateTime ?? '');
      // Lines that were printed before the page was there were never on their way.
      if (notes.measuring && notes.opened > 0 && at > notes.opened + 500) notes.late.push(now - at);
    }
  }).observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['class'] });
}

/** @param {Page} page @returns {Promise<{phases: string[], late: number[]}>} */
export const notes = (page) => page.evaluate(() => Reflect.get(window, 'notes'));

/** @param {Page} page @param {boolean} measuring */
export const measure = (page, measuring) => page.evaluate((on) => (Reflect.get(window, 'notes').measuring = on), measuring);

/** Waits until the page has painted twice. @param {Page} page */
export const settle = (page) => page.evaluate(() => new Promise((resolve) => {
  requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(resolve, 100)));
}));

/** Lines of the run, as the page counts them. @param {Page} page */
export async function lineCount(page) {
  const text = await page.locator('.log-count').textContent();
  return Number((text ?? '').replaceAll(/\D/g, ''));
}

/** @param {Page} page */
export const stateWord = async (page) => (await page.locator('.run-title .badge').textContent()) ?? '';

/** @param {Page} page */
export const isLive = async (page) => ['Queued', 'Starting', 'Running'].includes(await stateWord(page));

/** Numbers of the rows drawn. @param {Page} page @returns {Promise<number[]>} */
export const drawn = (page) => page.$$eval('.line.held', (rows) => rows.map((row) => Number(/** @type {HTMLElement} */ (row).dataset.n)));

/** @param {Page} page @param {string} text */
export const followState = (page, text) => page.locator('.log-state', { hasText: text }).waitFor();

/** Starts a command on a host through its page. @param {Page} page @param {string} base @param {string} host @param {string} command */
export async function start(page, base, host, command) {
  await page.goto(`${base}/hosts/${host}`);
  const button = page.locator(`[data-command="${command}"]:enabled`);
  await button.click({ timeout: 60_000 });
  await page.locator('dialog[open] button[type=submit]').click();
  await page.waitForURL('**/runs/*');
  await page.locator('.line.held').first().waitFor({ timeout: 60_000 });
}

/** The pointer is moved over the log: the log holds while lines keep coming. @param {Page} page */
export async function holdByPointer(page) {
  const box = await page.locator('.log-view').boundingBox();
  assert.ok(box);
  await page.mouse.move(box.x + 100, box.y + 40);
  await page.mouse.move(box.x + 110, box.y + 60, { steps: 3 });
  await followState(page, 'held');
  const before = await lineCount(page);
  const first = await page.evaluate(() => document.querySelector('.log-view')?.scrollTop);
  await until('lines came while the pointer rested', async () => (await lineCount(page)) > before);
  await page.locator('.fresh', { hasText: /new line/ }).waitFor();
  assert.equal(await page.evaluate(() => document.querySelector('.log-view')?.scrollTop), first, 'the log moved under the pointer');
  await page.mouse.move(box.x + 110, 5);
  await followState(page, 'following');
}

/** Scrolling up stops following; the button resumes it. @param {Page} page */
export async function holdByScrolling(page) {
  await until('the log is longer than its view', () => page.evaluate(() => {
    const view = document.querySelector('.log-view');
    return view !== null && view.scrollHeight > view.clientHeight + 200;
  }), 60_000);
  await page.locator('.log-view').hover();
  await page.mouse.wheel(0, -300);
  await followState(page, 'not following');
  let top = -1;
  await until('the scrolling came to rest', async () => {
    const before = top;
    top = await page.evaluate(() => document.querySelector('.log-view')?.scrollTop ?? 0);
    return top === before;
  });
  const before = await lineCount(page);
  const rows = (await drawn(page))[0];
  await until('lines came while the reader read above', async () => (await lineCount(page)) > before, 60_000);
  await page.locator('.fresh', { hasText: /new line/ }).waitFor();
  assert.equal((await drawn(page))[0], rows, 'the log moved while it was read');
  await page.locator('.fresh').click();
  await followState(page, 'following');
  await until('the last line is in view', async () => Math.max(...(await drawn(page))) >= before);
  await page.mouse.move(5, 5);
}

/** Scrolls through the whole log and returns the text of every line by its number. @param {Page} page */
export async function readAll(page) {
  /** @type {Map<number, string>} */
  const lines = new Map();
  const total = await lineCount(page);
  await page.locator('.log-view').focus();
  await page.keyboard.press('Home');
  const end = Date.now() + 60_000;
  while (lines.size < total && Date.now() < end) {
    await page.waitForFunction(() => document.querySelector('.line') && !document.querySelector('.line.wait'), undefined, { timeout: PATIENCE });
    const rows = await page.$$eval('.line:not(.partial)', (elements) => elements.map((row) => /** @type {[number, string]} */ (
      [Number(/** @type {HTMLElement} */ (row).dataset.n), row.querySelector('.text')?.textContent ?? ''])));
    for (const [n, text] of rows) lines.set(n, text);
    const numbers = rows.map(([n]) => n);
    assert.equal(new Set(numbers).size, numbers.length, 'a line is drawn twice');
    await page.keyboard.press('PageDown');
    await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
  }
  return lines;
}
