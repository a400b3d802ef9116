//! The last event of a run whose supervisor will not write it.

use std::path::Path;

use super::{JournalReader, JournalWriter};
use crate::agent::ground_truth;
use crate::run::event::{Outcome, RunEvent};
use crate::run::id::Seq;
use crate::run::phase::RunState;
use crate::run::summary::{LastKnown, lost};
use crate::run::system::{SystemState, acts_elsewhere};

/// Writes the last event of a run whose supervisor is gone, so that the journal ends as every journal does, with all that
/// can be known: what the journal says and what the host's links say now. `why` is what is known of the supervisor's end,
/// as a part of a sentence: `its supervisor ended without a word`. The caller holds the run's lock. Does nothing to a
/// journal that has its end.
///
/// # Errors
/// The journal cannot be read or written, or is damaged.
pub fn conclude(path: &Path, at: u64, why: &str) -> anyhow::Result<()> {
    conclude_with(path, at, why, ground_truth::read(Path::new("/")))
}

/// As [`conclude`], on a host whose links say `now`.
///
/// # Errors
/// As [`conclude`].
pub fn conclude_with(path: &Path, at: u64, why: &str, now: SystemState) -> anyhow::Result<()> {
    let mut known = LastKnown {
        why: why.to_owned(),
        ..LastKnown::default()
    };
    let mut bytes = 0;
    let mut reader = JournalReader::open(path, Seq(0))?;
    while let Some(batch) = reader.read_batch(crate::wire::MAX_BATCH)? {
        for record in batch.records() {
            match record.event {
                RunEvent::Started {
                    argv,
                    boot_id,
                    generation,
                    system,
                    ..
                } => {
                    known.elsewhere = acts_elsewhere(&argv);
                    // Earlier supervisors wrote only these two.
                    known.before = Some(system.map_or_else(
                        || SystemState {
                            boot_id,
                            current: generation,
                            ..SystemState::default()
                        },
                        |system| *system,
                    ));
                }
                RunEvent::Phase { phase, .. } => known.phase = Some(phase),
                RunEvent::Output { lines, .. } => {
                    known.lines += lines.len() as u64;
                    bytes += record.raw.len() as u64;
                }
                RunEvent::Gap {
                    bytes: missing,
                    lines: missing_lines,
                    ..
                } => {
                    known.lines += missing_lines;
                    bytes += missing;
                }
                // What is before it may be gone, and is counted in it.
                RunEvent::Checkpoint {
                    offset,
                    lines,
                    view,
                    ..
                } => {
                    (known.lines, bytes) = (lines, offset);
                    known.phase = view.phase().or(known.phase);
                }
                RunEvent::Finished { .. } => return Ok(()),
                RunEvent::Progress { .. }
                | RunEvent::Built { .. }
                | RunEvent::BuildLog { .. }
                | RunEvent::Notice { .. }
                | RunEvent::StopRequested { .. } => {}
            }
        }
    }
    let mut writer = JournalWriter::open(path)?;
    let outcome = Outcome {
        state: RunState::Lost,
        exit_code: None,
        signal: None,
        reason: Some(lost(&known, &now)),
        failure: None,
    };
    writer.append(
        &RunEvent::Finished {
            at,
            outcome,
            lines: known.lines,
            bytes,
            // Of what is journaled here: nobody read more.
            crc32c: reader.output_checksum(),
            generation: now.current.clone(),
            system: Some(Box::new(now)),
        },
        &[],
    );
    writer.sync()?;
    anyhow::ensure!(
        !writer.is_waiting(),
        "{}: cannot be written; free some disk space",
        path.display()
    );
    Ok(())
}
