// @ts-check
// What the page says when a host, a link or a run is not as it should be: with real programs behind a link that is slow or cut.
//
//   node truth.mjs BIN_DIR OUT_DIR [CHECK]
//
// BIN_DIR has nixfleet-dashboard and nixfleet-agent; OUT_DIR gets the screenshots; CHECK runs only checks whose name has it. Also
// read: CHROMIUM, UI_DIR (serves the page from there), KEEP (leaves everything running for a look at it).

import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Checks, Complaints, launch } from './browser.mjs';
import { PASSWORD, TestFleet, USER } from './fleet.mjs';
import { Reader } from './reader.mjs';
import * as metrics from './truth_metrics.mjs';
import * as states from './truth_states.mjs';
import * as waits from './truth_waits.mjs';

const [bin = '', out = 'out', only = ''] = process.argv.slice(2);
if (bin === '') {
  console.error('usage: node truth.mjs BIN_DIR OUT_DIR [CHECK]');
  process.exit(2);
}
mkdirSync(out, { recursive: true });

const fleet = new TestFleet(bin);
const browser = await launch();
const complaints = new Complaints();
const checks = new Checks();
try {
  await fleet.start();
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
  await complaints.watch(context);
  const page = await context.newPage();
  const reader = new Reader(page, fleet.base, out);
  await page.goto(`${fleet.base}/`);
  await page.fill('#username', USER);
  await page.fill('#password', PASSWORD);
  await page.click('button[type=submit]');
  await page.waitForURL(`${fleet.base}/`);
  for (const [name, check] of [...Object.entries(waits.checks), ...Object.entries(states.checks), ...Object.entries(metrics.checks)]) {
    if (!name.includes(only)) continue;
    await checks.run(name, async () => {
      try {
        await check({ fleet, reader, context });
      } catch (error) {
        await page.screenshot({ path: join(out, 'FAILED.png') });
        throw error;
      }
    });
    fleet.link?.mend();
    if (fleet.link) fleet.link.rate = Infinity;
  }
  // A request that is refused, or a dashboard that is away, is what some of these checks are about.
  complaints.list = complaints.list.filter((text) => !/Failed to load resource|net::ERR/.test(text));
  await checks.run('the browser complained about nothing else', async () => assert.deepEqual(complaints.list, []));
  if (process.env.KEEP) {
    console.log(`${fleet.base} ${USER} "${PASSWORD}"`);
    await new Promise(() => {});
  }
} finally {
  await browser.close();
  await fleet.stop();
}
checks.finish();
