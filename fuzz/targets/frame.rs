//! Any bytes as a binary frame, and the records in it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixfleet::run::id::{RunId, Seq};
use nixfleet::wire::{frame, record};
use nixfleet_fuzz::{frame_of, records, seed};

/// The most bytes that a frame's records may become: one record of the largest size.
const MOST: usize = record::HEADER + record::MAX_BODY;

fuzz_target!(
    init: {
        let many: Vec<u8> = (0..20).flat_map(|_| records()).collect();
        // Small ones go as they are, larger ones compressed.
        let small = records()[..200].to_vec();
        seed([frame_of(&small), frame_of(&records()), frame_of(&many)]);
    },
    |data: &[u8]| {
        if let Ok((_, records)) = frame::decode(data) {
            assert!(records.len() <= MOST.max(data.len()));
            let mut rest = records.as_slice();
            while let Ok(Some((_, len))) = record::decode(rest) {
                rest = &rest[len..];
            }
        }
        let run = RunId::new();
        let made = frame::encode(run, Seq(1), Seq(2), data).expect("a frame of any bytes");
        let (header, back) = frame::decode(&made).expect("it reads back");
        assert_eq!((header.run, back.as_slice()), (run, data));
    }
);
