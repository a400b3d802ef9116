//! How long derivations took to build. The history in memory is the same; nothing is read back but at the start.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, int, json, to_json, uint};
use crate::base::clock::Millis;
use crate::dashboard::history::usual::RUNS;
use crate::dashboard::history::{Learnt, Machine, Times};
use crate::run::id::HostName;
use crate::run::phase::RunState;
use crate::run::view::RunView;

/// The newest runs of a host among which the ones of one command are looked for.
const SEARCHED: u32 = 200;
/// Rows that one transaction removes.
const REMOVED: i64 = 10_000;

fn from_row(row: &SqliteRow) -> Result<Times, StoreError> {
    let (host, builder): (&str, &str) = (row.try_get("hostname")?, row.try_get("builder")?);
    Ok(Times {
        machine: Machine::new(host, Some(builder)),
        name: row.try_get::<&str, _>("name")?.into(),
        at: uint(row, "at")?,
        ms: json(row, "times")?,
    })
}

/// Writes what is learnt.
pub(super) async fn write(
    connection: &mut SqliteConnection,
    learnt: &Learnt,
) -> Result<(), StoreError> {
    for (machine, name) in &learnt.gone {
        sqlx::query("DELETE FROM build_times WHERE hostname = ?1 AND builder = ?2 AND name = ?3")
            .bind(&*machine.host)
            .bind(&*machine.builder)
            .bind(&**name)
            .execute(&mut *connection)
            .await?;
    }
    for row in &learnt.rows {
        sqlx::query(
            "INSERT INTO build_times (hostname, builder, name, at, times) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (hostname, builder, name) DO UPDATE SET at = excluded.at, times = excluded.times",
        )
        .bind(&*row.machine.host)
        .bind(&*row.machine.builder)
        .bind(&*row.name)
        .bind(int(row.at))
        .bind(to_json(&row.ms)?)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl Store {
    /// All build times, the oldest first. A row that cannot be read is left out: no dashboard stays down for an estimate.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn build_times(&self) -> Result<Vec<Times>, StoreError> {
        let rows = sqlx::query(
            "SELECT hostname, builder, name, at, times FROM build_times ORDER BY at, hostname, builder, name",
        )
        .fetch_all(&self.readers)
        .await?;
        let read: Vec<Times> = rows.iter().filter_map(|row| from_row(row).ok()).collect();
        if read.len() < rows.len() {
            let n = rows.len() - read.len();
            tracing::warn!("{n} build times cannot be read and are left out");
        }
        Ok(read)
    }

    /// The newest runs of a command on a host that came to their own end, as their records tell them: their phases took
    /// what they take, whatever units failed afterwards.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn finished_well(
        &self,
        host: &HostName,
        command: &str,
    ) -> Result<Vec<RunView>, StoreError> {
        let rows = sqlx::query(
            "SELECT view FROM (SELECT id, command, state, view FROM runs WHERE hostname = ?1 ORDER BY id DESC LIMIT ?2)
             WHERE command = ?3 AND state IN (?4, ?5, ?6) ORDER BY id DESC LIMIT ?7",
        )
        .bind(host.as_str())
        .bind(SEARCHED)
        .bind(command)
        .bind(RunState::Succeeded.name())
        .bind(RunState::Degraded.name())
        .bind(RunState::RebootRequired.name())
        .bind(RUNS)
        .fetch_all(&self.readers)
        .await?;
        Ok(rows
            .iter()
            .filter_map(|row| json(row, "view").ok())
            .collect())
    }

    /// Removes some of the times of what was last built before `before`. Answers whether there were any.
    pub(super) async fn remove_build_times(&self, before: Millis) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "DELETE FROM build_times WHERE rowid IN (SELECT rowid FROM build_times WHERE at < ?1 LIMIT ?2)",
        )
        .bind(int(before))
        .bind(REMOVED)
        .execute(&self.writer)
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
