//! `/api/runs`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;

use super::error::HttpError;
use super::hosts::host_name;
use crate::base::clock::rfc3339;
use crate::dashboard::access::{OperatorRole, Viewer};
use crate::dashboard::app::AppState;
use crate::dashboard::hub::requests::Refusal;
use crate::dashboard::store::runs::{RunFilter, RunRow};
use crate::run::id::RunId;
use crate::run::phase::RunState;
use crate::run::view::{PhaseSpan, RunView};
use crate::wire::api::{Run, RunPhase, Runs, StopBody};

/// Runs in one answer, unless `limit` says otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// The most runs in one answer.
const MAX_LIMIT: u32 = 200;

/// Which runs.
#[derive(Debug, serde::Deserialize)]
pub struct RunsQuery {
    host: Option<String>,
    state: Option<String>,
    before: Option<String>,
    limit: Option<u32>,
}

/// The query, or what is wrong with it in our own words.
pub fn query<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, HttpError> {
    query
        .map(|Query(query)| query)
        .map_err(|rejection| HttpError::Invalid {
            message: rejection.body_text(),
            hint: "numbers are digits only; see /api/openapi.json".into(),
        })
}

/// The run that a path names.
pub fn run_id(text: &str) -> Result<RunId, HttpError> {
    text.parse().map_err(|error| HttpError::Invalid {
        message: format!("{error}"),
        hint: "`GET /api/runs` lists the ids there are".into(),
    })
}

/// A stored run.
pub async fn stored(app: &AppState, id: &str) -> Result<RunRow, HttpError> {
    let id = run_id(id)?;
    let row = app.store.run(id).await?;
    row.ok_or_else(|| Refusal::UnknownRun(id).into())
}

/// Runs, newest first.
pub async fn list(
    _: Viewer,
    State(app): State<AppState>,
    asked: Result<Query<RunsQuery>, QueryRejection>,
) -> Result<Json<Runs>, HttpError> {
    let asked = query(asked)?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(HttpError::Invalid {
            message: format!("limit {limit} is not between 1 and {MAX_LIMIT}"),
            hint: "ask for further runs with `before`, the id of the last one you have".into(),
        });
    }
    let state = |name: String| {
        RunState::from_name(&name).ok_or_else(|| {
            let names: Vec<_> = RunState::ALL.iter().map(|state| state.name()).collect();
            HttpError::Invalid {
                message: "there is no such run state".into(),
                hint: format!("the states are: {}", names.join(", ")),
            }
        })
    };
    let filter = RunFilter {
        host: asked.host.as_deref().map(host_name).transpose()?,
        state: asked.state.map(state).transpose()?,
        before: asked.before.as_deref().map(run_id).transpose()?,
        limit,
    };
    let rows = app.store.runs(&filter).await?;
    Ok(Json(Runs {
        runs: rows.iter().map(|row| show(&app, row)).collect(),
    }))
}

/// One run.
pub async fn one(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Run>, HttpError> {
    Ok(Json(show(&app, &stored(&app, &id).await?)))
}

/// A stored run, with what is said of its end while it goes on.
fn show(app: &AppState, row: &RunRow) -> Run {
    let mut run = row.show(&app.fleet);
    if run.state == RunState::Running {
        run.eta = app.live.run(row.id).and_then(|live| live.eta);
    }
    run
}

/// Asks to stop a run.
pub async fn stop(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(id): Path<String>,
    bytes: axum::body::Bytes,
) -> Result<(StatusCode, Json<serde_json::Value>), HttpError> {
    let id = run_id(&id)?;
    let body: StopBody = if bytes.is_empty() {
        StopBody::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| HttpError::Invalid {
            message: format!("the body is not understood: {error}"),
            hint: "send nothing, or `{\"force\": true}`".into(),
        })?
    };
    app.hub.stop(id, body.force, operator.name).await?;
    let answer = serde_json::json!({"status": "stopping", "run": id});
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

impl From<&RunRow> for Run {
    fn from(row: &RunRow) -> Self {
        let view = row.shown();
        let phase = |span: &PhaseSpan| RunPhase {
            phase: span.phase,
            started_at: rfc3339(span.started_at),
            ended_at: span.ended_at.map(rfc3339),
            first_line: span.first_line,
        };
        Self {
            id: row.id,
            host: row.host.to_string(),
            command: row.command.clone(),
            args: row.args.clone(),
            state: view.state,
            phase: view.phase(),
            phases: view.phases.iter().map(phase).collect(),
            progress: view.progress.clone(),
            exit_code: view.outcome.as_ref().and_then(|outcome| outcome.exit_code),
            reason: reason(row, &view),
            requested_by: row.requested_by.clone(),
            created_at: rfc3339(row.created_at),
            started_at: view.started_at.map(rfc3339),
            finished_at: view.finished_at.map(rfc3339),
            lines: view.lines,
            bytes: view.bytes,
            bytes_missing: view.bytes_missing,
            bytes_pending: row.bytes_pending(),
            incomplete: row.is_incomplete(),
            unheard: row.notes.unheard.clone(),
            verified: row.notes.verified,
            recovered: view.recovered,
            queued_until: row
                .notes
                .queued_until
                .filter(|_| row.is_waiting())
                .map(rfc3339),
            reconnect_deadline_ms: None,
            warnings: view.warnings,
            errors: view.errors,
            failed_units: view.failed_units.clone(),
            generation: view.generation.clone(),
            stop_refused: view.stop_refused.clone(),
            eta: None,
            failure: view
                .outcome
                .as_ref()
                .and_then(|outcome| outcome.failure.clone()),
        }
    }
}

/// Why it ended as it did, and why its output is not trusted.
fn reason(row: &RunRow, view: &RunView) -> Option<String> {
    let reason = view.outcome.as_ref()?.reason.clone();
    match (&row.notes.doubt, row.notes.verified) {
        (Some(doubt), Some(false)) => Some(match reason {
            Some(reason) => format!("{reason}; {doubt}"),
            None => doubt.clone(),
        }),
        _ => reason,
    }
}
