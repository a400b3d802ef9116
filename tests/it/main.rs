//! Tests of the whole: the structure of the source, and the programs together over real sockets.
//! A new test goes into the file of its topic; a test that changes the whole process gets a binary of its own.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop loudly"
)]

mod alerts;
mod architecture;
mod build_logs;
mod cli;
mod heartbeats;
mod helper;
mod helper_requests;
mod helper_start;
mod library;
mod metrics;
mod promises;
mod push;
mod queue;
mod recovery;
mod refusals;
mod run_live;
mod s2_liveness;
mod store_faults;
mod support;
mod v2;
mod verify;
