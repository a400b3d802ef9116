//! `/api/hosts/{host}/logs`: lines from and for programs that speak plain HTTP.

mod position;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::{MethodRouter, get};

use self::position::{Position, Since};
use super::error::HttpError;
use super::hosts::host_name;
use super::runs::{query, run_id};
use crate::base::clock::{Millis, rfc3339};
use crate::dashboard::access::{Pusher, Viewer};
use crate::dashboard::app::AppState;
use crate::dashboard::hub::pushed::{End, Push, Pushed};
use crate::dashboard::hub::requests::Refusal;
use crate::dashboard::store::StoreError;
use crate::dashboard::store::output::lines::show;
use crate::dashboard::store::runs::{RunFilter, RunRow};
use crate::run::id::{CommandName, HostName, RunId};
use crate::wire::api::LogLine;

/// The largest body of a push, in bytes.
pub const MAX_PUSH: usize = 1024 * 1024;
/// The most lines of a push.
pub const MAX_PUSHED_LINES: usize = 20_000;
/// What pushed lines are of, unless they say it.
const DEFAULT_COMMAND: &str = "logs";
/// The most lines in one answer.
const MAX_LINES: usize = 1000;
/// The most runs that one answer looks at.
const MAX_RUNS: u32 = 50;

/// Both methods. The body's limit is this route's own.
pub fn routes() -> MethodRouter<AppState> {
    get(lines).post(push).layer(DefaultBodyLimit::max(MAX_PUSH))
}

/// What is pushed: as JSON, or with the lines as a plain text body and the rest in the query.
#[derive(Debug, Default, serde::Deserialize)]
struct PushBody {
    #[serde(default)]
    lines: Vec<String>,
    run: Option<String>,
    command: Option<String>,
    #[serde(default)]
    done: bool,
    exit_code: Option<i32>,
}

/// Takes lines, and answers once they are stored.
async fn push(
    pusher: Pusher,
    State(app): State<AppState>,
    Path(host): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<PushBody>, QueryRejection>,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<Json<Pushed>, HttpError> {
    let host = host_name(&host)?;
    let bytes =
        bytes.map_err(|rejection| too_large_or(rejection.status(), rejection.body_text()))?;
    let (body, raw) = read(&headers, asked, &bytes)?;
    let n_lines = memchr::memchr_iter(b'\n', &raw).count();
    if n_lines > MAX_PUSHED_LINES {
        return Err(HttpError::TooLarge {
            message: format!("{n_lines} lines are more than {MAX_PUSHED_LINES}"),
            hint: "send them in several requests, the later ones with `run`".into(),
        });
    }
    if body.exit_code.is_some() && !body.done {
        return Err(HttpError::Invalid {
            message: "`exit_code` without `done`".into(),
            hint: "send both with the last lines".into(),
        });
    }
    let command = body.command.as_deref().unwrap_or(DEFAULT_COMMAND);
    let command: CommandName = command.parse().map_err(|error| HttpError::Invalid {
        message: format!("{error}"),
        hint: "it is a name for what printed the lines, such as `backup`".into(),
    })?;
    let (by, create_host) = match pusher {
        Pusher::Agent if app.keys.has(&host) => {
            return Err(HttpError::Forbidden(format!(
                "{host} has a key: the agents' shared token does not count for it"
            )));
        }
        Pusher::Agent => (host.to_string(), true),
        Pusher::Operator(operator) => (operator.name, false),
    };
    let push = Push {
        host,
        run: body.run.as_deref().map(run_id).transpose()?,
        command,
        raw,
        end: body.done.then_some(End {
            exit_code: body.exit_code,
        }),
        by,
        create_host,
    };
    Ok(Json(app.hub.push(push).await?))
}

fn too_large_or(status: StatusCode, message: String) -> HttpError {
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        return HttpError::TooLarge {
            message: format!("the body has more than {MAX_PUSH} bytes"),
            hint: "send the lines in several requests, the later ones with `run`".into(),
        };
    }
    HttpError::Invalid {
        message,
        hint: "send the request again".into(),
    }
}

/// What the request says, and its lines, each with its newline.
fn read(
    headers: &HeaderMap,
    asked: Result<Query<PushBody>, QueryRejection>,
    bytes: &[u8],
) -> Result<(PushBody, Vec<u8>), HttpError> {
    let kind = headers.get(header::CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let mut raw = Vec::with_capacity(bytes.len() + 1);
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => {
            let body: PushBody = serde_json::from_slice(bytes).map_err(|error| HttpError::Invalid {
                message: format!("the body is not understood: {error}"),
                hint: "send `{\"lines\": [\"…\"]}`, and `run`, `command`, `done`, `exit_code` as in /api/openapi.json".into(),
            })?;
            for line in &body.lines {
                raw.extend_from_slice(line.strip_suffix('\n').unwrap_or(line).as_bytes());
                raw.push(b'\n');
            }
            Ok((body, raw))
        }
        "text/plain" => {
            raw.extend_from_slice(bytes);
            if raw.last().is_some_and(|last| *last != b'\n') {
                raw.push(b'\n');
            }
            Ok((query(asked)?, raw))
        }
        _ => Err(HttpError::Invalid {
            message: "the Content-Type is neither application/json nor text/plain".into(),
            hint: "send `Content-Type: text/plain` with the lines as they are, or JSON".into(),
        }),
    }
}

/// From when or where on.
#[derive(Debug, serde::Deserialize)]
struct LogsQuery {
    since: Option<String>,
}

/// Lines of a host's runs.
#[derive(Debug, serde::Serialize)]
struct HostLines {
    /// The newest run that was looked at.
    run: Option<RunId>,
    lines: Vec<HostLine>,
    /// What to send as `since` to get what comes after.
    next: String,
}

#[derive(Debug, serde::Serialize)]
struct HostLine {
    run: RunId,
    #[serde(flatten)]
    line: LogLine,
}

/// Lines of a host: the last ones of its newest run, or those of all runs since a time or after an answer before.
async fn lines(
    _: Viewer,
    State(app): State<AppState>,
    Path(host): Path<String>,
    asked: Result<Query<LogsQuery>, QueryRejection>,
) -> Result<Json<HostLines>, HttpError> {
    let host = host_name(&host)?;
    let since: Option<Since> = query(asked)?
        .since
        .map(|text| {
            text.parse().map_err(|message| HttpError::Invalid {
                message,
                hint: "write a time such as 2026-01-31T08:15:30Z, milliseconds since 1970, or the `next` of an answer before".into(),
            })
        })
        .transpose()?;
    if app.fleet.host(&host).is_none() {
        return Err(Refusal::UnknownHost(host).into());
    }
    let start = match &since {
        None | Some(Since::Time(0)) => rfc3339(0),
        Some(Since::Time(at)) => rfc3339(*at),
        Some(Since::Position(position)) => position.to_string(),
    };
    let mut position = Position::default();
    let mut found = Vec::new();
    let runs = begin(&app, &host, since).await?;
    let newest = runs.last().map(|(row, _)| row.id);
    for (row, from) in runs {
        let budget = MAX_LINES - found.len();
        let mut next = from;
        let mut complete = false;
        if budget > 0 {
            let read = app.store.read_lines(row.id, from, budget).await?;
            next = read.next;
            complete = row.is_complete() && read.lines.len() < budget && !read.cut;
            found.extend(read.lines.iter().map(|line| HostLine {
                run: row.id,
                line: show(line),
            }));
        }
        if !complete || Some(row.id) == newest {
            position.push(row.id, next);
        }
    }
    Ok(Json(HostLines {
        run: newest,
        lines: found,
        next: newest.map_or(start, |_| position.to_string()),
    }))
}

/// The runs to read, oldest first, and the line to begin with in each. Runs are read before their lines: one that is
/// over by then gets no further ones.
async fn begin(
    app: &AppState,
    host: &HostName,
    since: Option<Since>,
) -> Result<Vec<(RunRow, u64)>, HttpError> {
    let store = &app.store;
    let mut begins = Vec::new();
    match since {
        None => {
            let filter = RunFilter {
                host: Some(host.clone()),
                limit: 1,
                ..RunFilter::default()
            };
            for row in store.runs(&filter).await? {
                let from = (row.view.lines + 1).saturating_sub(MAX_LINES as u64).max(1);
                begins.push((row, from));
            }
        }
        Some(Since::Time(since)) => {
            for row in store.runs_since(host, since, MAX_RUNS).await? {
                let from = first_line(app, &row, since).await?;
                begins.push((row, from));
            }
        }
        Some(Since::Position(position)) => {
            for (run, from) in position.runs() {
                let row = store.run(*run).await?;
                let row = row.filter(|row| &row.host == host);
                begins.extend(row.map(|row| (row, *from)));
            }
            if let Some(last) = position.last() {
                let room = position::MAX_RUNS.saturating_sub(begins.len()) as u32;
                let newer = store.runs_after(host, last, MAX_RUNS.min(room)).await?;
                begins.extend(newer.into_iter().map(|row| (row, 1)));
            }
        }
    }
    Ok(begins)
}

/// The first line that was printed at `since` or later; the one after the last if none was.
async fn first_line(app: &AppState, row: &RunRow, since: Millis) -> Result<u64, StoreError> {
    let (mut low, mut high) = (1, row.view.lines + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let read = app.store.read_lines(row.id, middle, 1).await?;
        if read.lines.first().is_some_and(|line| line.at < since) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}
