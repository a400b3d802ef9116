//! Writes a journal. A disk that takes no more bytes stops neither the run nor this process.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{JournalError, walk};
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
    reason: String,
}

/// Appends events to a journal, one write each.
#[derive(Debug)]
pub struct JournalWriter {
    path: PathBuf,
    file: File,
    /// The end of the last whole record.
    len: u64,
    seq: Seq,
    buffer: Vec<u8>,
    missing: Option<Missing>,
    held: VecDeque<RunEvent>,
    retry_at: Option<Instant>,
    unsynced_since: Option<Instant>,
    syncer: Option<Syncer>,
}

impl JournalWriter {
    /// Opens the journal at its end, making it if it is not there. An incomplete last record is cut off.
    ///
    /// # Errors
    /// The file cannot be opened, or its headers are damaged.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let io = |source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        // Appending makes the end the only place that is ever written.
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        let end = walk(path, &file, Seq(u64::MAX))?;
        file.set_len(end.end).map_err(io)?;
        let syncer = Syncer::start(&file).map_err(io)?;
        Ok(Self {
            path: path.to_owned(),
            file,
            len: end.end,
            seq: end.seq,
            buffer: Vec::new(),
            missing: None,
            held: VecDeque::new(),
            retry_at: None,
            unsynced_since: None,
            syncer: Some(syncer),
        })
    }

    /// The last record that is in the file.
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
        self.file.sync_data()
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
            if self.write(&gap, &[]).is_err() {
                return false;
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
                let missing = self.missing.get_or_insert_with(|| Missing {
                    offset: *offset,
                    bytes: 0,
                    lines: 0,
                    at: *at,
                    reason: error.map_or_else(
                        || String::from("the journal could not be written"),
                        |error| format!("the journal could not be written: {error}"),
                    ),
                });
                missing.bytes += raw.len() as u64;
                missing.lines += lines.len() as u64;
                missing.at = *at;
            }
            RunEvent::Progress { .. } => {
                // Only the newest one counts.
                self.held
                    .retain(|held| !matches!(held, RunEvent::Progress { .. }));
                self.held.push_back(event.clone());
            }
            RunEvent::Notice { .. } if self.held.len() >= MAX_HELD_EVENTS => {}
            _ => self.held.push_back(event.clone()),
        }
    }

    /// One record, whole or not at all.
    fn write(&mut self, event: &RunEvent, raw: &[u8]) -> io::Result<()> {
        self.buffer.clear();
        record::encode(self.seq.next(), event, raw, &mut self.buffer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        match self.file.write_all(&self.buffer) {
            Ok(()) => {
                self.seq = self.seq.next();
                self.len += self.buffer.len() as u64;
                self.retry_at = None;
                self.unsynced_since.get_or_insert_with(Instant::now);
                Ok(())
            }
            Err(error) => {
                // A reader must not find half a record with others behind it.
                if let Err(truncating) = self.file.set_len(self.len) {
                    tracing::error!(path = %self.path.display(), %truncating, "journal not cut back");
                }
                if self.retry_at.is_none() {
                    tracing::warn!(path = %self.path.display(), %error, "journal not written; the run goes on");
                }
                self.retry_at = Some(Instant::now() + RETRY_AFTER);
                Err(error)
            }
        }
    }

    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) -> File {
        std::mem::replace(&mut self.file, file)
    }

    fn start_sync(&mut self) {
        self.unsynced_since = None;
        if let Some(syncer) = &self.syncer {
            syncer.request();
        }
    }
}

/// Makes a file durable from a thread of its own: a slow disk must not hold up whoever reads the terminal.
#[derive(Debug)]
struct Syncer {
    requests: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    fn start(file: &File) -> io::Result<Self> {
        let file = file.try_clone()?;
        // One waiting request stands for all: whoever asks while it waits is served by it.
        let (requests, waiting): (SyncSender<()>, Receiver<()>) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || {
                while waiting.recv().is_ok() {
                    if let Err(error) = file.sync_data() {
                        tracing::warn!(%error, "journal not made durable");
                    }
                }
            })?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    fn request(&self) {
        if let Some(requests) = &self.requests {
            let _ = requests.try_send(());
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.requests.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
