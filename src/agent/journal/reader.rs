//! Reads a journal that may still be written.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::JournalError;
use super::parts::{file_of, list};
use super::walk::{self, header_of, read_up_to};
use crate::run::event::RunEvent;
use crate::run::id::Seq;
use crate::wire::record::{self, Record};

/// Whole records in order, as they stand in the file: what a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The first record.
    pub first_seq: Seq,
    /// The last record.
    pub last_seq: Seq,
    /// The records' bytes; their checksums have been verified.
    pub bytes: Vec<u8>,
}

impl Batch {
    /// The records, decoded.
    pub fn records(&self) -> impl Iterator<Item = Record> + '_ {
        let mut rest = self.bytes.as_slice();
        std::iter::from_fn(move || {
            let (record, len) = record::decode(rest).ok()??;
            rest = &rest[len..];
            Some(record)
        })
    }

    /// The records' events.
    pub fn events(&self) -> impl Iterator<Item = RunEvent> + '_ {
        self.records().map(|record| record.event)
    }
}

/// Reads a journal from a position on, as far as it is written. Keeps no bytes between calls.
///
/// It goes from part to part. A part that is deleted while it is read is read to its end. Where the next record is gone,
/// it goes on with the oldest part that is left, whose first record is a checkpoint.
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    /// The part that is read; 0 is the head.
    number: u64,
    file: Option<File>,
    /// The last record that was read, or the one after which to go on.
    seq: Seq,
    /// Where the next one begins in its part.
    offset: u64,
    /// CRC32C of the output bytes in all records before, if reading began at the first one or has met a checkpoint.
    checksum: u32,
}

impl JournalReader {
    /// A reader that continues after record `after`. A journal that is not there yet is an empty one.
    ///
    /// # Errors
    /// The files cannot be read, their headers are damaged, or there is no such record and none after it.
    pub fn open(path: &Path, after: Seq) -> Result<Self, JournalError> {
        let mut reader = Self {
            path: path.to_owned(),
            number: 0,
            file: None,
            seq: Seq(0),
            offset: 0,
            checksum: 0,
        };
        reader.rewind(after)?;
        Ok(reader)
    }

    /// Continues after record `after` instead.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn rewind(&mut self, after: Seq) -> Result<(), JournalError> {
        let place = walk::locate(&self.path, after)?;
        self.file = None;
        (self.number, self.offset) = (place.number, place.offset);
        (self.seq, self.checksum) = (after, 0);
        Ok(())
    }

    /// The last record that was read.
    pub fn position(&self) -> Seq {
        self.seq
    }

    /// CRC32C of the output bytes of the records read so far; of all of them, when reading began at the first.
    pub(super) fn output_checksum(&self) -> u32 {
        self.checksum
    }

    /// The next whole records, at most `max_bytes` of them but at least one; none while there is no whole one. They
    /// follow each other without a hole; a checkpoint after a hole is the first one.
    ///
    /// # Errors
    /// The files cannot be read, or a record is damaged: whatever `read_batch` returned before is still good.
    pub fn read_batch(&mut self, max_bytes: usize) -> Result<Option<Batch>, JournalError> {
        loop {
            if let Some(batch) = self.read_part(max_bytes)? {
                return Ok(Some(batch));
            }
            let Some(next) = self.next_part()? else {
                return Ok(None);
            };
            // What was written to this part was written before the next one was begun: now it is all there.
            if let Some(batch) = self.read_part(max_bytes)? {
                return Ok(Some(batch));
            }
            self.check_end()?;
            (self.number, self.offset, self.file) = (next, 0, None);
        }
    }

    /// The oldest part after this one.
    fn next_part(&self) -> Result<Option<u64>, JournalError> {
        let numbers = list(&self.path).map_err(|source| JournalError::Io {
            path: self.path.clone(),
            source,
        })?;
        Ok(numbers.into_iter().find(|number| *number > self.number))
    }

    /// As [`read_batch`](Self::read_batch), in one part.
    fn read_part(&mut self, max_bytes: usize) -> Result<Option<Batch>, JournalError> {
        let offset = self.offset;
        if self.file.is_none() {
            self.file = walk::open(&self.path, self.number)?;
        }
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let io = |source| JournalError::Io {
            path: file_of(&self.path, self.number),
            source,
        };
        // Exactly what is wanted is allocated, not `max_bytes` each time: most reads find little.
        let size = file.metadata().map_err(io)?.len();
        let available = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut header = [0; record::HEADER];
        if available < header.len()
            || read_up_to(file, &mut header, offset).map_err(io)? < header.len()
        {
            return Ok(None);
        }
        let (_, first_len) = header_of(&header);
        let first_len = (first_len as usize).min(record::HEADER + record::MAX_BODY);
        if available < first_len {
            return self.check_header(&header).map(|()| None);
        }
        let mut bytes = vec![0; first_len.max(max_bytes.min(available))];
        let filled = read_up_to(file, &mut bytes, offset).map_err(io)?;
        bytes.truncate(filled);

        let (mut good, mut first_seq) = (0, self.seq.next());
        loop {
            let (seq, len) = match self.check(&bytes[good..]) {
                Ok(Some(found)) => found,
                Ok(None) => break,
                // First what is good; the next call names the damage.
                Err(_) if good > 0 => break,
                Err(why) => return Err(self.damaged(why)),
            };
            let whole = &bytes[good..good + len];
            if self.is_at_start() {
                match record::decode(whole) {
                    Ok(Some((record, _))) => match record.event {
                        RunEvent::Checkpoint { crc32c, .. } => self.checksum = crc32c,
                        _ => return Err(self.damaged("a part begins without a checkpoint".into())),
                    },
                    Ok(None) => break,
                    Err(error) => return Err(self.damaged(error.to_string())),
                }
            }
            if good == 0 {
                first_seq = seq;
            }
            self.checksum = crc32c::crc32c_append(self.checksum, output_of(whole));
            self.seq = seq;
            self.offset += len as u64;
            good += len;
        }
        bytes.truncate(good);
        Ok((good > 0).then_some(Batch {
            first_seq,
            last_seq: self.seq,
            bytes,
        }))
    }

    /// Whether the next record is the first one of a part after the head.
    fn is_at_start(&self) -> bool {
        self.number > 0 && self.offset == 0
    }

    fn is_next(&self, found: Seq) -> bool {
        found == self.seq.next() || (self.is_at_start() && found > self.seq)
    }

    /// Seq and length of the record at the start of `bytes` if it is the next one and whole.
    fn check(&self, bytes: &[u8]) -> Result<Option<(Seq, usize)>, String> {
        let Some((found, len)) = record::peek(bytes).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        if !self.is_next(found) {
            return Err(format!("record {found} stands here"));
        }
        let stored = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        if stored != crc32c::crc32c(&bytes[8..len]) {
            return Err("its checksum does not fit its bytes".into());
        }
        Ok(Some((found, len)))
    }

    fn check_header(&self, header: &[u8; record::HEADER]) -> Result<(), JournalError> {
        let (found, len) = header_of(header);
        if len > (record::HEADER + record::MAX_BODY) as u64 {
            return Err(self.damaged(format!("a record of {len} bytes")));
        }
        if !self.is_next(found) {
            return Err(self.damaged(format!("record {found} stands here")));
        }
        Ok(())
    }

    /// A part that another one follows is complete.
    fn check_end(&self) -> Result<(), JournalError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let size = file.metadata().map_err(|source| JournalError::Io {
            path: file_of(&self.path, self.number),
            source,
        })?;
        if size.len() > self.offset {
            return Err(self.damaged("its last record is cut off".into()));
        }
        Ok(())
    }

    fn damaged(&self, why: String) -> JournalError {
        JournalError::Damaged {
            path: file_of(&self.path, self.number),
            offset: self.offset,
            after: self.seq,
            why,
        }
    }
}

/// The output bytes of a whole record.
fn output_of(whole: &[u8]) -> &[u8] {
    let body = &whole[record::HEADER..];
    let Some((len, rest)) = body.split_first_chunk::<4>() else {
        return &[];
    };
    rest.get(u32::from_le_bytes(*len) as usize..).unwrap_or(&[])
}
