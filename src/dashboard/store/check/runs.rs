//! Every run's row, and its output.

use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, Row as _};

use super::{Report, TOLD, output};
use crate::dashboard::store::space::shown;
use crate::dashboard::store::{StoreError, uint};
use crate::run::id::HostName;
use crate::run::phase::RunState;
use crate::run::view::RunView;

/// One run as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub id: String,
    pub view: Option<RunView>,
    /// The checksum of its output, where the schema has one.
    pub crc32c: Option<u32>,
    /// Why the dashboard itself does not trust the output.
    pub doubt: Option<String>,
}

/// Every run, and its output.
pub(super) async fn check(
    connection: &mut SqliteConnection,
    report: &mut Report<'_>,
) -> Result<(), StoreError> {
    let n_runs = uint(
        &sqlx::query("SELECT count(*) AS n FROM runs")
            .fetch_one(&mut *connection)
            .await?,
        "n",
    )?;
    let (mut wrong, mut damaged, mut incomplete) = (Vec::new(), Vec::new(), Vec::new());
    let (mut id, mut n, mut bytes) = (String::new(), 0_u64, 0_u64);
    loop {
        // The run and its output as of one moment: a dashboard may write meanwhile.
        let mut read = connection.begin().await?;
        let row = sqlx::query("SELECT *, EXISTS (SELECT 1 FROM hosts WHERE hosts.hostname = runs.hostname) AS has_host FROM runs WHERE id > ?1 ORDER BY id LIMIT 1")
            .bind(&id)
            .fetch_optional(&mut *read)
            .await?;
        let Some(row) = row else { break };
        id = row.try_get("id")?;
        n += 1;
        report.say(&format!("run {n} of {n_runs}, {} of output", shown(bytes)));
        let stored = run(&row, &mut wrong)?;
        let found = output::check(&mut read, &stored).await?;
        bytes += found.bytes;
        damaged.extend(found.damage);
        incomplete.extend(found.incomplete);
    }
    let todo = "restore a backup if this run matters; the others are not concerned";
    report.many("runs", wrong, todo, format!("{n} runs"));
    let well = format!("{} follow each other and read back", shown(bytes));
    report.many("output", damaged, todo, well);
    let n_more = incomplete.len().saturating_sub(TOLD);
    incomplete.truncate(TOLD);
    for what in incomplete {
        report.warn(
            "incomplete",
            what,
            "its host sends the rest when it connects; what no journal holds any more is gone",
        );
    }
    if n_more > 0 {
        report.warn("incomplete", format!("and {n_more} more"), "as above");
    }
    Ok(())
}

/// Checks a run's own row.
fn run(row: &sqlx::sqlite::SqliteRow, wrong: &mut Vec<String>) -> Result<Stored, StoreError> {
    let id: String = row.try_get("id")?;
    let (host, state): (String, String) = (row.try_get("hostname")?, row.try_get("state")?);
    let known = RunState::ALL
        .into_iter()
        .find(|known| known.name() == state);
    if known.is_none() {
        wrong.push(format!(
            "run {id}: its state `{}` is unknown",
            state.escape_default()
        ));
    }
    if host.parse::<HostName>().is_err() {
        wrong.push(format!(
            "run {id}: `{}` is no host's name",
            host.escape_default()
        ));
    }
    if !row.try_get::<bool, _>("has_host")? && known.is_none_or(|state| !state.is_terminal()) {
        wrong.push(format!(
            "run {id}: it is not over, and its host {} does not exist",
            host.escape_default()
        ));
    }
    // Not in every schema.
    let notes: serde_json::Value = row
        .try_get::<&str, _>("notes")
        .ok()
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let view: Result<RunView, _> = serde_json::from_str(row.try_get("view")?);
    match &view {
        Err(error) => wrong.push(format!(
            "run {id}: what is known of it cannot be read: {error}"
        )),
        // The host may have said how the run ended ahead of its last records.
        Ok(view) if known.is_some_and(|known| known != view.state) && notes["ahead"].is_null() => {
            wrong.push(format!(
                "run {id}: it is said to be `{}` and `{}`",
                state.escape_default(),
                view.state.name()
            ));
        }
        Ok(_) => {}
    }
    let crc32c = notes["crc32c"].as_u64();
    Ok(Stored {
        id,
        view: view.ok(),
        crc32c: crc32c.and_then(|crc| u32::try_from(crc).ok()),
        doubt: notes["doubt"].as_str().map(str::to_owned),
    })
}
