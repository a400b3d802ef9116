// @ts-check
// A reader of the page: where he goes, what he presses, what he sees of a run; and pictures of it.

import assert from 'node:assert/strict';
import { join } from 'node:path';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./fleet.mjs').TestFleet} TestFleet */
/** @typedef {{fleet: TestFleet, reader: Reader, context: import('playwright-core').BrowserContext}} World */

export class Reader {
  /** @param {Page} page @param {string} base @param {string} out */
  constructor(page, base, out) {
    this.page = page;
    this.base = base;
    this.out = out;
  }

  /** @param {string} host @param {string} [status] */
  async host(host, status = 'Online') {
    await this.page.goto(`${this.base}/hosts/${host}`);
    await this.page.locator('.host-title .badge', { hasText: status }).waitFor();
  }

  /** Starts a command on a host and goes to its run. @param {string} host @param {string} [command] @returns {Promise<string>} the run's id */
  async start(host, command = 'switch') {
    await this.host(host);
    await this.page.locator(`[data-command="${command}"]:enabled`).click();
    await this.page.locator('dialog[open] button[type=submit]').click();
    await this.page.waitForURL('**/runs/*');
    return this.run;
  }

  /** The run that is open. */
  get run() {
    return new URL(this.page.url()).pathname.split('/').at(-1) ?? '';
  }

  /** @param {string} word @param {number} [timeout] */
  state(word, timeout = 20_000) {
    return this.page.locator('.run-title .badge', { hasText: word }).waitFor({ timeout });
  }

  /** @param {string} selector @param {string | RegExp} text @param {number} [timeout] */
  async sees(selector, text, timeout = 20_000) {
    const found = this.page.locator(selector, { hasText: text }).first();
    await found.waitFor({ timeout });
    return (await found.textContent()) ?? '';
  }

  /** @param {string} path @returns {Promise<any>} */
  async api(path) {
    const response = await this.page.context().request.get(this.base + path);
    assert.equal(response.status(), 200, path);
    return response.json();
  }

  /** @param {string} path @param {object} body @returns {Promise<any>} */
  post(path, body) {
    return this.page.evaluate(async ([to, json]) => {
      const { csrf_token: token } = await (await fetch('/api/session')).json();
      const response = await fetch(to ?? '', { method: 'POST', headers: { 'X-CSRF-Token': token, 'Content-Type': 'application/json' }, body: json ?? '' });
      return { status: response.status, body: await response.json() };
    }, [path, JSON.stringify(body)]);
  }

  /** Pictures in both sizes and both themes; nothing may stick out. @param {string} name */
  async look(name) {
    const { page } = this;
    for (const [width, height] of [[1440, 900], [390, 844]]) {
      await page.setViewportSize({ width: width ?? 0, height: height ?? 0 });
      for (const colorScheme of /** @type {const} */ (['light', 'dark'])) {
        await page.emulateMedia({ colorScheme });
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
        await page.screenshot({ path: join(this.out, `${name}-${width}-${colorScheme}.png`) });
      }
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(wide <= (width ?? 0), `${name} is ${wide} pixels wide at ${width}`);
    }
    await page.emulateMedia({ colorScheme: 'light' });
    await page.setViewportSize({ width: 1440, height: 900 });
  }
}
