//! Hosts: who they said they are, their last sign of life, and an operator's note.

use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::events::{self, NewEvent};
use super::values::{parts, values};
use super::{Store, StoreError, int, json, parsed, to_json, uint};
use crate::base::clock::Millis;
use crate::run::id::HostName;
use crate::wire::to_dashboard::{Heartbeat, Register};

/// A stored host.
#[derive(Debug, Clone, PartialEq)]
pub struct HostRow {
    /// Its name.
    pub host: HostName,
    /// Its last `register`; none if it was only named by an operator.
    pub register: Option<Register>,
    /// Its last heartbeat.
    pub heartbeat: Option<Heartbeat>,
    /// When that came, by the dashboard's clock.
    pub last_seen_at: Option<Millis>,
    /// The status that was last written.
    pub status: Option<String>,
    /// An operator's note.
    pub comment: String,
    /// An operator's words for it.
    pub tags: Vec<String>,
}

/// A host's newest sign of life.
#[derive(Debug, Clone, PartialEq)]
pub struct Beat {
    /// Whose.
    pub host: HostName,
    /// What it said; none if only the status changed.
    pub heartbeat: Option<Arc<Heartbeat>>,
    /// When, by the dashboard's clock.
    pub last_seen_at: Option<Millis>,
    /// The status now.
    pub status: &'static str,
}

fn from_row(row: &SqliteRow) -> Result<HostRow, StoreError> {
    let has = |column: &str| -> Result<bool, StoreError> {
        Ok(row.try_get::<Option<&str>, _>(column)?.is_some())
    };
    Ok(HostRow {
        host: parsed(row, "hostname")?,
        register: has("register")?
            .then(|| json(row, "register"))
            .transpose()?,
        heartbeat: has("heartbeat")?
            .then(|| json(row, "heartbeat"))
            .transpose()?,
        last_seen_at: row
            .try_get::<Option<i64>, _>("last_seen_at")?
            .map(|_| uint(row, "last_seen_at"))
            .transpose()?,
        status: row.try_get("status")?,
        comment: row.try_get("comment")?,
        tags: json(row, "tags")?,
    })
}

/// Keeps what a host said of itself, and what an operator noted.
pub(super) async fn upsert(
    connection: &mut SqliteConnection,
    host: &HostName,
    register: &Register,
    now: Millis,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO hosts (hostname, register, created_at) VALUES (?1, ?2, ?3)
         ON CONFLICT (hostname) DO UPDATE SET register = excluded.register",
    )
    .bind(host.as_str())
    .bind(to_json(register)?)
    .bind(int(now))
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// All hosts, by name.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn hosts(&self) -> Result<Vec<HostRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT hostname, register, heartbeat, last_seen_at, status, comment, tags FROM hosts ORDER BY hostname",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter().map(from_row).collect()
    }

    /// Makes a host known by name, or replaces its note.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn comment_host(
        &self,
        host: &HostName,
        comment: &str,
        now: Millis,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO hosts (hostname, created_at, comment) VALUES (?1, ?2, ?3)
             ON CONFLICT (hostname) DO UPDATE SET comment = excluded.comment",
        )
        .bind(host.as_str())
        .bind(int(now))
        .bind(comment)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Replaces an operator's words for a host. Says whether the host is known.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn tag_host(&self, host: &HostName, tags: &[String]) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE hosts SET tags = ?2 WHERE hostname = ?1")
            .bind(host.as_str())
            .bind(to_json(&tags)?)
            .execute(&self.writer)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes a host with its runs and their output. Says whether it was there.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn delete_host(&self, host: &HostName) -> Result<bool, StoreError> {
        let mut write = self.writer.begin().await?;
        sqlx::query("DELETE FROM host_events WHERE hostname = ?1")
            .bind(host.as_str())
            .execute(&mut *write)
            .await?;
        let done = sqlx::query("DELETE FROM hosts WHERE hostname = ?1")
            .bind(host.as_str())
            .execute(&mut *write)
            .await?;
        write.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// Writes the signs of life of many hosts and the transitions that came with them, in one transaction.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn save_beats(&self, beats: &[Beat], events: &[NewEvent]) -> Result<u64, StoreError> {
        // Few statements for all of them: a thousand hosts a second cost no thousand round trips.
        let mut write = self.writer.begin().await?;
        for part in parts(beats) {
            let text = format!(
                "WITH new (host, heartbeat, last_seen_at, status) AS ({})
                 UPDATE hosts SET
                   heartbeat = coalesce(new.heartbeat, hosts.heartbeat),
                   last_seen_at = coalesce(new.last_seen_at, hosts.last_seen_at),
                   status = new.status
                 FROM new WHERE hosts.hostname = new.host",
                values(part.len(), 4)
            );
            let mut query = sqlx::query(&text);
            for beat in part {
                let heartbeat = beat.heartbeat.as_deref().map(to_json).transpose()?;
                query = query
                    .bind(beat.host.as_str())
                    .bind(heartbeat)
                    .bind(beat.last_seen_at.map(int))
                    .bind(beat.status);
            }
            query.execute(&mut *write).await?;
        }
        let mut last = 0;
        for event in events {
            last = events::insert(&mut write, event).await?;
        }
        write.commit().await?;
        Ok(last)
    }
}
