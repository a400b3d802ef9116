//! Journals that the dashboard has stay for a while, for whoever looks at the host, and go by age and size. One that it does
//! not have stays, whatever its age and size.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::agent::journal::MIN_JOURNAL_MAX;
use crate::agent::run_dir::RunDir;
use crate::base::clock;
use crate::run::id::RunId;

/// How often is looked for journals that have become old.
pub const EVERY: Duration = Duration::from_secs(3600);

/// How long and how large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// How long a journal stays after its end was acknowledged.
    pub time: Duration,
    /// The most bytes of all runs' directories together. Only acknowledged ones are deleted for it.
    pub bytes: u64,
}

impl Default for Keep {
    /// A day and 2 GiB.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(24 * 3600),
            bytes: 2 * 1024 * 1024 * 1024,
        }
    }
}

/// What is on the disk of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stored {
    run: RunId,
    /// When its end was acknowledged, in milliseconds since the epoch; none while it is not.
    acknowledged: Option<u64>,
    bytes: u64,
}

/// The runs to delete: those that are older, and then the oldest ones until all together are no more than `keep` allows.
fn doomed(stored: &[Stored], keep: Keep, now: u64) -> Vec<RunId> {
    let mut all: u64 = stored.iter().map(|one| one.bytes).sum();
    let mut acknowledged: Vec<_> = stored
        .iter()
        .filter_map(|one| Some((one.acknowledged?, one.run, one.bytes)))
        .collect();
    acknowledged.sort_unstable();
    let oldest = now.saturating_sub(keep.time.as_millis() as u64);
    let mut doomed = Vec::new();
    for (at, run, bytes) in acknowledged {
        if at < oldest || keep.time.is_zero() || all > keep.bytes {
            all -= bytes;
            doomed.push(run);
        }
    }
    doomed
}

/// The dashboard has all of a run. It is not registered or shipped any more, and is deleted in time. That there is no
/// such run is no error: it was deleted before.
///
/// # Errors
/// The run cannot be marked, nor deleted instead.
pub fn release(state_dir: &Path, run: RunId, keep: Keep) -> anyhow::Result<()> {
    let Some(dir) = RunDir::list(state_dir)?
        .into_iter()
        .find(|dir| dir.run_id() == Some(run))
    else {
        return Ok(());
    };
    if let Err(error) = dir.acknowledge(clock::now()) {
        // On a full disk it goes at once: it has served its purpose, and its space is wanted.
        tracing::warn!("{error:#}");
        dir.remove()?;
    }
    prune(state_dir, keep)
}

/// Whether the dashboard has all of the run.
pub fn is_acknowledged(dir: &RunDir) -> bool {
    dir.acknowledged().is_some()
}

/// Deletes what is old or too much.
///
/// # Errors
/// The directory of the runs cannot be read.
pub fn prune(state_dir: &Path, keep: Keep) -> anyhow::Result<()> {
    let dirs = RunDir::list(state_dir)?;
    let stored: Vec<Stored> = dirs.iter().filter_map(look).collect();
    let doomed = doomed(&stored, keep, clock::now());
    for dir in dirs {
        let Some(run) = dir.run_id().filter(|run| doomed.contains(run)) else {
            continue;
        };
        match dir.remove() {
            Ok(()) => tracing::debug!("run {run}: acknowledged, and its journal deleted"),
            Err(error) => tracing::warn!("{error:#}"),
        }
    }
    Ok(())
}

/// Makes room for a new run whose journal should have at most `wanted` bytes, and answers how many it may have: fewer if
/// journals that are not acknowledged leave fewer, but never less than what makes sense.
///
/// # Errors
/// The directory of the runs cannot be read.
pub fn make_room(state_dir: &Path, keep: Keep, wanted: u64) -> anyhow::Result<u64> {
    let stored: Vec<Stored> = RunDir::list(state_dir)?.iter().filter_map(look).collect();
    let most = room(&stored, keep, wanted);
    let bytes = keep.bytes.saturating_sub(most);
    prune(state_dir, Keep { bytes, ..keep })?;
    Ok(most)
}

fn room(stored: &[Stored], keep: Keep, wanted: u64) -> u64 {
    let fixed: u64 = stored
        .iter()
        .filter(|one| one.acknowledged.is_none())
        .map(|one| one.bytes)
        .sum();
    wanted
        .min(keep.bytes.saturating_sub(fixed))
        .max(MIN_JOURNAL_MAX)
}

fn look(dir: &RunDir) -> Option<Stored> {
    let run = dir.run_id()?;
    let acknowledged = dir.acknowledged();
    let files = fs::read_dir(dir.path()).ok()?;
    let bytes = files
        .filter_map(|file| file.ok()?.metadata().ok())
        .map(|found| found.len())
        .sum();
    Some(Stored {
        run,
        acknowledged,
        bytes,
    })
}

#[cfg(test)]
mod tests;
