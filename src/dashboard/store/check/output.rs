//! One run's output: chunks that follow each other, read back, and add up to what the run says of itself.

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{Row as _, Sqlite, Transaction};

use super::runs::Stored;
use crate::dashboard::store::output::chunk::{Chunk, MAX_CHUNK, unpack};
use crate::dashboard::store::{StoreError, uint};

/// The most findings about one run.
const TOLD: usize = 5;

/// What was found in one run's output.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Its bytes, gaps included.
    pub bytes: u64,
    /// What is broken.
    pub damage: Vec<String>,
    /// What has not arrived.
    pub incomplete: Option<String>,
}

/// Where the next chunk is to begin.
#[derive(Debug)]
struct Expected {
    /// Its first byte and line; not known after a chunk that cannot be read.
    offset: Option<u64>,
    line: Option<u64>,
    /// Where the unfinished line began; not known after a gap.
    line_start: Option<u64>,
    /// Of all bytes so far; none once some are missing.
    crc32c: Option<u32>,
}

impl Expected {
    /// After a chunk that cannot be read.
    fn unknown() -> Self {
        Self {
            offset: None,
            line: None,
            line_start: None,
            crc32c: None,
        }
    }
}

/// Reads all output of `run`.
pub(super) async fn check(
    read: &mut Transaction<'_, Sqlite>,
    run: &Stored,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut expected = Expected {
        offset: Some(0),
        line: Some(1),
        line_start: Some(0),
        crc32c: Some(0),
    };
    let mut after = -1;
    while let Some(offset) = next(read, &run.id, after).await? {
        after = offset;
        let wrong = match row(read, &run.id, offset).await {
            Ok(row) => chunk(&row, &mut expected),
            Err(error) if error.is_damage() => {
                expected = Expected::unknown();
                vec!["its page of the file is damaged".to_owned()]
            }
            Err(error) => return Err(error),
        };
        for what in wrong {
            if found.damage.len() < TOLD {
                let at = format!("run {}, output at byte {offset}: {what}", run.id);
                found.damage.push(at);
            }
        }
    }
    found.bytes = expected.offset.unwrap_or(after.max(0).cast_unsigned());
    totals(run, &expected, &mut found);
    Ok(found)
}

/// Where the next chunk begins. Comes from the index, which may be whole where a chunk is not.
async fn next(
    read: &mut SqliteConnection,
    run: &str,
    after: i64,
) -> Result<Option<i64>, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT offset_bytes FROM output WHERE run_id = ?1 AND offset_bytes > ?2 ORDER BY offset_bytes LIMIT 1",
    )
    .bind(run)
    .bind(after)
    .fetch_optional(read)
    .await
}

async fn row(read: &mut SqliteConnection, run: &str, offset: i64) -> Result<SqliteRow, StoreError> {
    let row = sqlx::query(
        "SELECT offset_bytes, n_bytes, first_line, n_lines, line_start, tail_visible, at, gap, marks, bytes
         FROM output WHERE run_id = ?1 AND offset_bytes = ?2",
    )
    .bind(run)
    .bind(offset)
    .fetch_one(read)
    .await?;
    Ok(row)
}

/// What is wrong with one chunk. Moves `expected` behind it.
fn chunk(row: &SqliteRow, expected: &mut Expected) -> Vec<String> {
    match measures(row, expected) {
        Ok(wrong) => wrong,
        Err(error) => {
            expected.crc32c = None;
            expected.line_start = None;
            vec![error.to_string()]
        }
    }
}

fn measures(row: &SqliteRow, expected: &mut Expected) -> Result<Vec<String>, StoreError> {
    let mut wrong = Vec::new();
    let (offset, n_bytes) = (uint(row, "offset_bytes")?, uint(row, "n_bytes")?);
    let (first_line, n_lines) = (uint(row, "first_line")?, uint(row, "n_lines")?);
    let is_gap = row.try_get::<Option<&str>, _>("gap")?.is_some();
    if let Some(end) = expected.offset.filter(|end| *end != offset) {
        wrong.push(if offset > end {
            format!("{} bytes before it are missing", offset - end)
        } else {
            format!("it overlaps the chunk before it by {} bytes", end - offset)
        });
    }
    if let Some(line) = expected.line.filter(|line| *line != first_line) {
        wrong.push(format!(
            "its first line is {first_line}, and {line} would follow"
        ));
    }
    let mut chunk = Chunk {
        offset,
        line_start: uint(row, "line_start")?,
        at: uint(row, "at")?,
        ..Chunk::default()
    };
    if let Some(start) = expected.line_start
        && (start != chunk.line_start || !wrong.is_empty())
    {
        if wrong.is_empty() {
            wrong.push(format!(
                "its line began at byte {}, not {start}",
                chunk.line_start
            ));
        }
        expected.crc32c = None;
    }
    expected.offset = Some(offset.saturating_add(n_bytes));
    expected.line = Some(first_line.saturating_add(n_lines));
    if is_gap {
        expected.line_start = None;
        expected.crc32c = None;
        return Ok(wrong);
    }
    chunk.bytes = unpack(row.try_get("bytes")?, MAX_CHUNK, "output")?;
    chunk.decode_marks(row.try_get("marks")?)?;
    if chunk.bytes.len() as u64 != n_bytes || chunk.lines.len() as u64 != n_lines {
        wrong.push(format!(
            "it holds {} bytes and {} lines, and should hold {n_bytes} and {n_lines}",
            chunk.bytes.len(),
            chunk.lines.len()
        ));
    }
    let end = chunk.end();
    let inside = |at: u64| at <= end;
    let mut before = chunk.line_start;
    for line in &chunk.lines {
        if !inside(line.end) || line.end < before || line.visible > line.end {
            wrong.push(format!(
                "a line is marked to end at byte {}, outside of it",
                line.end
            ));
            break;
        }
        before = line.end;
    }
    if !inside(uint(row, "tail_visible")?) {
        wrong.push("its unfinished line is marked behind its end".into());
    }
    expected.line_start = Some(chunk.lines.last().map_or(chunk.line_start, |line| line.end));
    expected.crc32c = expected
        .crc32c
        .map(|crc| crc32c::crc32c_append(crc, &chunk.bytes));
    Ok(wrong)
}

/// Compares the sum of all chunks with what the run says.
fn totals(run: &Stored, expected: &Expected, found: &mut Found) {
    found.incomplete = run
        .doubt
        .as_ref()
        .map(|doubt| format!("run {}: {}", run.id, doubt.escape_default()));
    let (Some(view), Some(bytes), Some(line)) = (&run.view, expected.offset, expected.line) else {
        return;
    };
    let lines = line.saturating_sub(1);
    if bytes > view.bytes || lines > view.lines {
        found.damage.push(format!(
            "run {}: {bytes} bytes and {lines} lines of output are stored, and it wrote {} and {}",
            run.id, view.bytes, view.lines
        ));
    } else if bytes < view.bytes || lines < view.lines {
        found.incomplete = Some(format!(
            "run {}: {} of {} bytes and {} of {} lines have not arrived",
            run.id,
            view.bytes - bytes,
            view.bytes,
            view.lines - lines,
            view.lines
        ));
    } else if let (Some(should), Some(is)) = (run.crc32c, expected.crc32c)
        && should != is
    {
        found.damage.push(format!(
            "run {}: the checksum of its output is {is:08x}, and should be {should:08x}",
            run.id
        ));
    }
}
