// @ts-check
// Drives a real dashboard with a real host through the page.
//
//   node run.mjs BASE_URL SETUP_LINK OUT_DIR
//
// SETUP_LINK is the one-time link that a new dashboard prints, or `-` when a user exists: then NIXFLEET_USER and NIXFLEET_PASSWORD
// log in. OUT_DIR gets the screenshots. Also read: HOST (default: the first host that is online), COMMAND (default `switch`), PHASES
// (default `evaluating,building,activating,switching`), LATENCY_P99_MS (default 100), REBUILD_MS, CHROMIUM.

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Checks, Complaints, launch, percentile, until } from './browser.mjs';
import * as run from './run_page.mjs';

const [base = '', setupLink = '-', out = 'out'] = process.argv.slice(2).map((argument) => argument.replace(/\/$/, ''));
if (!/^https?:/.test(base)) {
  console.error('usage: node run.mjs BASE_URL SETUP_LINK|- OUT_DIR');
  process.exit(2);
}
mkdirSync(out, { recursive: true });
const user = process.env.NIXFLEET_USER ?? 'admin';
const password = process.env.NIXFLEET_PASSWORD ?? 'a page test of 2 words';
const command = process.env.COMMAND ?? 'switch';
const phases = (process.env.PHASES ?? 'evaluating,building,activating,switching').split(',');
const slowest = Number(process.env.LATENCY_P99_MS ?? 100);

const browser = await launch();
const complaints = new Complaints();
const checks = new Checks();
const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
await complaints.watch(context);
await context.addInitScript(() => {
  if (location.protocol.startsWith('http')) localStorage.setItem('nixfleet.stamps', 'absolute');
});
const page = await context.newPage();
/** @param {string} name @param {import('playwright-core').Page} [of] */
const shot = (name, of = page) => of.screenshot({ path: join(out, `${name}.png`) });
const api = async (/** @type {string} */ path) => {
  const response = await context.request.get(base + path);
  assert.equal(response.status(), 200, path);
  return response.json();
};

async function login() {
  await page.fill('#username', user);
  await page.fill('#password', password);
  await page.click('button[type=submit]');
}

let host = process.env.HOST ?? '';
await checks.run('who is not logged in is sent to the login page', async () => {
  complaints.expected = true;
  await page.goto(`${base}/`);
  await page.waitForURL(/\/login/);
  complaints.expected = false;
});

if (setupLink !== '-') {
  await checks.run('the setup link sets the password, once the two entries are equal', async () => {
    await page.goto(setupLink);
    await page.fill('#username', user);
    await page.fill('#password', password);
    await page.fill('#repeat', `${password}!`);
    await page.click('button[type=submit]');
    assert.equal(await page.$eval('#repeat', (input) => /** @type {HTMLInputElement} */ (input).validity.customError), true);
    await page.fill('#repeat', password);
    await page.click('button[type=submit]');
    await page.waitForURL((url) => url.pathname === '/' || url.pathname === '/login');
    if (new URL(page.url()).pathname === '/login') await login();
    await page.waitForURL(`${base}/`);
  });
} else {
  await checks.run('a known user logs in', async () => {
    await login();
    await page.waitForURL(`${base}/`);
  });
}

await checks.run('the page is served with a strict content security policy', async () => {
  const policy = (await page.reload())?.headers()['content-security-policy'] ?? '';
  assert.match(policy, /default-src 'self'/);
  assert.doesNotMatch(policy, /unsafe-/);
});

await checks.run('a host is online in the table', async () => {
  const row = page.locator(host ? `[data-host="${host}"][data-status="online"]` : '.host[data-status="online"]').first();
  await row.waitFor({ timeout: 60_000 });
  host = (await row.getAttribute('data-host')) ?? '';
  await row.locator('.badge', { hasText: 'Online' }).waitFor();
  await shot('hosts-1440');
  await page.fill('.hosts-bar input', 'no such host');
  await page.locator('.host[data-status]').first().waitFor({ state: 'detached' });
  await page.fill('.hosts-bar input', host);
  await row.waitFor();
  await row.locator('a').first().click();
  await page.waitForURL(`**/hosts/${host}`);
});

await checks.run('a command that changes the host is asked for first, and can be cancelled', async () => {
  await page.locator(`[data-command="${command}"]:enabled`).click();
  await page.locator('dialog[open]').waitFor();
  await shot('confirm-1440');
  await page.locator('dialog[open] button', { hasText: 'Cancel' }).click();
  await page.locator('dialog').waitFor({ state: 'detached' });
  assert.match(page.url(), /\/hosts\//);
});

// One page watches in peace and measures; the other one is read, scrolled and loaded again meanwhile.
const watcher = await context.newPage();
await watcher.addInitScript(run.observer);
let runUrl = '';
await checks.run('confirmed, it runs, and its first lines appear', async () => {
  await run.start(watcher, base, host, command);
  runUrl = watcher.url();
});

/**
 * A check that needs a run that goes on: when the run ends in the middle of it, it is tried again with a new one.
 * @param {string} name @param {() => Promise<void>} body
 */
const live = (name, body) => checks.run(name, async () => {
  for (let tries = 1; ; tries += 1) {
    if (page.url() !== runUrl) await page.goto(runUrl);
    await page.locator('.run-title .badge').waitFor();
    if (!(await run.isLive(page))) {
      await run.start(page, base, host, command);
      runUrl = page.url();
    }
    // A page behind another one paints once in a while only: what is measured or used must be in front.
    await run.measure(watcher, false);
    await page.bringToFront();
    try {
      await body();
      return;
    } catch (error) {
      if (tries === 3 || (await run.isLive(page))) throw error;
    } finally {
      await watcher.bringToFront();
      await run.settle(watcher);
      await run.measure(watcher, true);
    }
  }
});

await checks.run('lines are measured in peace', () => until('60 lines were measured or the run ended',
  async () => (await run.notes(watcher)).late.length >= 60 || !(await run.isLive(watcher)), run.REBUILD));

await live('opened in the middle, the page follows the end', async () => {
  await run.followState(page, 'following');
  const count = await run.lineCount(page);
  await until('the last line is drawn', async () => (await run.drawn(page)).includes(count));
  await shot('run-live-1440');
});
await live('a resting pointer holds the log, and leaving lets it go on', () => run.holdByPointer(page));
await live('scrolling up holds the log, and the button goes on', () => run.holdByScrolling(page));
await live('the End key goes on', async () => {
  await page.locator('.log-view').focus();
  await page.keyboard.press('Home');
  await run.followState(page, 'not following');
  await page.keyboard.press('End');
  await run.followState(page, 'following');
});
await live('a reload in the middle loses nothing and follows again', async () => {
  const before = await run.lineCount(page);
  await page.reload();
  await run.followState(page, 'following');
  await until('all lines are there again', async () => (await run.lineCount(page)) >= before);
  await until('the last line is drawn', async () => (await run.drawn(page)).some((n) => n >= before));
});
await live('while it runs, the host refuses further commands and says why', async () => {
  const other = await context.newPage();
  await other.goto(`${base}/hosts/${host}`);
  await other.locator('.refusal', { hasText: command }).waitFor();
  await other.locator(`[data-command="${command}"]:disabled`).waitFor();
  await shot('host-busy-1440', other);
  await other.close();
});

const watched = watcher.url();
await checks.run('the run ends in success, with every phase in order', async () => {
  await until('the run ended', async () => !(await run.isLive(watcher)), run.REBUILD);
  assert.equal(await run.stateWord(watcher), 'Succeeded', (await watcher.locator('.trouble').textContent()) ?? '');
  const seen = (await run.notes(watcher)).phases;
  const told = (await api(`/api${new URL(watched).pathname}`)).phases.map((/** @type {{phase: string}} */ span) => span.phase);
  for (const list of [seen, told]) assert.deepEqual(list.filter((/** @type {string} */ phase) => phases.includes(phase)), phases, `phases: ${list}`);
  assert.equal(await watcher.locator('.step[data-phase=end].done').count(), 1);
});

await checks.run(`lines come into the page within ${slowest} ms (p99)`, async () => {
  const { late } = await run.notes(watcher);
  const measured = { p50: percentile(late, 0.5), p99: percentile(late, 0.99), max: Math.max(...late), lines: late.length };
  console.log(`latency_ms ${JSON.stringify(measured)}`);
  assert.ok(late.length >= 20, `only ${late.length} lines were measured`);
  assert.ok(measured.p99 <= slowest, JSON.stringify(measured));
});

await checks.run('afterwards every line is there once, and the raw output too', async () => {
  await page.bringToFront();
  await page.goto(watched);
  await page.locator('.log-state', { hasText: 'complete' }).waitFor();
  const told = await api(`/api${new URL(watched).pathname}`);
  assert.equal(await run.lineCount(page), told.lines);
  const lines = await run.readAll(page);
  assert.deepEqual([...lines.keys()].sort((a, b) => a - b), Array.from({ length: told.lines }, (_, i) => i + 1));
  const raw = await context.request.get(base + (await page.locator('.log-bar a[download]').getAttribute('href')));
  assert.equal((await raw.body()).length, told.bytes);
  await shot('run-done-1440');
});

await checks.run('a line has an address', async () => {
  const number = await run.lineCount(page) > 5 ? 5 : 1;
  await page.goto(`${watched}#L${number}`);
  await page.reload();
  await page.locator(`.line.marked[data-n="${number}"]`).waitFor();
  assert.equal(await page.locator('.line.marked').count(), 1);
});

await checks.run('the run is listed on its host’s page', async () => {
  await page.goto(`${base}/hosts/${host}`);
  const row = page.locator(`.run-row[data-run="${new URL(watched).pathname.split('/').at(-1)}"]`);
  await row.locator('.badge', { hasText: 'Succeeded' }).waitFor();
  await shot('host-1440');
});

await checks.run('a lost connection is said, and what is back is said too', async () => {
  await page.goto(`${base}/`);
  await page.locator('.host[data-status] .badge').first().waitFor();
  complaints.expected = true;
  await context.setOffline(true);
  await page.locator('#banner', { hasText: 'Not live since' }).waitFor();
  await shot('lost-1440');
  await context.setOffline(false);
  await page.locator('#banner').waitFor({ state: 'hidden' });
  complaints.expected = false;
});

for (const scheme of /** @type {const} */ (['light', 'dark'])) {
  await checks.run(`390 pixels wide, ${scheme}: nothing sticks out`, async () => {
    await page.setViewportSize({ width: 390, height: 844 });
    await page.emulateMedia({ colorScheme: scheme });
    for (const [name, address, ready] of [['hosts', '/', '.host .badge'], ['host', `/hosts/${host}`, '.run-row'], ['run', new URL(watched).pathname, '.line.held']]) {
      await page.goto(base + address);
      await page.locator(ready ?? '').first().waitFor();
      await shot(`${name}-390-${scheme}`);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `${name} is ${width} pixels wide`);
    }
  });
}

await checks.run('the chosen theme stays', async () => {
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.locator('.theme').click();
  await page.reload();
  await until('the theme is the chosen one', () => page.evaluate(() => document.documentElement.dataset.theme === 'light'));
});

await checks.run('logging out ends the session, and a wrong password is told in words', async () => {
  complaints.expected = true;
  await page.locator('.top button', { hasText: 'Log out' }).click();
  await page.waitForURL(/\/login/);
  await page.fill('#username', user);
  await page.fill('#password', 'not the password at all');
  await page.click('button[type=submit]');
  await page.locator('#error', { hasText: 'wrong' }).waitFor();
  await shot('login-1440');
  await login();
  await page.waitForURL(`${base}/`);
  complaints.expected = false;
});

await checks.run('the browser complained about nothing', async () => assert.deepEqual(complaints.list, []));

await browser.close();
checks.finish();
