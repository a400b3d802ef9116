// @ts-check
// A run as the API tells it, for tests of what the page makes of it.

/** @typedef {import('../../../src/dashboard/ui/types.js').Run} Run */

export const START = Date.parse('2026-01-01T00:00:00Z');
export const at = (/** @type {number} */ seconds) => new Date(START + seconds * 1000).toISOString();

/** @param {Partial<Run>} given @returns {Run} */
export const run = (given) => ({
  id: 'r', host: 'web1', command: 'switch', args: [], state: 'running', phase: given.phases?.at(-1)?.phase ?? null, phases: [], progress: null, exit_code: null,
  reason: null, requested_by: 'admin', created_at: at(0), started_at: at(0), finished_at: null, lines: 0, bytes: 0, bytes_missing: 0, bytes_pending: 0,
  incomplete: false, verified: null, recovered: false, queued_until: null, reconnect_deadline_ms: null, warnings: 0, errors: 0, failed_units: [],
  generation: null, ...given,
});
