// @ts-check
// The words and icons of statuses, states and phases. Pure; a value that is not known here is shown as it came.

/** @typedef {{word: string, icon: string, tone: 'good' | 'bad' | 'warn' | 'busy' | 'still'}} Word */

/** @type {Record<string, Word>} */
const STATUS = {
  online: { word: 'Online', icon: 'disc', tone: 'good' },
  offline: { word: 'Offline', icon: 'cross', tone: 'bad' },
  reconnecting: { word: 'Reconnecting', icon: 'turn', tone: 'warn' },
  away: { word: 'Away', icon: 'ring', tone: 'still' },
  never_seen: { word: 'Never seen', icon: 'ring', tone: 'still' },
};

/** In the order in which they matter to a reader. @type {(import('./types.js').HostStatus | 'away')[]} */
export const STATUSES = ['offline', 'reconnecting', 'online', 'away', 'never_seen'];

/** @type {Record<string, Word>} */
const STATE = {
  queued: { word: 'Queued', icon: 'clock', tone: 'still' },
  starting: { word: 'Starting', icon: 'arc', tone: 'busy' },
  running: { word: 'Running', icon: 'arc', tone: 'busy' },
  succeeded: { word: 'Succeeded', icon: 'check', tone: 'good' },
  degraded: { word: 'Degraded', icon: 'alert', tone: 'warn' },
  reboot_required: { word: 'Reboot required', icon: 'power', tone: 'warn' },
  failed: { word: 'Failed', icon: 'cross', tone: 'bad' },
  stopped: { word: 'Stopped', icon: 'stop', tone: 'warn' },
  timed_out: { word: 'Timed out', icon: 'clock', tone: 'bad' },
  lost: { word: 'Lost', icon: 'question', tone: 'bad' },
  rolled_back: { word: 'Rolled back', icon: 'back', tone: 'warn' },
};

/** @type {Record<string, string>} */
const PHASE = {
  evaluating: 'Evaluating',
  fetching: 'Fetching',
  building: 'Building',
  activating: 'Activating',
  switching: 'Switching',
  running: 'Running',
};

/** @param {string} name @returns {Word} */
const unknown = (name) => ({ word: name, icon: 'question', tone: 'still' });

/** @param {string} status */
export const statusWord = (status) => STATUS[status] ?? unknown(status);
/** A host that is offline and may be is away: nothing to worry about. @param {{status: string, absence?: string | null}} host */
export const statusOf = (host) => (host.status === 'offline' && host.absence ? 'away' : host.status);
/** @type {Word} */
const MAINTENANCE = { word: 'Maintenance', icon: 'clock', tone: 'still' };
/** @param {{status: string, absence?: string | null}} host */
export const hostWord = (host) => (host.status === 'offline' && host.absence === 'maintenance' ? MAINTENANCE : statusWord(statusOf(host)));
/** @type {Record<string, string>} */
const EVENT = {
  registered: 'Registered',
  online: 'Online',
  offline: 'Offline',
  reconnecting: 'Reconnecting',
  reboot: 'Booted',
  agent_version: 'Other agent',
  generation: 'Other system',
  clock_skew: 'Clock',
  maintenance_begun: 'Maintenance begun',
  maintenance_ended: 'Maintenance over',
};
/** @param {string} kind */
export const eventWord = (kind) => EVENT[kind] ?? kind;
/** How wrong a clock is, if it is worth a word. @param {number | null | undefined} ms */
export function skewText(ms) {
  if (ms === null || ms === undefined || Math.abs(ms) <= 2000) return '';
  return `${(Math.abs(ms) / 1000).toFixed(1)} s ${ms < 0 ? 'behind' : 'ahead of'} the dashboard’s`;
}
/** @param {string} state */
export const stateWord = (state) => STATE[state] ?? unknown(state);
/** @param {string} phase */
export const phaseWord = (phase) => PHASE[phase] ?? phase;

/** Whether a run waits for its host to come back or to be free. @param {{state: string, queued_until: string | null}} run */
export const isWaiting = (run) => run.state === 'queued' && run.queued_until !== null;
/** @type {Word} */
const WAITING = { word: 'Waiting', icon: 'clock', tone: 'still' };
/** How a run stands. @param {{state: string, queued_until: string | null}} run */
export const runWord = (run) => (isWaiting(run) ? WAITING : stateWord(run.state));
/** Whether nothing more will happen in a run. @param {string} state */
export const isFinal = (state) => state !== 'queued' && state !== 'starting' && state !== 'running';
/** Whether stopping now would leave a host half switched. @param {string | null} phase */
export const isActivation = (phase) => phase === 'activating' || phase === 'switching';
/** Whether a final state asks for a reader's attention. @param {string} state */
export const isTrouble = (state) => isFinal(state) && state !== 'succeeded';

/** @type {Record<string, Word>} */
const SEVERITY = {
  critical: { word: 'Critical', icon: 'alert', tone: 'bad' },
  warning: { word: 'Warning', icon: 'alert', tone: 'warn' },
  info: { word: 'Info', icon: 'dot', tone: 'still' },
};
/** @param {string} severity */
export const severityWord = (severity) => SEVERITY[severity] ?? unknown(severity);
