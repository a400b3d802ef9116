//! A run's journal: append-only files of [`record`](crate::wire::record)s. The supervisor writes it, the agent reads it.
//!
//! It has a limit. Beyond it, the head and the newest records stay, and what is between goes: see [`Limits`]. The record
//! after the hole is a checkpoint, which says what the missing ones had added up to.

use std::io;
use std::path::{Path, PathBuf};

use crate::run::event::RunEvent;
use crate::run::id::Seq;

mod background;
mod conclude;
mod parts;
mod reader;
mod ring;
mod sync;
mod tally;
mod walk;
mod writer;

pub use background::{BackgroundWriter, MAX_QUEUED};
pub use conclude::{conclude, conclude_with};
pub use parts::{Limits, MIN_JOURNAL_MAX};
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

/// The number of the last whole record; 0 for a journal that is empty or not there.
///
/// # Errors
/// The files cannot be read, or their headers are damaged.
pub fn last_seq(path: &Path) -> Result<Seq, JournalError> {
    let parts = parts::list(path).map_err(|source| JournalError::Io {
        path: path.to_owned(),
        source,
    })?;
    for number in parts.into_iter().rev().chain([0]) {
        let Some(file) = walk::open(path, number)? else {
            continue;
        };
        let last = walk::walk(path, number, &file, Seq(u64::MAX))?.seq;
        // One that was only just begun has no record yet.
        if last > Seq(0) {
            return Ok(last);
        }
    }
    Ok(Seq(0))
}

/// The last event, if there is any; tells whether the run is over.
///
/// # Errors
/// The files cannot be read, or are damaged.
pub fn last_event(path: &Path) -> Result<Option<RunEvent>, JournalError> {
    let last = last_seq(path)?;
    if last == Seq(0) {
        return Ok(None);
    }
    let mut reader = JournalReader::open(path, Seq(last.0 - 1))?;
    let batch = reader.read_batch(0)?;
    Ok(batch.and_then(|batch| batch.events().last()))
}

#[cfg(test)]
mod tests;
