//! Any bytes as the output of a terminal: the marks add up to it however it is cut into reads, and what was held back is given
//! away when it is asked for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixfleet::run::event::MAX_LINE;
use nixfleet::run::lines::{Found, LineAssembler, MAX_HELD_LINES};
use nixfleet_fuzz::{rebuilds, seed};

/// The marks of the output in pieces of that length, and its redraws. When a redraw is told, between which lines, may depend
/// on the pieces.
fn follow(data: &[u8], piece: usize) -> (Vec<(u64, u64, usize)>, Vec<usize>) {
    let (mut found, mut redraws) = (Vec::new(), Vec::new());
    let mut assembler = LineAssembler::default();
    let mut sink = |piece: Found<'_>| match piece {
        Found::Line { mark, visible } => {
            assert!(mark.skip <= mark.len && visible.len() <= MAX_LINE);
            found.push((mark.len, mark.skip, visible.len()));
        }
        Found::Redraw { visible } => redraws.push(visible.len()),
    };
    let mut read = 0;
    for piece in data.chunks(piece) {
        assembler.push(piece, &mut sink);
        read += piece.len() as u64;
        assert!(assembler.tail_skip() <= read);
    }
    assembler.finish(&mut sink);
    assert_eq!(assembler.waiting(), None);
    (found, redraws)
}

/// Lines that wait are asked for after each piece: none is left but those of one bar.
fn settle(data: &[u8]) -> u64 {
    let mut total = 0;
    let mut assembler = LineAssembler::default();
    for piece in data.chunks(16) {
        let mut sink = |piece: Found<'_>| {
            if let Found::Line { mark, .. } = piece {
                total += mark.len;
            }
        };
        assembler.push(piece, &mut sink);
        if let Some(newest) = assembler.waiting() {
            assembler.settle(newest, &mut sink);
        }
        assert_eq!(assembler.waiting(), None);
    }
    let mut held = 0;
    assembler.finish(&mut |piece| {
        if let Found::Line { mark, .. } = piece {
            held += 1;
            total += mark.len;
        }
    });
    assert!(held <= MAX_HELD_LINES + 1);
    total
}

fuzz_target!(
    init: seed(rebuilds()),
    |data: &[u8]| {
        let found = follow(data, data.len().max(1));
        assert_eq!(found, follow(data, 7));
        assert!(found.0.iter().map(|mark| mark.0).sum::<u64>() <= data.len() as u64);
        assert!(settle(data) <= data.len() as u64);
    }
);
