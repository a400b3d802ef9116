//! Output of runs: written in the hub's transactions, read by line or as it was, with bounded memory.

mod aside;
pub mod chunk;
pub mod gaps;
pub mod lines;
mod merge;

use chunk::{Chunk, Gap, MAX_CHUNK, pack, unpack};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, int, uint};
use crate::run::id::RunId;

pub(super) use aside::{drop_aside, set_aside, take_back};
pub use merge::Sizes;
pub(super) use merge::merge;

/// All columns of a chunk.
const COLUMNS: &str =
    "offset_bytes, n_bytes, first_line, n_lines, line_start, tail_visible, at, gap, marks, bytes";

/// Where a run's stored output ends, and what of its last line is not finished.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OutputEnd {
    /// Bytes in all, gaps included.
    pub bytes: u64,
    /// Lines in all.
    pub lines: u64,
    /// Where the unfinished line began.
    pub line_start: u64,
    /// Whether it began somewhere inside a gap.
    pub start_unknown: bool,
    /// The visible part of it.
    pub tail: Vec<u8>,
}

async fn insert(
    connection: &mut SqliteConnection,
    run: &str,
    chunk: &Chunk,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO output (run_id, offset_bytes, n_bytes, first_line, n_lines, line_start, tail_visible, at, gap, marks, bytes)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )
    .bind(run)
    .bind(int(chunk.offset))
    .bind(int(chunk.n_bytes()))
    .bind(int(chunk.first_line))
    .bind(int(chunk.n_lines()))
    .bind(int(chunk.line_start))
    .bind(int(chunk.tail_visible))
    .bind(int(chunk.at))
    .bind(chunk.gap.as_ref().map(|gap| gap.reason.as_str()))
    .bind(chunk.encode_marks()?)
    .bind(pack(&chunk.bytes)?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a chunk. One without bytes only ends a line, and becomes part of the chunk before it.
pub(super) async fn add(
    connection: &mut SqliteConnection,
    run: &str,
    chunk: &Chunk,
) -> Result<(), StoreError> {
    if chunk.n_bytes() > 0 {
        return insert(connection, run, chunk).await;
    }
    let sql = format!(
        "SELECT {COLUMNS} FROM output WHERE run_id = ?1 ORDER BY offset_bytes DESC LIMIT 1"
    );
    let row = sqlx::query(&sql)
        .bind(run)
        .fetch_optional(&mut *connection)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let mut last = from_row(&row)?;
    if last.gap.is_some() {
        return Ok(());
    }
    last.append(chunk);
    sqlx::query("DELETE FROM output WHERE run_id = ?1 AND offset_bytes = ?2")
        .bind(run)
        .bind(int(last.offset))
        .execute(&mut *connection)
        .await?;
    insert(connection, run, &last).await
}

fn from_row(row: &SqliteRow) -> Result<Chunk, StoreError> {
    let gap: Option<String> = row.try_get("gap")?;
    let (n_bytes, n_lines) = (uint(row, "n_bytes")?, uint(row, "n_lines")?);
    let mut chunk = Chunk {
        offset: uint(row, "offset_bytes")?,
        first_line: uint(row, "first_line")?,
        line_start: uint(row, "line_start")?,
        tail_visible: uint(row, "tail_visible")?,
        at: uint(row, "at")?,
        lines: Vec::with_capacity((n_lines as usize).min(MAX_CHUNK)),
        bytes: unpack(row.try_get("bytes")?, MAX_CHUNK, "output")?,
        gap: gap.map(|reason| Gap {
            bytes: n_bytes,
            lines: n_lines,
            reason,
        }),
    };
    chunk.decode_marks(row.try_get("marks")?)?;
    if chunk.n_bytes() != n_bytes || chunk.n_lines() != n_lines {
        return Err(StoreError::Unreadable {
            what: format!("output at byte {}", chunk.offset),
            why: "its measures do not fit its bytes".into(),
        });
    }
    Ok(chunk)
}

/// The chunk that holds position `at`.
async fn chunk_at(
    connection: &mut SqliteConnection,
    run: &str,
    at: u64,
) -> Result<Option<Chunk>, StoreError> {
    let sql = format!(
        "SELECT * FROM (SELECT {COLUMNS} FROM output WHERE run_id = ?1 AND offset_bytes <= ?2
         ORDER BY offset_bytes DESC LIMIT 1) WHERE offset_bytes + n_bytes > ?2"
    );
    let row = sqlx::query(&sql)
        .bind(run)
        .bind(int(at))
        .fetch_optional(connection)
        .await?;
    row.as_ref().map(from_row).transpose()
}

impl Store {
    /// The bytes of `run` from position `at`, as many as one chunk has, and the position after them; none at the end.
    /// A gap is an empty piece.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn output_from(
        &self,
        run: RunId,
        at: u64,
    ) -> Result<Option<(Vec<u8>, u64)>, StoreError> {
        let mut connection = self.readers.acquire().await?;
        let Some(mut chunk) = chunk_at(&mut connection, &run.to_string(), at).await? else {
            return Ok(None);
        };
        let next = chunk.end();
        let skip = (at - chunk.offset).min(chunk.bytes.len() as u64) as usize;
        chunk.bytes.drain(..skip);
        Ok(Some((chunk.bytes, next)))
    }

    /// Where the output of `run` ends.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn output_end(&self, run: RunId) -> Result<OutputEnd, StoreError> {
        let run = run.to_string();
        let mut read = self.readers.begin().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM output WHERE run_id = ?1 ORDER BY offset_bytes DESC LIMIT 1"
        );
        let row = sqlx::query(&sql)
            .bind(&run)
            .fetch_optional(&mut *read)
            .await?;
        let Some(row) = row else {
            return Ok(OutputEnd::default());
        };
        let last = from_row(&row)?;
        let start_unknown = last.gap.as_ref().is_some_and(|gap| gap.lines > 0);
        let mut end = OutputEnd {
            bytes: last.end(),
            lines: last.first_line + last.n_lines() - 1,
            line_start: match last.lines.last() {
                Some(line) => line.end,
                None if start_unknown => last.end(),
                None => last.line_start,
            },
            start_unknown,
            tail: Vec::new(),
        };
        let mut at = last.tail_visible;
        while at < end.bytes {
            let Some(chunk) = chunk_at(&mut read, &run, at).await? else {
                break;
            };
            let skip = (at - chunk.offset).min(chunk.bytes.len() as u64) as usize;
            if chunk.gap.is_some() {
                end.tail.clear();
            }
            end.tail.extend_from_slice(&chunk.bytes[skip..]);
            at = chunk.end();
        }
        Ok(end)
    }
}
