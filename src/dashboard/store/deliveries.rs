//! What is to be told, on which channel, in which order, and what became of it.

mod queue;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError, int, to_json, uint};
use crate::base::clock::Millis;

pub(super) use queue::{bound, insert, recover};

/// The most deliveries that wait, of all channels together.
pub const MAX_QUEUED: i64 = 10_000;
/// What is said of deliveries for which there was no room.
pub const NO_ROOM: &str = "dropped: more than 10000 deliveries were waiting";
/// What is said of those whose alert was over before quiet hours were.
pub const PASSED: &str = "not told: it was over before the quiet hours were";
/// What is said of those whose channel is gone.
pub const NO_CHANNEL: &str = "given up: the channel is no longer in the configuration";

/// Something that is to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct NewDelivery {
    /// The id that its receiver sees, a UUID.
    pub delivery: String,
    /// On which channel.
    pub channel: String,
    /// `firing` or `recovered`.
    pub event: &'static str,
    /// What, JSON.
    pub message: String,
    /// When it was made.
    pub created_at: Millis,
    /// Not before this.
    pub not_before: Millis,
}

/// Something that waits to be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its place in the order.
    pub id: u64,
    /// The id that its receiver sees.
    pub delivery: String,
    /// What, JSON.
    pub message: String,
    /// When it could first be told.
    pub not_before: Millis,
    /// Whether that is the end of quiet hours. Without them it may be told at once, whatever a clock says that was set.
    pub is_quiet: bool,
    /// Failed tries so far.
    pub attempts: u32,
    /// Not tried again before this.
    pub next_at: Millis,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The alert.
    pub alert: String,
    /// The channel.
    pub channel: String,
    /// `firing` or `recovered`.
    pub event: String,
    /// The id that its receiver sees.
    pub delivery: String,
    /// `queued`, `sent`, `failed` or `dropped`.
    pub state: String,
    /// Failed tries.
    pub attempts: u32,
    /// When it was over.
    pub done_at: Option<Millis>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// How a channel does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChannelFigures {
    /// Deliveries that wait.
    pub queued: u64,
    /// When one last arrived.
    pub last_sent_at: Option<Millis>,
    /// What went wrong with the one whose turn it is, or with the last one that was given up.
    pub last_error: Option<String>,
    /// Deliveries that were given up.
    pub failed: u64,
}

/// How a delivery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End<'a> {
    /// The receiver has it.
    Sent,
    /// It is given up.
    Failed(&'a str),
}

fn millis(row: &SqliteRow, column: &str) -> Result<Option<Millis>, StoreError> {
    let found: Option<i64> = row.try_get(column)?;
    found.map(|_| uint(row, column)).transpose()
}

fn small(row: &SqliteRow, column: &str) -> Result<u32, StoreError> {
    Ok(u32::try_from(uint(row, column)?).unwrap_or(u32::MAX))
}

impl Store {
    /// The delivery whose turn it is on a channel; none while nothing waits. Without one that may be told by now, the one
    /// that may be told first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn next_delivery(
        &self,
        channel: &str,
        now: Millis,
    ) -> Result<Option<Delivery>, StoreError> {
        let row = sqlx::query(
            "SELECT id, delivery, message, not_before, not_before > created_at AS is_quiet, attempts, next_at FROM deliveries
             WHERE channel = ?1 AND state = 'queued'
             ORDER BY max(iif(not_before > created_at, not_before, 0), ?2), id LIMIT 1",
        )
        .bind(channel)
        .bind(int(now))
        .fetch_optional(&self.readers)
        .await?;
        row.map(|row| {
            Ok(Delivery {
                id: uint(&row, "id")?,
                delivery: row.try_get("delivery")?,
                message: row.try_get("message")?,
                not_before: uint(&row, "not_before")?,
                is_quiet: row.try_get("is_quiet")?,
                attempts: small(&row, "attempts")?,
                next_at: uint(&row, "next_at")?,
            })
        })
        .transpose()
    }

    /// A try failed; the next one is not before `next_at`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn put_off_delivery(
        &self,
        id: u64,
        next_at: Millis,
        why: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE deliveries SET attempts = attempts + 1, next_at = ?2, error = ?3 WHERE id = ?1 AND state = 'queued'",
        )
        .bind(int(id))
        .bind(int(next_at))
        .bind(why)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// A delivery is over.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn end_delivery(&self, id: u64, end: End<'_>, now: Millis) -> Result<(), StoreError> {
        let (state, error) = match end {
            End::Sent => ("sent", None),
            End::Failed(why) => ("failed", Some(why)),
        };
        sqlx::query(
            "UPDATE deliveries SET state = ?2, done_at = ?3, error = ?4, attempts = attempts + (?2 = 'failed') WHERE id = ?1",
        )
        .bind(int(id))
        .bind(state)
        .bind(int(now))
        .bind(error)
        .execute(&self.writer)
        .await?;
        Ok(())
    }

    /// Gives up what waits for channels that are none of `channels`. Answers how many there were.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn abandon_channels(
        &self,
        channels: &[String],
        now: Millis,
    ) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "UPDATE deliveries SET state = 'failed', done_at = ?1, error = ?2
             WHERE state = 'queued' AND channel NOT IN (SELECT value FROM json_each(?3))",
        )
        .bind(int(now))
        .bind(NO_CHANNEL)
        .bind(to_json(&channels)?)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected())
    }

    /// What became of what was told of these alerts, in order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn deliveries_of(&self, alerts: &[String]) -> Result<Vec<DeliveryRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT alert_id, channel, event, delivery, state, attempts, done_at, error FROM deliveries
             WHERE alert_id IN (SELECT value FROM json_each(?1)) ORDER BY id",
        )
        .bind(to_json(&alerts)?)
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(DeliveryRow {
                    alert: row.try_get("alert_id")?,
                    channel: row.try_get("channel")?,
                    event: row.try_get("event")?,
                    delivery: row.try_get("delivery")?,
                    state: row.try_get("state")?,
                    attempts: small(row, "attempts")?,
                    done_at: millis(row, "done_at")?,
                    error: row.try_get("error")?,
                })
            })
            .collect()
    }

    /// How a channel does.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn channel_figures(&self, channel: &str) -> Result<ChannelFigures, StoreError> {
        let row = sqlx::query(
            "SELECT (SELECT count(*) FROM deliveries WHERE channel = ?1 AND state = 'queued') AS queued,
                    (SELECT count(*) FROM deliveries WHERE channel = ?1 AND state = 'failed') AS failed,
                    (SELECT max(done_at) FROM deliveries WHERE channel = ?1 AND state = 'sent') AS last_sent_at,
                    coalesce(
                      (SELECT error FROM deliveries WHERE channel = ?1 AND state = 'queued' AND attempts > 0 ORDER BY id LIMIT 1),
                      (SELECT error FROM deliveries WHERE channel = ?1 AND state = 'failed' ORDER BY done_at DESC LIMIT 1)
                    ) AS last_error",
        )
        .bind(channel)
        .fetch_one(&self.readers)
        .await?;
        Ok(ChannelFigures {
            queued: uint(&row, "queued")?,
            failed: uint(&row, "failed")?,
            last_sent_at: millis(&row, "last_sent_at")?,
            last_error: row.try_get("last_error")?,
        })
    }
}
