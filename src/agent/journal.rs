//! A run's journal: an append-only file of [`record`](crate::wire::record)s. The supervisor writes it, the agent reads it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use crate::run::event::{Outcome, RunEvent};
use crate::run::id::Seq;
use crate::run::phase::RunState;
use crate::wire::record::{self, RecordError};

mod background;
mod reader;
mod writer;

pub use background::{BackgroundWriter, MAX_QUEUED};
pub use reader::{Batch, JournalReader};
pub use writer::{JournalWriter, MAX_HELD_EVENTS, RETRY_AFTER};

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file cannot be read.
    #[error("{path}: {source}")]
    Io {
        /// The journal.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A record is not what was written. What comes after it cannot be trusted.
    #[error("{path}: damaged at byte {offset}, after record {after}: {why}")]
    Damaged {
        /// The journal.
        path: PathBuf,
        /// Where the bad record begins.
        offset: u64,
        /// The last good record.
        after: Seq,
        /// What is wrong.
        why: String,
    },
    /// The journal has no record of that number (yet).
    #[error("{path}: has no record {after}; its last one is {last}")]
    NoSuchRecord {
        /// The journal.
        path: PathBuf,
        /// The record that was asked for.
        after: Seq,
        /// The last one that is there.
        last: Seq,
    },
}

/// Bytes that the walk over headers reads at once.
const WINDOW: usize = 4096;

/// The end of the whole records of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Found {
    seq: Seq,
    /// Where the record `seq` begins.
    start: u64,
    /// Where it ends.
    end: u64,
}

/// Walks over the headers, reading little else, up to record `until` or the last whole record.
fn walk(path: &Path, file: &File, until: Seq) -> Result<Found, JournalError> {
    let io = |source| JournalError::Io {
        path: path.to_owned(),
        source,
    };
    let size = file.metadata().map_err(io)?.len();
    let mut at = Found {
        seq: Seq(0),
        start: 0,
        end: 0,
    };
    let (mut window, mut window_at, mut window_len) = ([0; WINDOW], 0_u64, 0_usize);
    while at.seq < until && at.end + record::HEADER as u64 <= size {
        if at.end < window_at || at.end + record::HEADER as u64 > window_at + window_len as u64 {
            window_at = at.end;
            window_len = read_up_to(file, &mut window, window_at).map_err(io)?;
        }
        let from = (at.end - window_at) as usize;
        let Some(header) = window[..window_len]
            .get(from..)
            .and_then(|bytes| bytes.first_chunk::<{ record::HEADER }>())
        else {
            break;
        };
        let (seq, len) = header_of(header);
        if at.end + len > size {
            break;
        }
        let damaged = |why: String| JournalError::Damaged {
            path: path.to_owned(),
            offset: at.end,
            after: at.seq,
            why,
        };
        if len > (record::HEADER + record::MAX_BODY) as u64 {
            return Err(damaged(RecordError::TooLarge(len).to_string()));
        }
        if seq != at.seq.next() {
            return Err(damaged(format!("record {seq} stands here")));
        }
        at = Found {
            seq,
            start: at.end,
            end: at.end + len,
        };
    }
    Ok(at)
}

/// Seq and whole length of a record, from its header alone.
fn header_of(header: &[u8; record::HEADER]) -> (Seq, u64) {
    let [a, b, c, d, _, _, _, _, seq @ ..] = *header;
    let body = u64::from(u32::from_le_bytes([a, b, c, d]));
    (Seq(u64::from_le_bytes(seq)), record::HEADER as u64 + body)
}

/// Reads until the buffer is full or the file ends.
fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], at + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// The number of the last whole record; 0 for a journal that is empty or not there.
///
/// # Errors
/// The file cannot be read, or its headers are damaged.
pub fn last_seq(path: &Path) -> Result<Seq, JournalError> {
    match File::open(path) {
        Ok(file) => walk(path, &file, Seq(u64::MAX)).map(|end| end.seq),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Seq(0)),
        Err(source) => Err(JournalError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// The last event, if there is any; tells whether the run is over.
///
/// # Errors
/// The file cannot be read, or is damaged.
pub fn last_event(path: &Path) -> Result<Option<RunEvent>, JournalError> {
    let last = last_seq(path)?;
    if last == Seq(0) {
        return Ok(None);
    }
    let mut reader = JournalReader::open(path, Seq(last.0 - 1))?;
    let batch = reader.read_batch(0)?;
    Ok(batch.and_then(|batch| batch.events().last()))
}

/// Writes the last event of a run whose supervisor is gone, so that the journal ends as every journal does.
/// The caller holds the run's lock. Does nothing to a journal that has its end.
///
/// # Errors
/// The journal cannot be read or written, or is damaged.
pub fn conclude(path: &Path, at: u64, reason: &str) -> anyhow::Result<()> {
    let (mut lines, mut bytes) = (0, 0);
    let mut reader = JournalReader::open(path, Seq(0))?;
    while let Some(batch) = reader.read_batch(crate::wire::MAX_BATCH)? {
        for record in batch.records() {
            match record.event {
                RunEvent::Output { lines: marks, .. } => {
                    lines += marks.len() as u64;
                    bytes += record.raw.len() as u64;
                }
                RunEvent::Gap {
                    bytes: missing,
                    lines: missing_lines,
                    ..
                } => {
                    lines += missing_lines;
                    bytes += missing;
                }
                RunEvent::Finished { .. } => return Ok(()),
                _ => {}
            }
        }
    }
    let mut writer = JournalWriter::open(path)?;
    let outcome = Outcome {
        state: RunState::Lost,
        exit_code: None,
        signal: None,
        reason: Some(reason.to_owned()),
    };
    // The checksum is of what is journaled here: nobody read more.
    let crc32c = reader.output_checksum();
    writer.append(
        &RunEvent::Finished {
            at,
            outcome,
            lines,
            bytes,
            crc32c,
            generation: None,
        },
        &[],
    );
    writer.sync()?;
    anyhow::ensure!(
        !writer.is_waiting(),
        "{}: cannot be written; free some disk space",
        path.display()
    );
    Ok(())
}

#[cfg(test)]
mod tests;
