//! `backup`: a copy of the store in a file.

use std::path::Path;

use anyhow::Context as _;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::base::shutdown;
use crate::dashboard::config::Settings;
use crate::dashboard::store::backup::backup;
use crate::dashboard::store::space::shown;

/// How a backup becomes the store again.
pub(super) const RESTORE: &str = "To restore a backup:
  1. stop the dashboard;
  2. remove nixfleet.db-wal and nixfleet.db-shm from the data_dir: they belong to the old database and
     would damage the new one; move nixfleet.db away;
  3. copy the backup to nixfleet.db in the data_dir (`install -m 600 -o USER BACKUP DATA_DIR/nixfleet.db`,
     USER being the one that the dashboard runs as);
  4. start the dashboard. Agents send again what they still have and the backup has not.";

pub(super) fn run(settings: &Settings, file: &Path, force: bool) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(async {
            let tasks = TaskTracker::new();
            let stop = shutdown::on_signals(&tasks)?;
            let began = Instant::now();
            let copied = tokio::select! {
                copied = backup(&settings.data_dir, file, force) => copied,
                () = stop.cancelled() => Err(anyhow::anyhow!("stopped; there is no backup")),
            };
            stop.cancel();
            let len = copied.with_context(|| format!("backup to {}", file.display()))?;
            println!(
                "{}: {} in {:.1} s, checked",
                file.display(),
                shown(len),
                began.elapsed().as_secs_f64()
            );
            Ok(())
        })
}
