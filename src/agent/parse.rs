//! `nixfleet-agent parse`: feeds a recording, or a pipe as it comes, to the code that follows live runs and prints what it
//! makes of it.

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde_json::Value;

use crate::run::event::{Builds, Fetches, Progress, RunEvent};
use crate::run::kind::{RebuildTool, RunKind};
use crate::run::lines::{Found, LineAssembler};
use crate::run::phase::{Phase, RunState};
use crate::run::summary::{Ended, Interference, outcome};
use crate::run::system::GroundTruth;
use crate::run::tracker::{Tracked, Tracker};

pub mod follow;

/// The last line of the output.
#[derive(Debug, Serialize)]
struct Summary {
    event: &'static str,
    state: RunState,
    phase: Option<Phase>,
    exit_code: Option<i32>,
    reason: Option<String>,
    phases: Vec<PhaseLines>,
    builds: PlanDoneFailed,
    fetches: PlanDone,
    warnings: u64,
    errors: u64,
    failed_units: Vec<String>,
    generation: Option<String>,
    /// Nix's records of a kind that this program does not know; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_records: Option<u64>,
}

#[derive(Debug, Serialize)]
struct PhaseLines {
    phase: Phase,
    lines: u64,
}

#[derive(Debug, Default, Serialize)]
struct PlanDoneFailed {
    planned: u64,
    done: u64,
    failed: u64,
}

#[derive(Debug, Default, Serialize)]
struct PlanDone {
    planned: u64,
    done: u64,
}

/// Prints the events of the recording `file`, one JSON object a line, and at last the summary. Events carry no times
/// (`at` is 0): a recording has none. `exit` is the program's exit status; without it, the one that the recording names.
/// `structured` is what `json-log-path` wrote beside the recording; its counters outrank those of the text.
///
/// # Errors
/// A file cannot be read, `structured` has no records, or `out` cannot be written.
pub fn run(
    file: &Path,
    exit: Option<i32>,
    structured: Option<&Path>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let bytes = fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    let counters = structured.map(read_side).transpose()?;
    report([bytes.as_slice()], exit, counters.as_deref(), out)
}

/// As [`run`], of the output as it was read and of the records beside it.
fn report<'a>(
    reads: impl IntoIterator<Item = &'a [u8]>,
    exit: Option<i32>,
    structured: Option<&str>,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let mut tracker = Tracker::for_recording();
    let mut events = Vec::new();
    let mut found = Vec::new();
    let mut lines = 0;
    tracker.start(&mut found);

    let mut assembler = LineAssembler::default();
    let mut sink = |piece: Found<'_>| {
        match piece {
            Found::Line { visible, .. } => {
                if tracker.line(lines + 1, visible, &mut found) {
                    lines += 1;
                }
            }
            Found::Redraw { visible } => tracker.redraw(lines + 1, visible, &mut found),
        }
        events.extend(found.drain(..).map(event));
        events.extend(tracker.take_progress().map(progress));
    };
    let (mut bytes, mut crc32c) = (0, 0);
    for read in reads {
        bytes += read.len() as u64;
        crc32c = crc32c::crc32c_append(crc32c, read);
        assembler.push(read, &mut sink);
    }
    assembler.finish(&mut sink);

    let ended = match exit.or(tracker.facts().command_status) {
        Some(code) => Ended::Exited(code),
        None if tracker.facts().interrupted => Ended::Exited(130),
        None if tracker.facts().new_system.is_some() => Ended::Exited(0),
        None => Ended::Unknown,
    };
    tracker.finish(ended == Ended::Exited(0), &mut found);
    events.extend(found.drain(..).map(event));
    events.extend(tracker.take_progress().map(progress));

    let outcome = outcome(
        None,
        &ended,
        &tracker,
        &Interference::default(),
        &GroundTruth::default(),
    );
    let (counters, unknown) = match structured {
        Some(records) => side_counters(records, ended == Ended::Exited(0)),
        None => (tracker.progress(), tracker.unknown_records()),
    };
    let facts = tracker.facts();
    let active = matches!(outcome.state, RunState::Succeeded | RunState::Degraded);
    let summary = Summary {
        event: "summary",
        state: outcome.state,
        phase: tracker.phase(),
        exit_code: outcome.exit_code,
        reason: outcome.reason.clone(),
        phases: phase_lines(&events, lines),
        builds: counters.builds.map_or_else(
            PlanDoneFailed::default,
            |Builds {
                 planned,
                 done,
                 failed,
                 ..
             }| {
                PlanDoneFailed {
                    planned,
                    done,
                    failed,
                }
            },
        ),
        fetches: counters
            .fetches
            .map_or_else(PlanDone::default, |Fetches { planned, done, .. }| {
                PlanDone { planned, done }
            }),
        warnings: facts.warnings,
        errors: facts.errors,
        failed_units: facts.failed_units.clone(),
        generation: facts
            .new_system
            .clone()
            .filter(|_| facts.activated && active),
        unknown_records: Some(unknown).filter(|unknown| *unknown > 0),
    };
    events.push(RunEvent::Finished {
        at: 0,
        outcome,
        lines,
        bytes,
        crc32c,
        generation: summary.generation.clone(),
        system: None,
    });
    for event in &events {
        print(out, event)?;
    }
    serde_json::to_writer(&mut *out, &summary)?;
    writeln!(out)?;
    Ok(())
}

/// As the journal has it, with its type also under the summary's key.
fn print(out: &mut impl Write, event: &RunEvent) -> anyhow::Result<()> {
    let mut value = serde_json::to_value(event)?;
    if let Value::Object(object) = &mut value
        && let Some(kind) = object.get("type").cloned()
    {
        object.insert("event".into(), kind);
    }
    writeln!(out, "{value}")?;
    Ok(())
}

fn event(found: Tracked) -> RunEvent {
    match found {
        Tracked::Phase { phase, line } => RunEvent::Phase { at: 0, phase, line },
        Tracked::Notice { kind, line, text } => RunEvent::Notice {
            at: 0,
            kind,
            line,
            text,
        },
    }
}

fn progress(progress: Progress) -> RunEvent {
    RunEvent::Progress { at: 0, progress }
}

/// How many lines each phase has: a phase ends where the next one begins.
fn phase_lines(events: &[RunEvent], lines: u64) -> Vec<PhaseLines> {
    let starts: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Phase { phase, line, .. } => Some((*phase, *line)),
            _ => None,
        })
        .collect();
    let ends = starts.iter().skip(1).map(|(_, line)| *line);
    starts
        .iter()
        .zip(ends.chain([lines + 1]))
        .map(|((phase, start), end)| PhaseLines {
            phase: *phase,
            lines: end.saturating_sub(*start),
        })
        .collect()
}

/// The records of a side channel; there must be one.
fn read_side(file: &Path) -> anyhow::Result<String> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("{}: cannot be read as text", file.display()))?;
    if !text.contains("\"action\"") {
        bail!(
            "{}: no internal-json records; give the file that `--option json-log-path` wrote",
            file.display()
        );
    }
    Ok(text)
}

/// The counters of a side channel's records, and how many of them are of an unknown kind.
fn side_counters(records: &str, success: bool) -> (Progress, u64) {
    // A tool without a marker: all of the records count.
    let mut tracker = Tracker::new(&RunKind::Rebuild {
        tool: RebuildTool::HomeManager,
        action: "switch".into(),
    });
    let mut ignored = Vec::new();
    tracker.start(&mut ignored);
    for line in records.lines() {
        tracker.side_record(1, line.as_bytes(), &mut ignored);
    }
    tracker.finish(success, &mut ignored);
    (tracker.progress(), tracker.unknown_records())
}

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod metamorphic;
#[cfg(test)]
mod tests;
