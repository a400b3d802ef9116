//! What happened in the fleet, one row a transition.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, int, parsed, uint};
use crate::base::clock::Millis;
use crate::run::id::{HostName, RunId};

/// A transition that is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// When, by the dashboard's clock.
    pub at: Millis,
    /// Of which host.
    pub host: HostName,
    /// Of which run; none for the host's own.
    pub run: Option<RunId>,
    /// The new status or state: `online`, `succeeded`, …
    pub what: &'static str,
}

/// A stored transition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredEvent {
    /// Its position.
    pub id: u64,
    /// When, by the dashboard's clock.
    pub at: Millis,
    /// Of which host.
    pub host: HostName,
    /// Of which run; none for the host's own.
    pub run: Option<RunId>,
    /// The new status or state.
    pub what: String,
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    event: &NewEvent,
) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "INSERT INTO events (at, kind, hostname, run_id, what) VALUES (?1, ?2, ?3, ?4, ?5)",
    )
    .bind(int(event.at))
    .bind(if event.run.is_some() { "run" } else { "host" })
    .bind(event.host.as_str())
    .bind(event.run.map(|run| run.to_string()))
    .bind(event.what)
    .execute(connection)
    .await?;
    Ok(done.last_insert_rowid().unsigned_abs())
}

impl Store {
    /// The position of the newest event; 0 without any.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn last_event(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT coalesce(max(id), 0) AS id FROM events")
            .fetch_one(&self.readers)
            .await?;
        uint(&row, "id")
    }

    /// The newest events of a host and of its runs, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn newest_events(
        &self,
        host: &HostName,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at, hostname, run_id, what FROM events WHERE hostname = ?1 ORDER BY id DESC LIMIT ?2",
        )
        .bind(host.as_str())
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// The events after position `after`, at most `limit`, of one host or of all.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn events_after(
        &self,
        after: u64,
        host: Option<&HostName>,
        limit: u32,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at, hostname, run_id, what FROM events
             WHERE id > ?1 AND (?2 IS NULL OR hostname = ?2) ORDER BY id LIMIT ?3",
        )
        .bind(int(after))
        .bind(host.map(HostName::as_str))
        .bind(limit)
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(from_row).collect()
    }
}

fn from_row(row: &SqliteRow) -> Result<StoredEvent, StoreError> {
    let run: Option<&str> = row.try_get("run_id")?;
    Ok(StoredEvent {
        id: uint(row, "id")?,
        at: uint(row, "at")?,
        host: parsed(row, "hostname")?,
        run: run.map(|_| parsed(row, "run_id")).transpose()?,
        what: row.try_get("what")?,
    })
}
