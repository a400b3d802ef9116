//! What waits goes to the store every few seconds, and once more at the end.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::Recorder;
use super::ladder::{N_RUNGS, RUNGS};
use crate::base::clock::{self, Millis};
use crate::dashboard::store::{Store, StoreError};
use crate::run::id::HostName;

/// How often what is over is written. A crash loses so much, and the ten seconds that are open.
const WRITE: Duration = Duration::from_secs(3);
/// Rows of one transaction: output that is to be committed waits for no more than these.
pub const ROWS: usize = 512;
/// How often what is left of removed hosts is looked for.
const TIDY: Duration = Duration::from_secs(60);
/// How long history is kept unless told otherwise: as long as the ladder reaches.
pub const KEEP: Duration = Duration::from_secs(366 * 86_400);

/// Makes the open buckets again from what is stored, and recalls the last hour. Coarse rungs first: what a finer one closes
/// then comes after it in time.
///
/// # Errors
/// The store cannot be read; what was open is a gap then.
pub async fn restore(recorder: &Recorder, store: &Store, now: Millis) -> Result<(), StoreError> {
    let last = RUNGS[1].bucket(now);
    let recall = |host: &_, minute, stats: &_| recorder.recall(host, minute, stats);
    store
        .each_metric(1, last.saturating_sub(60), recall)
        .await?;
    let open = RUNGS[0].bucket(now);
    for rung in (1..N_RUNGS).rev() {
        refill(recorder, store, rung, open).await?;
    }
    let merge = |host: &_, bucket, stats: &_| recorder.merge(host, 0, bucket, stats);
    store.each_metric(0, open, merge).await
}

/// Merges the finer rung's buckets into `rung` that are in none of its stored buckets yet.
async fn refill(
    recorder: &Recorder,
    store: &Store,
    rung: usize,
    open: u64,
) -> Result<(), StoreError> {
    let (finer, unit) = (RUNGS[rung - 1], RUNGS[rung].step_s);
    // Of some hosts the newest one may not have been written: each has its own.
    let newest = store.newest_metrics(rung).await?.unwrap_or(0);
    let first = newest.saturating_sub(1);
    let mut have: HashMap<HostName, u64> = HashMap::new();
    let note = |host: &HostName, bucket, _: &_| {
        have.insert(host.clone(), bucket);
    };
    store.each_metric(rung, first, note).await?;
    let merge = |host: &HostName, bucket, stats: &_| {
        let coarse = finer.start_s(bucket) / unit;
        let is_new = have.get(host).is_none_or(|have| coarse > *have);
        // The open one is merged when it is over.
        if is_new && (rung > 1 || bucket < open) {
            recorder.merge(host, rung, coarse, stats);
        }
    };
    let from = RUNGS[rung].start_s(first) / finer.step_s;
    store.each_metric(rung - 1, from, merge).await
}

/// Works until `stop`, then writes all that is left.
pub async fn run(recorder: Recorder, store: Store, keep: Duration, stop: CancellationToken) {
    let every = |period| {
        let mut timer = interval(period);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        timer
    };
    let (mut write, mut tidy) = (every(WRITE), every(TIDY));
    let mut failing = false;
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = write.tick() => {
                failing = round(&recorder, &store, clock::now(), keep, failing).await;
            }
            _ = tidy.tick() => {
                if let Err(error) = store.remove_orphaned_metrics().await {
                    tracing::warn!("the history of removed hosts stays for now: {error}");
                }
            }
        }
    }
    recorder.close(clock::now());
    recorder.finish();
    save(&recorder, &store, failing).await;
}

/// Writes what is over at `now`, and removes what is too old. Says whether it could not write; `failing` is what it said the
/// last time.
pub async fn round(
    recorder: &Recorder,
    store: &Store,
    now: Millis,
    keep: Duration,
    failing: bool,
) -> bool {
    recorder.close(now);
    let failing = save(recorder, store, failing).await;
    prune(store, now, keep).await;
    failing
}

/// Writes what waits; what cannot be written goes back. Says whether it could not.
async fn save(recorder: &Recorder, store: &Store, was_failing: bool) -> bool {
    let mut rows = recorder.take();
    // In the order of the table.
    rows.sort_by(|a, b| (a.rung, a.bucket, &a.host).cmp(&(b.rung, b.bucket, &b.host)));
    let mut done = 0;
    for part in rows.chunks(ROWS) {
        match store.save_metrics(part).await {
            Ok(()) => done += part.len(),
            Err(error) => {
                let left = rows.split_off(done);
                let n = left.len();
                let dropped = recorder.put_back(left);
                if !was_failing || dropped > 0 {
                    tracing::error!(
                        "{n} rows of metrics are not stored, and will be tried again; {dropped} older ones are given up: {error}"
                    );
                }
                return true;
            }
        }
    }
    if was_failing && done > 0 {
        tracing::info!("metrics are stored again");
    }
    was_failing && done == 0
}

/// Removes what the ladder does not keep any more.
async fn prune(store: &Store, now: Millis, keep: Duration) {
    for (rung, step) in RUNGS.iter().enumerate() {
        let oldest = step.oldest(now, keep.as_secs());
        if let Err(error) = store.remove_metrics(rung, oldest).await {
            tracing::warn!("old metrics are not removed, and will be tried again: {error}");
            return;
        }
    }
}
