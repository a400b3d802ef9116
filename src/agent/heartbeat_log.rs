//! A log of heartbeats on this host: one JSON object a line, one file a day by UTC, kept for some days.
//!
//! One line at a time is written, where blocking is allowed. While the disk does not move, lines are lost and counted; nothing
//! waits for it.

mod files;

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::agent::config::Log;
use crate::agent::status::Status;
use crate::base::clock;
use crate::wire::local_api::HeartbeatLog;
use files::Files;

/// Files, and how the last line was written.
type Written = (Files, Result<(), String>);

/// The log.
#[derive(Debug)]
pub struct HeartbeatWriter {
    files: Files,
    state: watch::Sender<HeartbeatLog>,
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
    /// Writes nothing yet.
    pub fn new(log: Log) -> Self {
        let state = HeartbeatLog {
            dir: log.dir.display().to_string(),
            ..HeartbeatLog::default()
        };
        Self {
            files: Files::new(log.dir, log.keep_days),
            state: watch::channel(state).0,
        }
    }

    /// How it goes.
    pub fn state(&self) -> watch::Receiver<HeartbeatLog> {
        self.state.subscribe()
    }

    /// Logs a heartbeat at once and then one every interval, whether or not there is a connection, until `stop`.
    pub async fn run(self, status: Arc<Status>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(status.interval());
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let state = self.state;
        let mut idle = Some(self.files);
        let mut writing: Option<JoinHandle<Written>> = None;
        let mut n = 0;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                done = written(&mut writing), if writing.is_some() => {
                    writing = None;
                    match done {
                        Ok((files, written)) => {
                            idle = Some(files);
                            note(&state, written);
                        }
                        Err(panicked) => {
                            tracing::error!("the log of heartbeats ends: {panicked}");
                            return;
                        }
                    }
                }
                _ = ticks.tick() => {
                    n += 1;
                    let Some(mut files) = idle.take() else {
                        note(&state, Err("the disk does not move".to_owned()));
                        continue;
                    };
                    let at = clock::now();
                    let heartbeat = status.heartbeat(n);
                    writing = Some(spawn_blocking(move || {
                        let line = serde_json::to_vec(&heartbeat);
                        let written = line.map_err(std::io::Error::from).and_then(|mut line| {
                            line.push(b'\n');
                            files.write(at, &line)
                        });
                        (files, written.map_err(|error| error.to_string()))
                    }));
                }
            }
        }
    }
}

async fn written(writing: &mut Option<JoinHandle<Written>>) -> Result<Written, JoinError> {
    match writing {
        Some(writing) => writing.await,
        None => std::future::pending().await,
    }
}
