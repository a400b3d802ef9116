//! Any range of lines, read from as few chunks as hold it.

use sqlx::{Row, SqliteConnection};

use super::chunk::Chunk;
use super::{COLUMNS, chunk_at, from_row};
use crate::base::clock::{Millis, rfc3339};
use crate::dashboard::store::{Store, StoreError, int};
use crate::run::event::MAX_LINE;
use crate::run::id::RunId;
use crate::wire::api::LogLine;

/// The most bytes of raw lines that one read answers; further lines come with the next one.
pub const MAX_READ: usize = 4 * 1024 * 1024;

/// The most bytes of one line that are looked at: what the host's side keeps, with room for its end.
pub const MAX_VISIBLE: u64 = 2 * MAX_LINE as u64;

/// One line as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    /// Its number, from 1.
    pub n: u64,
    /// When its end was read, by the host's clock.
    pub at: Millis,
    /// What is visible of it, its newline included.
    pub raw: Vec<u8>,
}

/// Lines of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredLines {
    /// In order. Numbers are missing where output is missing: such a gap is one line that says so.
    pub lines: Vec<StoredLine>,
    /// The number to ask for next.
    pub next: u64,
    /// Whether it ends before `limit` because it is [`MAX_READ`] long.
    pub cut: bool,
}

impl Store {
    /// At most `limit` lines of `run` from line `from`, at most [`MAX_READ`] bytes of them, and at least one if there is
    /// any. Costs time in proportion to the chunks that hold them, wherever they are.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn read_lines(
        &self,
        run: RunId,
        from: u64,
        limit: usize,
    ) -> Result<StoredLines, StoreError> {
        let run = run.to_string();
        let from = from.max(1);
        let mut found = StoredLines {
            lines: Vec::new(),
            next: from,
            cut: false,
        };
        // One snapshot: chunks may be merged meanwhile.
        let mut read = self.readers.begin().await?;
        let Some(first) = first_chunk(&mut read, &run, from).await? else {
            return Ok(found);
        };
        let mut window = Window::default();
        let visible = first
            .lines
            .get((from - first.first_line) as usize)
            .map_or(first.offset, |line| line.visible);
        let mut at = visible.min(first.offset);
        while at < first.offset {
            let Some(before) = chunk_at(&mut read, &run, at).await? else {
                break;
            };
            at = before.end();
            window.take(&before, u64::MAX, 0, &mut found);
        }
        let mut budget = limit;
        let mut chunk = Some(first);
        while let Some(current) = chunk {
            let whole = window.take(&current, from, budget, &mut found);
            budget = limit - found.lines.len();
            if !whole || budget == 0 {
                break;
            }
            chunk = chunk_at(&mut read, &run, current.end()).await?;
        }
        Ok(found)
    }
}

/// The chunk in which line `from` ends.
async fn first_chunk(
    read: &mut SqliteConnection,
    run: &str,
    from: u64,
) -> Result<Option<Chunk>, StoreError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM output WHERE run_id = ?1 AND first_line <= ?2 AND n_lines > 0
         ORDER BY first_line DESC LIMIT 1"
    );
    let row = sqlx::query(&sql)
        .bind(run)
        .bind(int(from))
        .fetch_optional(read)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let last = row.try_get::<i64, _>("first_line")? + row.try_get::<i64, _>("n_lines")?;
    if int(from) >= last {
        return Ok(None);
    }
    from_row(&row).map(Some)
}

/// The bytes of the line that is being put together.
#[derive(Default)]
struct Window {
    /// Position of the first byte.
    base: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Adds a chunk and answers the lines from number `from` that end in it, at most `limit`. Says whether that was all.
    fn take(&mut self, chunk: &Chunk, from: u64, limit: usize, found: &mut StoredLines) -> bool {
        if let Some(gap) = &chunk.gap {
            self.base = chunk.end();
            self.bytes.clear();
            if gap.lines > 0 && chunk.first_line + gap.lines > from && limit > 0 {
                let reason = &gap.reason;
                found.lines.push(StoredLine {
                    n: chunk.first_line.max(from),
                    at: chunk.at,
                    raw: format!(
                        "[{} lines, {} bytes of output are missing: {reason}]\n",
                        gap.lines, gap.bytes
                    )
                    .into_bytes(),
                });
                found.next = chunk.first_line + gap.lines;
            }
            return true;
        }
        if self.bytes.is_empty() {
            self.base = chunk.offset;
        }
        self.bytes.extend_from_slice(&chunk.bytes);
        let mut n_read: usize = found.lines.iter().map(|line| line.raw.len()).sum();
        let mut taken = 0;
        for (n, line) in (chunk.first_line..).zip(&chunk.lines) {
            if n < from {
                continue;
            }
            if taken == limit || n_read >= MAX_READ {
                found.cut = taken < limit;
                return false;
            }
            let start = line.visible.saturating_sub(self.base) as usize;
            let end = line.end.saturating_sub(self.base) as usize;
            let raw = self.bytes.get(start..end).unwrap_or_default().to_vec();
            n_read += raw.len();
            taken += 1;
            found.lines.push(StoredLine {
                n,
                at: line.at,
                raw,
            });
            found.next = n + 1;
        }
        // Keep only what can still be visible of the unfinished line.
        let end = self.base + self.bytes.len() as u64;
        let start = chunk.lines.last().map_or(self.base, |line| line.end);
        let keep = start.max(end.saturating_sub(MAX_VISIBLE));
        self.bytes.drain(..(keep - self.base) as usize);
        self.base = keep;
        true
    }
}

/// What a reader sees of raw bytes: colours kept, other escapes dropped, no newline.
pub fn visible(raw: &[u8]) -> String {
    let end = raw
        .iter()
        .rposition(|byte| !matches!(byte, b'\n' | b'\r'))
        .map_or(0, |last| last + 1);
    crate::run::ansi::render(&crate::run::records::line(&raw[..end]))
}

/// A line as the API shows it.
pub fn show(line: &StoredLine) -> LogLine {
    LogLine {
        n: line.n,
        at: rfc3339(line.at),
        text: visible(&line.raw),
    }
}
