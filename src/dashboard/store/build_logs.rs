//! Logs of single builds: written in the hub's transactions, beside the output, and removed with it.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::output::chunk::{pack, unpack};
use super::output::lines::MAX_READ;
use super::retention::OVER;
use super::{Store, StoreError, int, uint};
use crate::run::event::{MAX_LOG_LINE, MAX_LOG_LINES};
use crate::run::id::RunId;

/// The most bytes that the lines of one row have.
const MAX_ROW: usize = MAX_LOG_LINES * (MAX_LOG_LINE + 1);
/// Rows of lines that one transaction removes.
const ROWS: i64 = 1000;

/// Lines of one build that follow each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildLines {
    /// The derivation's name.
    pub name: String,
    /// Its store path.
    pub drv: String,
    /// Number of the first line; if there is none, all before it were printed.
    pub first: u64,
    /// The lines, each without a newline.
    pub lines: Vec<String>,
    /// What comes after them is not kept.
    pub rest_dropped: bool,
}

/// A build that has a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBuild {
    id: i64,
    /// The derivation's name.
    pub name: String,
    /// Its store path.
    pub drv: String,
    /// How many lines it has printed.
    pub lines: u64,
    /// What came after them was not kept.
    pub rest_dropped: bool,
}

/// Lines of one build's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundLines {
    /// With their numbers, in order.
    pub lines: Vec<(u64, String)>,
    /// The number to ask for next.
    pub next: u64,
    /// No further ones are stored.
    pub at_end: bool,
}

/// Adds lines. The same lines once more change nothing: a host may be asked for all its records again.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    run: &str,
    lines: &BuildLines,
) -> Result<(), StoreError> {
    let n_lines = lines.lines.len() as u64;
    let build: i64 = sqlx::query_scalar(
        "INSERT INTO build_logs (run_id, drv, name, lines, rest_dropped) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (run_id, drv) DO UPDATE SET lines = max(lines, excluded.lines),
           rest_dropped = max(rest_dropped, excluded.rest_dropped)
         RETURNING id",
    )
    .bind(run)
    .bind(&lines.drv)
    .bind(&lines.name)
    .bind(int(lines.first.saturating_sub(1).saturating_add(n_lines)))
    .bind(lines.rest_dropped)
    .fetch_one(&mut *connection)
    .await?;
    if n_lines == 0 {
        return Ok(());
    }
    let mut plain = String::new();
    for line in &lines.lines {
        plain.push_str(line);
        plain.push('\n');
    }
    sqlx::query(
        "INSERT INTO build_log_lines (build_id, first_line, n_lines, bytes) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (build_id, first_line) DO UPDATE SET n_lines = excluded.n_lines, bytes = excluded.bytes",
    )
    .bind(build)
    .bind(int(lines.first))
    .bind(int(n_lines))
    .bind(pack(plain.as_bytes())?)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

/// The lines of a row.
pub(super) fn unpacked(row: &SqliteRow) -> Result<String, StoreError> {
    let plain = unpack(row.try_get("bytes")?, MAX_ROW, "lines of a build's log")?;
    String::from_utf8(plain).map_err(|error| StoreError::Unreadable {
        what: "lines of a build's log".into(),
        why: error.to_string(),
    })
}

fn from_row(row: &SqliteRow) -> Result<StoredBuild, StoreError> {
    Ok(StoredBuild {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        drv: row.try_get("drv")?,
        lines: uint(row, "lines")?,
        rest_dropped: row.try_get("rest_dropped")?,
    })
}

impl Store {
    /// The builds of `run` that have a log, at most `limit`, in the order in which they first printed something.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn builds(&self, run: RunId, limit: usize) -> Result<Vec<StoredBuild>, StoreError> {
        let rows = sqlx::query("SELECT * FROM build_logs WHERE run_id = ?1 ORDER BY id LIMIT ?2")
            .bind(run.to_string())
            .bind(int(limit as u64))
            .fetch_all(&self.readers)
            .await?;
        rows.iter().map(from_row).collect()
    }

    /// One of them; none if the run has no log of that derivation.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn build(&self, run: RunId, drv: &str) -> Result<Option<StoredBuild>, StoreError> {
        let row = sqlx::query("SELECT * FROM build_logs WHERE run_id = ?1 AND drv = ?2")
            .bind(run.to_string())
            .bind(drv)
            .fetch_optional(&self.readers)
            .await?;
        row.as_ref().map(from_row).transpose()
    }

    /// At most `limit` lines of that log from line `from`, and no more once they are [`MAX_READ`] bytes long. Reads the rows that hold them and no others.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn build_lines(
        &self,
        build: &StoredBuild,
        from: u64,
        limit: usize,
    ) -> Result<FoundLines, StoreError> {
        let mut found = FoundLines {
            lines: Vec::new(),
            next: from.max(1),
            at_end: false,
        };
        let mut n_bytes = 0;
        let mut read = self.readers.begin().await?;
        // The row in which the first one stands begins before it.
        let mut row = sqlx::query(
            "SELECT * FROM build_log_lines WHERE build_id = ?1 AND first_line <= ?2 ORDER BY first_line DESC LIMIT 1",
        )
        .bind(build.id)
        .bind(int(found.next))
        .fetch_optional(&mut *read)
        .await?;
        let mut after = 0;
        loop {
            if let Some(row) = &row {
                after = uint(row, "first_line")?;
                let plain = unpacked(row)?;
                for (n, line) in (after..).zip(plain.lines()) {
                    if n < found.next {
                        continue;
                    }
                    if found.lines.len() == limit || n_bytes >= MAX_READ {
                        return Ok(found);
                    }
                    n_bytes += line.len();
                    found.lines.push((n, line.to_owned()));
                    found.next = n + 1;
                }
            }
            let following = sqlx::query(
                "SELECT * FROM build_log_lines WHERE build_id = ?1 AND first_line > ?2 ORDER BY first_line LIMIT 1",
            )
            .bind(build.id)
            .bind(int(after))
            .fetch_optional(&mut *read)
            .await?;
            if following.is_none() {
                found.at_end = true;
                return Ok(found);
            }
            row = following;
        }
    }

    /// Removes some of the logs of a run that is over, and notes that. Answers whether there were any.
    pub(super) async fn shorten_build_logs(&self, run: &str) -> Result<bool, StoreError> {
        let mut write = self.writer.begin().await?;
        let of_run = format!(
            "SELECT id FROM build_logs WHERE run_id = ?1 AND EXISTS (SELECT 1 FROM runs WHERE id = ?1 AND {OVER})"
        );
        let lines = sqlx::query(&format!(
            "DELETE FROM build_log_lines WHERE rowid IN
               (SELECT rowid FROM build_log_lines WHERE build_id IN ({of_run}) LIMIT {ROWS})"
        ))
        .bind(run)
        .execute(&mut *write)
        .await?;
        let mut removed = lines.rows_affected();
        if removed == 0 {
            let builds = format!("DELETE FROM build_logs WHERE id IN ({of_run} LIMIT {ROWS})");
            let builds = sqlx::query(&builds).bind(run).execute(&mut *write).await?;
            removed = builds.rows_affected();
        }
        if removed > 0 {
            sqlx::query("UPDATE runs SET notes = json_set(notes, '$.build_logs_cut', json('true')) WHERE id = ?1")
                .bind(run)
                .execute(&mut *write)
                .await?;
        }
        write.commit().await?;
        Ok(removed > 0)
    }
}

#[cfg(test)]
mod tests;
