//! Writes a journal. A disk that takes no more bytes stops neither the run nor this process.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use super::JournalError;
use super::parts::Limits;
use super::ring::Ring;
use super::sync::Syncer;
use super::tally::Tally;
use crate::run::event::RunEvent;
use crate::run::id::Seq;
use crate::wire::record;

/// How long after a failed write the next one is tried.
pub const RETRY_AFTER: Duration = Duration::from_millis(100);
/// The most events that wait in memory for a disk that takes no bytes; output does not wait, it is counted.
/// Beyond it notices and progress are dropped, which [`RunEvent::Finished`] and the phases never are.
pub const MAX_HELD_EVENTS: usize = 256;
/// How often the disk is asked to make the journal durable while output flows.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// Output that could not be written.
#[derive(Debug)]
struct Missing {
    offset: u64,
    bytes: u64,
    lines: u64,
    at: u64,
    /// CRC32C of all output up to its end.
    crc32c: u32,
    reason: String,
}

/// Appends events to a journal, one write each.
#[derive(Debug)]
pub struct JournalWriter {
    ring: Ring,
    seq: Seq,
    /// Of all records; for journals with a limit only, because only those have checkpoints.
    tally: Option<Tally>,
    buffer: Vec<u8>,
    missing: Option<Missing>,
    held: VecDeque<RunEvent>,
    retry_at: Option<Instant>,
    unsynced_since: Option<Instant>,
    syncer: Syncer,
}

impl JournalWriter {
    /// Opens the journal at its end, making it if it is not there. An incomplete last record is cut off. Without a limit,
    /// it goes on in the file in which it ends.
    ///
    /// # Errors
    /// The files cannot be opened, or their headers are damaged.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Self::at(path, Limits::NONE, None)
    }

    /// As [`open`](Self::open), and beyond those limits the middle of the journal goes. A journal that has records is
    /// read once.
    ///
    /// # Errors
    /// As [`open`](Self::open), or a record is damaged.
    pub fn limited(path: &Path, limits: Limits) -> Result<Self, JournalError> {
        let tally = Tally::read(path)?;
        Self::at(path, limits, Some(tally))
    }

    fn at(path: &Path, limits: Limits, tally: Option<Tally>) -> Result<Self, JournalError> {
        let (ring, seq) = Ring::open(path, limits)?;
        let syncer = Syncer::start().map_err(|source| JournalError::Io {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            ring,
            seq,
            tally,
            buffer: Vec::new(),
            missing: None,
            held: VecDeque::new(),
            retry_at: None,
            unsynced_since: None,
            syncer,
        })
    }

    /// The last record that is written.
    pub fn last_seq(&self) -> Seq {
        self.seq
    }

    /// Whether something could not be written yet.
    pub fn is_waiting(&self) -> bool {
        self.missing.is_some() || !self.held.is_empty()
    }

    /// Appends one event; `raw` are the bytes of an output event. Never fails: what the disk does not take is counted
    /// (output) or held (all else) until it takes bytes again, and then a [`RunEvent::Gap`] says what is missing.
    pub fn append(&mut self, event: &RunEvent, raw: &[u8]) {
        if self.is_waiting() && !self.retry() {
            self.put_aside(event, raw, None);
            return;
        }
        if let Err(error) = self.write(event, raw) {
            self.put_aside(event, raw, Some(&error));
            return;
        }
        if matches!(event, RunEvent::Phase { .. } | RunEvent::Started { .. }) {
            self.start_sync();
        }
        self.tick();
    }

    /// Does what is due: tries again to write, makes durable what was written a while ago.
    pub fn tick(&mut self) {
        if self.is_waiting() {
            self.retry();
        }
        if self
            .unsynced_since
            .is_some_and(|since| since.elapsed() >= SYNC_EVERY)
        {
            self.start_sync();
        }
    }

    /// Waits until all that was written is durable.
    ///
    /// # Errors
    /// The disk says so.
    pub fn sync(&mut self) -> io::Result<()> {
        self.tick();
        self.unsynced_since = None;
        self.syncer.request(self.ring.file());
        self.syncer.finish()
    }

    /// Tries for at most `patience` to write what waits. Returns whether all is written.
    pub fn drain(&mut self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        while self.is_waiting() {
            if Instant::now() >= deadline {
                return false;
            }
            if !self.retry() {
                std::thread::sleep(RETRY_AFTER.min(patience));
            }
        }
        self.sync().is_ok()
    }

    /// Tries to write the gap and what is held, unless that was tried just now. Returns whether nothing waits any more.
    fn retry(&mut self) -> bool {
        if self.retry_at.is_some_and(|at| Instant::now() < at) {
            return false;
        }
        if let Some(missing) = &self.missing {
            let gap = RunEvent::Gap {
                at: missing.at,
                offset: missing.offset,
                bytes: missing.bytes,
                lines: missing.lines,
                reason: missing.reason.clone(),
            };
            let crc32c = missing.crc32c;
            if self.write(&gap, &[]).is_err() {
                return false;
            }
            if let Some(tally) = &mut self.tally {
                tally.crc32c = crc32c;
            }
            self.missing = None;
        }
        while let Some(event) = self.held.pop_front() {
            if self.write(&event, &[]).is_err() {
                self.held.push_front(event);
                return false;
            }
        }
        self.start_sync();
        true
    }

    fn put_aside(&mut self, event: &RunEvent, raw: &[u8], error: Option<&io::Error>) {
        match event {
            RunEvent::Output {
                at, offset, lines, ..
            } => {
                let before = self.tally.as_ref().map_or(0, |tally| tally.crc32c);
                let missing = self.missing.get_or_insert_with(|| Missing {
                    offset: *offset,
                    bytes: 0,
                    lines: 0,
                    at: *at,
                    crc32c: before,
                    reason: error.map_or_else(
                        || String::from("the journal could not be written"),
                        |error| format!("the journal could not be written: {error}"),
                    ),
                });
                missing.bytes += raw.len() as u64;
                missing.lines += lines.len() as u64;
                missing.at = *at;
                missing.crc32c = crc32c::crc32c_append(missing.crc32c, raw);
            }
            RunEvent::Progress { .. } => {
                // Only the newest one counts.
                self.held
                    .retain(|held| !matches!(held, RunEvent::Progress { .. }));
                self.held.push_back(event.clone());
            }
            RunEvent::BuildLog { drv, .. } => {
                // Its lines are lost, and the newest event without lines says how many there were.
                self.held.retain(
                    |held| !matches!(held, RunEvent::BuildLog { drv: of, .. } if of == drv),
                );
                if self.held.len() < MAX_HELD_EVENTS {
                    self.held.push_back(event.clone().without_log_lines());
                }
            }
            RunEvent::Notice { .. } if self.held.len() >= MAX_HELD_EVENTS => {}
            _ => self.held.push_back(event.clone()),
        }
    }

    /// One record, whole or not at all.
    fn write(&mut self, event: &RunEvent, raw: &[u8]) -> io::Result<()> {
        match self.try_write(event, raw) {
            Ok(()) => {
                self.retry_at = None;
                self.unsynced_since.get_or_insert_with(Instant::now);
                Ok(())
            }
            Err(error) => {
                if self.retry_at.is_none() {
                    tracing::warn!(path = %self.ring.file_path().display(), %error, "journal not written; the run goes on");
                }
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                Err(error)
            }
        }
    }

    fn try_write(&mut self, event: &RunEvent, raw: &[u8]) -> io::Result<()> {
        self.encode(event, raw)?;
        if self.ring.is_full_for(self.buffer.len())
            && let Some(tally) = &self.tally
        {
            let checkpoint = tally.checkpoint(event.at());
            self.encode(&checkpoint, &[])?;
            let full = self.ring.file().clone();
            self.ring.begin(&self.buffer)?;
            self.syncer.request(&full);
            self.seq = self.seq.next();
            self.encode(event, raw)?;
        }
        self.ring.write(&self.buffer)?;
        self.seq = self.seq.next();
        if let Some(tally) = &mut self.tally {
            tally.take(event, raw);
        }
        Ok(())
    }

    /// The next record into the buffer.
    fn encode(&mut self, event: &RunEvent, raw: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        record::encode(self.seq.next(), event, raw, &mut self.buffer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: std::fs::File) -> std::fs::File {
        self.ring.replace_file(file)
    }

    fn start_sync(&mut self) {
        self.unsynced_since = None;
        self.syncer.request(self.ring.file());
    }
}
