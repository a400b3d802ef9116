// @ts-check
// What a host has and uses, and how it was: from agents that say what these checks want.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpokenAgent } from './agent.mjs';
import { until } from './browser.mjs';

/** @typedef {import('./reader.mjs').World} World */

const GIB = 2 ** 30;

/** @param {World} world @param {string} name @param {object} [more] */
function joined(world, name, more = {}) {
  const token = readFileSync(join(world.fleet.dir, 'agent-token'), 'utf8').trim();
  return SpokenAgent.join(world.fleet.base, token, { hostname: name, host_type: 'nixos', heartbeat_interval: 1, protocol: 3, location: 'rack 2', commands: [], runs: [], ...more });
}

/** @param {number} load */
const resources = (load) => ({
  age_ms: 400, load: [load, 1.1, 0.9], cores: 8, cores_available: 8 - load, memory: { total: 32 * GIB, available: 12 * GIB }, swap: { total: 8 * GIB, available: 8 * GIB },
  disks: [{ mount: '/', total: 100 * GIB, available: 41 * GIB }, { mount: '/nix', total: 400 * GIB, available: 20 * GIB, store: true }], uptime_s: 86_400 * 3,
  gpu: 'nvidia', gpus: [{ name: 'RTX 4000', vram: { total: 20 * GIB, available: 6 * GIB }, percent: 71, temperature: 66 }], temperature: 58,
  failed_units: { count: 2, names: ['backup.service', 'nginx.service'] }, reboot_for: ['kernel', 'modules'],
});

/** Beats every second until it is left. @param {SpokenAgent} agent @param {() => object} heartbeat */
function beating(agent, heartbeat) {
  agent.beat(heartbeat());
  const timer = setInterval(() => agent.beat(heartbeat()), 1000);
  return () => {
    clearInterval(timer);
    agent.leave();
  };
}

/** @type {Record<string, (world: World) => Promise<void>>} */
export const checks = {
  async 'a host’s resources, badges and charts are there, with their age'(world) {
    const { reader } = world;
    const { page } = reader;
    let load = 1;
    const agent = await joined(world, 'metrics1', { facts: { os: 'NixOS 26.05 (Yarara)', kernel: '6.12.30', architecture: 'x86_64', boot_id: 'b' } });
    const leave = beating(agent, () => ({ resources: resources((load += 0.05)), metrics: null }));
    await until('the host is known', async () => (await reader.api('/api/hosts/metrics1')).resources);
    await page.goto(`${reader.base}/hosts/metrics1`);
    await reader.sees('.resources', '/nix');
    const text = (await page.locator('.resources').textContent()) ?? '';
    for (const part of ['Memory', '63 %', '12.0 GiB free of 32.0 GiB', 'the Nix store', 'RTX 4000', '71 % busy', '58 °C', 'backup.service, nginx.service']) assert.ok(text.includes(part), `${part}: ${text}`);
    await reader.sees('.host-badges', '2 failed units');
    await reader.sees('.host-badges', 'Reboot needed: kernel, modules');
    await reader.sees('.facts', '6.12.30, x86_64');
    await reader.sees('section[aria-label="Resources"] .history-head', 'read');
    assert.equal(await page.locator('.meter.high').count(), 1, 'a disk that is nearly full stands out');
    await page.locator('.chart-picture').first().waitFor();
    const titles = await page.locator('.chart figcaption b').allTextContents();
    assert.deepEqual(titles, ['Load', 'Memory', 'Disk', 'Temperature', 'GPU memory']);
    assert.match((await page.locator('.chart-picture').first().getAttribute('aria-label')) ?? '', /^Load: load last \d/);
    for (const name of ['24 h', '14 d', '1 y', '1 h']) {
      await page.getByRole('button', { name, exact: true }).click();
      await page.locator(`.switch button[aria-pressed="true"]:text-is("${name}")`).waitFor();
      await page.locator('.chart-line.one').first().waitFor({ state: 'attached' });
    }
    await page.locator('.chart-picture').first().hover();
    await page.locator('.chart-now i').first().waitFor();
    await reader.look('metrics-host');
    leave();
    await reader.sees('section[aria-label="Resources"]', 'Not known: the host is not online.');
    assert.equal(await page.locator('.resources dt').count(), 0, 'nothing old is drawn as live');
    assert.equal(await page.locator('.host-badges .badge:visible').count(), 0);
    await reader.look('metrics-host-away');
  },

  async 'a host without metrics says so, and one with resources alone has its numbers in the table'(world) {
    const { reader } = world;
    const { page } = reader;
    const bare = beating(await joined(world, 'bare1'), () => ({ metrics: null }));
    const own = beating(await joined(world, 'own1'), () => ({ metrics: null, resources: resources(2) }));
    const both = beating(await joined(world, 'both1'), () => ({ metrics: { cpu: 12, ram: 48, swap: 0, load: 1.24 }, resources: resources(2) }));
    await page.goto(`${reader.base}/?q=1`);
    await page.locator('[data-host="own1"] [data-metric="disk"]:visible').waitFor();
    assert.match((await page.locator('[data-host="bare1"] .cell-metrics').textContent()) ?? '', /no metrics/);
    const numbers = async (/** @type {string} */ host) => (await page.locator(`[data-host="${host}"] .metric:visible`).allTextContents()).join(' ');
    assert.equal(await numbers('own1'), 'ram63 % swap0 % disk95 % load2.00');
    assert.equal(await numbers('both1'), 'cpu12 % ram48 % swap0 % disk95 % load1.24');
    // The dashboard tells whole minutes: what it tells is put in its place here.
    const hour = Array.from({ length: 60 }, (_, at) => (at > 20 && at < 30 ? null : 1 + Math.sin(at / 5)));
    await page.route('**/api/metrics?*', (route) => route.fulfill({ json: { from: '2026-01-01T00:00:00Z', step_s: 60, hosts: { own1: { load: hour, memory: hour } } } }));
    await page.reload();
    await page.locator('[data-host="own1"] .spark .chart-line').waitFor();
    const path = (await page.locator('[data-host="own1"] .spark .chart-line').getAttribute('d')) ?? '';
    assert.equal(path.split('M').length - 1, 2, `one gap, two lines: ${path}`);
    await reader.look('metrics-hosts');
    await page.unroute('**/api/metrics?*');
    await page.goto(`${reader.base}/hosts/bare1`);
    await reader.sees('section[aria-label="Resources"]', 'No metrics: this agent does not read its host.');
    await reader.sees('section[aria-label="History"]', 'No metrics are known of this time.');
    for (const leave of [bare, own, both]) leave();
  },
};
