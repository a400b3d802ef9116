// @ts-check
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refusal } from '../../../src/dashboard/ui/view/commands.js';
import { completeness, isComing, logEnd, lost, outputWarnings, waitingText } from '../../../src/dashboard/ui/view/outcome.js';
import { deadlineWords } from '../../../src/dashboard/ui/view/host_parts.js';
import { runWord } from '../../../src/dashboard/ui/words.js';
import { START, at, run } from './run.js';

/** @typedef {import('../../../src/dashboard/ui/types.js').Run} Run */
/** @typedef {import('../../../src/dashboard/ui/types.js').Host} Host */

test('whether the output is whole', () => {
  /** @type {[Partial<Run>, string | undefined, string | undefined, string, boolean][]} */
  const table = [
    [{ state: 'running', bytes_pending: 5, bytes_missing: 5 }, undefined, undefined, 'complete', true],
    [{ state: 'failed', bytes_pending: 12_897_485, incomplete: true }, 'coming', 'Incomplete: 12.3 MiB still to come', 'incomplete', true],
    [{ state: 'failed', bytes_pending: 1, bytes_missing: 5, incomplete: true }, 'coming', 'Incomplete: 1 B still to come', 'incomplete', true],
    [{ state: 'failed', bytes_missing: 5, incomplete: true }, 'missing', 'Incomplete: 5 B missing', 'incomplete', false],
    [{ state: 'succeeded', verified: false, bytes_missing: 5, incomplete: true }, 'differs', 'Checksum differs', 'checksum differs', false],
    [{ state: 'succeeded', verified: true }, 'verified', 'Complete, checksum verified', 'complete', false],
    [{ state: 'failed', incomplete: true }, 'coming', 'Incomplete: the end still to come', 'incomplete', true],
    [{ state: 'succeeded', incomplete: true, unheard: 'the link was lost' }, 'missing', 'Incomplete: lines may be missing', 'incomplete', false],
    [{ state: 'succeeded' }, undefined, undefined, 'complete', false],
  ];
  for (const [given, kind, word, log, coming] of table) {
    const said = completeness(run(given));
    assert.deepEqual([said?.kind, said?.word, logEnd(run(given)), isComing(run(given))], [kind, word, log, coming], JSON.stringify(given));
  }
});

test('warnings name the host and what is gone', () => {
  assert.deepEqual(outputWarnings(run({ state: 'running', bytes_missing: 5 })), []);
  assert.match(outputWarnings(run({ state: 'failed', bytes_missing: 5 })).join(), /^5 B of output are missing; the log says where and why/);
  assert.match(outputWarnings(run({ state: 'succeeded', verified: false })).join(), /checksum .* web1/);
  assert.match(outputWarnings(run({ state: 'lost', incomplete: true, unheard: 'the link was lost' })).join(), /^Lines .*may be missing: the link was lost\.$/);
});

test('a run that waits', () => {
  const waits = run({ state: 'queued', queued_until: at(3600), started_at: null });
  assert.equal(runWord(waits).word, 'Waiting');
  assert.match(waitingText(waits, START), /^Waiting for web1 until 20.*, 1 h left\.$/);
  assert.match(waitingText(waits), /^Waiting for web1 until 20[-\d]+ [:\d]+\.$/);
  assert.match(waitingText(waits, START + 3_600_001), /time is up/);
  assert.equal(waitingText(run({ state: 'queued' }), START), '', 'one that was only just asked for');
  assert.equal(runWord(run({ state: 'queued' })).word, 'Queued');
  assert.equal(waitingText(run({ state: 'stopped', queued_until: at(3600) }), START), '', 'one that was cancelled');
});

test('a lost run says what is known and what to do', () => {
  const told = lost(run({ state: 'lost', reason: 'lost while switching: its supervisor ended; its 12 lines are kept; the host runs generation 42; look at `systemctl --failed`, then switch again' }));
  assert.deepEqual(told, { reason: 'Its supervisor ended.', known: ['Its 12 lines are kept.', 'The host runs generation 42.'], next: 'Look at `systemctl --failed`, then switch again.' });
  const away = lost(run({ state: 'lost', reason: 'web1 did not come back', phases: [{ phase: 'activating', started_at: at(5), ended_at: null, first_line: 3 }] }));
  assert.equal(away.reason, 'web1 did not come back');
  assert.match(away.known.join(' '), /last seen activating, since .* No exit code/);
  assert.equal(away.next, '', 'the dashboard says it in its reason');
  assert.match(lost(run({ state: 'lost' })).next, /web1/);
  assert.match(lost(run({ state: 'lost', started_at: null })).known.join(' '), /never said that it had started/);
});

test('deadlines', () => {
  assert.equal(deadlineWords(252_000, true), 'counts as lost in 4:12');
  assert.equal(deadlineWords(9_000, false), 'counts as offline in 0:09');
  assert.equal(deadlineWords(-1, true), 'deadline reached');
});

/** @param {Partial<Host>} given @returns {Host} */
const host = (given) => ({
  id: 'web1', hostname: 'web1', host_type: 'nixos', agent_version: '', os_version: '', nixpkgs_version: '', generation: '', last_seen: null, status: 'online',
  pending_command: null, comment: '', activity: null, last_heartbeat_age_ms: 5, reconnect_deadline_ms: null, heartbeats: 1, heartbeat_interval: 30, metrics: null,
  protocol: 3, queued: 0, theme_color: '', location: '', device_type: '',
  offline_after: 3, clock_skew_ms: null, flaps: 0, expected_absence: false, maintenance: null, absence: null, absence_reason: null,
  commands: [{ name: 'switch', description: '', changes_host: true }], ...given,
});

test('why no command can be given, and what one can wait for', () => {
  assert.equal(refusal(host({}), 'operator'), null);
  const activity = { run: 'r', command: 'switch', phase: null, progress: null, since: '' };
  assert.equal(refusal(host({ activity }), 'operator')?.when, 'when that is over');
  assert.equal(refusal(host({ status: 'offline' }), 'operator')?.when, 'when it is back');
  assert.equal(refusal(host({ status: 'reconnecting', activity }), 'admin')?.when, 'when it is back');
  assert.equal(refusal(host({ status: 'offline' }), 'viewer')?.when, '', 'a viewer may not');
  assert.equal(refusal(host({ status: 'never_seen', commands: [] }), 'operator')?.text, 'web1 was never seen.');
});
