//! Binary frames: journal records of one run, as they stand in its journal.
//!
//! ```text
//! u8      3, the protocol
//! u32 LE  length of the JSON
//! JSON    RunEventsHeader
//! rest    records (see `record`), compressed as the header says
//! ```

use serde::{Deserialize, Serialize};

use super::{MAX_BATCH, PROTOCOL, record};
use crate::run::id::{RunId, Seq};

/// Compression level: the lowest, which is still several times smaller than plain text and costs next to nothing.
const LEVEL: i32 = 1;
/// The most bytes that a frame's records may have: a batch, or one record that is larger by itself.
const MAX_RECORDS: usize = if MAX_BATCH > record::HEADER + record::MAX_BODY {
    MAX_BATCH
} else {
    record::HEADER + record::MAX_BODY
};

/// What a binary frame carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunEventsHeader {
    /// Whose records.
    pub run: RunId,
    /// The first record's position.
    pub first_seq: Seq,
    /// The last record's position.
    pub last_seq: Seq,
    /// How the records are compressed.
    pub encoding: Encoding,
}

/// Compression of a frame's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// One zstd frame.
    Zstd,
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The first byte is another protocol's.
    #[error("a binary frame of protocol {0}; this program speaks {PROTOCOL}")]
    Protocol(u8),
    /// Too short, or no JSON where it should be.
    #[error("a damaged binary frame: {0}")]
    Damaged(String),
}

/// The frame for `records`, compressed where that is smaller.
///
/// # Errors
/// The header cannot be written.
pub fn encode(
    run: RunId,
    first_seq: Seq,
    last_seq: Seq,
    records: &[u8],
) -> Result<Vec<u8>, FrameError> {
    // Small batches grow by compression and come first of all: let them go at once.
    let compressed = (records.len() > 512)
        .then(|| zstd::bulk::compress(records, LEVEL).ok())
        .flatten()
        .filter(|compressed| compressed.len() < records.len());
    let encoding = if compressed.is_some() {
        Encoding::Zstd
    } else {
        Encoding::Identity
    };
    let body = compressed.as_deref().unwrap_or(records);
    let header = serde_json::to_vec(&RunEventsHeader {
        run,
        first_seq,
        last_seq,
        encoding,
    })
    .map_err(|error| FrameError::Damaged(error.to_string()))?;
    let mut frame = Vec::with_capacity(5 + header.len() + body.len());
    frame.push(PROTOCOL as u8);
    frame.extend_from_slice(&(header.len() as u32).to_le_bytes());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(body);
    Ok(frame)
}

/// The header and the records of a frame.
///
/// # Errors
/// See [`FrameError`].
pub fn decode(frame: &[u8]) -> Result<(RunEventsHeader, Vec<u8>), FrameError> {
    let damaged = |why: &str| FrameError::Damaged(why.to_owned());
    let (protocol, rest) = frame.split_first().ok_or_else(|| damaged("it is empty"))?;
    if u32::from(*protocol) != PROTOCOL {
        return Err(FrameError::Protocol(*protocol));
    }
    let (len, rest) = rest
        .split_first_chunk::<4>()
        .ok_or_else(|| damaged("it is cut off"))?;
    let len = u32::from_le_bytes(*len) as usize;
    let (json, body) = rest
        .split_at_checked(len)
        .ok_or_else(|| damaged("its header is cut off"))?;
    let header: RunEventsHeader =
        serde_json::from_slice(json).map_err(|error| FrameError::Damaged(error.to_string()))?;
    let records = match header.encoding {
        Encoding::Identity => body.to_vec(),
        Encoding::Zstd => zstd::bulk::decompress(body, MAX_RECORDS).map_err(|error| {
            FrameError::Damaged(format!("its records do not decompress: {error}"))
        })?,
    };
    Ok((header, records))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn frames_read_back(records in proptest::collection::vec(0_u8..4, 0..5000)) {
            let run = RunId::new();
            let frame = encode(run, Seq(1), Seq(9), &records).unwrap();
            let (header, back) = decode(&frame).unwrap();
            prop_assert_eq!(header.run, run);
            prop_assert_eq!(back, records);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn damage_is_named() {
        for (bytes, part) in [
            (vec![], "it is empty"),
            (vec![2, 0, 0], "protocol 2"),
            (vec![3, 0, 0], "cut off"),
            (vec![3, 9, 0, 0, 0, b'{'], "header is cut off"),
            (vec![3, 1, 0, 0, 0, b'{'], "damaged binary frame"),
        ] {
            let error = decode(&bytes).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
