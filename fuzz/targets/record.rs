//! Any bytes as a journal record, as they come and with a header that fits them: damage that the checksum would find is not
//! all that can be wrong.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixfleet::wire::record;
use nixfleet_fuzz::{events, record_of, seed};

fuzz_target!(
    init: seed(events().iter().map(|(event, raw)| record_of(1, event, raw))),
    |data: &[u8]| {
        let _ = record::peek(data);
        let _ = record::decode(data);
        // The same body with the header that belongs to it.
        let body = data.get(record::HEADER..).unwrap_or(data);
        let mut whole = Vec::with_capacity(record::HEADER + body.len());
        whole.extend_from_slice(&(body.len() as u32).to_le_bytes());
        whole.extend_from_slice(&[0; 4]);
        whole.extend_from_slice(&1_u64.to_le_bytes());
        whole.extend_from_slice(body);
        let checksum = record::checksum(&whole[8..]);
        whole[4..8].copy_from_slice(&checksum.to_le_bytes());
        if let Ok(Some((found, len))) = record::decode(&whole) {
            assert_eq!(len, whole.len());
            // What was understood can be written again, and means the same.
            let again = record_of(found.seq.0, &found.event, &found.raw);
            assert_eq!(record::decode(&again), Ok(Some((found, again.len()))));
        }
    }
);
