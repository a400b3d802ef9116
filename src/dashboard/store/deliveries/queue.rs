//! What comes into the queue, and what leaves it untold.

use sqlx::SqliteConnection;

use super::{MAX_QUEUED, NO_ROOM, NewDelivery, PASSED};
use crate::base::clock::Millis;
use crate::dashboard::store::{StoreError, int};

pub(in crate::dashboard::store) async fn insert(
    connection: &mut SqliteConnection,
    alert: &str,
    delivery: &NewDelivery,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO deliveries (delivery, alert_id, channel, event, message, created_at, not_before, state, next_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'queued', ?7)",
    )
    .bind(&delivery.delivery)
    .bind(alert)
    .bind(&delivery.channel)
    .bind(delivery.event)
    .bind(&delivery.message)
    .bind(int(delivery.created_at))
    .bind(int(delivery.not_before))
    .execute(connection)
    .await?;
    Ok(())
}

/// Tells of a recovery where the beginning was told or is about to be. Where quiet hours hold the beginning back, neither
/// is told.
pub(in crate::dashboard::store) async fn recover(
    connection: &mut SqliteConnection,
    alert: &str,
    told: &[NewDelivery],
    now: Millis,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE deliveries SET state = 'dropped', done_at = ?2, error = ?3
         WHERE alert_id = ?1 AND state = 'queued' AND attempts = 0 AND not_before > ?2 AND not_before > created_at",
    )
    .bind(alert)
    .bind(int(now))
    .bind(PASSED)
    .execute(&mut *connection)
    .await?;
    for delivery in told {
        let was_told: bool = sqlx::query_scalar(
            "SELECT EXISTS (SELECT 1 FROM deliveries
             WHERE alert_id = ?1 AND channel = ?2 AND event = 'firing' AND state IN ('queued', 'sent'))",
        )
        .bind(alert)
        .bind(&delivery.channel)
        .fetch_one(&mut *connection)
        .await?;
        if was_told {
            insert(connection, alert, delivery).await?;
        }
    }
    Ok(())
}

/// Keeps the queue within [`MAX_QUEUED`]: what is over already goes first, beginning and end together, the oldest first.
pub(in crate::dashboard::store) async fn bound(
    connection: &mut SqliteConnection,
    now: Millis,
) -> Result<(), StoreError> {
    let count = "SELECT count(*) FROM deliveries WHERE state = 'queued'";
    let queued: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut *connection)
        .await?;
    if queued <= MAX_QUEUED {
        return Ok(());
    }
    let pairs = "SELECT d.id FROM deliveries AS d JOIN (
           SELECT alert_id, channel FROM deliveries WHERE state = 'queued'
           GROUP BY alert_id, channel HAVING count(*) > 1 ORDER BY min(id) LIMIT ?3
         ) AS pair ON d.alert_id = pair.alert_id AND d.channel = pair.channel WHERE d.state = 'queued'";
    drop_queued(connection, pairs, (queued - MAX_QUEUED + 1) / 2, now).await?;
    let queued: i64 = sqlx::query_scalar(count)
        .fetch_one(&mut *connection)
        .await?;
    let oldest = "SELECT id FROM deliveries WHERE state = 'queued' ORDER BY id LIMIT ?3";
    if queued > MAX_QUEUED {
        drop_queued(connection, oldest, queued - MAX_QUEUED, now).await?;
    }
    tracing::warn!("{NO_ROOM}; look at the channels");
    Ok(())
}

async fn drop_queued(
    connection: &mut SqliteConnection,
    which: &str,
    limit: i64,
    now: Millis,
) -> Result<(), StoreError> {
    let sql = format!(
        "UPDATE deliveries SET state = 'dropped', done_at = ?1, error = ?2 WHERE id IN ({which})"
    );
    sqlx::query(&sql)
        .bind(int(now))
        .bind(NO_ROOM)
        .bind(limit)
        .execute(connection)
        .await?;
    Ok(())
}
