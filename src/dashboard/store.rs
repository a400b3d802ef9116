//! Everything that outlives the process. The only place with SQL; one method per thing that the domain does.
//!
//! SQLite in WAL mode: one connection writes, several read. A commit is on the disk (`synchronous = FULL`) before anybody
//! hears of it, so that what was acknowledged survives a power cut.

pub mod access;
pub mod commit;
pub mod events;
pub mod hosts;
pub mod output;
pub mod runs;

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use sqlx::Row;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};

/// Connections that read.
const READERS: u32 = 4;
/// How long a statement waits for a lock that another process holds (`nixfleet-dashboard token create`).
const BUSY: Duration = Duration::from_secs(10);
/// How long a request waits for a free connection.
const ACQUIRE: Duration = Duration::from_secs(10);

/// The schema, step by step. An applied step is never edited; a test pins each one's hash.
const MIGRATIONS: [(i64, &str, &str); 2] = [
    (1, "fleet", include_str!("store/migrations/0001_fleet.sql")),
    (
        2,
        "access",
        include_str!("store/migrations/0002_access.sql"),
    ),
];

fn migrator() -> Migrator {
    let migrations = MIGRATIONS.map(|(version, description, sql)| {
        Migration::new(
            version,
            Cow::Borrowed(description),
            MigrationType::Simple,
            Cow::Borrowed(sql),
            false,
        )
    });
    Migrator {
        migrations: Cow::Owned(migrations.to_vec()),
        ..Migrator::DEFAULT
    }
}

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the database: {0}")]
    Database(#[from] sqlx::Error),
    /// The schema cannot be brought up to date.
    #[error("the database's schema: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value that this program cannot read.
    #[error("the database holds {what} that cannot be read: {why}")]
    Unreadable {
        /// Which value.
        what: String,
        /// Why.
        why: String,
    },
}

/// The dashboard's store.
#[derive(Debug, Clone)]
pub struct Store {
    /// One connection: SQLite has one writer at a time, and a queue in the pool is fairer than its busy loop.
    writer: SqlitePool,
    readers: SqlitePool,
}

impl Store {
    /// Opens the database `nixfleet.db` in `data_dir`, and makes or updates its schema.
    ///
    /// # Errors
    /// The directory or file cannot be written, the file is no database, or it is of a later version.
    pub async fn open(data_dir: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(data_dir.join("nixfleet.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(ACQUIRE)
            .connect_with(options.clone())
            .await?;
        migrator().run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(ACQUIRE)
            .connect_with(options.read_only(true))
            .await?;
        Ok(Self { writer, readers })
    }

    /// Whether the store answers a read and could take a write.
    ///
    /// # Errors
    /// It does not.
    pub async fn check(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Keeps every write waiting until the answer is dropped.
    #[cfg(test)]
    pub(crate) async fn hold_writer(&self) -> sqlx::pool::PoolConnection<sqlx::Sqlite> {
        self.writer.acquire().await.unwrap()
    }

    /// Waits for running statements and closes all connections.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A number for the database. SQLite's integers are signed; what is too large is the largest.
fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A number from the database.
fn uint(row: &SqliteRow, column: &str) -> Result<u64, StoreError> {
    let number: i64 = row.try_get(column)?;
    u64::try_from(number).map_err(|_| StoreError::Unreadable {
        what: format!("a {column}"),
        why: format!("{number} is negative"),
    })
}

/// A parsed value from a text column.
fn parsed<T>(row: &SqliteRow, column: &str) -> Result<T, StoreError>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    let text: &str = row.try_get(column)?;
    text.parse()
        .map_err(|error: T::Err| StoreError::Unreadable {
            what: format!("a {column}"),
            why: error.to_string(),
        })
}

/// A JSON value from a text column.
fn json<T: serde::de::DeserializeOwned>(row: &SqliteRow, column: &str) -> Result<T, StoreError> {
    let text: &str = row.try_get(column)?;
    serde_json::from_str(text).map_err(|error| StoreError::Unreadable {
        what: format!("a {column}"),
        why: error.to_string(),
    })
}

/// JSON for a text column.
fn to_json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::Unreadable {
        what: "a value to be stored".into(),
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests;
