//! Runs in a state directory, as supervisors leave them.

use std::path::Path;

use crate::agent::journal::JournalWriter;
use crate::agent::run_dir::{RunDir, SupervisorRequest};
use crate::run::event::{Outcome, RunEvent};
use crate::run::phase::RunState;

/// The directory of a run that has not begun.
pub fn new_run(state_dir: &Path) -> RunDir {
    let request = SupervisorRequest::sample("hello");
    RunDir::create(state_dir, &request).unwrap()
}

/// A run as a supervisor that has died long ago left it: `outputs` records of output, then its end.
pub fn kept_run(state_dir: &Path, outputs: usize, bytes: usize) -> RunDir {
    let dir = new_run(state_dir);
    let mut writer = JournalWriter::open(&dir.journal()).unwrap();
    for n in 0..outputs {
        // Noise does not compress: what is sent is what was written.
        let raw: Vec<u8> = (0..bytes).map(|_| fastrand::u8(..)).collect();
        let event = RunEvent::Output {
            at: 1,
            offset: (n * bytes) as u64,
            first_line: 1,
            lines: Vec::new(),
            tail_skip: 0,
        };
        writer.append(&event, &raw);
    }
    writer.append(&finished((outputs * bytes) as u64), &[]);
    dir
}

/// The last event of one that went well.
pub fn finished(bytes: u64) -> RunEvent {
    let outcome = Outcome {
        state: RunState::Succeeded,
        exit_code: Some(0),
        signal: None,
        reason: None,
        failure: None,
    };
    RunEvent::Finished {
        at: 2,
        outcome,
        lines: 0,
        bytes,
        crc32c: 0,
        generation: None,
        system: None,
    }
}
