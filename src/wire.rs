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
//!    answers each with `heartbeat_ack`. What it reads of its host by itself goes with it ([`resources`]), in few bytes
//!    ([`resources::short`]); the age of the oldest of these values is told.
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
//! 10. The agent pings a dashboard that has said nothing for 32 s, and gives it up after 45 s; the dashboard does the same with
//!     35 s and 60 s. An earlier dashboard, which answers nothing else, is pinged every 10 s.
//!
//! Malformed JSON and unknown types are logged and ignored, and so are unknown fields; a damaged journal record is refused
//! by `run_ack` with `rewind: true`. A second connection of the same host replaces the first, which is closed with 1008.
//! What an agent says is untrusted: names are parsed ([`crate::run::id`]), texts are cut, and a run belongs to the host it was
//! requested for.
//!
//! # Messages by subject
//! Programs beside the fleet's own commands talk through the dashboard, by [`subject`]s. `registered` says `subjects: true`
//! where the dashboard takes part. Messages are live only: who does not listen now never gets them, and none is stored.
//!
//! - `subscribe` names all patterns to which this connection listens, and replaces those it named before; at most
//!   [`MAX_PATTERNS`]. A new connection begins with none.
//! - `publish` sends one JSON value of at most [`MAX_PAYLOAD`] bytes to all who listen in the sender's organization, itself
//!   included. The dashboard answers `published` with the same `id`: to how many it went, or why it was refused: too many
//!   messages or bytes at once ([`MESSAGES_PER_SECOND`], [`MESSAGE_BYTES_PER_SECOND`], twice as much after a pause), or too
//!   large a payload.
//! - `message` is what arrives: the sender's `from` is the dashboard's word, not the sender's. Who wants an answer names in
//!   `reply_to` an address to which it listens, `_reply.RANDOM.N`; an answer is a `publish` to that address.
//! - For each who listens at most [`MAX_WAITING`] messages and [`MAX_WAITING_BYTES`] bytes wait; beyond, the oldest are
//!   dropped, and `messages_dropped` says how many.
//! - `register` may name an `organization`. Agents of different organizations hear nothing of each other. What a key is
//!   bound to is enforced; with the shared token, the organization is what the agent says it is.
//!
//! # Key pairs
//! Instead of the token, an agent may show `Authorization: NixFleet-Key PUBLIC_KEY` ([`key`]): Ed25519, base64. An unknown key
//! is refused with 401. Then the dashboard's first message is `challenge` with a nonce of this connection alone; the agent
//! answers within [`key::PROOF_SECONDS`] with `proof`: a signature of [`key::Signed`], and only then with `register`. A key
//! is bound to one host name and organization: another one is refused, and so is the shared token for a host that has a
//! key. A key that is removed has its connection closed within seconds. The host's clock is signed but not compared: a
//! nonce is used once, and hosts without a battery must come in.
//!
//! # Supervisor and agent
//! The journal of a run is a file of [`record`]s.
//!
//! # Dashboard, page and CLI
//! The JSON of the HTTP API is in [`api`].
//!
//! # Agent and programs on its host
//! The JSON of the agent's own HTTP API is in [`local_api`].

pub mod api;
pub mod frame;
pub mod key;
pub mod local_api;
pub mod push;
pub mod record;
pub mod resources;
pub mod subject;
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

/// The largest payload of a message by subject, in bytes of its JSON.
pub const MAX_PAYLOAD: usize = 64 * 1024;
/// The most patterns to which one connection listens.
pub const MAX_PATTERNS: usize = 64;
/// The most messages that wait for one who listens.
pub const MAX_WAITING: usize = 256;
/// The most bytes of them.
pub const MAX_WAITING_BYTES: usize = 1024 * 1024;
/// The messages that one sender may publish in a second, over longer times; twice as many after a pause.
pub const MESSAGES_PER_SECOND: u32 = 100;
/// The bytes of payload likewise.
pub const MESSAGE_BYTES_PER_SECOND: u32 = 1024 * 1024;

#[cfg(test)]
mod golden;
