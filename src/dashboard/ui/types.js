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
/** @typedef {{total: number, available: number}} Amount bytes */
/**
 * @typedef {object} Resources what is absent is not known
 * @property {number} age_ms when this was told
 * @property {boolean} [stale] too old to be how the host is
 * @property {number[]} [load] over 1, 5 and 15 minutes
 * @property {number} [cores]
 * @property {number} [cores_available]
 * @property {Amount} [memory]
 * @property {Amount} [swap]
 * @property {(Amount & {mount: string, store?: boolean})[]} [disks] the root first
 * @property {number} [uptime_s]
 * @property {string} [gpu] who made it, or `none`
 * @property {{name?: string, vram?: Amount, percent?: number, temperature?: number}[]} [gpus]
 * @property {number} [temperature]
 * @property {{count: number, names?: string[]}} [failed_units]
 * @property {string[]} [reboot_for] what only a reboot brings
 */
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
 * @property {Resources | null} [resources]
 * @property {{os: string, kernel: string, architecture: string, boot_id?: string} | null} [facts]
 * @property {{memory: number, cpu_ms: number} | null} [agent]
 * @property {string[]} [tags]
 * @property {number} protocol
 * @property {number} queued how many runs wait for it
 * @property {string} theme_color
 * @property {string} location
 * @property {string} device_type
 * @property {OfferedCommand[]} commands
 * @property {number} offline_after intervals
 * @property {number | null} clock_skew_ms the host's clock less the dashboard's
 * @property {number} flaps how often it went away in the last hour
 * @property {boolean} expected_absence
 * @property {{since: string, until: string, reason: string, by: string} | null} maintenance
 * @property {'maintenance' | 'expected' | null} absence
 * @property {string | null} absence_reason
 */
/** @typedef {{id: number, at: string, kind: string, detail: string, last_seen?: string}} HostEvent */
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
/** @typedef {'info' | 'warning' | 'critical'} Severity */
/** @typedef {{channel: string, event: string, delivery: string, state: 'queued' | 'sent' | 'failed' | 'dropped', attempts: number, done_at: string | null, error: string | null}} AlertDelivery */
/**
 * @typedef {object} Alert
 * @property {string} id
 * @property {string} rule
 * @property {string} on
 * @property {Severity} severity
 * @property {'firing' | 'recovered'} state
 * @property {string | null} host null for the dashboard itself
 * @property {string} object
 * @property {string} summary
 * @property {number | null} value
 * @property {string | null} run
 * @property {string} started_at
 * @property {string} fired_at
 * @property {string | null} recovered_at
 * @property {string | null} ended why it is over, where it did not just pass
 * @property {AlertDelivery[]} deliveries
 */
/** @typedef {{name: string, kind: string, queued: number, failed: number, last_sent_at: string | null, last_error: string | null}} AlertChannel */
