//! Whether the output here is the one that the host read: checksum and measures are compared at each checkpoint and at
//! the end. Output that is not is set aside, and all of it asked for again, once in a run's life.

use super::draft::Changed;
use super::sanitize::{self, MAX_OUTPUT, sanitized};
use crate::dashboard::store::commit::OutputStep;
use crate::dashboard::store::output::chunk::Gap;
use crate::dashboard::store::output::{OutputEnd, Sizes};
use crate::dashboard::store::runs::{Ahead, Aside, Notes};
use crate::run::event::RunEvent;
use crate::run::id::Seq;
use crate::run::phase::RunState;
use crate::run::view::RunView;
use crate::wire::record::Record;

/// What a host says its output measures.
#[derive(Debug, Clone, Copy)]
struct Measures {
    bytes: u64,
    lines: u64,
    crc32c: u32,
}

impl Changed {
    /// Takes a record that may come next. Answers whether the host is to send all of them again.
    pub(super) fn take(&mut self, record: Record) -> bool {
        let Record { seq, event, raw } = record;
        self.track.row.notes.queued_until = None;
        let again = if self.track.is_over() {
            false
        } else {
            match event {
                RunEvent::Checkpoint {
                    at,
                    offset,
                    lines,
                    crc32c,
                    view,
                } => {
                    let measures = Measures {
                        bytes: offset,
                        lines,
                        crc32c,
                    };
                    self.checkpoint(seq, at, measures, *view)
                }
                RunEvent::Finished { .. } => self.finished(seq, event),
                event => {
                    self.apply(event, &raw);
                    false
                }
            }
        };
        if !again {
            self.track.row.last_seq = seq;
            self.track.forget_overtaken();
        }
        again
    }

    /// What the records before add up to; after a hole, what is known of it.
    fn checkpoint(&mut self, seq: Seq, at: u64, host: Measures, mut view: RunView) -> bool {
        sanitize::view(&mut view);
        let row = &self.track.row;
        let (bytes, lines) = (self.track.end.bytes, self.track.end.lines);
        if seq == row.last_seq.next() {
            if let Some(why) = self.differs(host) {
                return self.doubt(
                    Ahead {
                        last_seq: seq,
                        view,
                    },
                    why,
                );
            }
            self.track.row.notes.crc32c = Some(host.crc32c);
            return false;
        }
        let gap = Gap {
            bytes: host.bytes.saturating_sub(bytes),
            lines: host.lines.saturating_sub(lines),
            reason: format!(
                "the journal's limit: {} lines, {} bytes were given up on the host",
                host.lines.saturating_sub(lines),
                host.bytes.saturating_sub(bytes)
            ),
        };
        // Lines of builds' logs may have been among what is gone.
        self.track.row.notes.build_logs_cut = true;
        if host.bytes < bytes
            || host.lines < lines
            || gap.lines > gap.bytes
            || host.bytes > MAX_OUTPUT
        {
            let why = format!(
                "after a hole, the host counts {} bytes and {} lines where {bytes} bytes and {lines} lines are stored",
                host.bytes, host.lines
            );
            return self.doubt(
                Ahead {
                    last_seq: seq,
                    view,
                },
                why,
            );
        }
        if gap.bytes > 0 {
            let track = &mut self.track;
            self.added.gap(&mut track.end, &mut track.sizes, at, &gap);
        }
        let row = &mut self.track.row;
        if view.state.is_terminal() || view.state == RunState::Queued {
            view.state = row.view.state;
            view.outcome = None;
            view.finished_at = None;
        }
        row.notes.crc32c = Some(host.crc32c);
        row.view = RunView {
            lines: host.lines,
            bytes: host.bytes,
            bytes_missing: row.view.bytes_missing + gap.bytes,
            recovered: row.view.recovered || view.recovered,
            ..view
        };
        false
    }

    /// The last record: only output that is all here and the same is the run's output.
    fn finished(&mut self, seq: Seq, event: RunEvent) -> bool {
        let Some(event) = sanitized(event, &self.track.row.view) else {
            return false;
        };
        let RunEvent::Finished {
            lines,
            bytes,
            crc32c,
            ..
        } = event
        else {
            return false;
        };
        let host = Measures {
            bytes,
            lines,
            crc32c,
        };
        let missing = self.track.row.view.bytes_missing;
        let why = self.differs(host);
        if let Some(why) = &why {
            let mut view = self.track.row.view.clone();
            view.apply(&event, 0);
            if self.doubt(
                Ahead {
                    last_seq: seq,
                    view,
                },
                why.clone(),
            ) {
                return true;
            }
        }
        let notes = &mut self.track.row.notes;
        notes.verified = match why {
            Some(_) => Some(false),
            None if missing == 0 => notes.crc32c.map(|_| true),
            None => None,
        };
        // If the host no longer has all of it, what came first is more.
        if missing > 0 {
            self.take_back();
        } else if notes.aside.take().is_some() {
            self.added.flush(&mut self.track.sizes);
            self.added.steps.push(OutputStep::DropAside);
        }
        let (end, row) = (&self.track.end, &mut self.track.row);
        if row.notes.verified != Some(false) {
            row.notes.doubt = None;
        }
        row.view.apply(&event, 0);
        row.view.lines = end.lines;
        row.view.bytes = end.bytes;
        row.view.bytes_missing += bytes.saturating_sub(end.bytes);
        false
    }

    /// Puts the output that was set aside, if any, in the place of a second copy that is not complete.
    pub(super) fn take_back(&mut self) {
        let track = &mut self.track;
        let Some(first) = track.row.notes.aside.take() else {
            return;
        };
        track.row.notes.verified = Some(false);
        track.row.notes.crc32c = first.crc32c;
        track.row.view.lines = first.lines;
        track.row.view.bytes = first.bytes;
        track.row.view.bytes_missing = 0;
        track.end = OutputEnd {
            bytes: first.bytes,
            lines: first.lines,
            ..OutputEnd::default()
        };
        track.sizes = Sizes::default();
        self.added.restart(OutputStep::TakeBack);
    }

    /// In what the output here is not what the host says it is.
    fn differs(&self, host: Measures) -> Option<String> {
        let (end, own) = (&self.track.end, self.track.row.notes.crc32c);
        if (end.bytes, end.lines) != (host.bytes, host.lines) {
            return Some(format!(
                "the host counts {} bytes and {} lines of output, {} bytes and {} lines are stored",
                host.bytes, host.lines, end.bytes, end.lines
            ));
        }
        own.filter(|own| *own != host.crc32c).map(|own| {
            format!(
                "the stored output is not what the host read: its checksum is {own:08x}, the host's {:08x}",
                host.crc32c
            )
        })
    }

    /// The output is not trusted. Sets it aside to begin again, and answers so; or notes it, where that was done before
    /// or the host is known to have lost some.
    fn doubt(&mut self, ahead: Ahead, why: String) -> bool {
        let track = &mut self.track;
        let row = &mut track.row;
        tracing::error!(run = %row.id, host = %row.host, "{why}");
        if row.notes.aside.is_some() || row.view.bytes_missing > 0 {
            row.notes.doubt.get_or_insert(why);
            return false;
        }
        row.notes = Notes {
            doubt: Some(why),
            aside: Some(Aside {
                bytes: track.end.bytes,
                lines: track.end.lines,
                crc32c: row.notes.crc32c,
            }),
            ahead: match row.notes.ahead.take() {
                Some(newer) if newer.last_seq > ahead.last_seq => Some(newer),
                _ => Some(ahead),
            },
            learnt: row.notes.learnt,
            percent: row.notes.percent,
            ..Notes::new()
        };
        row.view = RunView {
            state: RunState::Starting,
            recovered: row.view.recovered,
            ..RunView::default()
        };
        row.last_seq = Seq(0);
        self.added.flush(&mut track.sizes);
        (track.end, track.sizes) = (OutputEnd::default(), Sizes::default());
        self.added.restart(OutputStep::SetAside);
        true
    }
}
