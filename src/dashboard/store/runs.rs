//! Runs: what was asked, and how each stands after its last committed record.

mod notes;
#[cfg(test)]
mod tests;

use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, SqliteConnection};
use sqlx::{Row, Sqlite};

use super::{Store, StoreError, int, json, parsed, to_json, uint};
use crate::base::clock::Millis;
use crate::run::id::{HostName, RunId, Seq};
use crate::run::phase::RunState;
use crate::run::view::RunView;

pub use notes::{Ahead, Aside, Cut, Notes};

const COLUMNS: &str =
    "id, hostname, command, args, requested_by, created_at, view, last_seq, notes";

/// A stored run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub id: RunId,
    /// On which host.
    pub host: HostName,
    /// What; text, because what a future agent offers is stored too.
    pub command: String,
    /// With which arguments.
    pub args: Vec<String>,
    /// Who asked.
    pub requested_by: String,
    /// When, by the dashboard's clock.
    pub created_at: Millis,
    /// How it stands by its committed records.
    pub view: RunView,
    /// The last committed record.
    pub last_seq: Seq,
    /// What the dashboard itself knows of it.
    pub notes: Notes,
}

impl RunRow {
    /// A run that a host does, and nobody asked for here.
    pub fn unasked(id: RunId, host: &HostName, command: String, now: Millis) -> Self {
        Self {
            id,
            host: host.clone(),
            command,
            args: Vec::new(),
            requested_by: "the host".into(),
            created_at: now,
            view: RunView {
                state: RunState::Starting,
                ..RunView::default()
            },
            last_seq: Seq(0),
            notes: Notes::new(),
        }
    }
}

/// Which runs to list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this host.
    pub host: Option<HostName>,
    /// Only in this state.
    pub state: Option<RunState>,
    /// Only older than this one.
    pub before: Option<RunId>,
    /// At most so many.
    pub limit: u32,
}

fn from_row(row: &SqliteRow) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        id: parsed(row, "id")?,
        host: parsed(row, "hostname")?,
        command: row.try_get("command")?,
        args: json(row, "args")?,
        requested_by: row.try_get("requested_by")?,
        created_at: uint(row, "created_at")?,
        view: json(row, "view")?,
        last_seq: Seq(uint(row, "last_seq")?),
        notes: json(row, "notes")?,
    })
}

pub(super) async fn insert(
    connection: &mut SqliteConnection,
    run: &RunRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO runs (id, hostname, command, args, requested_by, created_at, state, view, last_seq, notes, open)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(run.id.to_string())
    .bind(run.host.as_str())
    .bind(&run.command)
    .bind(to_json(&run.args)?)
    .bind(&run.requested_by)
    .bind(int(run.created_at))
    .bind(run.shown().state.name())
    .bind(to_json(&run.view)?)
    .bind(int(run.last_seq.0))
    .bind(to_json(&run.notes)?)
    .bind(!run.is_complete())
    .execute(connection)
    .await?;
    Ok(())
}

pub(super) async fn update(
    connection: &mut SqliteConnection,
    run: &RunRow,
) -> Result<(), StoreError> {
    sqlx::query(
        "UPDATE runs SET state = ?2, view = ?3, last_seq = ?4, notes = ?5, open = ?6 WHERE id = ?1",
    )
    .bind(run.id.to_string())
    .bind(run.shown().state.name())
    .bind(to_json(&run.view)?)
    .bind(int(run.last_seq.0))
    .bind(to_json(&run.notes)?)
    .bind(!run.is_complete())
    .execute(connection)
    .await?;
    Ok(())
}

impl Store {
    /// Runs, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn runs(&self, filter: &RunFilter) -> Result<Vec<RunRow>, StoreError> {
        let mut query = QueryBuilder::<Sqlite>::new(format!("SELECT {COLUMNS} FROM runs WHERE 1"));
        if let Some(host) = &filter.host {
            query
                .push(" AND hostname = ")
                .push_bind(host.as_str().to_owned());
        }
        if let Some(state) = filter.state {
            query.push(" AND state = ").push_bind(state.name());
        }
        if let Some(before) = filter.before {
            query.push(" AND id < ").push_bind(before.to_string());
        }
        query
            .push(" ORDER BY id DESC LIMIT ")
            .push_bind(filter.limit);
        let rows = query.build().fetch_all(&self.readers).await?;
        rows.iter().map(from_row).collect()
    }

    /// One run.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn run(&self, id: RunId) -> Result<Option<RunRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE id = ?1");
        let row = sqlx::query(&sql)
            .bind(id.to_string())
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// The oldest runs of `host` after `run`, oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn runs_after(
        &self,
        host: &HostName,
        run: RunId,
        limit: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs WHERE hostname = ?1 AND id > ?2 ORDER BY id LIMIT ?3"
        );
        let rows = sqlx::query(&sql)
            .bind(host.as_str())
            .bind(run.to_string())
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// The oldest runs of `host` that did not end before `since`, by the host's clock; oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn runs_since(
        &self,
        host: &HostName,
        since: Millis,
        limit: u32,
    ) -> Result<Vec<RunRow>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs WHERE hostname = ?1
             AND (view ->> 'finished_at' IS NULL OR view ->> 'finished_at' >= ?2) ORDER BY id LIMIT ?3"
        );
        let rows = sqlx::query(&sql)
            .bind(host.as_str())
            .bind(int(since))
            .bind(limit)
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// The runs of which more may come, oldest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn live_runs(&self) -> Result<Vec<RunRow>, StoreError> {
        let sql = format!("SELECT {COLUMNS} FROM runs WHERE open = 1 ORDER BY id");
        let rows = sqlx::query(&sql).fetch_all(&self.readers).await?;
        rows.iter().map(from_row).collect()
    }

    /// How many runs are in each state.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn count_runs(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sqlx::query("SELECT state, count(*) AS n FROM runs GROUP BY state")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("state")?, uint(row, "n")?)))
            .collect()
    }
}
