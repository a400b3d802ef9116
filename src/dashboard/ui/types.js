// @ts-check
// The JSON of the HTTP API as types, after src/wire/api.rs. Nothing here runs.

/** @typedef {'viewer' | 'operator' | 'admin'} Role */
/** @typedef {{user: string, role: Role, csrf_token: string}} Session */
/** @typedef {'online' | 'offline' | 'reconnecting' | 'never_seen'} HostStatus */
/** @typedef {'evaluating' | 'fetching' | 'building' | 'activating' | 'switching' | 'running'} Phase */
/**
 * @typedef {'queued' | 'starting' | 'running' | 'succeeded' | 'degraded' | 'reboot_required' | 'failed' | 'stopped'
 *   | 'timed_out' | 'lost' | 'rolled_back'} RunState
 */
/** @typedef {'builds' | 'paths' | 'bytes' | 'tests'} ProgressUnit */
/**
 * @typedef {object} Progress
 * @property {number} done
 * @property {number} total 0 while unknown
 * @property {ProgressUnit} unit
 * @property {string} [activity]
 * @property {{planned: number, running: number, done: number, failed: number}} [builds]
 * @property {{planned: number, done: number, bytes_done: number, bytes_total: number, bytes_per_second?: number}} [fetches]
 * @property {RunningBuild[]} [running] the longest first
 */
/** @typedef {{name: string, host?: string, phase?: string, since: number}} RunningBuild `since`: milliseconds since the epoch by the host's clock */
/** @typedef {{percent: number, seconds: number | null, seconds_most?: number, overdue?: boolean}} Eta `seconds` when it was told; null while nothing is known. `overdue`: it takes longer than nine of ten times before */
/** @typedef {{name: string, drv?: string, host?: string, cause: string, log?: string[]}} Failure the build that failed, and the end of its log */
/** @typedef {{cpu: number, ram: number, swap: number, load: number}} Metrics */
/** @typedef {{name: string, description: string, changes_host: boolean}} OfferedCommand */
/** @typedef {{run: string, command: string, phase: Phase | null, progress: Progress | null, since: string, eta?: Eta}} HostActivity */
/**
 * @typedef {object} Host
 * @property {string} id
 * @property {string} hostname
 * @property {string} host_type
 * @property {string} agent_version
 * @property {string} os_version
 * @property {string} nixpkgs_version
 * @property {string} generation
 * @property {string | null} last_seen
 * @property {HostStatus} status
 * @property {string | null} pending_command
 * @property {string} comment
 * @property {HostActivity | null} activity
 * @property {number | null} last_heartbeat_age_ms
 * @property {number | null} reconnect_deadline_ms
 * @property {number} heartbeats
 * @property {number} heartbeat_interval
 * @property {Metrics | null} metrics
 * @property {number} protocol
 * @property {number} queued how many runs wait for it
 * @property {string} theme_color
 * @property {string} location
 * @property {string} device_type
 * @property {OfferedCommand[]} commands
 */
/** @typedef {{phase: Phase, started_at: string, ended_at: string | null, first_line: number}} RunPhase */
/**
 * @typedef {object} Run
 * @property {string} id
 * @property {string} host
 * @property {string} command
 * @property {string[]} args
 * @property {RunState} state
 * @property {Phase | null} phase
 * @property {RunPhase[]} phases
 * @property {Progress | null} progress
 * @property {Eta} [eta] none before the start and after the end
 * @property {Failure} [failure]
 * @property {number | null} exit_code
 * @property {string | null} reason
 * @property {string} requested_by
 * @property {string} created_at
 * @property {string | null} started_at by the host's clock
 * @property {string | null} finished_at by the host's clock
 * @property {number} lines complete lines so far
 * @property {number} bytes
 * @property {number} bytes_missing output that is not kept: the host could not, or it was removed here
 * @property {number} bytes_pending output that the host has and the dashboard does not have yet
 * @property {boolean} incomplete it is over, and not all of its output is here
 * @property {string} [unheard] why output may be missing that nobody can count
 * @property {boolean | null} verified whether the whole output has the checksum that the host computed
 * @property {boolean} recovered taken for lost, and then found again
 * @property {string | null} queued_until when it stops waiting for its host
 * @property {number | null} reconnect_deadline_ms until it counts as lost, when it was told
 * @property {number} warnings
 * @property {number} errors
 * @property {string[]} failed_units
 * @property {string | null} generation
 * @property {string} [stop_refused] why the newest stop that was asked for is not carried out
 */
/** @typedef {{n: number, at: string, text: string}} LogLine */
/** @typedef {{lines: LogLine[], next: number, complete: boolean}} LogLines */
/** @typedef {{line: number, lines: number, bytes: number, reason: string}} LogGap `lines`: 0 for a hole in a line */
/** @typedef {{code: string, message: string, hint: string}} ApiErrorBody */

/** @typedef {{builds: {name: string, drv: string, lines: number, rest_dropped: boolean}[], more: boolean, incomplete: boolean}} BuildLogs in the order in which they first printed something */
/** @typedef {{lines: {n: number, text: string}[], next: number, total: number, complete: boolean, rest_dropped: boolean, incomplete: boolean}} BuildLogLines numbers that are missing are lines that could not be kept; `incomplete`: there may have been more at the end */

export {};
