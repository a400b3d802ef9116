//! Ships the journals of all kept runs over one connection, in order and without holes.
//!
//! It waits for three things at once: an acknowledgement, a place in the socket's queue, and news from the journals. Only
//! one batch is in memory at a time. When the socket does not move it waits; the journals are on disk.

mod window;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_tungstenite::tungstenite::Bytes;

use crate::agent::journal::{Batch, JournalError, JournalReader};
use crate::agent::runs::{Kept, Runs};
use crate::run::id::{RunId, Seq};
use crate::wire::to_agent::RunAck;
use crate::wire::{MAX_BATCH, frame};
use window::Window;

/// Acknowledgements that may wait for the shipper. It takes them at once, so more than a few mean that it is stuck.
pub const MAX_ACKS: usize = 64;

#[derive(Debug)]
struct Shipment {
    run: RunId,
    journal: std::path::PathBuf,
    end: Option<Seq>,
    /// None while a batch is being read, and after an error.
    reader: Option<JournalReader>,
    /// The last record that the dashboard has.
    acknowledged: Seq,
    /// There may be records that were not sent.
    more: bool,
    /// The last error, so that it is logged once.
    error: Option<String>,
}

/// Ships until the connection's queues are gone. `resume` says what the dashboard has.
pub async fn ship(
    runs: Arc<Runs>,
    resume: Vec<RunAck>,
    mut acks: mpsc::Receiver<RunAck>,
    output: mpsc::Sender<Bytes>,
) {
    let mut changes = runs.changes();
    let resume: HashMap<RunId, Seq> = resume.into_iter().map(|ack| (ack.run, ack.seq)).collect();
    for (run, seq) in &resume {
        runs.acknowledged(*run, *seq).await;
    }
    let mut window = Window::default();
    let mut shipments: Vec<Shipment> = Vec::new();
    renew(&mut shipments, runs.kept(), &resume);
    loop {
        let next = shipments
            .iter()
            .position(|shipment| shipment.more)
            .filter(|_| window.room() > 0);
        tokio::select! {
            biased;
            ack = acks.recv() => match ack {
                Some(ack) => acknowledge(&runs, &mut shipments, &mut window, ack).await,
                None => return,
            },
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                renew(&mut shipments, runs.kept(), &resume);
            }
            permit = output.reserve(), if next.is_some() => {
                let (Ok(permit), Some(index)) = (permit, next) else { return };
                let shipment = &mut shipments[index];
                let Some((frame, batch)) = shipment.next_frame(window.room().min(MAX_BATCH)).await else {
                    continue;
                };
                window.sent(shipment.run, batch.0, batch.1);
                permit.send(frame);
            }
        }
    }
}

/// Brings the list up to date: new runs, runs that are gone, and more records in those that are still written.
fn renew(shipments: &mut Vec<Shipment>, kept: Vec<Kept>, resume: &HashMap<RunId, Seq>) {
    shipments.retain(|shipment| kept.iter().any(|kept| kept.run == shipment.run));
    for kept in kept {
        if let Some(shipment) = shipments
            .iter_mut()
            .find(|shipment| shipment.run == kept.run)
        {
            let position = shipment
                .reader
                .as_ref()
                .map_or(shipment.acknowledged, JournalReader::position);
            shipment.end = kept.end;
            shipment.more = kept.end.is_none_or(|end| position < end);
        } else {
            shipments.push(Shipment {
                run: kept.run,
                journal: kept.journal,
                end: kept.end,
                reader: None,
                acknowledged: resume.get(&kept.run).copied().unwrap_or_default(),
                more: true,
                error: None,
            });
        }
    }
}

async fn acknowledge(runs: &Runs, shipments: &mut [Shipment], window: &mut Window, ack: RunAck) {
    window.acknowledged(ack.run, ack.seq);
    if let Some(shipment) = shipments
        .iter_mut()
        .find(|shipment| shipment.run == ack.run)
    {
        shipment.acknowledged = ack.seq;
        if ack.rewind {
            tracing::info!(
                "run {}: the dashboard asks for what comes after record {}",
                ack.run,
                ack.seq
            );
            window.forget(ack.run);
            shipment.reader = None;
            shipment.more = true;
        }
    }
    runs.acknowledged(ack.run, ack.seq).await;
}

impl Shipment {
    /// The next frame, its last record and the size of its records; none when there is nothing (more) to send now.
    async fn next_frame(&mut self, max_bytes: usize) -> Option<(Bytes, (Seq, usize))> {
        let (run, after, journal) = (self.run, self.acknowledged, self.journal.clone());
        let reader = self.reader.take();
        // Reading and compressing may take milliseconds, on a slow disk more: not on the thread that beats.
        let read = spawn_blocking(move || -> Result<_, JournalError> {
            let mut reader = match reader {
                Some(reader) => reader,
                None => JournalReader::open(&journal, after)?,
            };
            let batch = reader.read_batch(max_bytes)?;
            let frame = batch.map(|batch| (encode(run, &batch), batch.last_seq, batch.bytes.len()));
            Ok((reader, frame))
        });
        let (reader, frame) = match read.await {
            Ok(Ok(read)) => read,
            Ok(Err(JournalError::NoSuchRecord { last, .. })) => {
                tracing::warn!(
                    "run {run}: the dashboard has record {after}, but the journal ends with {last}"
                );
                self.acknowledged = last;
                return None;
            }
            Ok(Err(error)) => {
                // The run's follower ends a damaged journal as soon as nobody writes it; then it is read again.
                let error = error.to_string();
                if self.error.as_ref() != Some(&error) {
                    tracing::error!("run {run}: {error}");
                    self.error = Some(error);
                }
                self.more = false;
                return None;
            }
            Err(panicked) => {
                tracing::error!("run {run}: {panicked}");
                self.more = false;
                return None;
            }
        };
        let position = reader.position();
        self.reader = Some(reader);
        let Some((frame, last_seq, bytes)) = frame else {
            self.more = false;
            return None;
        };
        self.more = self.end.is_none_or(|end| position < end);
        match frame {
            Ok(frame) => Some((frame.into(), (last_seq, bytes))),
            Err(error) => {
                tracing::error!("run {run}: {error}");
                None
            }
        }
    }
}

fn encode(run: RunId, batch: &Batch) -> Result<Vec<u8>, frame::FrameError> {
    frame::encode(run, batch.first_seq, batch.last_seq, &batch.bytes)
}
