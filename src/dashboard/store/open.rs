//! Opening the store, or making it: a database that is there is looked at before it is changed.

use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Row as _};

use super::file::{self, APPLICATION_ID, FileError, NAME};
use super::space::pragma;
use super::{MIGRATIONS, Store, StoreError, migrator};

/// Connections that read.
const READERS: u32 = 4;
/// How long a statement waits for a lock that another process holds (`nixfleet-dashboard token create`).
const BUSY: Duration = Duration::from_secs(5);
/// How long commits may wait for a log to be brought in.
const BRIEF: Duration = Duration::from_millis(500);
/// How long a request waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(10);
/// The log is brought into the database when it has so many pages, 4 MiB of them.
const CHECKPOINT_PAGES: &str = "1000";
/// A log that grew beyond this, because somebody read for long, is cut when it begins anew.
const WAL_KEEP: &str = "67108864";
/// A larger database is not read whole at each start: only what the dashboard itself stands on, not the output of runs.
const CHECKED_WHOLE: i64 = 256 * 1024 * 1024;

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
        .pragma("journal_size_limit", WAL_KEEP)
}

/// Connections that are free of transactions.
///
/// When SQLite itself ends a transaction, as it does on a full disk, sqlx goes on counting it: its next one is a savepoint,
/// and when one of those fails, a transaction stays open in which all later "commits" would be nothing of the kind. Such a
/// connection must not come back.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        // Each is tested when it comes back, below.
        .test_before_acquire(false)
        .after_release(|connection, _| {
            Box::pin(async move {
                // A rollback may still be on its way to the connection's thread; this comes after it.
                connection.ping().await?;
                Ok(!connection.is_in_transaction())
            })
        })
}

/// How a database is opened that must not be changed, also beside a running dashboard.
pub(super) fn reading(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .busy_timeout(BUSY)
}

impl Store {
    /// Opens the database `nixfleet.db` in `data_dir`, and makes or updates its schema. What is damaged, cut off, another
    /// program's or of a later version is left as it is.
    ///
    /// # Errors
    /// The directory or file cannot be written, or the file is no database of this program.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let path = data_dir.join(NAME);
        if file::inspect(&path)? {
            file::check_writable(&path)?;
            look(&path).await?;
        } else {
            make(&path).await?;
        }
        let writer = pool(1)
            .connect_with(options(&path))
            .await
            .map_err(|error| unopened(&path, error))?;
        migrator().run(&writer).await?;
        let mut connection = writer.acquire().await?;
        if pragma(&mut connection, "application_id").await? == 0 {
            mark(&mut connection).await?;
        }
        drop(connection);
        let readers = pool(READERS)
            .connect_with(options(&path).read_only(true))
            .await?;
        Ok(Self {
            writer,
            readers,
            dir: data_dir.into(),
            health: Arc::default(),
        })
    }

    /// Brings the whole log into the database and cuts it to nothing, unless somebody reads from it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn checkpoint(&self) -> Result<(), StoreError> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&self.writer)
            .await?;
        Ok(())
    }

    /// The same while the dashboard works: gives up soon when somebody reads from the log.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(in crate::dashboard) async fn checkpoint_briefly(&self) -> Result<(), StoreError> {
        let mut writer = self.writer.acquire().await?;
        let brief = BRIEF.as_millis();
        sqlx::query(&format!("PRAGMA busy_timeout = {brief}"))
            .execute(&mut *writer)
            .await?;
        let done = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut *writer)
            .await;
        let usual = BUSY.as_millis();
        sqlx::query(&format!("PRAGMA busy_timeout = {usual}"))
            .execute(&mut *writer)
            .await?;
        done?;
        Ok(())
    }
}

/// Makes an empty database beside `path` and gives it the name when it is whole, so that a start that is cut off leaves
/// none or a good one. For its owner only: it holds password hashes, and the directory may be open to others.
async fn make(path: &Path) -> Result<(), StoreError> {
    let part = file::companion(path, &format!(".new-{}", uuid::Uuid::new_v4()));
    let made = fill(&part, path).await;
    for leftover in ["", "-wal", "-shm"] {
        // Gone already, or never made.
        let _ = std::fs::remove_file(file::companion(&part, leftover));
    }
    made
}

async fn fill(part: &Path, path: &Path) -> Result<(), StoreError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let refused = |why| file::not_writable(dir, why);
    let empty = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(part)
        .map_err(refused)?;
    let owner = std::fs::metadata(dir).map_err(refused)?;
    // Root's `token create` before the service's first start must not lock the service out. SQLite gives its companions
    // the same owner and permissions.
    if owner.uid() != empty.metadata().map_err(refused)?.uid() {
        std::os::unix::fs::fchown(&empty, Some(owner.uid()), Some(owner.gid())).map_err(refused)?;
    }
    // A connection of its own, not a pool: its close waits until SQLite has closed the file. SQLite knows files by their
    // inode, under whatever name. Were it still open when `empty` is closed, which gives up all locks of this process on
    // the file, the connections to come would rely on a lock that is gone, and the next `token create` would take itself
    // for the only user and remove the log.
    let mut connection = SqliteConnection::connect_with(&options(part)).await?;
    migrator().run_direct(&mut connection).await?;
    mark(&mut connection).await?;
    connection.close().await?;
    empty.sync_all().map_err(refused)?;
    match std::fs::hard_link(part, path) {
        // Somebody else was quicker, with the same.
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        linked => linked.map_err(refused)?,
    }
    let dir = std::fs::File::open(dir).map_err(refused)?;
    Ok(dir.sync_all().map_err(refused)?)
}

/// Writes whose database it is into its header.
async fn mark(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    sqlx::query(&format!("PRAGMA application_id = {APPLICATION_ID}"))
        .execute(connection)
        .await?;
    Ok(())
}

/// Looks at a database that is there, and leaves it as it is.
async fn look(path: &Path) -> Result<(), StoreError> {
    let mut connection = SqliteConnection::connect_with(&reading(path))
        .await
        .map_err(|error| unopened(path, error))?;
    identify(&mut connection, path).await?;
    quick_check(&mut connection, path).await?;
    connection.close().await?;
    Ok(())
}

/// The newest schema that this program knows.
pub(super) fn newest() -> i64 {
    MIGRATIONS.iter().map(|step| step.0).max().unwrap_or(0)
}

/// Whose database it is. Answers its schema's version.
pub(super) async fn identify(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<i64, StoreError> {
    let damaged = |error| unopened(path, error);
    let tables = sqlx::query("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
        .fetch_all(&mut *connection)
        .await
        .map_err(damaged)?;
    let mut names = Vec::new();
    for table in &tables {
        names.push(table.try_get::<String, _>(0)?);
    }
    if !names.iter().any(|name| name == "_sqlx_migrations") {
        let whose = format!("its tables: {}", names.join(", "));
        let path = path.to_owned();
        return Err(FileError::Foreign { path, whose }.into());
    }
    let found: i64 = sqlx::query("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut *connection)
        .await
        .map_err(damaged)?
        .try_get(0)?;
    if found > newest() {
        return Err(FileError::Newer {
            path: path.to_owned(),
            found,
            known: newest(),
        }
        .into());
    }
    Ok(found)
}

/// Looks for damage: in all of a database of up to [`CHECKED_WHOLE`], else in all but the output of runs.
async fn quick_check(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let pages = pragma(connection, "page_count").await?;
    let size = pages.saturating_mul(pragma(connection, "page_size").await?);
    let parts: &[&str] = if size <= CHECKED_WHOLE {
        &[""]
    } else {
        &[
            "('hosts')",
            "('runs')",
            "('events')",
            "('users')",
            "('api_tokens')",
            "('sessions')",
        ]
    };
    for part in parts {
        let found: String = sqlx::query(&format!("PRAGMA quick_check{part}"))
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| unopened(path, error))?
            .try_get(0)?;
        if found != "ok" {
            return Err(damaged(path, &found));
        }
    }
    Ok(())
}

/// SQLite's finding as one line.
fn damaged(path: &Path, what: &str) -> StoreError {
    let words: Vec<_> = what.split_whitespace().collect();
    let mut what = words.join(" ");
    if let Some((cut, _)) = what.char_indices().nth(200) {
        what.truncate(cut);
        what.push('…');
    }
    let path = path.to_owned();
    FileError::Damaged { path, what }.into()
}

/// An error while opening: damage is named as such.
fn unopened(path: &Path, error: sqlx::Error) -> StoreError {
    let error = StoreError::from(error);
    if error.is_damage()
        && let StoreError::Database(sqlx::Error::Database(said)) = &error
    {
        return damaged(path, said.message());
    }
    error
}
