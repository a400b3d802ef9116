// @ts-check
// Hosts that are away or busy, and runs that wait for them.

import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { until } from './browser.mjs';

/** @typedef {import('./reader.mjs').World} World */

/** A run that waits for a host, asked for on its page. @param {World} world @param {string} host @param {string} longest */
async function wait({ reader }, host, longest) {
  const { page } = reader;
  await page.locator('.wait input').focus();
  await page.keyboard.press('Space');
  await page.locator('[data-command="switch"]:enabled').click();
  await page.locator('dialog[open] select').selectOption({ label: longest });
  await page.locator('dialog[open] button[type=submit]').click();
  await page.waitForURL('**/runs/*');
  await reader.state('Waiting');
  assert.match(await reader.sees('.waiting', `Waiting for ${host} until`), /left\.$/);
  return reader.run;
}

/** @type {Record<string, (world: World) => Promise<void>>} */
export const checks = {
  async 'a host that is away refuses commands and says why, and a run can wait for it'(world) {
    const { fleet, reader } = world;
    const { page } = reader;
    const host = fleet.host('web1');
    fleet.host('web2');
    const late = fleet.host('web3');
    await reader.host('web1');
    await page.locator('[data-command="switch"]:enabled').waitFor();
    assert.equal(await page.locator('.wait').isVisible(), false, 'nothing needs to wait for a host that is there');
    await host.kill();
    await page.goto(`${reader.base}/hosts/web3`);
    await page.locator('[data-command="switch"]:enabled').waitFor();
    await reader.host('web1', 'O');
    await late.kill();
    await reader.sees('.host-title .badge', 'Offline', 30_000);
    await reader.sees('.refusal', 'web1 is offline');
    assert.equal(await page.locator('[data-command="switch"]').isDisabled(), true);
    assert.match((await page.locator('[data-command="switch"]').getAttribute('title')) ?? '', /offline/);
    await page.locator('.wait input').check();
    await page.locator('[data-command="switch"]').click();
    await reader.look('queue-dialog');
    await page.locator('dialog[open] button', { hasText: 'Cancel' }).click();
    await page.locator('.wait input').uncheck();
    const run = await wait(world, 'web1', '1 hour');
    await reader.look('queue-run');
    const told = await reader.api(`/api/runs/${run}`);
    const hours = (Date.parse(told.queued_until) - Date.parse(told.created_at)) / 3_600_000;
    assert.ok(Math.abs(hours - 1) < 0.01, `it waits ${hours} h`);
  },

  async 'a waiting run is on the row, the page and the list of its host, and is cancelled there'({ reader }) {
    const { page } = reader;
    await page.goto(`${reader.base}/`);
    await reader.sees('[data-host="web1"] .waiting', /^switch waits until/);
    assert.equal(await page.locator('[data-host="web2"] .waiting').isVisible(), false);
    await reader.look('queue-hosts');
    await page.locator('[data-host="web1"] .cell-name a').click();
    await reader.sees('.waiting-runs', 'Waiting for web1 until');
    await reader.sees('.run-row', 'Waiting for web1 until');
    await reader.look('queue-host');
    await page.locator('.waiting-runs button', { hasText: 'Cancel' }).click();
    await page.locator('dialog[open] button', { hasText: 'Cancel the run' }).click();
    await reader.sees('.run-row .badge', 'Stopped');
    await page.locator('.waiting-runs').waitFor({ state: 'hidden' });
    await page.goto(`${reader.base}/`);
    await page.locator('[data-host="web1"] .waiting').waitFor({ state: 'hidden' });
  },

  async 'a waiting run starts by itself when its host is back, in front of the reader'(world) {
    const { fleet, reader } = world;
    const host = fleet.hosts.get('web1');
    host?.rebuilds('echo "building the system configuration..."; echo done');
    await reader.host('web1', 'Offline');
    await wait(world, 'web1', '7 days');
    host?.start();
    await reader.state('Succeeded', 30_000);
    assert.equal(await reader.page.locator('.waiting').isVisible(), false);
    await reader.sees('.line.held', 'done');
    await reader.sees('.mark.verified', 'Complete, checksum verified');
    await reader.look('run-verified');
  },

  async 'a run waits for a host that is busy'(world) {
    const { fleet, reader } = world;
    const { page } = reader;
    fleet.hosts.get('web1')?.rebuilds('echo "building the system configuration..."; sleep 4; echo over');
    const first = await reader.start('web1');
    await reader.host('web1');
    await reader.sees('.refusal', 'switch is running');
    await reader.sees('.wait', 'Run it when that is over');
    const second = await wait(world, 'web1', '1 day');
    assert.notEqual(first, second);
    await reader.state('Succeeded', 30_000);
    await page.goto(`${reader.base}/runs/${first}`);
    await reader.state('Succeeded');
  },

  async 'a host that goes away in its activation is reconnecting, and counts down'(world) {
    const { fleet, reader } = world;
    const { page } = reader;
    const host = fleet.host('away1');
    host.rebuilds(`echo "building the system configuration..."; echo "activating the configuration..."; while [ ! -e ${host.dir}/go ]; do sleep 0.1; done; echo "setting up /etc..."`);
    await reader.start('away1');
    await page.locator('.step.current[data-phase="activating"]').waitFor();
    fleet.link?.cut();
    const left = async () => /counts as lost in (\d+):(\d\d)/.exec(await reader.sees('.host-note .left', 'Reconnecting, counts as lost in'));
    const seconds = async () => {
      const found = await left();
      return Number(found?.[1]) * 60 + Number(found?.[2]);
    };
    const first = await seconds();
    assert.ok(first > 100 && first <= 300, `${first} s`);
    await until('it counts down', async () => (await seconds()) < first);
    assert.equal(await page.locator('.run-title .badge.bad').count(), 0, 'not drawn as failed');
    await reader.look('reconnecting-run');
    await page.goto(`${reader.base}/`);
    await reader.sees('[data-host="away1"] .badge', 'Reconnecting');
    await reader.sees('[data-host="away1"] .deadline', /counts as lost in \d:\d\d/);
    await reader.look('reconnecting-hosts');
    await page.locator('[data-host="away1"] .to-run').click();
    fleet.link?.mend();
    await page.locator('.host-note:not(.waiting)').waitFor({ state: 'hidden', timeout: 40_000 });
    writeFileSync(`${host.dir}/go`, '');
    await reader.state('Succeeded', 30_000);
  },

  async 'a run whose time is up says so in front of the reader'({ reader }) {
    const { page } = reader;
    await reader.host('web3', 'Offline');
    const asked = await reader.post('/api/hosts/web3/command', { command: 'switch', queue: true, expires_in: 60 });
    assert.equal(asked.status, 202, JSON.stringify(asked.body));
    await reader.sees('.waiting-runs', 'Waiting for web3 until');
    await reader.sees('.run-row .badge', 'Waiting');
    await page.locator('.waiting-runs').waitFor({ state: 'hidden', timeout: 80_000 });
    assert.equal(await page.locator('.run-row .badge', { hasText: 'Waiting' }).count(), 0);
    assert.notEqual(((await page.locator('.run-row .run-reason').first().textContent()) ?? '').trim(), '', 'it says why');
    await reader.look('queue-expired');
  },
};
