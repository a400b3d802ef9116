// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as format from '../../../src/dashboard/ui/format.js';
import { route } from '../../../src/dashboard/ui/router.js';
import { steps } from '../../../src/dashboard/ui/view/phases.js';
import { eventWord, hostWord, skewText, statusOf } from '../../../src/dashboard/ui/words.js';
import { START, at, run } from './run.js';

/** @typedef {import('../../../src/dashboard/ui/types.js').Run} Run */
/** @typedef {import('../../../src/dashboard/ui/types.js').RunPhase} RunPhase */

/** @param {import('../../../src/dashboard/ui/types.js').Phase} phase @param {number} from @param {number | null} to @returns {RunPhase} */
const span = (phase, from, to) => ({ phase, started_at: at(from), ended_at: to === null ? null : at(to), first_line: from + 1 });

/** @param {Partial<Run>} given @param {string} expected */
function check(given, expected) {
  assert.equal(steps(run(given), START + 100_000).map((step) => `${step.word} ${step.state}${Number.isNaN(step.ms) ? '' : ` ${step.ms / 1000}`}`).join(', '), expected);
}

test('steps of a rebuild', () => {
  check({ state: 'queued' }, 'Evaluating pending, Building pending, Activating pending, Switching pending, Done pending');
  check({ phases: [span('evaluating', 0, 10), span('building', 10, null)] },
    'Evaluating done 10, Building current 90, Activating pending, Switching pending, Done pending');
  check({ state: 'succeeded', finished_at: at(50), phases: [span('evaluating', 0, 10), span('fetching', 10, 20), span('building', 20, 40), span('activating', 40, 45), span('switching', 45, 50)] },
    'Evaluating done 10, Fetching done 10, Building done 20, Activating done 5, Switching done 5, Done done');
  check({ state: 'failed', finished_at: at(30), phases: [span('evaluating', 0, 10), span('building', 10, null)] },
    'Evaluating done 10, Building failed 20, Activating skipped, Switching skipped, Failed failed');
  check({ state: 'degraded', finished_at: at(30), phases: [span('evaluating', 0, 10), span('activating', 10, 20), span('switching', 20, 30)] },
    'Evaluating done 10, Building skipped, Activating done 10, Switching done 10, Degraded warn');
});

test('a phase that comes back is one step with both times', () => {
  check({ command: 'build', state: 'succeeded', phases: [span('building', 0, 10), span('fetching', 10, 12), span('building', 12, 20)] },
    'Evaluating skipped, Fetching done 2, Building done 18, Done done');
});

test('a command that is no rebuild', () => {
  check({ command: 'pull', state: 'queued' }, 'Running pending, Done pending');
  check({ command: 'pull', phases: [span('running', 0, null)] }, 'Running current 100, Done pending');
  check({ command: 'pull', state: 'stopped', finished_at: at(3), phases: [span('running', 0, 3)] }, 'Running failed 3, Stopped failed');
});

test('lengths and ages', () => {
  /** @type {[number, string, string][]} */
  const table = [[0, '0 s', 'now'], [8_900, '8 s', '8 s ago'], [60_000, '1 min', '1 min ago'], [185_000, '3 min 5 s', '3 min ago'], [7_800_000, '2 h 10 min', '2 h ago'],
    [356_400_000, '4 d 3 h', '4 d ago'], [-5, '0 s', 'now'], [Number.NaN, '–', '–']];
  for (const [ms, length, ago] of table) {
    assert.equal(format.duration(ms), length);
    assert.equal(format.age(ms), ago);
  }
});

test('what is left of a time', () => {
  /** @type {[number, string][]} */
  const table = [[252_000, '4:12'], [251_001, '4:12'], [8_200, '0:09'], [0, '0:00'], [-5, '0:00'], [3_723_000, '1:02:03'], [180_000_000, '2 d 2 h'], [Number.NaN, '–']];
  for (const [ms, text] of table) assert.equal(format.countdown(ms), text, String(ms));
});

test('numbers', () => {
  assert.equal(format.count(1_234_567), '1\u202f234\u202f567');
  assert.equal(format.count(999), '999');
  assert.equal(format.plural(1, 'new line'), '1 new line');
  assert.equal(format.plural(12, 'new line'), '12 new lines');
  assert.equal(format.bytes(812), '812 B');
  assert.equal(format.bytes(1_500_000), '1.4 MiB');
  assert.equal(format.bytes(12_897_485), '12.3 MiB');
  assert.equal(format.bytes(157_286_400), '150 MiB');
  assert.equal(format.since(at(67.15), at(0)), '+1:07.1');
  assert.equal(format.since(at(3723.4), at(0)), '+1:02:03.4');
  assert.equal(format.generationName(`/nix/store/${'a'.repeat(32)}-nixos-system-web1-25.05`), 'nixos-system-web1-25.05');
});

test('addresses', () => {
  assert.deepEqual(route('/'), { view: 'hosts' });
  assert.deepEqual(route('/hosts/web1.example'), { view: 'host', host: 'web1.example' });
  assert.deepEqual(route('/runs/0190a'), { view: 'run', run: '0190a' });
  assert.equal(route('/hosts/a/b'), null);
  assert.deepEqual(route('/alerts'), { view: 'alerts' });
  assert.equal(route('/alerts/x'), null);
  assert.equal(route('/else'), null);
  assert.deepEqual(route('/hosts/%zz'), { view: 'host', host: '%zz' });
});

test('a host that may be away is no trouble', () => {
  /** @type {[{status: string, absence?: string | null}, string, string, string][]} */
  const table = [[{ status: 'offline', absence: null }, 'offline', 'Offline', 'bad'], [{ status: 'offline', absence: 'expected' }, 'away', 'Away', 'still'],
    [{ status: 'offline', absence: 'maintenance' }, 'away', 'Maintenance', 'still'], [{ status: 'online', absence: null }, 'online', 'Online', 'good'], [{ status: 'offline' }, 'offline', 'Offline', 'bad']];
  for (const [host, status, word, tone] of table) {
    assert.equal(statusOf(host), status);
    assert.deepEqual([hostWord(host).word, hostWord(host).tone], [word, tone]);
  }
});

test('clocks and events', () => {
  assert.equal(skewText(2000), '');
  assert.equal(skewText(null), '');
  assert.equal(skewText(-3_600_000), '3600.0 s behind the dashboard’s');
  assert.equal(skewText(2500), '2.5 s ahead of the dashboard’s');
  assert.equal(eventWord('reboot'), 'Booted');
  assert.equal(eventWord('later'), 'later');
});
