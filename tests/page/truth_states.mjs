// @ts-check
// How runs end, and whether their output is whole.

import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { until } from './browser.mjs';

/** @typedef {import('./reader.mjs').World} World */

/** A host of its own for one check. @param {World} world @param {string} name @param {string} script @param {string} [more] */
function host({ fleet }, name, script, more = '') {
  const made = fleet.host(name, more);
  made.rebuilds(script);
  return made;
}

/** A run as the dashboard tells it, changed; its stream too. @param {World} world @param {string} id @param {object} change */
async function tell({ reader }, id, change) {
  const run = { ...(await reader.api(`/api/runs/${id}`)), ...change };
  await reader.page.route(`**/api/runs/${id}`, (route) => (route.request().isNavigationRequest() ? route.continue() : route.fulfill({ json: run })));
  await reader.page.route(`**/api/runs/${id}/events*`, (route) => route.fulfill({
    contentType: 'text/event-stream', body: `event: run\ndata: ${JSON.stringify(run)}\n\nevent: end\ndata: {}\n\n`,
  }));
  await reader.page.goto(`${reader.base}/runs/${id}`);
}

/** @type {Record<string, (world: World) => Promise<void>>} */
export const checks = {
  async 'a run that failed is failed at once, and what is still to come counts down beside it'(world) {
    const { fleet, reader } = world;
    host(world, 'flood1', 'echo "building the system configuration..."; head -c 6000000 /dev/urandom | base64; echo "error: builder for x failed"; exit 1');
    await reader.host('flood1');
    if (fleet.link) fleet.link.rate = 500_000;
    await reader.start('flood1');
    await reader.state('Failed', 30_000);
    const coming = async () => /([\d.]+) (B|KiB|MiB) still to come/.exec((await reader.page.locator('.mark.output').textContent()) ?? '');
    const size = async () => {
      const found = await coming();
      return found ? Number(found[1]) * ({ B: 1, KiB: 1024, MiB: 1_048_576 }[found[2] ?? ''] ?? 0) : 0;
    };
    const first = await size();
    assert.ok(first > 1_048_576, `${first} bytes are still to come`);
    await reader.sees('.trouble h2', 'Failed');
    const top = await reader.page.evaluate(() => [...document.querySelectorAll('.run-head > *')].filter((part) => part.getClientRects().length > 0).map((part) => part.className));
    assert.ok(top.findIndex((name) => name.startsWith('trouble')) < top.indexOf('phases'), `the reason comes first: ${top}`);
    await reader.look('incomplete');
    await until('it counts down', async () => (await size()) < first);
    await reader.sees('.mark.verified', 'Complete, checksum verified', 60_000);
    await reader.sees('.log-state', 'complete');
    await reader.look('failed');
  },

  async 'a stop in the activation is refused where it was asked for, and can be forced'(world) {
    const { reader } = world;
    const { page } = reader;
    host(world, 'stop1', 'echo "building the system configuration..."; echo "activating the configuration..."; sleep 600');
    await reader.start('stop1');
    await page.locator('.step.current[data-phase="activating"]').waitFor();
    await page.locator('.run-title .stop').click();
    await page.locator('dialog[open] button', { hasText: 'Stop the run' }).click();
    await reader.sees('dialog[open] .error', /activation has begun/);
    await reader.look('stop-refused');
    await page.keyboard.press('Enter');
    await reader.sees('dialog[open]', 'may be left half switched');
    assert.equal(await page.locator('dialog[open] button[type=submit]').isDisabled(), true, 'only who agrees may go on');
    await reader.look('stop-force');
    await page.locator('dialog[open] button', { hasText: 'Let it go on' }).click();
    await reader.sees('.stop-refused', /activation has begun/);
    await page.locator('.stop-refused button').click();
    await page.locator('dialog[open] input[type=checkbox]').check();
    await page.locator('dialog[open] button[type=submit]').click();
    await reader.state('Stopped', 30_000);
    assert.equal(await page.locator('.stop-refused').isVisible(), false);
    await reader.look('stopped');
  },

  async 'a running build says how far it is, what is built, and when it will be over, and time takes that down'(world) {
    const { reader } = world;
    const { page } = reader;
    host(world, 'progress1', 'echo "building the system configuration..."; exit 0');
    const id = await reader.start('progress1');
    await reader.state('Succeeded');
    const now = Date.now();
    await tell(world, id, {
      state: 'running', phase: 'building', finished_at: null, verified: null, eta: { percent: 41, seconds: 63, seconds_most: 121 },
      phases: [{ phase: 'building', started_at: new Date(now - 60_000).toISOString(), ended_at: null, first_line: 1 }],
      progress: {
        done: 37, total: 112, unit: 'builds', activity: 'not shown', builds: { planned: 112, running: 3, done: 37, failed: 0 },
        fetches: { planned: 80, done: 20, bytes_done: 214e6, bytes_total: 1.2e9, bytes_per_second: 12e6 },
        running: [{ name: 'linux-6.12.58', host: 'big', phase: 'buildPhase', since: now - 65_000 }, { name: 'a-name-as-long-as-names-of-derivations-can-be-'.repeat(3), since: now + 60_000 }],
      },
    });
    await reader.sees('.run-now .bar-text', /^Building 37 of 112 · 214 MB of 1\.2 GB fetched · 12 MB\/s · (1 to [23]|up to 2) minutes$/);
    const builds = await page.locator('.builds li').allTextContents();
    assert.match(builds[0] ?? '', /^linux-6\.12\.58buildPhase on big1 min \d+ s$/);
    assert.match(builds[1] ?? '', /0 s$/, 'a clock that is ahead');
    assert.match(builds[2] ?? '', /^and 1 more build$/);
    assert.equal(await page.locator('.run-now .activity').textContent(), '');
    assert.equal(await page.locator('.run-now .bar').getAttribute('aria-valuenow'), '41');
    await reader.look('running-build');
    await reader.sees('.run-now .bar-text', /· up to 2 minutes$/);
    await page.unrouteAll();
  },

  async 'the log of one build opens while it runs and grows, and is there when it has failed'(world) {
    const { reader } = world;
    const { page } = reader;
    const made = host(world, 'buildlog1', '');
    const [told, end] = [join(made.dir, 'told'), join(made.dir, 'end')];
    made.rebuilds(`echo "building the system configuration..."; echo "$NIX_CONFIG" > ${told}.new; mv ${told}.new ${told}; while [ ! -e ${end} ]; do sleep 0.1; done; exit 1`);
    await reader.start('buildlog1');
    await until('the program has started', async () => existsSync(told));
    const nix = connect(/json-log-path = (\S+)/.exec(readFileSync(told, 'utf8'))?.[1] ?? '');
    const say = (/** @type {object} */ record) => nix.write(`${JSON.stringify(record)}\n`);
    const line = (/** @type {string} */ text) => say({ action: 'result', id: 10, type: 101, fields: [text] });
    const drv = `/nix/store/${'a'.repeat(32)}-hello+x-2.12.drv`;
    for (const [id, type, fields] of [[1, 102, []], [2, 104, []]]) say({ action: 'start', id, level: 3, parent: 0, text: '', type, fields });
    say({ action: 'result', id: 2, type: 105, fields: [0, 1, 1, 0] });
    say({ action: 'start', id: 10, level: 3, parent: 0, text: '', type: 105, fields: [drv, '', 1, 1] });
    await page.locator('.builds button', { hasText: 'hello+x-2.12' }).click();
    await reader.sees('dialog[open] [role=status]', 'It has printed nothing yet.');
    line('\x1b[31mred\x1b[0m <b>not bold</b>');
    for (let n = 2; n <= 200; n += 1) line(`line ${n}`);
    await reader.sees('dialog[open] [role=status]', '200 lines, following');
    assert.equal(await page.locator('.build-line').first().textContent(), '1red <b>not bold</b>');
    assert.equal(await page.locator('.build-line .c1').textContent(), 'red');
    const atEnd = () => page.locator('.build-log').evaluate((log) => log.scrollHeight - log.scrollTop - log.clientHeight < 2);
    assert.ok(await atEnd(), 'it moves with its end');
    await reader.look('build-log');
    await page.locator('.build-log').evaluate((log) => log.scrollTo(0, 0));
    line('line 201');
    await reader.sees('dialog[open] [role=status]', '201 lines, following');
    assert.equal(await atEnd(), false, 'it stays where the reader is');
    await page.keyboard.press('Escape');
    await page.locator('dialog').waitFor({ state: 'detached' });
    say({ action: 'msg', level: 0, msg: `error: Cannot build '${drv}'.\n       Reason: builder failed with exit code 2.` });
    writeFileSync(end, '');
    await reader.state('Failed');
    nix.destroy();
    await page.locator('.trouble button', { hasText: 'Its whole log' }).click();
    await until('all of it', async () => (await page.locator('dialog[open] [role=status]').textContent()) === '201 lines');
    assert.equal(await page.locator('.build-line').count(), 201);
    await page.keyboard.press('Escape');
  },

  async 'a failed build heads the page with its cause and the end of its log, and leads to the first error'(world) {
    const { reader } = world;
    const { page } = reader;
    host(world, 'builderr1', 'echo "building the system configuration..."; seq 300; echo "error: Cannot build hello"; seq 300; echo "error: the second"; exit 1');
    const id = await reader.start('builderr1');
    await reader.state('Failed');
    const log = Array.from({ length: 25 }, (_, at) => `\x1b[31mline ${at}\x1b[0m <b>of the build</b> ${'that is long '.repeat(at === 3 ? 30 : 0)}`);
    await tell(world, id, { failure: { name: 'hello-2.12', drv: `/nix/store/${'a'.repeat(32)}-hello-2.12.drv`, host: 'big', cause: 'builder failed with exit code 2', log } });
    assert.match(await reader.sees('.trouble h2', 'hello-2.12'), /^Failed.*: hello-2\.12$/);
    await reader.sees('.cause', 'Builder failed with exit code 2. Built on big.');
    const shown = (await page.locator('.failure-log').textContent()) ?? '';
    assert.deepEqual([shown.split('\n').length, shown.split('\n')[0]], [25, 'line 0 <b>of the build</b> '], 'as text, without colours');
    await reader.sees('.trouble .reason', /./);
    await reader.look('failed-build');
    await page.locator('.trouble button', { hasText: 'First error' }).click();
    await page.waitForURL('**#L302');
    await page.locator('.line.marked', { hasText: 'Cannot build hello' }).waitFor();
    await page.unrouteAll();
  },

  async 'a degraded run names the units that failed'(world) {
    const { reader } = world;
    host(world, 'degraded1', `echo "activating the configuration..."; echo "warning: the following units failed: nginx.service, postgresql.service"; exit 4`);
    await reader.start('degraded1');
    await reader.state('Degraded');
    const units = await reader.page.locator('.units li').allTextContents();
    assert.deepEqual(units, ['nginx.service', 'postgresql.service']);
    await reader.look('degraded');
  },

  async 'a run that needs a reboot offers it where the host does'(world) {
    const { reader } = world;
    const { page } = reader;
    host(world, 'reboot1', 'echo "activating the configuration..."; exit 100');
    const id = await reader.start('reboot1');
    await reader.state('Reboot required');
    assert.equal(await page.locator('.trouble button').count(), 0, 'this host offers none');
    const told = await reader.api('/api/hosts/reboot1');
    told.commands.push({ name: 'reboot', description: 'Reboots.', changes_host: true });
    await page.route('**/api/hosts/reboot1', (route) => (route.request().isNavigationRequest() ? route.continue() : route.fulfill({ json: told })));
    await page.goto(`${reader.base}/runs/${id}`);
    await page.locator('.trouble button', { hasText: 'Reboot…' }).click();
    await reader.sees('dialog[open]', 'Reboot reboot1?');
    await page.locator('dialog[open] button', { hasText: 'Cancel' }).click();
    await reader.look('reboot');
    await page.unrouteAll();
  },

  async 'a lost run says what is known and what to do next'(world) {
    const { reader } = world;
    const lost = host(world, 'lost1', 'echo "building the system configuration..."; echo "activating the configuration..."; exec sleep 30');
    await reader.start('lost1');
    await reader.page.locator('.step.current[data-phase="activating"]').waitFor();
    const supervisors = await until('its supervisor is there', async () => {
      const found = lost.supervisors();
      return found.length > 0 && found;
    });
    for (const pid of supervisors) process.kill(pid, 'SIGKILL');
    await reader.state('Lost', 20_000);
    await reader.sees('.trouble .reason', /supervisor/);
    await reader.sees('.trouble .next', 'Next:');
    await reader.sees('.trouble .known', 'What is known:');
    await reader.look('lost');
  },

  async 'a lost run that is found again goes on in front of the reader, and says so'(world) {
    const { reader } = world;
    const found = host(world, 'found1', 'true');
    found.rebuilds(`echo "building the system configuration..."; while [ ! -e ${found.dir}/go ]; do sleep 0.1; done; echo found`);
    const id = await reader.start('found1');
    await reader.sees('.line.held', 'building');
    // The host's journals are away while its agent starts: it does not know of the run.
    const [runs, hidden] = [`${found.dir}/state/runs`, `${found.dir}/state/hidden`];
    await found.kill();
    renameSync(runs, hidden);
    mkdirSync(runs);
    found.start();
    await reader.state('Lost', 30_000);
    await reader.sees('.trouble .reason', /journal/);
    await found.kill();
    rmSync(runs, { recursive: true });
    renameSync(hidden, runs);
    writeFileSync(`${found.dir}/go`, '');
    found.start();
    await reader.state('Succeeded', 30_000);
    await reader.sees('.mark.recovered', 'Recovered');
    await reader.sees('.run-note', 'taken for lost');
    await reader.sees('.line.held', 'found');
    await reader.sees('.mark.verified', 'Complete, checksum verified');
    assert.equal(reader.run, id);
    await reader.look('recovered');
  },

  async 'a gap in the log is one row that counts what is gone'(world) {
    const { reader } = world;
    const { page } = reader;
    host(world, 'gap1', 'seq 1 400000 | sed "s/$/ the quick brown fox jumps over the lazy dog/"; echo the end', GAP);
    const link = world.fleet.link;
    await reader.host('gap1');
    if (link) link.rate = 20_000;
    const id = await reader.start('gap1');
    await until('the run ended', async () => ['succeeded', 'failed'].includes((await reader.api(`/api/runs/${id}`)).state), 60_000);
    if (link) link.rate = Infinity;
    await until('all that is left has come', async () => {
      const told = await reader.api(`/api/runs/${id}`);
      return told.bytes_missing > 0 && told.bytes_pending === 0;
    }, 60_000);
    await reader.sees('.mark.missing', /missing/);
    const { gaps } = await reader.api(`/api/runs/${id}/gaps`);
    assert.ok(gaps.length >= 1 && gaps[0].lines > 1000, JSON.stringify(gaps));
    await page.locator('.gaps-list a').first().click();
    const marker = page.locator('.line.gap').first();
    await marker.waitFor();
    assert.match((await marker.textContent()) ?? '', /lines \(.*\) are missing here/);
    const around = await page.$$eval('.line', (rows) => rows.map((row) => [Number(/** @type {HTMLElement} */ (row).dataset.n), row.className]));
    const at = around.findIndex(([, name]) => String(name).includes('gap'));
    assert.equal(around[at + 1]?.[0], gaps[0].line + gaps[0].lines, 'the line after the gap follows it');
    await reader.look('gap');
    await page.reload();
    await page.locator('.line.gap').first().waitFor();
    await page.locator('.log-view').focus();
    await page.keyboard.press('End');
    await reader.sees('.line.held', 'the end');
  },

  async 'output that is not what the host wrote is not passed off as such'(world) {
    const { reader } = world;
    host(world, 'doubt1', 'echo one; echo two');
    const id = await reader.start('doubt1');
    await reader.state('Succeeded');
    await reader.sees('.mark.verified', 'Complete, checksum verified');
    await tell(world, id, { verified: false, incomplete: true });
    await reader.sees('.mark.differs', 'Checksum differs');
    await reader.sees('.trouble .warning', 'checksum');
    await reader.look('differs');
    await reader.page.unrouteAll();
  },
};

/** A journal's least limit, so that little output is too much. */
const GAP = '[limits]\njournal_max = 4';
