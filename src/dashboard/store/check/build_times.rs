//! What estimates are told from. Nothing of it is output: what is broken costs an estimate.

use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::Report;
use crate::dashboard::store::{StoreError, uint};

/// The schema that has them first.
pub(super) const SINCE: i64 = 4;

/// Counts them, and those that cannot be read.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report<'_>,
) -> Result<(), StoreError> {
    let row = sqlx::query(
        "SELECT count(*) AS n, count(*) FILTER (WHERE NOT json_valid(times)) AS broken FROM build_times",
    )
    .fetch_one(connection)
    .await?;
    let (n, broken): (u64, i64) = (uint(&row, "n")?, row.try_get("broken")?);
    if broken > 0 {
        report.warn(
            "build times",
            format!("{broken} of {n} cannot be read"),
            "the dashboard leaves them out, and replaces them when the same is built again",
        );
    } else {
        report.ok("build times", format!("{n} derivations"));
    }
    Ok(())
}
