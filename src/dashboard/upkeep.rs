//! What happens by the clock: deadlines of hosts, heartbeats to the store once a second, old runs.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::dashboard::app::AppState;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::store::space::shown;
use crate::dashboard::store::{Store, StoreError};

/// How often heartbeats are written. A crash loses at most that much of "last seen".
const SAVE: Duration = Duration::from_secs(1);
/// How often old runs are looked for.
const PRUNE: Duration = Duration::from_secs(3600);
/// How often the sizes are looked at.
const MEASURE: Duration = Duration::from_secs(60);
/// A log of more bytes is brought into the database whole: while somebody always reads, SQLite only ever appends to it.
const LARGE_WAL: u64 = 64 * 1024 * 1024;

/// What is kept, and how long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Keep {
    /// How long finished runs and events are kept; for ever without.
    pub age: Option<Duration>,
    /// Over so many bytes the output of the oldest finished runs goes; never without.
    pub bytes: Option<u64>,
}

/// Works until `stop`, then saves once more.
pub(super) async fn run(app: AppState, sweep: Duration, keep: Keep, stop: CancellationToken) {
    let every = |period: Duration| {
        let mut timer = interval(period.max(Duration::from_millis(10)));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        timer
    };
    let (mut sweep, mut save) = (every(sweep), every(SAVE));
    let (mut prune, mut measure) = (every(PRUNE), every(MEASURE));
    // A store that is slow must not delay deadlines: saving is a future of its own beside the sweep.
    let saving = async {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = save.tick() => save_beats(&app).await,
            }
        }
        save_beats(&app).await;
    };
    // Nor must the removal of old runs delay heartbeats.
    let tidying = async {
        loop {
            tokio::select! {
                _ = prune.tick() => {
                    if let Some(age) = keep.age {
                        remove_old(&app.store, age).await;
                    }
                }
                _ = measure.tick() => {
                    if let Some(limit) = keep.bytes {
                        shrink(&app.store, limit).await;
                    }
                    bring_in(&app.store).await;
                }
            }
        }
    };
    let sweeping = async {
        loop {
            sweep.tick().await;
            app.fleet.sweep();
        }
    };
    tokio::select! {
        () = saving => {}
        () = tidying => {}
        () = sweeping => {}
    }
}

/// Writes signs of life, and tells the store how its writes go.
async fn save_beats(app: &AppState) {
    let counters = &app.hub.counters;
    app.store.hub_counts(
        counters.commits.load(Relaxed),
        counters.failures.load(Relaxed),
    );
    write_events(&app.fleet, &app.store).await;
    let saved = write_beats(&app.fleet, &app.store).await;
    if !saved && app.store.is_failing() {
        // Nothing more to write, but somebody wants to know whether it works again.
        let _ = app.store.watched(app.store.probe()).await;
    }
}

/// Writes what happened to hosts. What the store does not take waits, up to a limit; nothing else waits for it.
async fn write_events(fleet: &Fleet, store: &Store) {
    loop {
        let (events, ended) = fleet.take_events();
        if events.is_empty() && ended.is_empty() {
            return;
        }
        let done: Result<(), StoreError> = async {
            if !events.is_empty() {
                store.add_host_events(&events).await?;
            }
            if !ended.is_empty() {
                store.end_maintenances(&ended).await?;
            }
            Ok(())
        }
        .await;
        if let Err(error) = done {
            fleet.return_events(events, ended);
            let (waiting, dropped) = fleet.event_counts();
            tracing::error!(
                "what happened to hosts is not stored, and will be tried again: {error}; {waiting} events wait, {dropped} \
                 are lost"
            );
            return;
        }
    }
}

/// Says whether there was anything to write.
async fn write_beats(fleet: &Fleet, store: &Store) -> bool {
    let (beats, events) = fleet.take_unsaved();
    if beats.is_empty() && events.is_empty() {
        return false;
    }
    if let Err(error) = store.watched(store.save_beats(&beats, &events)).await {
        tracing::error!("heartbeats are not stored, and will be tried again: {error}");
        fleet.return_unsaved(&beats, events);
    }
    true
}

async fn remove_old(store: &Store, age: Duration) {
    let before = clock::now().saturating_sub(age.as_millis() as u64);
    let mut n = 0_u64;
    let done: Result<(), StoreError> = async {
        while store.remove_old(before).await? {
            n += 1;
        }
        Ok(())
    }
    .await;
    if n > 0 {
        tracing::info!(
            "removed {n} runs of more than {} days ago",
            age.as_secs() / 86_400
        );
    }
    if let Err(error) = done {
        tracing::error!("old runs are not removed, and will be tried again: {error}");
    }
}

/// Removes the oldest output until the store is below its limit.
async fn shrink(store: &Store, limit: u64) {
    let done: Result<(), StoreError> = async {
        while store.used().await? > limit {
            let Some(run) = store.remove_oldest_output().await? else {
                tracing::warn!(
                    "the store is larger than max_store_gb ({}), and only runs that go on have output left; raise max_store_gb",
                    shown(limit)
                );
                break;
            };
            tracing::info!(%run, "its output is removed, the store is larger than max_store_gb");
        }
        Ok(())
    }
    .await;
    if let Err(error) = done {
        tracing::error!("old output is not removed, and will be tried again: {error}");
    }
}

async fn bring_in(store: &Store) {
    let wal = store.space().wal;
    if wal > LARGE_WAL
        && let Err(error) = store.checkpoint_briefly().await
    {
        tracing::warn!(
            "the log of {} cannot be brought into the database: {error}",
            shown(wal)
        );
    }
}
