//! A log of heartbeats on this host: one JSON object a line, one file a day by UTC, kept for some days.
//!
//! Files are written by a thread of its own. When it does not keep up, lines are lost and counted; nothing waits for it.

mod files;

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};

use anyhow::Context as _;
use tokio::sync::watch;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::agent::config::Log;
use crate::agent::status::Status;
use crate::base::clock::{self, Millis};
use crate::wire::local_api::HeartbeatLog;
use files::Files;

/// Lines that may wait for the disk; more mean that it does not move.
const MAX_WAITING: usize = 16;

/// A line and when it was made.
type Line = (Millis, Vec<u8>);

/// The log, and the way to its thread.
#[derive(Debug)]
pub struct HeartbeatWriter {
    lines: SyncSender<Line>,
    state: watch::Sender<HeartbeatLog>,
}

/// Starts the thread that writes; it ends when nobody can send it lines.
///
/// # Errors
/// The thread cannot be started.
pub fn start(log: &Log) -> anyhow::Result<HeartbeatWriter> {
    let (lines, waiting) = sync_channel::<Line>(MAX_WAITING);
    let state = watch::channel(HeartbeatLog {
        dir: log.dir.display().to_string(),
        ..HeartbeatLog::default()
    });
    let mut files = Files::new(log.dir.clone(), log.keep_days);
    let told = state.0.clone();
    std::thread::Builder::new()
        .name("heartbeat log".into())
        .stack_size(128 * 1024)
        .spawn(move || {
            for (at, line) in waiting {
                let written = files.write(at, &line).map_err(|error| error.to_string());
                note(&told, written);
            }
        })
        .context("the thread of the heartbeat log cannot be started")?;
    Ok(HeartbeatWriter {
        lines,
        state: state.0,
    })
}

/// Counts a line that was written or lost; a new reason is worth a word.
fn note(state: &watch::Sender<HeartbeatLog>, written: Result<(), String>) {
    state.send_modify(|state| match written {
        Ok(()) => {
            state.written += 1;
            state.error = None;
        }
        Err(error) => {
            if state.error.as_ref() != Some(&error) {
                tracing::warn!("heartbeats are not logged in {}: {error}", state.dir);
            }
            state.lost += 1;
            state.error = Some(error);
        }
    });
}

impl HeartbeatWriter {
    /// How it goes.
    pub fn state(&self) -> watch::Receiver<HeartbeatLog> {
        self.state.subscribe()
    }

    /// Logs a heartbeat at once and then one every interval, whether or not there is a connection, until `stop`.
    pub async fn run(self, status: Arc<Status>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(status.interval());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut n = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            n += 1;
            match serde_json::to_vec(&status.heartbeat(n)) {
                Ok(mut line) => {
                    line.push(b'\n');
                    self.send((clock::now(), line));
                }
                Err(error) => note(&self.state, Err(error.to_string())),
            }
        }
    }

    fn send(&self, line: Line) {
        let why = match self.lines.try_send(line) {
            Ok(()) => return,
            Err(TrySendError::Full(_)) => "the disk does not move",
            Err(TrySendError::Disconnected(_)) => "its thread has ended",
        };
        note(&self.state, Err(why.to_owned()));
    }
}
