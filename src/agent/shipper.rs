//! Ships the journals of all kept runs over one connection, in order and without holes.
//!
//! It waits for three things at once: a word of the dashboard, a place in the socket's queue, and news from the journals.
//! Only one batch is in memory at a time. When the socket does not move it waits; the journals are on disk.

mod pace;
mod shipment;
mod status;
pub mod v2;
mod window;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_tungstenite::tungstenite::Bytes;

use crate::agent::runs::{Kept, Runs};
use crate::run::id::{RunId, Seq};
use crate::wire::to_agent::{FlushInterval, RunAck};
use shipment::Shipment;
use window::Window;

pub use status::report;

/// Words of the dashboard that may wait for the shipper. It takes them at once, so more than a few mean that it is stuck.
pub const MAX_WORDS: usize = 64;
/// The most runs whose intervals are remembered before they are kept here: one may be told of before it has started.
const MAX_INTERVALS: usize = 64;

/// What the dashboard says of records.
#[derive(Debug)]
pub enum Word {
    /// It has them.
    Ack(RunAck),
    /// How long they may wait.
    Flush(FlushInterval),
}

/// Ships until the connection's queues are gone. `resume` says what the dashboard has.
pub async fn ship(
    runs: Arc<Runs>,
    resume: Vec<RunAck>,
    mut words: mpsc::Receiver<Word>,
    output: mpsc::Sender<Bytes>,
) {
    let mut changes = runs.changes();
    let resume: HashMap<RunId, Seq> = resume.into_iter().map(|ack| (ack.run, ack.seq)).collect();
    for (run, seq) in &resume {
        runs.acknowledged(*run, *seq).await;
    }
    let mut window = Window::default();
    let mut intervals = Intervals::default();
    let mut shipments: Vec<Shipment> = Vec::new();
    renew(&mut shipments, runs.kept(), &resume, &intervals);
    loop {
        let now = Instant::now();
        let due = |shipment: &Shipment| shipment.due().unwrap_or(now);
        // The first one that may go now, else the one that is the first to be due.
        let waiting = shipments
            .iter()
            .enumerate()
            .filter(|(_, shipment)| shipment.more);
        let next = waiting.min_by_key(|(_, shipment)| due(shipment).max(now));
        let (next, due) = match next.filter(|_| window.room() > 0) {
            Some((index, shipment)) if due(shipment) <= now => (Some(index), None),
            Some((_, shipment)) => (None, Some(due(shipment))),
            None => (None, None),
        };
        tokio::select! {
            biased;
            word = words.recv() => match word {
                Some(Word::Ack(ack)) => acknowledge(&runs, &mut shipments, &mut window, ack).await,
                Some(Word::Flush(flush)) => {
                    intervals.set(flush);
                    for shipment in shipments.iter_mut().filter(|shipment| shipment.run == flush.run) {
                        shipment.pace.set(flush.ms);
                    }
                }
                None => return,
            },
            changed = changes.changed() => {
                if changed.is_err() {
                    return;
                }
                renew(&mut shipments, runs.kept(), &resume, &intervals);
            }
            permit = output.reserve(), if next.is_some() => {
                let (Ok(permit), Some(index)) = (permit, next) else { return };
                let shipment = &mut shipments[index];
                let Some((frame, batch)) = shipment.next_frame(window.batch()).await else {
                    continue;
                };
                runs.until_seen(shipment.run, batch.0).await;
                shipment.pace.sent();
                window.sent(shipment.run, batch.0, batch.1);
                permit.send(frame);
            }
            () = sleep_until(due.unwrap_or(now)), if due.is_some() => {}
        }
    }
}

/// Intervals by run, the newest ones.
#[derive(Debug, Default)]
struct Intervals(VecDeque<FlushInterval>);

impl Intervals {
    fn set(&mut self, flush: FlushInterval) {
        self.0.retain(|known| known.run != flush.run);
        if self.0.len() >= MAX_INTERVALS {
            self.0.pop_front();
        }
        self.0.push_back(flush);
    }

    fn of(&self, run: RunId) -> Option<u32> {
        let known = self.0.iter().find(|known| known.run == run)?;
        Some(known.ms)
    }
}

/// Brings the list up to date: new runs, runs that are gone, and more records in those that are still written.
fn renew(
    shipments: &mut Vec<Shipment>,
    kept: Vec<Kept>,
    resume: &HashMap<RunId, Seq>,
    intervals: &Intervals,
) {
    shipments.retain(|shipment| kept.iter().any(|kept| kept.run == shipment.run));
    for kept in kept {
        if let Some(shipment) = shipments
            .iter_mut()
            .find(|shipment| shipment.run == kept.run)
        {
            shipment.renew(&kept);
        } else {
            let mut shipment = Shipment::new(&kept, resume.get(&kept.run).copied());
            if let Some(ms) = intervals.of(kept.run) {
                shipment.pace.set(ms);
            }
            shipments.push(shipment);
        }
    }
}

async fn acknowledge(runs: &Runs, shipments: &mut [Shipment], window: &mut Window, ack: RunAck) {
    window.acknowledged(ack.run, ack.seq);
    if let Some(shipment) = shipments
        .iter_mut()
        .find(|shipment| shipment.run == ack.run)
    {
        shipment.acknowledged(&ack);
        if ack.rewind {
            tracing::info!(
                "run {}: the dashboard asks for what comes after record {}",
                ack.run,
                ack.seq
            );
            window.forget(ack.run);
        }
    }
    runs.acknowledged(ack.run, ack.seq).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_intervals_are_remembered() {
        let mut intervals = Intervals::default();
        let runs: Vec<RunId> = (0..=MAX_INTERVALS).map(|_| RunId::new()).collect();
        for run in &runs {
            intervals.set(FlushInterval { run: *run, ms: 1 });
        }
        intervals.set(FlushInterval {
            run: runs[1],
            ms: 2,
        });
        assert_eq!(intervals.0.len(), MAX_INTERVALS);
        assert_eq!(intervals.of(runs[0]), None);
        assert_eq!(intervals.of(runs[1]), Some(2));
    }
}
