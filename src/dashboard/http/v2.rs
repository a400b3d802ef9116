//! What scripts of earlier dashboards' users call and is nowhere else: the last lines of a host, its current
//! command's end, a reboot, one operation on many hosts.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;

use super::error::HttpError;
use super::hosts::{JsonObject, body, current_run, host_name};
use super::runs::query;
use crate::dashboard::access::{OperatorRole, Viewer};
use crate::dashboard::app::AppState;
use crate::dashboard::hub::requests::{Ask, Refusal};
use crate::dashboard::store::output::lines::show;
use crate::dashboard::store::runs::RunFilter;
use crate::run::id::{CommandName, HostName, RunId};
use crate::wire::api::{ApiError, CommandQueued};

/// The most lines in one answer, and how many without a word.
const MAX: usize = 1000;
const DEFAULT: usize = 100;
/// The most hosts of one dispatch.
const MAX_HOSTS: usize = 1000;

/// How many.
#[derive(Debug, serde::Deserialize)]
pub struct HowMany {
    lines: Option<usize>,
}

/// The last lines of a host's newest run.
#[derive(Debug, serde::Serialize)]
pub struct LastLines {
    run: Option<RunId>,
    command: Option<String>,
    lines: Vec<String>,
}

/// Which signal; earlier dashboards' pages sent the process too.
#[derive(Debug, Default, serde::Deserialize)]
pub struct KillBody {
    #[serde(default)]
    signal: String,
}

/// One operation on many hosts.
#[derive(Debug, serde::Deserialize)]
pub struct DispatchBody {
    op: String,
    hosts: Vec<String>,
}

/// One answer for each host, in the order of the request.
#[derive(Debug, serde::Serialize)]
pub struct Dispatched {
    results: Vec<OneHost>,
}

/// What became of it on one host.
#[derive(Debug, serde::Serialize)]
pub struct OneHost {
    host: String,
    /// `queued` or `refused`.
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    command_id: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ApiError>,
}

fn how_many(asked: Option<usize>, name: &str) -> Result<usize, HttpError> {
    match asked.unwrap_or(DEFAULT) {
        n @ 1..=MAX => Ok(n),
        n => Err(HttpError::Invalid {
            message: format!("{name} {n} is not between 1 and {MAX}"),
            hint: "`GET /api/runs/{id}/log` has all lines of a run".into(),
        }),
    }
}

fn known(app: &AppState, host: &str) -> Result<HostName, HttpError> {
    let host = host_name(host)?;
    if app.fleet.host(&host).is_none() {
        return Err(Refusal::UnknownHost(host).into());
    }
    Ok(host)
}

/// The last lines of the newest run.
pub async fn output(
    _: Viewer,
    State(app): State<AppState>,
    Path(host): Path<String>,
    asked: Result<Query<HowMany>, QueryRejection>,
) -> Result<Json<LastLines>, HttpError> {
    let n = how_many(query(asked)?.lines, "lines")?;
    let filter = RunFilter {
        host: Some(known(&app, &host)?),
        limit: 1,
        ..RunFilter::default()
    };
    let Some(row) = app.store.runs(&filter).await?.into_iter().next() else {
        return Ok(Json(LastLines {
            run: None,
            command: None,
            lines: Vec::new(),
        }));
    };
    let from = (row.view.lines + 1).saturating_sub(n as u64).max(1);
    let read = app.store.read_lines(row.id, from, n).await?;
    Ok(Json(LastLines {
        run: Some(row.id),
        command: Some(row.command),
        lines: read.lines.iter().map(|line| show(line).text).collect(),
    }))
}

/// Ends what runs on a host. SIGKILL is meant also in the middle of an activation.
pub async fn kill(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(host): Path<String>,
    bytes: axum::body::Bytes,
) -> Result<(StatusCode, Json<serde_json::Value>), HttpError> {
    let host = known(&app, &host)?;
    let asked: KillBody = if bytes.is_empty() {
        KillBody::default()
    } else {
        serde_json::from_slice(&bytes).map_err(|error| HttpError::Invalid {
            message: format!("the body is not understood: {error}"),
            hint: "send nothing, or `{\"signal\": \"SIGKILL\"}`".into(),
        })?
    };
    let force = match asked.signal.as_str() {
        "" | "SIGTERM" => false,
        "SIGKILL" => true,
        other => {
            return Err(HttpError::OutOfRange {
                message: format!(
                    "`{}` is no signal that ends a command",
                    other.escape_default()
                ),
                hint: "send SIGTERM or SIGKILL".into(),
            });
        }
    };
    let run = current_run(&app, host).await?;
    app.hub.stop(run, force, operator.name).await?;
    let answer = serde_json::json!({"status": "stopping", "run": run});
    Ok((StatusCode::ACCEPTED, Json(answer)))
}

/// Reboots a host: the command of that name.
pub async fn reboot(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(host): Path<String>,
) -> Result<(StatusCode, Json<CommandQueued>), HttpError> {
    let host = host_name(&host)?;
    let command = command_name("reboot")?;
    let run = ask(&app, host, command, operator.name).await?;
    let queued = CommandQueued {
        status: "queued".into(),
        command: "reboot".into(),
        command_id: run,
        queued_until: None,
    };
    Ok((StatusCode::ACCEPTED, Json(queued)))
}

/// Asks many hosts for the same.
pub async fn dispatch(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    json: JsonObject,
) -> Result<Json<Dispatched>, HttpError> {
    let DispatchBody { op, hosts } = body(json)?;
    let command = command_name(&op)?;
    if hosts.len() > MAX_HOSTS {
        return Err(HttpError::Invalid {
            message: format!("{} hosts are more than {MAX_HOSTS}", hosts.len()),
            hint: "ask in several requests".into(),
        });
    }
    let mut results = Vec::with_capacity(hosts.len());
    for host in hosts {
        let asked = match host_name(&host) {
            Ok(name) => ask(&app, name, command.clone(), operator.name.clone()).await,
            Err(error) => Err(error),
        };
        results.push(match asked {
            Ok(run) => OneHost {
                host,
                status: "queued",
                command_id: Some(run),
                error: None,
            },
            Err(error) => OneHost {
                host,
                status: "refused",
                command_id: None,
                error: Some(error.said()),
            },
        });
    }
    Ok(Json(Dispatched { results }))
}

fn command_name(text: &str) -> Result<CommandName, HttpError> {
    text.parse().map_err(|error| HttpError::UnknownCommand {
        message: format!("{error}"),
        hint: "`GET /api/hosts` names the commands of each host".into(),
    })
}

async fn ask(
    app: &AppState,
    host: HostName,
    command: CommandName,
    by: String,
) -> Result<RunId, HttpError> {
    if command.as_str() == "stop" {
        let run = current_run(app, host).await?;
        return Ok(app.hub.stop(run, false, by).await?);
    }
    let ask = Ask {
        host,
        command,
        args: Vec::new(),
        by,
        wait: None,
    };
    Ok(app.hub.run(ask).await?.run)
}
