//! What is new, for whoever watches: only what is committed.
//!
//! Nothing waits for a reader. A run's tip is a value that readers look at when they can; the lines behind it come from
//! the last few in memory or from the store. A reader of the fleet that falls behind is told so and starts from a whole picture.

mod tip;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use crate::run::id::{HostName, RunId};
use crate::wire::api::{LogLine, Run};

pub use tip::Tip;

/// The most changes that a reader of the fleet may fall behind.
const CHANGES: usize = 1024;
/// The most recent lines of a watched run that are kept in memory.
const RECENT_LINES: usize = 2000;
/// The most bytes of them.
const RECENT_BYTES: usize = 512 * 1024;

/// What changed in the fleet. The reader looks up how it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A host.
    Host(HostName),
    /// A run, with the position of its event in the store, if it was a transition.
    Run(RunId, Option<u64>),
    /// A host is gone.
    Removed(HostName),
    /// Alerts.
    Alerts,
}

/// A live run, as its readers see it.
#[derive(Debug)]
pub struct Channel {
    tip: watch::Sender<Tip>,
    recent: Mutex<Recent>,
}

#[derive(Debug, Default)]
struct Recent {
    lines: VecDeque<LogLine>,
    bytes: usize,
}

impl Channel {
    /// The lines from number `from` on, at most `limit`, if memory has that one.
    pub fn recent(&self, from: u64, limit: usize) -> Option<Vec<LogLine>> {
        let recent = lock(&self.recent);
        if from < recent.lines.front()?.n || from > recent.lines.back()?.n {
            return None;
        }
        let skip = recent.lines.partition_point(|line| line.n < from);
        Some(
            recent
                .lines
                .iter()
                .skip(skip)
                .take(limit)
                .cloned()
                .collect(),
        )
    }

    fn push(&self, lines: Vec<LogLine>) {
        let mut recent = lock(&self.recent);
        for line in lines {
            // A jump means that nobody watched for a while: what is before it would hide the hole.
            if recent.lines.back().is_some_and(|last| last.n + 1 != line.n) {
                *recent = Recent::default();
            }
            recent.bytes += line.text.len();
            recent.lines.push_back(line);
        }
        while recent.lines.len() > RECENT_LINES || recent.bytes > RECENT_BYTES {
            let Some(line) = recent.lines.pop_front() else {
                break;
            };
            recent.bytes -= line.text.len();
        }
    }
}

/// The front of all that is live. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Live {
    runs: Arc<Mutex<HashMap<RunId, Arc<Channel>>>>,
    changes: broadcast::Sender<Change>,
    /// Counts the transitions of runs, for who would not be woken by each heartbeat.
    transitions: watch::Sender<u64>,
    reading: Arc<Reading>,
}

/// The runs whose readers came or left since somebody asked.
#[derive(Debug, Default)]
struct Reading {
    runs: Mutex<HashSet<RunId>>,
    wake: Notify,
}

/// Says that a reader of a run has left, once the fields before it are gone.
#[derive(Debug)]
struct Leaving {
    run: RunId,
    reading: Arc<Reading>,
}

impl Reading {
    fn note(&self, run: RunId) {
        lock(&self.runs).insert(run);
        self.wake.notify_one();
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.reading.note(self.run);
    }
}

/// A reader of a live run.
#[derive(Debug)]
pub struct Reader {
    /// The run.
    pub channel: Arc<Channel>,
    /// How it stands.
    pub tips: watch::Receiver<Tip>,
    /// After `tips`: fields go in their order.
    _leaving: Leaving,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            runs: Arc::default(),
            changes: broadcast::Sender::new(CHANGES),
            transitions: watch::Sender::new(0),
            reading: Arc::default(),
        }
    }
}

impl Live {
    /// Changes in the fleet from now on.
    pub fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }

    /// How many listen to [`Self::changes`].
    pub fn readers(&self) -> usize {
        self.changes.receiver_count()
    }

    /// Changes whenever a run comes into another state.
    pub fn transitions(&self) -> watch::Receiver<u64> {
        self.transitions.subscribe()
    }

    /// Says what changed.
    pub fn changed(&self, change: Change) {
        if matches!(change, Change::Run(_, Some(_))) {
            self.transitions.send_modify(|n| *n += 1);
        }
        // Nobody listening is fine.
        let _ = self.changes.send(change);
    }

    /// A new reader of a live run; none if it is not live.
    pub fn watch(&self, run: RunId) -> Option<Reader> {
        let channel = Arc::clone(lock(&self.runs).get(&run)?);
        let tips = channel.tip.subscribe();
        self.reading.note(run);
        Some(Reader {
            channel,
            tips,
            _leaving: Leaving {
                run,
                reading: Arc::clone(&self.reading),
            },
        })
    }

    /// Waits until readers of runs come or leave. May wake without.
    pub async fn reader_changes(&self) {
        self.reading.wake.notified().await;
    }

    /// The runs whose readers came or left.
    pub fn take_reader_changes(&self) -> HashSet<RunId> {
        std::mem::take(&mut lock(&self.reading.runs))
    }

    /// A live run as it is now.
    pub fn run(&self, run: RunId) -> Option<Arc<Run>> {
        let channel = Arc::clone(lock(&self.runs).get(&run)?);
        let run = channel.tip.borrow().now();
        Some(run)
    }

    /// Whether anybody watches that run.
    pub fn is_watched(&self, run: RunId) -> bool {
        lock(&self.runs)
            .get(&run)
            .is_some_and(|channel| channel.tip.receiver_count() > 0)
    }

    /// Shows how a run stands now, and its newest `lines` if they were put together for readers.
    pub fn publish(&self, tip: Tip, lines: Vec<LogLine>) {
        let (id, over) = (tip.run.id, tip.over);
        let channel = {
            let mut runs = lock(&self.runs);
            let channel = runs.entry(id).or_insert_with(|| {
                Arc::new(Channel {
                    tip: watch::Sender::new(tip.clone()),
                    recent: Mutex::default(),
                })
            });
            let channel = Arc::clone(channel);
            if over {
                runs.remove(&id);
            }
            channel
        };
        channel.push(lines);
        channel.tip.send_replace(tip);
    }

    /// Ends the channel of a run that is no more, and so the streams of its readers, who hold on to it.
    pub fn forget(&self, run: RunId) {
        if let Some(channel) = lock(&self.runs).remove(&run) {
            channel.tip.send_modify(|tip| tip.over = true);
        }
    }
}

/// A lock that a panic elsewhere does not take away: the values behind it are whole at every step.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::tip::tests::tip;
    use super::*;

    fn line(n: u64, text: &str) -> LogLine {
        LogLine {
            n,
            at: String::new(),
            text: text.into(),
        }
    }

    fn channel() -> Channel {
        Channel {
            tip: watch::Sender::new(tip()),
            recent: Mutex::default(),
        }
    }

    #[tokio::test]
    async fn readers_of_a_run_that_is_no_more_are_told() {
        let (live, tip) = (Live::default(), tip());
        let run = tip.run.id;
        live.publish(tip, Vec::new());
        let mut reader = live.watch(run).unwrap();
        live.forget(run);
        let told = tokio::time::timeout(std::time::Duration::from_secs(5), reader.tips.changed());
        told.await.expect("silence").unwrap();
        assert!(reader.tips.borrow().over);
        assert!(live.watch(run).is_none());
    }

    #[test]
    fn recent_lines_are_contiguous_and_bounded() {
        let channel = channel();
        assert_eq!(channel.recent(1, 10), None);
        channel.push(vec![line(1, "a"), line(2, "b")]);
        assert_eq!(channel.recent(2, 10).unwrap(), [line(2, "b")]);
        assert_eq!(channel.recent(1, 1).unwrap(), [line(1, "a")]);
        assert_eq!(channel.recent(3, 10), None);
        channel.push(vec![line(9, "z")]);
        assert_eq!(channel.recent(2, 10), None, "lines 3 to 8 are not here");
        channel.push((10..5000).map(|n| line(n, "x")).collect());
        assert_eq!(channel.recent(4999 - 2000, 10), None);
        assert_eq!(channel.recent(4999 - 1999, 5000).unwrap().len(), 2000);
        let long = "y".repeat(RECENT_BYTES);
        channel.push(vec![line(5000, &long), line(5001, "end")]);
        assert_eq!(channel.recent(5000, 10), None);
        assert_eq!(channel.recent(5001, 10).unwrap().len(), 1);
    }
}
