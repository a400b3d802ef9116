//! What an event changes in a run.

use super::draft::Changed;
use super::output::Written;
use super::sanitize::sanitized;
use super::track::Track;
use crate::dashboard::store::build_logs::BuildLines;
use crate::dashboard::store::commit::OutputStep;
use crate::dashboard::store::output::chunk::Gap;
use crate::run::event::RunEvent;

impl Changed {
    /// Takes one record's event.
    pub(super) fn apply(&mut self, event: RunEvent, raw: &[u8]) {
        let Track {
            row, end, sizes, ..
        } = &mut self.track;
        if row.view.state.is_terminal() {
            return;
        }
        let Some(event) = sanitized(event, &row.view) else {
            tracing::warn!(run = %row.id, seq = %row.last_seq, "an impossible event is ignored");
            return;
        };
        match &event {
            RunEvent::Output {
                at,
                lines,
                tail_skip,
                ..
            } => {
                let written = Written {
                    at: *at,
                    marks: lines,
                    tail_skip: *tail_skip,
                    raw,
                };
                self.added.output(end, sizes, &written);
                let sum = &mut row.notes.crc32c;
                *sum = sum.map(|sum| crc32c::crc32c_append(sum, raw));
            }
            RunEvent::Built { builds, .. } => self.learn(builds),
            RunEvent::Gap {
                at,
                bytes,
                lines,
                reason,
                ..
            } => {
                let gap = Gap {
                    bytes: *bytes,
                    lines: *lines,
                    reason: reason.clone(),
                };
                self.added.gap(end, sizes, *at, &gap);
                row.notes.crc32c = None;
            }
            RunEvent::BuildLog {
                name,
                drv,
                first,
                lines,
                rest_dropped,
                ..
            } => self.added.steps.push(OutputStep::Build(BuildLines {
                name: name.clone(),
                drv: drv.clone(),
                first: *first,
                lines: lines.clone(),
                rest_dropped: *rest_dropped,
            })),
            _ => {}
        }
        self.heard = Some(event.at());
        self.track.row.view.apply(&event, raw.len() as u64);
    }
}
