//! Events of one run that the store may not have. The agent cannot send them again, so they are kept over a failed commit.

use std::collections::VecDeque;

use crate::dashboard::hub::draft::Changed;
use crate::dashboard::store::commit::OutputStep;
use crate::run::event::RunEvent;
use crate::run::id::Seq;
use crate::wire::api::MarkedLines;

/// The most bytes of output of one run that wait for the store; what is more than this is a gap.
const MAX_WAITING: usize = 4 * 1024 * 1024;
/// The most events of one run that wait before output and progress are not taken any more.
const MAX_STEPS: usize = 10_000;

#[derive(Debug)]
struct Step {
    seq: Seq,
    event: RunEvent,
    raw: Vec<u8>,
    marked: Vec<MarkedLines>,
}

/// The events, in order.
#[derive(Debug)]
pub(super) struct Steps {
    newest: Seq,
    queue: VecDeque<Step>,
    n_bytes: usize,
}

impl Steps {
    /// After the events that the store has.
    pub fn after(stored: Seq) -> Self {
        Self {
            newest: stored,
            queue: VecDeque::new(),
            n_bytes: 0,
        }
    }

    /// Whether so many bytes of output have no place.
    pub fn is_full(&self, n_bytes: usize) -> bool {
        self.n_bytes + n_bytes > MAX_WAITING || self.queue.len() >= MAX_STEPS
    }

    /// Adds an event, with the output that stands beside it and what is said of its lines.
    pub fn push(&mut self, event: RunEvent, raw: Vec<u8>, marked: Vec<MarkedLines>) {
        self.newest = self.newest.next();
        self.n_bytes += raw.len();
        self.queue.push_back(Step {
            seq: self.newest,
            event,
            raw,
            marked,
        });
    }

    /// The store has all up to `stored`.
    pub fn forget(&mut self, stored: Seq) {
        while self.queue.front().is_some_and(|step| step.seq <= stored) {
            if let Some(step) = self.queue.pop_front() {
                self.n_bytes -= step.raw.len();
            }
        }
    }

    /// Whether there is nothing that the store does not have.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// Puts into `changed` what it does not have.
    pub fn write(&self, changed: &mut Changed) {
        for step in &self.queue {
            let row = &mut changed.track.row;
            if step.seq > row.last_seq {
                row.last_seq = step.seq;
                row.notes.queued_until = None;
                changed.apply(step.event.clone(), &step.raw);
                let marked = step.marked.iter().cloned().map(OutputStep::Mark);
                changed.added.steps.extend(marked);
            }
        }
    }
}
