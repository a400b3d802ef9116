//! Which lines of a run came from standard error, where the agent says so: those of the earlier protocol.

use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, int, uint};
use crate::run::id::RunId;
use crate::wire::api::MarkedLines;

/// Adds lines; those that continue the ones before become one with them.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    run: &str,
    marked: &MarkedLines,
) -> Result<(), StoreError> {
    let longer = sqlx::query(
        "UPDATE v2_lines SET last_line = ?3
         WHERE run_id = ?1 AND last_line = ?2 - 1 AND stream = ?4 AND is_error = ?5",
    )
    .bind(run)
    .bind(int(marked.first))
    .bind(int(marked.last))
    .bind(&marked.stream)
    .bind(marked.is_error)
    .execute(&mut *connection)
    .await?;
    if longer.rows_affected() == 0 {
        sqlx::query(
            "INSERT OR REPLACE INTO v2_lines (run_id, first_line, last_line, stream, is_error)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .bind(run)
        .bind(int(marked.first))
        .bind(int(marked.last))
        .bind(&marked.stream)
        .bind(marked.is_error)
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

impl Store {
    /// What is known of the lines of a run from `first` to `last`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn marked_lines(
        &self,
        run: RunId,
        first: u64,
        last: u64,
    ) -> Result<Vec<MarkedLines>, StoreError> {
        let rows = sqlx::query(
            "SELECT first_line, last_line, stream, is_error FROM v2_lines
             WHERE run_id = ?1 AND first_line <= ?3 AND last_line >= ?2 ORDER BY first_line",
        )
        .bind(run.to_string())
        .bind(int(first))
        .bind(int(last))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(MarkedLines {
                    first: uint(row, "first_line")?,
                    last: uint(row, "last_line")?,
                    stream: row.try_get("stream")?,
                    is_error: row.try_get("is_error")?,
                })
            })
            .collect()
    }
}
