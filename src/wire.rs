//! What crosses a process border. This text is the protocol's documentation.
//!
//! # Agent and dashboard
//! A WebSocket at `/ws`; the agent sends `Authorization: Bearer TOKEN` on the upgrade. Messages are text frames, one JSON
//! object `{"type": …, "payload": …}` each ([`to_dashboard`], [`to_agent`]); journal records travel in binary frames
//! ([`frame`]). No frame is larger than [`MAX_FRAME`]: a larger one closes the connection with 1009.
//!
//! 1. The agent sends `register` on every connection: who it is, its heartbeat interval, the commands it offers, and the
//!    runs whose journals it still keeps.
//! 2. The dashboard answers `registered` with `protocol: 3` and, for each of those runs, the last [`Seq`](crate::run::id::Seq)
//!    that it has committed; a peer that does not name a protocol speaks the earlier one, [`v2`].
//! 3. The agent sends one heartbeat at once and then one every interval, numbered from 1 on each connection; the dashboard
//!    answers each with `heartbeat_ack`.
//! 4. `run` asks the agent to start a run; it answers by journal records, or with `command_rejected` naming the run.
//! 5. Binary frames carry journal records of one run in order, without holes. The dashboard commits them and then
//!    acknowledges cumulatively (`run_ack`). Records that it has are ignored; where records are missing, its `run_ack`
//!    says `rewind: true` and the agent continues after the named position. At most [`MAX_IN_FLIGHT`] bytes are
//!    unacknowledged at any time, so heartbeats are never far behind output.
//! 6. `run_stop` asks to stop a run.
//! 7. `run_status` tells how a run stands ahead of its records, on a queue of its own before output: that a run has failed is known
//!    at once, however much output is still to come. It ends with the totals that the records must add up to; until they
//!    do, and the checksum is the same, the dashboard shows the run as incomplete. Output that is not the host's is asked
//!    for again from the first record (`run_ack` with `seq: 0`), once in a run's life.
//! 8. `flush_interval` says how long output may wait for more: [`WATCHED_MS`] while somebody watches, else [`UNWATCHED_MS`].
//!    The first bytes after a pause, phases and the end are sent at once.
//! 9. A journal over its limit loses parts in its middle. The record after the hole is a
//!    [`Checkpoint`](crate::run::event::RunEvent::Checkpoint); it alone may follow a record that is not the one before it.
//! 10. The agent pings every 10 s and gives a silent peer up after 45 s; the dashboard does the same with 30 s and 60 s.
//!
//! Malformed JSON and unknown types are logged and ignored, and so are unknown fields; a damaged journal record is refused
//! by `run_ack` with `rewind: true`. A second connection of the same host replaces the first, which is closed with 1008.
//! What an agent says is untrusted: names are parsed ([`crate::run::id`]), texts are cut, and a run belongs to the host it was
//! requested for.
//!
//! # Supervisor and agent
//! The journal of a run is a file of [`record`]s.
//!
//! # Dashboard, page and CLI
//! The JSON of the HTTP API is in [`api`].

pub mod api;
pub mod frame;
pub mod record;
pub mod resources;
pub mod to_agent;
pub mod to_dashboard;
pub mod v2;

/// The protocol's version between peers of this project.
pub const PROTOCOL: u32 = 3;
/// The largest WebSocket message, in bytes, in either direction.
pub const MAX_FRAME: usize = 512 * 1024;
/// The most bytes of journal records in one binary frame, before compression.
pub const MAX_BATCH: usize = 256 * 1024;
/// How long output of a run waits for more while somebody watches it, in milliseconds. From printed to drawn in a browser
/// nothing shall take longer than 100, and the drawing takes its part.
pub const WATCHED_MS: u32 = 50;
/// How long it waits while nobody does; what holds until the dashboard says otherwise.
pub const UNWATCHED_MS: u32 = 1000;
/// The most unacknowledged bytes of journal records per agent, before compression.
pub const MAX_IN_FLIGHT: usize = 1024 * 1024;

#[cfg(test)]
mod golden;
