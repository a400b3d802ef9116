//! A piece of a run's output with the ends of its lines, and how it lies in the database.
//!
//! Marks are LEB128 numbers, three a line: bytes from the line's start to its end, bytes from its start to what is
//! visible, and the time after the line before in milliseconds (zigzag). All of it is one zstd frame, as the bytes are.

use crate::base::clock::Millis;
use crate::dashboard::store::StoreError;

/// The most bytes of one chunk, and so of what is read and decompressed at once.
pub const MAX_CHUNK: usize = 256 * 1024;
/// The most bytes of a chunk's marks: one line a byte, and three long numbers a line.
const MAX_MARKS: usize = MAX_CHUNK * 30;
const LEVEL: i32 = 1;

/// Where a line ends in the run's output, and what of it is visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineEnd {
    /// Position after its last byte.
    pub end: u64,
    /// Position of its first visible byte.
    pub visible: u64,
    /// When its end was read, by the host's clock.
    pub at: Millis,
}

/// Bytes that no journal could keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// How many.
    pub bytes: u64,
    /// How many lines ended among them.
    pub lines: u64,
    /// Why, in words.
    pub reason: String,
}

/// A piece of a run's output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunk {
    /// Position of its first byte.
    pub offset: u64,
    /// Number of the first line that ends here.
    pub first_line: u64,
    /// Where the line began that is unfinished at the chunk's start.
    pub line_start: u64,
    /// Where the visible part of the line begins that is unfinished at the chunk's end.
    pub tail_visible: u64,
    /// When the last byte was read, by the host's clock.
    pub at: Millis,
    /// The lines that end here.
    pub lines: Vec<LineEnd>,
    /// The bytes; none in a gap.
    pub bytes: Vec<u8>,
    /// What is missing instead.
    pub gap: Option<Gap>,
}

impl Chunk {
    /// How many bytes of the run's output it stands for.
    pub fn n_bytes(&self) -> u64 {
        self.gap
            .as_ref()
            .map_or(self.bytes.len() as u64, |gap| gap.bytes)
    }

    /// How many line ends it stands for.
    pub fn n_lines(&self) -> u64 {
        self.gap
            .as_ref()
            .map_or(self.lines.len() as u64, |gap| gap.lines)
    }

    /// The position after its last byte.
    pub fn end(&self) -> u64 {
        self.offset + self.n_bytes()
    }

    /// Appends the chunk that follows. Both hold bytes, no gap.
    pub fn append(&mut self, next: &Self) {
        debug_assert_eq!(self.end(), next.offset, "chunks follow each other");
        self.bytes.extend_from_slice(&next.bytes);
        self.lines.extend_from_slice(&next.lines);
        self.at = next.at;
        self.tail_visible = next.tail_visible;
    }

    /// The marks as they are stored.
    pub fn encode_marks(&self) -> Result<Vec<u8>, StoreError> {
        let mut plain = Vec::with_capacity(self.lines.len() * 4);
        let (mut start, mut before) = (self.line_start, self.at);
        for line in &self.lines {
            push_number(&mut plain, line.end.saturating_sub(start));
            push_number(&mut plain, line.visible.saturating_sub(start));
            let step = line.at.wrapping_sub(before).cast_signed();
            push_number(&mut plain, ((step << 1) ^ (step >> 63)).cast_unsigned());
            (start, before) = (line.end, line.at);
        }
        pack(&plain)
    }

    /// Reads what [`encode_marks`](Self::encode_marks) wrote into `lines`.
    pub fn decode_marks(&mut self, stored: &[u8]) -> Result<(), StoreError> {
        let plain = unpack(stored, MAX_MARKS, "line marks")?;
        let mut rest = plain.as_slice();
        let (mut start, mut before) = (self.line_start, self.at);
        while !rest.is_empty() {
            let (Some(len), Some(skip), Some(step)) = (
                pull_number(&mut rest),
                pull_number(&mut rest),
                pull_number(&mut rest),
            ) else {
                return Err(unreadable("line marks", "they are cut off".into()));
            };
            let step = (step >> 1) ^ (step & 1).wrapping_neg();
            let line = LineEnd {
                end: start.wrapping_add(len),
                visible: start.wrapping_add(skip),
                at: before.wrapping_add(step),
            };
            (start, before) = (line.end, line.at);
            self.lines.push(line);
        }
        Ok(())
    }
}

/// One zstd frame of `plain`; nothing for nothing.
pub fn pack(plain: &[u8]) -> Result<Vec<u8>, StoreError> {
    if plain.is_empty() {
        return Ok(Vec::new());
    }
    zstd::bulk::compress(plain, LEVEL).map_err(|error| unreadable("output", error.to_string()))
}

/// What [`pack`] packed, at most `limit` bytes.
pub fn unpack(stored: &[u8], limit: usize, what: &str) -> Result<Vec<u8>, StoreError> {
    if stored.is_empty() {
        return Ok(Vec::new());
    }
    // The frame says how long it is; never trust it with more memory than a chunk can need.
    let len = zstd::zstd_safe::get_frame_content_size(stored)
        .ok()
        .flatten()
        .map_or(limit, |len| len.min(limit as u64) as usize);
    zstd::bulk::decompress(stored, len).map_err(|error| unreadable(what, error.to_string()))
}

fn unreadable(what: &str, why: String) -> StoreError {
    StoreError::Unreadable {
        what: what.to_owned(),
        why,
    }
}

fn push_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn pull_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn marks_read_back(
            start in 0_u64..1 << 50,
            lines in proptest::collection::vec((0_u64..1 << 40, 0_u64..1000, 0_u64..1 << 42), 0..50),
        ) {
            let mut chunk = Chunk { line_start: start, at: 1 << 41, ..Chunk::default() };
            let mut end = start;
            for (len, skip, at) in lines {
                let visible = end + skip.min(len);
                end += len;
                chunk.lines.push(LineEnd { end, visible, at });
            }
            let mut back = Chunk { line_start: start, at: 1 << 41, ..Chunk::default() };
            back.decode_marks(&chunk.encode_marks().unwrap()).unwrap();
            prop_assert_eq!(back, chunk);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Chunk::default().decode_marks(&bytes);
            let _ = Chunk::default().decode_marks(&pack(&bytes).unwrap());
        }
    }
}
