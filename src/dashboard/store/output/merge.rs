//! Small chunks are merged while a run goes on, so that a long quiet run does not leave thousands of tiny rows.
//!
//! [`FANOUT`] small neighbours of one level become one of the next level, so that each byte is written again only a few
//! times. It happens in the transaction that adds the last of them.

use sqlx::SqliteConnection;

use super::chunk::{Chunk, MAX_CHUNK};
use super::{COLUMNS, from_row, insert};
use crate::dashboard::store::{StoreError, int};

/// Chunks of at least this many bytes stay as they are.
const SMALL: u64 = 64 * 1024;
/// So many neighbours of one level are merged.
const FANOUT: usize = 8;

/// The small chunks at the end of a run's output.
#[derive(Debug, Clone, Default)]
pub struct Sizes {
    /// Offset, bytes and level of each, oldest first.
    chunks: Vec<(u64, u64, u8)>,
}

impl Sizes {
    /// Takes a new chunk, and answers the offset from which all chunks are to become one, if any.
    pub fn push(&mut self, chunk: &Chunk) -> Option<u64> {
        let n_bytes = chunk.n_bytes();
        if n_bytes >= SMALL || chunk.gap.is_some() {
            self.chunks.clear();
            return None;
        }
        self.chunks.push((chunk.offset, n_bytes, 0));
        let mut merged = None;
        while let Some(from) = self.chunks.len().checked_sub(FANOUT) {
            let group = &self.chunks[from..];
            let (offset, _, level) = group[0];
            let n_bytes: u64 = group.iter().map(|chunk| chunk.1).sum();
            if group.iter().any(|chunk| chunk.2 != level) || n_bytes > MAX_CHUNK as u64 {
                break;
            }
            self.chunks.truncate(from);
            self.chunks.push((offset, n_bytes, level + 1));
            merged = Some(offset);
        }
        if self.chunks.len() > FANOUT * FANOUT {
            self.chunks.drain(..FANOUT);
        }
        merged
    }

    /// At a run's end: the offset from which all chunks are to become one, if more than one does.
    pub fn finish(&mut self) -> Option<u64> {
        let mut n_bytes = 0;
        let fitting = self
            .chunks
            .iter()
            .rev()
            .take_while(|chunk| {
                n_bytes += chunk.1;
                n_bytes <= MAX_CHUNK as u64
            })
            .count();
        let first = self.chunks.len() - fitting;
        let offset = self.chunks.get(first).map(|chunk| chunk.0);
        self.chunks.clear();
        offset.filter(|_| fitting > 1)
    }
}

/// Makes all chunks of `run` from `offset` one.
pub(in crate::dashboard::store) async fn merge(
    connection: &mut SqliteConnection,
    run: &str,
    offset: u64,
) -> Result<(), StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM output WHERE run_id = ?1 AND offset_bytes >= ?2 ORDER BY offset_bytes"
    );
    let rows = sqlx::query(&sql)
        .bind(run)
        .bind(int(offset))
        .fetch_all(&mut *connection)
        .await?;
    let mut merged: Option<Chunk> = None;
    for row in &rows {
        let chunk = from_row(row)?;
        match &mut merged {
            Some(merged) => merged.append(&chunk),
            None => merged = Some(chunk),
        }
    }
    let Some(merged) = merged else { return Ok(()) };
    sqlx::query("DELETE FROM output WHERE run_id = ?1 AND offset_bytes >= ?2")
        .bind(run)
        .bind(int(offset))
        .execute(&mut *connection)
        .await?;
    insert(connection, run, &merged).await
}
