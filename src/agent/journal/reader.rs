//! Reads a journal that may still be written.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use super::{JournalError, header_of, read_up_to, walk};
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
#[derive(Debug)]
pub struct JournalReader {
    path: PathBuf,
    file: Option<File>,
    /// The last record that was read.
    seq: Seq,
    /// Where the next one begins.
    offset: u64,
    /// CRC32C of the output bytes in all records read so far, while they were read from the first one on.
    checksum: u32,
}

impl JournalReader {
    /// A reader that continues after record `after`. A journal that is not there yet is an empty one.
    ///
    /// # Errors
    /// The file cannot be read, its headers are damaged, or it has no such record.
    pub fn open(path: &Path, after: Seq) -> Result<Self, JournalError> {
        let mut reader = Self {
            path: path.to_owned(),
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
        (self.seq, self.offset, self.checksum) = (Seq(0), 0, 0);
        if after == Seq(0) {
            return Ok(());
        }
        self.open_file()?;
        let end = match &self.file {
            Some(file) => {
                let end = walk(&self.path, file, after)?;
                (end.seq, end.end)
            }
            None => (Seq(0), 0),
        };
        if end.0 != after {
            return Err(JournalError::NoSuchRecord {
                path: self.path.clone(),
                after,
                last: end.0,
            });
        }
        (self.seq, self.offset) = end;
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

    /// The next whole records, at most `max_bytes` of them but at least one; none while there is no whole one.
    ///
    /// # Errors
    /// The file cannot be read, or a record is damaged: whatever `read_batch` returned before is still good.
    pub fn read_batch(&mut self, max_bytes: usize) -> Result<Option<Batch>, JournalError> {
        let (offset, seq) = (self.offset, self.seq);
        self.open_file()?;
        let Some(file) = &self.file else {
            return Ok(None);
        };
        let io = |source| JournalError::Io {
            path: self.path.clone(),
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

        let mut good = 0;
        loop {
            let len = match self.check(&bytes[good..]) {
                Ok(Some(len)) => len,
                Ok(None) => break,
                // First what is good; the next call names the damage.
                Err(_) if good > 0 => break,
                Err(why) => return Err(self.damaged(why)),
            };
            let output = output_of(&bytes[good..good + len]);
            self.checksum = crc32c::crc32c_append(self.checksum, output);
            self.seq = self.seq.next();
            self.offset += len as u64;
            good += len;
        }
        bytes.truncate(good);
        Ok((good > 0).then(|| Batch {
            first_seq: seq.next(),
            last_seq: self.seq,
            bytes,
        }))
    }

    /// The length of the record at the start of `bytes` if it is the next one and whole.
    fn check(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let Some((found, len)) = record::peek(bytes).map_err(|error| error.to_string())? else {
            return Ok(None);
        };
        if found != self.seq.next() {
            return Err(format!("record {found} stands here"));
        }
        let stored = u32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
        if stored != crc32c::crc32c(&bytes[8..len]) {
            return Err("its checksum does not fit its bytes".into());
        }
        Ok(Some(len))
    }

    fn check_header(&self, header: &[u8; record::HEADER]) -> Result<(), JournalError> {
        let (found, len) = header_of(header);
        if len > (record::HEADER + record::MAX_BODY) as u64 {
            return Err(self.damaged(format!("a record of {len} bytes")));
        }
        if found != self.seq.next() {
            return Err(self.damaged(format!("record {found} stands here")));
        }
        Ok(())
    }

    fn damaged(&self, why: String) -> JournalError {
        JournalError::Damaged {
            path: self.path.clone(),
            offset: self.offset,
            after: self.seq,
            why,
        }
    }

    fn open_file(&mut self) -> Result<(), JournalError> {
        if self.file.is_none() {
            match File::open(&self.path) {
                Ok(file) => self.file = Some(file),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(JournalError::Io {
                        path: self.path.clone(),
                        source,
                    });
                }
            }
        }
        Ok(())
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
