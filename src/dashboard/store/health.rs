//! What the last writes say of the store: a disk that is full or a lock that somebody holds is found where it happens, and
//! told to whoever asks.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::file::APPLICATION_ID;
use super::space::shown;
use super::{Store, StoreError};

/// A write that waits for longer is a fault, though it may still succeed.
const SLOW: Duration = Duration::from_secs(3);
/// A failed commit counts for so long unless one succeeded since: whoever failed may not have tried again.
const REMEMBERED: Duration = Duration::from_secs(30);
/// With less room a failed commit needs no other explanation.
const FULL: u64 = 8 * 1024 * 1024;

/// See the module's text.
#[derive(Debug, Default)]
pub struct Health(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Since when a write of the upkeep goes on.
    writing: Option<Instant>,
    /// Why its last one failed.
    failed: Option<String>,
    /// Commits and failures of the hub, as they were last seen.
    seen: (u64, u64),
    /// When the hub was last seen to fail, unless it succeeded since.
    hub_failed: Option<Instant>,
}

impl Health {
    fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        // Plain values: nothing can be half changed.
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store {
    /// Watches one write of the upkeep, which comes every second while there is anything to write.
    pub(in crate::dashboard) async fn watched<T>(
        &self,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.health
            .with(|state| state.writing = Some(Instant::now()));
        let done = write.await;
        let failed = done.as_ref().err().map(ToString::to_string);
        self.health.with(|state| {
            state.writing = None;
            state.failed = failed;
        });
        done
    }

    /// Takes the hub's counts of commits and failures, once a second.
    pub(in crate::dashboard) fn hub_counts(&self, commits: u64, failures: u64) {
        self.health.with(|state| {
            let (before, failed_before) = std::mem::replace(&mut state.seen, (commits, failures));
            if failures > failed_before {
                state.hub_failed = Some(Instant::now());
            } else if commits > before {
                state.hub_failed = None;
            }
        });
    }

    /// Whether the upkeep's last write failed.
    pub(in crate::dashboard) fn is_failing(&self) -> bool {
        self.health.with(|state| state.failed.is_some())
    }

    /// Writes what is there already: whether the store takes a write again.
    ///
    /// # Errors
    /// It does not.
    pub(in crate::dashboard) async fn probe(&self) -> Result<(), StoreError> {
        sqlx::query(&format!("PRAGMA application_id = {APPLICATION_ID}"))
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// What is wrong with writing, if anything is.
    pub fn fault(&self) -> Option<String> {
        let (waiting, failed, hub_failed) = self.health.with(|state| {
            let waiting = state.writing.map(|since| since.elapsed());
            let hub_failed = state.hub_failed.is_some_and(|at| at.elapsed() < REMEMBERED);
            (waiting, state.failed.clone(), hub_failed)
        });
        if failed.is_some() {
            return failed;
        }
        if hub_failed {
            let space = self.space();
            // A disk whose size is not known is not taken for a full one.
            return Some(if space.free < FULL && space.disk > 0 {
                format!(
                    "the last commit failed: the disk is full, {} are free; free some space in data_dir",
                    shown(space.free)
                )
            } else {
                "the last commit failed; the dashboard's log says why".to_owned()
            });
        }
        waiting
            .filter(|time| *time > SLOW)
            .map(|time| format!(
                "a write has been waiting for {} s; another process may keep the database locked (`fuser nixfleet.db` names it)",
                time.as_secs()
            ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_failed_commit_is_told_until_one_succeeds_or_nobody_tries() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        store.probe().await.unwrap();
        tokio::time::pause();
        store.hub_counts(5, 0);
        assert_eq!(store.fault(), None);
        store.hub_counts(5, 1);
        assert!(store.fault().unwrap().contains("the last commit failed"));
        store.hub_counts(6, 2);
        assert!(store.fault().is_some(), "one succeeded, one failed");
        store.hub_counts(7, 2);
        assert_eq!(store.fault(), None);
        store.hub_counts(7, 3);
        tokio::time::advance(REMEMBERED).await;
        assert_eq!(store.fault(), None);
        let failing = async {
            Err::<(), _>(StoreError::Unreadable {
                what: "a thing".into(),
                why: "a reason".into(),
            })
        };
        store.watched(failing).await.unwrap_err();
        assert!(store.is_failing());
        assert!(store.fault().unwrap().contains("a reason"));
        store.watched(async { Ok(()) }).await.unwrap();
        assert_eq!(store.fault(), None);
        let slow = store.watched(async {
            tokio::time::sleep(SLOW * 2).await;
            Ok(())
        });
        tokio::select! {
            done = slow => done.unwrap(),
            () = tokio::time::sleep(SLOW + Duration::from_secs(1)) => {
                assert!(store.fault().unwrap().contains("waiting for 4 s"));
            }
        }
    }
}
