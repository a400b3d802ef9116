//! The history of metrics. Nothing of it is output: what is broken is a gap in a chart.

use futures_util::TryStreamExt as _;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnection;

use super::Report;
use crate::dashboard::metrics::packed::unpack;
use crate::dashboard::store::StoreError;

/// The schema that has them first.
pub(super) const SINCE: i64 = 6;

/// Counts the rows, those that cannot be read, and those of no host.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report<'_>,
) -> Result<(), StoreError> {
    report.say("reading the history of metrics");
    let (mut n, mut broken, mut orphans) = (0_u64, 0_u64, 0_u64);
    let mut rows =
        sqlx::query("SELECT packed, id FROM metrics LEFT JOIN metric_hosts ON id = host")
            .fetch(connection);
    while let Some(row) = rows.try_next().await? {
        n += 1;
        let packed: &[u8] = row.try_get("packed")?;
        broken += u64::from(unpack(packed).is_none());
        orphans += u64::from(row.try_get::<Option<i64>, _>("id")?.is_none());
    }
    if broken > 0 || orphans > 0 {
        report.warn(
            "metrics",
            format!("of {n} rows {broken} cannot be read and {orphans} are of no host"),
            "charts show gaps there; the rows go when they are too old",
        );
    } else {
        report.ok("metrics", format!("{n} rows"));
    }
    Ok(())
}
