//! Alerts: what fires, what has been, and the one transaction in which both an alert and what is told of it change.

#[cfg(test)]
mod tests;

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite, SqliteConnection};

use super::deliveries::{self, NewDelivery};
use super::{Store, StoreError, int, parsed, uint};
use crate::base::clock::Millis;
use crate::run::id::{HostName, RunId};

/// Alerts that are over and kept, whatever the retention: with more, the oldest go.
pub const MAX_RECOVERED: u32 = 20_000;
/// Alerts that one transaction removes.
const REMOVED: u32 = 1000;

const COLUMNS: &str = "id, rule, kind, hostname, object, severity, state, summary, value, run_id, started_at, fired_at, recovered_at, ended";

/// A stored alert.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRow {
    /// Its id.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// What the rule looks for.
    pub kind: String,
    /// Which host; none for the dashboard itself.
    pub host: Option<HostName>,
    /// What of it.
    pub object: String,
    /// How bad it is.
    pub severity: String,
    /// What is the matter.
    pub summary: String,
    /// The number behind it.
    pub value: Option<f64>,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: Millis,
    /// When it fired.
    pub fired_at: Millis,
    /// When it was over; none while it fires.
    pub recovered_at: Option<Millis>,
    /// Why it is over, where it did not just pass.
    pub ended: Option<String>,
}

/// An alert that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct Recovery {
    /// Which one.
    pub id: String,
    /// Why, where it did not just pass.
    pub ended: Option<String>,
    /// What would be told, on each channel; it is where the beginning was, and nowhere else.
    pub deliveries: Vec<NewDelivery>,
}

/// An alert that is about another run now.
#[derive(Debug, Clone, PartialEq)]
pub struct Renewal {
    /// Which one.
    pub id: String,
    /// What is the matter now.
    pub summary: String,
    /// The run.
    pub run: Option<RunId>,
}

/// What one look at the rules changes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AlertCommit {
    /// Alerts that fire, with what is told.
    pub fired: Vec<(AlertRow, Vec<NewDelivery>)>,
    /// Alerts that are over.
    pub recovered: Vec<Recovery>,
    /// Alerts that go on, about another run.
    pub renewed: Vec<Renewal>,
    /// The last event that was looked at.
    pub cursor: u64,
    /// The time.
    pub now: Millis,
}

/// Which alerts to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// Only those that fire, or only those that are over.
    pub firing: Option<bool>,
    /// Only of this host.
    pub host: Option<HostName>,
    /// Only older than this one.
    pub before: Option<String>,
    /// At most so many.
    pub limit: u32,
}

fn from_row(row: &SqliteRow) -> Result<AlertRow, StoreError> {
    let host: &str = row.try_get("hostname")?;
    let run: Option<&str> = row.try_get("run_id")?;
    let recovered: Option<i64> = row.try_get("recovered_at")?;
    Ok(AlertRow {
        id: row.try_get("id")?,
        rule: row.try_get("rule")?,
        kind: row.try_get("kind")?,
        host: (!host.is_empty())
            .then(|| parsed(row, "hostname"))
            .transpose()?,
        object: row.try_get("object")?,
        severity: row.try_get("severity")?,
        summary: row.try_get("summary")?,
        value: row.try_get("value")?,
        run: run.map(|_| parsed(row, "run_id")).transpose()?,
        started_at: uint(row, "started_at")?,
        fired_at: uint(row, "fired_at")?,
        recovered_at: recovered.map(|_| uint(row, "recovered_at")).transpose()?,
        ended: row.try_get("ended")?,
    })
}

async fn insert(connection: &mut SqliteConnection, alert: &AlertRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO alerts (id, rule, kind, hostname, object, severity, state, summary, value, run_id, started_at, fired_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, 'firing', ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(&alert.id)
    .bind(&alert.rule)
    .bind(&alert.kind)
    .bind(alert.host.as_ref().map_or("", HostName::as_str))
    .bind(&alert.object)
    .bind(&alert.severity)
    .bind(&alert.summary)
    .bind(alert.value)
    .bind(alert.run.map(|run| run.to_string()))
    .bind(int(alert.started_at))
    .bind(int(alert.fired_at))
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Alerts, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<AlertRow>, StoreError> {
        let mut query =
            QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM alerts WHERE 1"));
        if let Some(firing) = filter.firing {
            query
                .push(" AND state = ")
                .push_bind(if firing { "firing" } else { "recovered" });
        }
        if let Some(host) = &filter.host {
            query
                .push(" AND hostname = ")
                .push_bind(host.as_str().to_owned());
        }
        if let Some(before) = &filter.before {
            query.push(" AND id < ").push_bind(before.clone());
        }
        query
            .push(" ORDER BY id DESC LIMIT ")
            .push_bind(filter.limit);
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(from_row).collect()
    }

    /// All alerts that fire, the oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn firing_alerts(&self) -> Result<Vec<AlertRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM alerts WHERE state = 'firing' ORDER BY id");
        let rows = sqlx::query(&sql).fetch_all(&self.readers).await?;
        rows.iter().map(from_row).collect()
    }

    /// How many alerts fire, of each severity.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn count_firing(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sqlx::query(
            "SELECT severity, count(*) AS n FROM alerts WHERE state = 'firing' GROUP BY severity ORDER BY severity",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("severity")?, uint(row, "n")?)))
            .collect()
    }

    /// The last event that rules have looked at. At the first time, the newest that there is: what was before the rules
    /// were is none of their business.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn alert_cursor(&self) -> Result<u64, StoreError> {
        let row = sqlx::query("SELECT event_id FROM alert_cursor")
            .fetch_optional(&self.readers)
            .await?;
        match row {
            Some(row) => uint(&row, "event_id"),
            None => self.last_event().await,
        }
    }

    /// Writes what a look at the rules changes, with all that is to be told of it, in one transaction.
    ///
    /// # Errors
    /// Nothing of it is written then.
    pub async fn commit_alerts(&self, commit: &AlertCommit) -> Result<(), StoreError> {
        let mut write = self.writer.begin().await?;
        for (alert, told) in &commit.fired {
            insert(&mut write, alert).await?;
            for delivery in told {
                deliveries::insert(&mut write, &alert.id, delivery).await?;
            }
        }
        for recovery in &commit.recovered {
            sqlx::query(
                "UPDATE alerts SET state = 'recovered', recovered_at = ?2, ended = ?3 WHERE id = ?1 AND state = 'firing'",
            )
            .bind(&recovery.id)
            .bind(int(commit.now))
            .bind(recovery.ended.as_deref())
            .execute(&mut *write)
            .await?;
            deliveries::recover(&mut write, &recovery.id, &recovery.deliveries, commit.now).await?;
        }
        for renewal in &commit.renewed {
            sqlx::query("UPDATE alerts SET summary = ?2, run_id = ?3 WHERE id = ?1")
                .bind(&renewal.id)
                .bind(&renewal.summary)
                .bind(renewal.run.map(|run| run.to_string()))
                .execute(&mut *write)
                .await?;
        }
        sqlx::query(
            "INSERT INTO alert_cursor (one, event_id) VALUES (1, ?1)
             ON CONFLICT (one) DO UPDATE SET event_id = excluded.event_id",
        )
        .bind(int(commit.cursor))
        .execute(&mut *write)
        .await?;
        deliveries::bound(&mut write, commit.now).await?;
        write.commit().await?;
        Ok(())
    }

    /// Removes some of the alerts that were over before `before`. Answers whether there were any.
    pub(super) async fn remove_alerts(&self, before: Millis) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE state = 'recovered' AND recovered_at < ?1 LIMIT ?2)",
        )
        .bind(int(before))
        .bind(REMOVED)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Removes some of the oldest alerts that are over, where there are more than [`MAX_RECOVERED`]. Answers whether
    /// there were.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn bound_alerts(&self, most: u32) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "DELETE FROM alerts WHERE id IN (
               SELECT id FROM alerts WHERE state = 'recovered'
                 AND id NOT IN (SELECT alert_id FROM deliveries WHERE state = 'queued')
               ORDER BY id LIMIT min(?2, max(0, (SELECT count(*) FROM alerts WHERE state = 'recovered') - ?1)))",
        )
        .bind(most)
        .bind(REMOVED)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
