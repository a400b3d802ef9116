//! Logs of single builds of a run.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::error::HttpError;
use super::log;
use super::runs::{query, stored};
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::store::runs::RunRow;
use crate::run::ansi;
use crate::run::phase::RunState;
use crate::wire::api::{BuildLogLine, BuildLogLines, BuildLogs, LoggedBuild};

/// The most builds in one answer.
const MAX_BUILDS: usize = 1000;
/// The most builds that a hint names.
const NAMED: usize = 5;

/// Which lines.
#[derive(Debug, serde::Deserialize)]
pub struct BuildLogQuery {
    drv: Option<String>,
    from: Option<u64>,
    limit: Option<usize>,
}

/// The builds that have a log.
pub async fn list(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<BuildLogs>, HttpError> {
    let row = stored(&app, &id).await?;
    let mut found = app.store.builds(row.id, MAX_BUILDS + 1).await?;
    let more = found.len() > MAX_BUILDS;
    found.truncate(MAX_BUILDS);
    Ok(Json(BuildLogs {
        more,
        incomplete: row.notes.build_logs_cut
            || row.is_incomplete()
            || lost(&row)
            || found.iter().any(|build| build.rest_dropped),
        builds: found
            .into_iter()
            .map(|build| LoggedBuild {
                name: build.name,
                drv: build.drv,
                lines: build.lines,
                rest_dropped: build.rest_dropped,
            })
            .collect(),
    }))
}

/// Whether nobody knows how the run ended, and so not what it printed last either.
fn lost(row: &RunRow) -> bool {
    row.shown().state == RunState::Lost
}

/// A range of lines of one of them.
pub async fn lines(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
    asked: Result<Query<BuildLogQuery>, QueryRejection>,
) -> Result<Json<BuildLogLines>, HttpError> {
    let asked = query(asked)?;
    let limit = log::wanted(asked.limit)?;
    // The run first: if it is over by now, the lines read after it are all that will ever be.
    let row = stored(&app, &id).await?;
    let drv = asked.drv.ok_or_else(|| HttpError::Invalid {
        message: "no `drv` is asked for".into(),
        hint: format!(
            "write ?drv=/nix/store/….drv; `GET /api/runs/{}/builds` lists those that have a log",
            row.id
        ),
    })?;
    let Some(build) = app.store.build(row.id, &drv).await? else {
        let known = app.store.builds(row.id, NAMED + 1).await?;
        let mut names: Vec<_> = known.iter().map(|build| build.drv.as_str()).collect();
        if names.len() > NAMED {
            names[NAMED] = "…";
        }
        return Err(HttpError::UnknownBuild {
            message: format!(
                "run {} has no log of a build {}",
                row.id,
                drv.escape_debug()
            ),
            hint: if names.is_empty() {
                "it has no logs of single builds; they come from Nix 2.30 or later, and stand in the run's output otherwise".into()
            } else {
                format!(
                    "`GET /api/runs/{}/builds` lists those that have one: {}",
                    row.id,
                    names.join(", ")
                )
            },
        });
    };
    let from = asked.from.unwrap_or(1);
    let found = app.store.build_lines(&build, from, limit).await?;
    Ok(Json(BuildLogLines {
        complete: found.at_end && row.is_complete(),
        next: found.next,
        total: build.lines,
        rest_dropped: build.rest_dropped,
        incomplete: row.notes.build_logs_cut || row.is_incomplete() || lost(&row),
        lines: found
            .lines
            .into_iter()
            .map(|(n, text)| BuildLogLine {
                n,
                text: ansi::render(text.as_bytes()),
            })
            .collect(),
    }))
}
