//! Everything that outlives the process. The only place with SQL; one method per thing that the domain does.
//!
//! SQLite in WAL mode: one connection writes, several read. A commit is on the disk (`synchronous = FULL`) before anybody
//! hears of it, so that what was acknowledged survives a power cut.

pub mod access;
pub mod agent_keys;
pub mod alerts;
pub mod backup;
pub mod baselines;
pub mod build_logs;
pub mod build_times;
pub mod check;
pub mod commit;
pub mod deliveries;
pub mod events;
mod fault;
pub mod file;
pub mod health;
pub mod host_absence;
pub mod host_events;
pub mod hosts;
mod last_used;
pub mod lock;
pub mod metrics;
mod open;
pub mod output;
pub mod push_keys;
pub mod retention;
pub mod runs;
#[cfg(test)]
pub(crate) mod sample;
pub mod space;
mod totp;
mod v2_lines;
mod values;

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use sqlx::Row;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::sqlite::{SqlitePool, SqliteRow};

/// The schema, step by step. An applied step is never edited; a test pins each one's hash.
const MIGRATIONS: [(i64, &str, &str); 13] = [
    (1, "fleet", include_str!("store/migrations/0001_fleet.sql")),
    (
        2,
        "access",
        include_str!("store/migrations/0002_access.sql"),
    ),
    (3, "runs", include_str!("store/migrations/0003_runs.sql")),
    (
        4,
        "build times",
        include_str!("store/migrations/0004_build_times.sql"),
    ),
    (
        5,
        "build logs",
        include_str!("store/migrations/0005_build_logs.sql"),
    ),
    (
        6,
        "metrics",
        include_str!("store/migrations/0006_metrics.sql"),
    ),
    (
        7,
        "host events",
        include_str!("store/migrations/0007_host_events.sql"),
    ),
    (
        8,
        "alerts",
        include_str!("store/migrations/0008_alerts.sql"),
    ),
    (
        9,
        "push keys",
        include_str!("store/migrations/0009_push_keys.sql"),
    ),
    (
        10,
        "agent keys",
        include_str!("store/migrations/0010_agent_keys.sql"),
    ),
    (
        11,
        "token expiry",
        include_str!("store/migrations/0011_token_expiry.sql"),
    ),
    (12, "v2", include_str!("store/migrations/0012_v2.sql")),
    (13, "totp", include_str!("store/migrations/0013_totp.sql")),
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
    #[error("the database: {}", fault::words(.0))]
    Database(sqlx::Error),
    /// What lies in its place is not this program's database, or cannot be used.
    #[error(transparent)]
    File(#[from] file::FileError),
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
    /// The data directory.
    dir: Arc<Path>,
    /// What the last writes said.
    health: Arc<health::Health>,
}

impl Store {
    /// Whether the store answers a read.
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

    /// Waits for running statements, brings the log into the database and closes all connections.
    pub async fn close(&self) {
        self.readers.close().await;
        // The last connection would do it by itself, but `token create` or a backup may have one too.
        if let Err(error) = self.checkpoint().await {
            tracing::warn!("the log stays beside the database until the next start: {error}");
        }
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
