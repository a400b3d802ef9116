//! What happens by the clock: deadlines of hosts, heartbeats to the store once a second, old runs.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::dashboard::app::AppState;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::store::Store;

/// How often heartbeats are written. A crash loses at most that much of "last seen".
const SAVE: Duration = Duration::from_secs(1);
/// How often old runs are looked for.
const PRUNE: Duration = Duration::from_secs(3600);

/// Works until `stop`, then saves once more.
pub(super) async fn run(
    app: AppState,
    sweep: Duration,
    retention: Option<Duration>,
    stop: CancellationToken,
) {
    let every = |period: Duration| {
        let mut timer = interval(period.max(Duration::from_millis(10)));
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        timer
    };
    let (mut sweep, mut save, mut prune) = (every(sweep), every(SAVE), every(PRUNE));
    // A store that is slow must not delay deadlines: saving is a future of its own beside the sweep.
    let saving = async {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = save.tick() => save_beats(&app.fleet, &app.store).await,
                _ = prune.tick() => {
                    if let Some(retention) = retention {
                        remove_old(&app.store, retention).await;
                    }
                }
            }
        }
        save_beats(&app.fleet, &app.store).await;
    };
    let sweeping = async {
        loop {
            sweep.tick().await;
            app.fleet.sweep();
        }
    };
    tokio::select! {
        () = saving => {}
        () = sweeping => {}
    }
}

async fn save_beats(fleet: &Fleet, store: &Store) {
    let (beats, events) = fleet.take_unsaved();
    if beats.is_empty() && events.is_empty() {
        return;
    }
    if let Err(error) = store.save_beats(&beats, &events).await {
        tracing::error!("heartbeats are not stored, and will be tried again: {error}");
        fleet.return_unsaved(&beats, events);
    }
}

async fn remove_old(store: &Store, retention: Duration) {
    let before = clock::now().saturating_sub(retention.as_millis() as u64);
    match store.prune(before).await {
        Ok(0) => {}
        Ok(n) => tracing::info!("removed {n} old runs"),
        Err(error) => tracing::error!("old runs are not removed: {error}"),
    }
}
