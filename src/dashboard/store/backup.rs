//! A copy of the store, as of one moment, also while a dashboard writes.
//!
//! `VACUUM INTO` reads in one transaction: whoever writes goes on, into the log, which is brought in after the copy is done.
//! The copy has no free pages inside and no log.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use super::file::{NAME, companion, inspect};
use super::open::{identify, reading};

/// Where a copy grows; removed unless it became the backup.
#[derive(Debug)]
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        // Renamed, or never made.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Copies the store of `dir` to `target`, and answers the copy's length in bytes. `target` is there only when the copy is
/// whole, checked and on the disk; dropping the future leaves nothing.
///
/// # Errors
/// There is no database, `target` exists and `replace` is false, it cannot be written, or the copy is damaged.
pub async fn backup(dir: &Path, target: &Path, replace: bool) -> anyhow::Result<u64> {
    let path = dir.join(NAME);
    anyhow::ensure!(
        inspect(&path)?,
        "{}: there is no database to copy; write the data_dir in which it is",
        path.display()
    );
    refuse_existing(target, replace)?;
    let part = Part(companion(target, &format!(".part-{}", std::process::id())));
    let _ = std::fs::remove_file(&part.0);
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&part.0)
        .with_context(|| {
            format!(
                "{}: cannot write there; make the directory, or write another file",
                part.0.display()
            )
        })?;
    let name = part
        .0
        .to_str()
        .context("the backup's name is no text; write another one")?;
    let mut source = SqliteConnection::connect_with(&reading(&path))
        .await
        .with_context(|| format!("opening {}", path.display()))?;
    identify(&mut source, &path).await?;
    sqlx::query("VACUUM INTO ?1")
        .bind(name)
        .execute(&mut source)
        .await
        .map_err(super::StoreError::from)
        .with_context(|| {
            format!(
                "copying {} to {}; is there room for a copy?",
                path.display(),
                target.display()
            )
        })?;
    source.close().await?;
    verify(&part.0).await?;
    file.sync_all()
        .with_context(|| format!("writing {} to the disk", part.0.display()))?;
    let len = file
        .metadata()
        .context("asking for the copy's length")?
        .len();
    refuse_existing(target, replace)?;
    std::fs::rename(&part.0, target)
        .with_context(|| format!("naming the copy {}", target.display()))?;
    let parent = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))
        .and_then(|dir| dir.sync_all())
        .with_context(|| format!("writing the name {} to the disk", target.display()))?;
    Ok(len)
}

fn refuse_existing(target: &Path, replace: bool) -> anyhow::Result<()> {
    anyhow::ensure!(
        !target.is_dir(),
        "{}: this is a directory; write the name of a file in it",
        target.display()
    );
    anyhow::ensure!(
        replace || target.symlink_metadata().is_err(),
        "{}: this file is there already; write another name, or --force to replace it",
        target.display()
    );
    Ok(())
}

/// Reads the whole copy. What is damaged here was damaged in the store too, or the disk lies.
async fn verify(part: &Path) -> anyhow::Result<()> {
    let mut copy = SqliteConnection::connect_with(&reading(part).immutable(true)).await?;
    identify(&mut copy, part).await?;
    let found: String = sqlx::query("PRAGMA integrity_check(1)")
        .fetch_one(&mut copy)
        .await?
        .try_get(0)?;
    copy.close().await?;
    anyhow::ensure!(
        found == "ok",
        "the copy is damaged: {found}; `nixfleet-dashboard doctor` says whether the store itself is"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::store::{Store, sample};
    use crate::run::phase::RunState;

    #[tokio::test]
    async fn a_copy_is_whole_private_and_a_store() {
        use std::os::unix::fs::PermissionsExt as _;
        let (dir, store) = sample::store().await;
        let run = sample::run(&store, RunState::Succeeded, 1, &[b"one\n", b"two\n"]).await;
        let away = tempfile::tempdir().unwrap();
        let file = away.path().join(NAME);
        let len = backup(dir.path(), &file, false).await.unwrap();
        let metadata = file.metadata().unwrap();
        assert_eq!(metadata.len(), len);
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(away.path()).unwrap().count(), 1);
        let error = backup(dir.path(), &file, false).await.unwrap_err();
        assert!(error.to_string().contains("--force"), "{error}");
        // What is written after the copy is not in it.
        sample::run(&store, RunState::Succeeded, 1, &[b"three\n"]).await;
        let copy = Store::open(away.path()).await.unwrap();
        assert_eq!(sample::whole(&copy, run).await.0, b"one\ntwo\n");
        let n: i64 = sqlx::query_scalar("SELECT count(*) FROM runs")
            .fetch_one(&copy.readers)
            .await
            .unwrap();
        assert_eq!(n, 1);
        copy.close().await;
        backup(dir.path(), &file, true).await.unwrap();
        let copy = Store::open(away.path()).await.unwrap();
        assert!(
            copy.doctor()
                .await
                .iter()
                .all(|finding| finding.level < crate::dashboard::store::check::Level::Error)
        );
    }

    #[tokio::test]
    async fn what_cannot_be_copied_leaves_nothing() {
        let (dir, store) = sample::store().await;
        let away = tempfile::tempdir().unwrap();
        let file = away.path().join("backup");
        let error = backup(away.path(), &file, false).await.unwrap_err();
        assert!(
            error.to_string().contains("there is no database"),
            "{error}"
        );
        let error = backup(dir.path(), away.path(), true).await.unwrap_err();
        assert!(error.to_string().contains("is a directory"), "{error}");
        let error = backup(dir.path(), &away.path().join("no/backup"), true)
            .await
            .unwrap_err();
        assert!(error.to_string().contains("make the directory"), "{error}");
        store.close().await;
        std::fs::write(dir.path().join(NAME), "rubbish").unwrap();
        backup(dir.path(), &file, false).await.unwrap_err();
        assert_eq!(std::fs::read_dir(away.path()).unwrap().count(), 0);
    }
}
