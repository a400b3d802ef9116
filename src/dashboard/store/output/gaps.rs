//! Where output of a run is missing.

use sqlx::Row;

use super::chunk::Gap;
use crate::dashboard::store::{Store, StoreError, int, uint};
use crate::run::id::RunId;

/// A gap and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedGap {
    /// Number of the first line that ends in it, or after it if none does.
    pub line: u64,
    /// What is missing.
    pub gap: Gap,
}

impl Store {
    /// The gaps in a run's output, in order, at most `limit`.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn gaps(&self, run: RunId, limit: usize) -> Result<Vec<PlacedGap>, StoreError> {
        let rows = sqlx::query(
            "SELECT first_line, n_lines, n_bytes, gap FROM output
             WHERE run_id = ?1 AND gap IS NOT NULL ORDER BY offset_bytes LIMIT ?2",
        )
        .bind(run.to_string())
        .bind(int(limit as u64))
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(PlacedGap {
                    line: uint(row, "first_line")?,
                    gap: Gap {
                        lines: uint(row, "n_lines")?,
                        bytes: uint(row, "n_bytes")?,
                        reason: row.try_get("gap")?,
                    },
                })
            })
            .collect()
    }
}
