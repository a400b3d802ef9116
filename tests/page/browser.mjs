// @ts-check
// A browser that writes down everything that goes wrong in a page, and a list of checks.

import { chromium } from 'playwright-core';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('playwright-core').BrowserContext} BrowserContext */

/** Milliseconds that anything may take on a busy machine before it counts as not happening. */
export const PATIENCE = 20_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** What the browser complained about, unless it was expected to. */
export class Complaints {
  constructor() {
    /** @type {string[]} */
    this.list = [];
    this.expected = false;
  }

  /** @param {string} text */
  add(text) {
    if (!this.expected) this.list.push(text);
  }

  /** @param {BrowserContext} context */
  async watch(context) {
    await context.exposeFunction('complain', (/** @type {string} */ text) => this.add(text));
    await context.addInitScript(() => {
      addEventListener('securitypolicyviolation', (event) => {
        // @ts-expect-error given to the page above
        complain(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
      });
    });
    context.on('page', (page) => {
      page.setDefaultTimeout(PATIENCE);
      page.on('pageerror', (error) => this.add(`error: ${error.stack ?? error.message}`));
      page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') this.add(`console: ${message.text()} (${message.location().url})`);
      });
    });
  }
}

/** Runs checks one after the other, and counts. */
export class Checks {
  constructor() {
    this.passed = 0;
    this.failed = 0;
  }

  /** @param {string} name @param {() => Promise<unknown>} body */
  async run(name, body) {
    const started = Date.now();
    try {
      await body();
      this.passed += 1;
      console.log(`ok      ${name} (${Date.now() - started} ms)`);
    } catch (error) {
      this.failed += 1;
      console.log(`FAILED  ${name} (${Date.now() - started} ms)\n        ${String(error instanceof Error ? error.message : error).replaceAll('\n', '\n        ')}`);
    }
  }

  finish() {
    console.log(`${this.passed} passed, ${this.failed} failed`);
    process.exitCode = this.failed > 0 || this.passed === 0 ? 1 : 0;
  }
}

/**
 * Tries until the condition holds; for what no selector can say.
 * @template T
 * @param {string} what
 * @param {() => Promise<T | null | undefined | false>} condition
 * @param {number} [patience]
 * @returns {Promise<T>}
 */
export async function until(what, condition, patience = PATIENCE) {
  const end = Date.now() + patience;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > end) throw new Error(`waited ${patience} ms in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** @param {number[]} values @param {number} share */
export function percentile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
