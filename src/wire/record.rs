//! Journal records: one event each, framed so that a damaged file is read up to the damage.
//!
//! ```text
//! u32 LE  length of the body
//! u32 LE  CRC32C of seq and body
//! u64 LE  seq, from 1, without holes
//! body:   u32 LE length of the JSON, the JSON of the RunEvent, then raw bytes (only `output` has any)
//! ```

use crate::run::event::RunEvent;
use crate::run::id::Seq;

/// Bytes before the body.
pub const HEADER: usize = 16;
/// The largest body. An output chunk of 64 KiB with one mark per byte stays below it.
pub const MAX_BODY: usize = 2 * 1024 * 1024;

/// One journal record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its position in the journal.
    pub seq: Seq,
    /// What happened.
    pub event: RunEvent,
    /// Output bytes; empty for every other event.
    pub raw: Vec<u8>,
}

/// Why bytes are no record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The body would be larger than [`MAX_BODY`].
    #[error("the record says it has {0} bytes, more than {MAX_BODY}")]
    TooLarge(u64),
    /// The checksum differs.
    #[error("the checksum of record {0} does not fit its bytes")]
    Checksum(Seq),
    /// The JSON is none, or no event.
    #[error("record {seq} is no event: {message}")]
    Json {
        /// Which record.
        seq: Seq,
        /// What serde says.
        message: String,
    },
}

/// Appends the record of `event` to `out`.
///
/// # Errors
/// The event cannot be written as JSON, or is larger than [`MAX_BODY`].
pub fn encode(
    seq: Seq,
    event: &RunEvent,
    raw: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    let start = out.len();
    out.extend_from_slice(&[0; HEADER + 4]);
    let failed = |message: String| RecordError::Json { seq, message };
    serde_json::to_writer(&mut *out, event).map_err(|error| failed(error.to_string()))?;
    let json_len = out.len() - start - HEADER - 4;
    out.extend_from_slice(raw);
    let body_len = out.len() - start - HEADER;
    if body_len > MAX_BODY {
        out.truncate(start);
        return Err(RecordError::TooLarge(body_len as u64));
    }
    out[start..start + 4].copy_from_slice(&(body_len as u32).to_le_bytes());
    out[start + 8..start + 16].copy_from_slice(&seq.0.to_le_bytes());
    out[start + 16..start + 20].copy_from_slice(&(json_len as u32).to_le_bytes());
    let checksum = checksum(&out[start + 8..]);
    out[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

/// The seq and the whole length of the record at the start of `bytes`, without looking into it; none while it is not
/// all there.
///
/// # Errors
/// The length is impossible.
pub fn peek(bytes: &[u8]) -> Result<Option<(Seq, usize)>, RecordError> {
    let (Some(body_len), Some(seq)) = (read_u32(bytes, 0), read_u64(bytes, 8)) else {
        return Ok(None);
    };
    let body_len = body_len as usize;
    if body_len > MAX_BODY {
        return Err(RecordError::TooLarge(body_len as u64));
    }
    Ok((bytes.len() >= HEADER + body_len).then_some((Seq(seq), HEADER + body_len)))
}

/// The record at the start of `bytes` and its length; none while it is not all there.
///
/// # Errors
/// See [`RecordError`].
pub fn decode(bytes: &[u8]) -> Result<Option<(Record, usize)>, RecordError> {
    let Some((seq, len)) = peek(bytes)? else {
        return Ok(None);
    };
    if read_u32(bytes, 4) != Some(checksum(&bytes[8..len])) {
        return Err(RecordError::Checksum(seq));
    }
    let failed = |message: String| RecordError::Json { seq, message };
    let body = &bytes[HEADER..len];
    let json_len = read_u32(body, 0).ok_or_else(|| failed("no JSON length".into()))? as usize;
    let (json, raw) = body[4..]
        .split_at_checked(json_len)
        .ok_or_else(|| failed("the JSON is cut off".into()))?;
    let event: RunEvent =
        serde_json::from_slice(json).map_err(|error| failed(error.to_string()))?;
    let raw = raw.to_vec();
    Ok(Some((Record { seq, event, raw }, len)))
}

/// The checksum of a record: of its bytes from the seq to the end.
pub fn checksum(seq_and_body: &[u8]) -> u32 {
    crc32c::crc32c(seq_and_body)
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn read_u64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::LineMark;
    use proptest::prelude::*;

    fn output(raw: &[u8]) -> RunEvent {
        RunEvent::Output {
            at: 7,
            offset: 0,
            first_line: 1,
            lines: vec![LineMark {
                len: raw.len() as u64,
                skip: 0,
                ago: 0,
            }],
            tail_skip: 0,
        }
    }

    #[test]
    fn records_read_back_one_by_one() {
        let mut bytes = Vec::new();
        encode(Seq(1), &output(b"a\n"), b"a\n", &mut bytes).unwrap();
        encode(Seq(2), &output(b"\xff\0\n"), b"\xff\0\n", &mut bytes).unwrap();
        let (first, len) = decode(&bytes).unwrap().unwrap();
        assert_eq!(
            (first.seq, first.raw.as_slice()),
            (Seq(1), b"a\n".as_slice())
        );
        let (second, rest) = decode(&bytes[len..]).unwrap().unwrap();
        assert_eq!(second.raw, b"\xff\0\n");
        assert_eq!(len + rest, bytes.len());
    }

    proptest! {
        #[test]
        fn a_cut_record_is_incomplete_and_a_flipped_bit_is_seen(
            raw in proptest::collection::vec(any::<u8>(), 0..200),
            cut in 0_usize..400,
            flip in 0_usize..3000,
        ) {
            let mut bytes = Vec::new();
            encode(Seq(5), &output(&raw), &raw, &mut bytes).unwrap();
            let cut = cut.min(bytes.len() - 1);
            prop_assert_eq!(decode(&bytes[..cut]), Ok(None));
            let whole = decode(&bytes).unwrap().unwrap().0;
            let flip = flip % (bytes.len() * 8);
            bytes[flip / 8] ^= 1 << (flip % 8);
            // A flipped length may also make the record too large or incomplete; it is never read as another one.
            if let Ok(Some((record, _))) = decode(&bytes) {
                prop_assert_eq!(record, whole);
                prop_assert!(false, "a flipped bit went unnoticed");
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }
}
