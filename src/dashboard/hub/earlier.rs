//! What earlier runs took, looked up beside the hub's own work: no output waits for it.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::dashboard::eta::Usual;
use crate::dashboard::history::usual::usual;
use crate::dashboard::store::Store;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::RunId;

/// The most lookups that wait; what a further run takes is told by its builds alone.
const MAX_WAITING: usize = 4096;
/// Lookups at the same time: the other connections of the store's readers are for people.
const AT_ONCE: usize = 2;

/// A run, and what the earlier ones of its command took on its host.
pub(super) type Found = (RunId, Usual);

/// The lookups that go on.
#[derive(Debug)]
pub(super) struct Lookups {
    tasks: JoinSet<Option<Found>>,
    room: Arc<Semaphore>,
}

impl Default for Lookups {
    fn default() -> Self {
        Self {
            tasks: JoinSet::new(),
            room: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Lookups {
    /// Begins to look up what is known for a run.
    pub fn begin(&mut self, store: &Store, row: &RunRow) {
        if self.tasks.len() >= MAX_WAITING {
            return;
        }
        let (store, room) = (store.clone(), Arc::clone(&self.room));
        let (run, host, command) = (row.id, row.host.clone(), row.command.clone());
        self.tasks.spawn(async move {
            let _room = room.acquire_owned().await.ok()?;
            let runs = store.finished_well(&host, &command).await;
            let runs = runs.inspect_err(|error| {
                tracing::warn!(%run, "earlier runs are not known to tell its end from: {error}");
            });
            Some((run, usual(&runs.ok()?)?))
        });
    }

    /// How many there are.
    #[cfg(test)]
    pub fn waiting(&self) -> usize {
        self.tasks.len()
    }

    /// What the next one finds that finds something. None if there is none.
    pub async fn next(&mut self) -> Option<Found> {
        loop {
            if let Ok(Some(found)) = self.tasks.join_next().await? {
                return Some(found);
            }
        }
    }

    /// The same without waiting: what those that are done have found.
    pub fn done(&mut self) -> Vec<Found> {
        let done = std::iter::from_fn(|| self.tasks.try_join_next());
        done.filter_map(Result::ok).flatten().collect()
    }
}
