//! What the records of a journal add up to, kept while they are written, for the checkpoints.

use std::path::Path;

use super::{JournalError, JournalReader};
use crate::run::event::RunEvent;
use crate::run::id::Seq;
use crate::run::view::RunView;

/// The sum of all records so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The run.
    pub(super) view: RunView,
    /// CRC32C of the output so far, of what is missing too.
    pub(super) crc32c: u32,
}

impl Tally {
    /// Of a journal as it stands.
    ///
    /// # Errors
    /// It cannot be read to its end.
    pub(super) fn read(path: &Path) -> Result<Self, JournalError> {
        let mut tally = Self::default();
        let mut reader = JournalReader::open(path, Seq(0))?;
        while let Some(batch) = reader.read_batch(crate::wire::MAX_BATCH)? {
            for record in batch.records() {
                tally.take(&record.event, &record.raw);
            }
        }
        Ok(tally)
    }

    /// Takes the next record.
    pub(super) fn take(&mut self, event: &RunEvent, raw: &[u8]) {
        if let RunEvent::Checkpoint { crc32c, view, .. } = event {
            self.crc32c = *crc32c;
            self.view.clone_from(view);
            return;
        }
        self.crc32c = crc32c::crc32c_append(self.crc32c, raw);
        self.view.apply(event, raw.len() as u64);
    }

    /// The record that begins a part.
    pub(super) fn checkpoint(&self, at: u64) -> RunEvent {
        RunEvent::Checkpoint {
            at,
            offset: self.view.bytes,
            lines: self.view.lines,
            crc32c: self.crc32c,
            view: Box::new(self.view.clone()),
        }
    }
}
