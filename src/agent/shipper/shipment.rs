//! One run's journal on its way.

use std::path::PathBuf;

use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Bytes;

use super::pace::{Pace, Pending};
use crate::agent::journal::{JournalError, JournalReader};
use crate::agent::runs::Kept;
use crate::run::id::{RunId, Seq};
use crate::wire::frame;
use crate::wire::to_agent::RunAck;

/// What is sent of a run, and what is not.
#[derive(Debug)]
pub struct Shipment {
    /// Which run.
    pub run: RunId,
    /// There may be records that were not sent.
    pub more: bool,
    /// How long they wait.
    pub pace: Pace,
    journal: PathBuf,
    end: Option<Seq>,
    /// The newest record that is known.
    seen: Seq,
    /// The newest one that must not wait.
    urgent: Seq,
    /// Bytes of the records up to `seen`.
    journaled: u64,
    /// Bytes of the records that were sent, counted as `journaled`; none until all of them were sent once.
    shipped: Option<u64>,
    /// None while a batch is being read, and after an error.
    reader: Option<JournalReader>,
    /// The last record that the dashboard has.
    acknowledged: Seq,
    /// The last error, so that it is logged once.
    error: Option<String>,
}

impl Shipment {
    /// A run of which the dashboard has all up to `resume`.
    pub fn new(kept: &Kept, resume: Option<Seq>) -> Self {
        Self {
            run: kept.run,
            more: true,
            pace: Pace::default(),
            journal: kept.journal.clone(),
            end: kept.end,
            seen: kept.seen,
            urgent: kept.urgent,
            journaled: kept.journaled,
            shipped: None,
            reader: None,
            acknowledged: resume.unwrap_or_default(),
            error: None,
        }
    }

    /// The last record that was sent.
    fn position(&self) -> Seq {
        self.reader
            .as_ref()
            .map_or(self.acknowledged, JournalReader::position)
    }

    /// More may be known of it.
    pub fn renew(&mut self, kept: &Kept) {
        self.end = kept.end;
        (self.seen, self.urgent, self.journaled) = (kept.seen, kept.urgent, kept.journaled);
        self.level();
        self.more = self.position() < self.end.unwrap_or(self.seen);
    }

    /// Once all that is known was sent, it is known how much that was.
    fn level(&mut self) {
        if self.position() == self.seen {
            self.shipped = Some(self.journaled);
        }
    }

    /// When its records go; none for at once.
    pub fn due(&self) -> Option<Instant> {
        self.pace.due(Pending {
            bytes: self
                .shipped
                .map(|shipped| self.journaled.saturating_sub(shipped)),
            urgent: self.end.is_some() || self.position() < self.urgent,
        })
    }

    /// The dashboard has all up to a record, and may want what comes after it again.
    pub fn acknowledged(&mut self, ack: &RunAck) {
        self.acknowledged = ack.seq;
        if ack.rewind {
            self.reader = None;
            self.shipped = None;
            self.more = true;
        }
    }

    /// The next frame, its last record and the size of its records; none when there is nothing (more) to send now.
    pub async fn next_frame(&mut self, max_bytes: usize) -> Option<(Bytes, (Seq, usize))> {
        let (run, after, journal) = (self.run, self.acknowledged, self.journal.clone());
        let reader = self.reader.take();
        // Reading and compressing may take milliseconds, on a slow disk more: not on the thread that beats.
        let read = spawn_blocking(move || -> Result<_, JournalError> {
            let mut reader = match reader {
                Some(reader) => reader,
                None => JournalReader::open(&journal, after)?,
            };
            let batch = reader.read_batch(max_bytes)?;
            let frame = batch.map(|batch| {
                let frame = frame::encode(run, batch.first_seq, batch.last_seq, &batch.bytes);
                (frame, batch.last_seq, batch.bytes.len())
            });
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
        self.shipped = self.shipped.map(|shipped| shipped + bytes as u64);
        self.level();
        self.more = position < self.end.unwrap_or(self.seen);
        match frame {
            Ok(frame) => Some((frame.into(), (last_seq, bytes))),
            Err(error) => {
                tracing::error!("run {run}: {error}");
                None
            }
        }
    }
}
