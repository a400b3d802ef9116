//! Any bytes as the output of a rebuild, and the same bytes as records beside it: whatever a builder or Nix prints, lines add
//! up to it, and what is made of it stays within its limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use nixfleet::run::event::{MAX_BUILT, MAX_RUNNING};
use nixfleet::run::kind::{RebuildTool, RunKind};
use nixfleet::run::lines::{Found, LineAssembler};
use nixfleet::run::tracker::Tracker;
use nixfleet_fuzz::{rebuilds, seed};

/// Reads the output in pieces of that length.
fn follow(data: &[u8], piece: usize, records: bool) -> (u64, String) {
    let mut tracker = Tracker::new(&RunKind::Rebuild {
        tool: RebuildTool::NixosRebuild,
        action: "switch".into(),
    });
    let (mut found, mut lines, mut bytes) = (Vec::new(), 0, 0);
    tracker.start(&mut found);
    if records {
        for (number, record) in data.split(|byte| *byte == b'\n').enumerate() {
            tracker.set_now(number as u64 * 100);
            tracker.side_record(1 + number as u32 % 3, record, &mut found);
        }
        tracker.side_gone(1);
    }
    let mut assembler = LineAssembler::default();
    let mut sink = |piece: Found<'_>| match piece {
        Found::Line { mark, visible } => {
            bytes += mark.len;
            lines += u64::from(tracker.line(lines + 1, visible, &mut found));
        }
        Found::Redraw { visible } => tracker.redraw(lines + 1, visible, &mut found),
    };
    for piece in data.chunks(piece) {
        assembler.push(piece, &mut sink);
    }
    assembler.finish(&mut sink);
    assert!(bytes <= data.len() as u64);
    tracker.finish(false, &mut found);
    let progress = tracker.progress();
    assert!(progress.running.len() <= MAX_RUNNING);
    assert!(tracker.take_built().len() <= MAX_BUILT);
    (
        lines,
        format!("{found:?} {progress:?} {:?}", tracker.failure()),
    )
}

fuzz_target!(
    init: seed(rebuilds()),
    |data: &[u8]| {
        // However it is cut into reads, it means the same.
        assert_eq!(follow(data, data.len().max(1), false), follow(data, 7, false));
        follow(data, 64, true);
    }
);
