//! Logs of single builds.

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::Report;
use crate::dashboard::store::build_logs::unpacked;
use crate::dashboard::store::{StoreError, uint};

/// The schema that has them first.
pub(super) const SINCE: i64 = 5;

/// Reads every line back, one row at a time.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report<'_>,
) -> Result<(), StoreError> {
    report.say("reading the logs of builds");
    let (mut wrong, mut lines, mut at) = (Vec::new(), 0, 0_i64);
    loop {
        let row = sqlx::query(
            "SELECT build_log_lines.rowid AS at, first_line, n_lines, bytes, run_id, drv
             FROM build_log_lines JOIN build_logs ON build_logs.id = build_id
             WHERE build_log_lines.rowid > ?1 ORDER BY build_log_lines.rowid LIMIT 1",
        )
        .bind(at)
        .fetch_optional(&mut *connection)
        .await?;
        let Some(row) = row else { break };
        at = row.try_get("at")?;
        let (first, n_lines) = (uint(&row, "first_line")?, uint(&row, "n_lines")?);
        let (run, drv): (String, String) = (row.try_get("run_id")?, row.try_get("drv")?);
        let what = match unpacked(&row) {
            Ok(plain) if plain.lines().count() as u64 == n_lines => {
                lines += n_lines;
                continue;
            }
            Ok(plain) => format!("has {} lines, not {n_lines}", plain.lines().count()),
            Err(error) => error.to_string(),
        };
        wrong.push(format!(
            "run {run}: the log of {} from line {first}: {what}",
            drv.escape_debug()
        ));
    }
    let todo = "restore a backup if this log matters; outputs of runs are not concerned";
    report.many(
        "build logs",
        wrong,
        todo,
        format!("{lines} lines read back"),
    );
    Ok(())
}
