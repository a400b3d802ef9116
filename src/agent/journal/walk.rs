//! Finding records by their headers, reading little else.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::JournalError;
use super::parts::{file_of, list};
use crate::run::id::Seq;
use crate::wire::record::{self, RecordError};

/// Bytes that the walk over headers reads at once.
const WINDOW: usize = 4096;

/// The end of the whole records of one file of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) seq: Seq,
    /// Where the record `seq` begins.
    pub(super) start: u64,
    /// Where it ends.
    pub(super) end: u64,
}

/// Walks over the headers up to record `until` or the last whole record. The head, part number 0, begins with record 1;
/// a part after it with whatever record its first header names. Without any record, the answer is record 0.
pub(super) fn walk(
    path: &Path,
    number: u64,
    file: &File,
    until: Seq,
) -> Result<Found, JournalError> {
    let path = file_of(path, number);
    let io = |source| JournalError::Io {
        path: path.clone(),
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
        let damaged = |why: String| JournalError::Damaged {
            path: path.clone(),
            offset: at.end,
            after: at.seq,
            why,
        };
        if len > (record::HEADER + record::MAX_BODY) as u64 {
            return Err(damaged(RecordError::TooLarge(len).to_string()));
        }
        if at.end + len > size {
            break;
        }
        let first_of_part = number > 0 && at.end == 0;
        if seq == Seq(0) || (seq != at.seq.next() && !first_of_part) {
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

/// Where to read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Which part.
    pub(super) number: u64,
    /// The position in it.
    pub(super) offset: u64,
}

/// Where the record after `after` stands or will stand; where that one is gone, the oldest part that is left after it.
///
/// # Errors
/// The files cannot be read, a header is damaged, or no record comes after `after` and there is no `after`.
pub(super) fn locate(path: &Path, after: Seq) -> Result<Place, JournalError> {
    let head = Place {
        number: 0,
        offset: 0,
    };
    if after == Seq(0) {
        return Ok(head);
    }
    let parts = list(path).map_err(|source| JournalError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mut last = Seq(0);
    // The oldest part that begins after `after`.
    let mut follower = None;
    for number in parts.into_iter().rev().chain([0]) {
        // A part that went away since it was listed is gone.
        let Some(file) = open(path, number)? else {
            continue;
        };
        match first_seq(path, number, &file)? {
            Some(first) if first <= after => {
                let found = walk(path, number, &file, after)?;
                if found.seq == after {
                    return Ok(Place {
                        number,
                        offset: found.end,
                    });
                }
                last = last.max(found.seq);
                break;
            }
            Some(first) => follower = Some((number, first)),
            None => {}
        }
    }
    match follower {
        Some((number, _)) => Ok(Place { number, offset: 0 }),
        None => Err(JournalError::NoSuchRecord {
            path: path.to_owned(),
            after,
            last,
        }),
    }
}

/// The file of a part; none if there is none.
pub(super) fn open(path: &Path, number: u64) -> Result<Option<File>, JournalError> {
    let path = file_of(path, number);
    match File::open(&path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(JournalError::Io { path, source }),
    }
}

/// The number that the first header of a file names; none while there is no whole record.
pub(super) fn first_seq(
    path: &Path,
    number: u64,
    file: &File,
) -> Result<Option<Seq>, JournalError> {
    let io = |source| JournalError::Io {
        path: file_of(path, number),
        source,
    };
    let mut header = [0; record::HEADER];
    if read_up_to(file, &mut header, 0).map_err(io)? < header.len() {
        return Ok(None);
    }
    let (seq, len) = header_of(&header);
    Ok((len <= file.metadata().map_err(io)?.len()).then_some(seq))
}

/// Seq and whole length of a record, from its header alone.
pub(super) fn header_of(header: &[u8; record::HEADER]) -> (Seq, u64) {
    let [a, b, c, d, _, _, _, _, seq @ ..] = *header;
    let body = u64::from(u32::from_le_bytes([a, b, c, d]));
    (Seq(u64::from_le_bytes(seq)), record::HEADER as u64 + body)
}

/// Reads until the buffer is full or the file ends.
pub(super) fn read_up_to(file: &File, buffer: &mut [u8], at: u64) -> io::Result<usize> {
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
