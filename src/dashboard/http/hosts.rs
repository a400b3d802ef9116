//! `/api/hosts`.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use super::MAX_BODY;
use super::error::HttpError;
use crate::base::clock;
use crate::dashboard::access::{Admin, OperatorRole, Viewer};
use crate::dashboard::app::AppState;
use crate::dashboard::hub::queue::{DEFAULT_WAIT, WAIT};
use crate::dashboard::hub::requests::{Ask, Asked, Refusal};
use crate::dashboard::tags;
use crate::run::id::{CommandName, HostName, RunId};
use crate::wire::api::{CommandBody, CommandQueued, Host, HostEdit};

/// The longest note on a host, in bytes.
const MAX_COMMENT: usize = 2000;
/// The most arguments of a command, and the most bytes of all of them.
const MAX_ARGS: (usize, usize) = (64, 16 * 1024);

/// A note on a host, which need not be known yet.
#[derive(Debug, serde::Deserialize)]
pub struct NoteBody {
    hostname: String,
    #[serde(default)]
    comment: String,
}

/// The host that a path names.
pub fn host_name(text: &str) -> Result<HostName, HttpError> {
    text.parse().map_err(|error| HttpError::Invalid {
        message: format!("{error}"),
        hint: "`GET /api/hosts` lists the names there are".into(),
    })
}

/// What a JSON body can be before it is looked at.
pub type JsonObject = Result<Json<serde_json::Map<String, serde_json::Value>>, JsonRejection>;

/// The body, or what is wrong with it in our own words.
///
/// # Errors
/// It is no JSON object, or not one of that kind, or larger than [`MAX_BODY`].
pub fn body<T: serde::de::DeserializeOwned>(json: JsonObject) -> Result<T, HttpError> {
    let invalid = |message: String| HttpError::Invalid {
        message,
        hint: "send a JSON object with `Content-Type: application/json`; see /api/openapi.json"
            .into(),
    };
    let Json(object) = json.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return HttpError::TooLarge {
                message: format!("the body has more than {MAX_BODY} bytes"),
                hint: "send less; see /api/openapi.json".into(),
            };
        }
        invalid(rejection.body_text())
    })?;
    // An object first: serde would also take an array as the fields in their order.
    serde_json::from_value(object.into()).map_err(|error| invalid(error.to_string()))
}

/// All hosts.
pub async fn list(_: Viewer, State(app): State<AppState>) -> Response {
    let kind = [(header::CONTENT_TYPE, "application/json")];
    match app.fleet.hosts_json() {
        Ok(body) => (kind, body).into_response(),
        Err(error) => {
            tracing::error!("the hosts cannot be written as JSON: {error}");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// One host.
pub async fn one(
    _: Viewer,
    State(app): State<AppState>,
    Path(host): Path<String>,
) -> Result<Json<Host>, HttpError> {
    let host = host_name(&host)?;
    let found = app.fleet.host(&host);
    found
        .map(Json)
        .ok_or_else(|| Refusal::UnknownHost(host).into())
}

/// Makes a host known by name, or replaces the note on it.
pub async fn note(
    _: OperatorRole,
    State(app): State<AppState>,
    json: JsonObject,
) -> Result<Json<Host>, HttpError> {
    let NoteBody { hostname, comment } = body(json)?;
    let host = host_name(&hostname)?;
    short(&comment)?;
    app.store
        .comment_host(&host, &comment, clock::now())
        .await?;
    app.fleet.comment(&host, &comment);
    let found = app.fleet.host(&host);
    found
        .map(Json)
        .ok_or_else(|| Refusal::UnknownHost(host).into())
}

fn short(comment: &str) -> Result<(), HttpError> {
    if comment.len() <= MAX_COMMENT {
        return Ok(());
    }
    Err(HttpError::Invalid {
        message: format!("the comment has more than {MAX_COMMENT} bytes"),
        hint: "write less".into(),
    })
}

/// Replaces what an operator says of a host that is known.
pub async fn edit(
    _: OperatorRole,
    State(app): State<AppState>,
    Path(host): Path<String>,
    json: JsonObject,
) -> Result<Json<Host>, HttpError> {
    let host = host_name(&host)?;
    let HostEdit { comment, tags } = body(json)?;
    let unknown = || Refusal::UnknownHost(host.clone());
    app.fleet.host(&host).ok_or_else(unknown)?;
    let tags = tags.map(|given| {
        tags::list(given.iter().map(String::as_str)).map_err(|message| HttpError::Invalid {
            message,
            hint: "send `{\"tags\": [\"build\", \"gpu\"]}`; an empty list takes all away".into(),
        })
    });
    let tags = tags.transpose()?;
    comment.as_deref().map_or(Ok(()), short)?;
    if let Some(comment) = &comment {
        app.store.comment_host(&host, comment, clock::now()).await?;
        app.fleet.comment(&host, comment);
    }
    if let Some(tags) = &tags {
        app.store.tag_host(&host, tags).await?;
        app.fleet.tag(&host, tags);
    }
    let found = app.fleet.host(&host);
    found.map(Json).ok_or_else(|| unknown().into())
}

/// Forgets a host that is not connected, with all its runs.
pub async fn remove(
    Admin(operator): Admin,
    State(app): State<AppState>,
    Path(host): Path<String>,
) -> Result<StatusCode, HttpError> {
    let host = host_name(&host)?;
    app.hub.remove(host.clone()).await?;
    tracing::info!(%host, by = operator.name, "removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Asks for a run.
pub async fn command(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(host): Path<String>,
    json: JsonObject,
) -> Result<(StatusCode, Json<CommandQueued>), HttpError> {
    let host = host_name(&host)?;
    let CommandBody {
        command,
        args,
        queue,
        force,
        expires_in,
    } = body(json)?;
    let n_bytes: usize = args.iter().map(String::len).sum();
    if args.len() > MAX_ARGS.0 || n_bytes > MAX_ARGS.1 || args.iter().any(|arg| arg.contains('\0'))
    {
        return Err(HttpError::Invalid {
            message: "the arguments are too many, too long, or have a zero byte".into(),
            hint: format!("at most {} arguments and {} bytes", MAX_ARGS.0, MAX_ARGS.1),
        });
    }
    let parsed: CommandName = command.parse().map_err(|error| HttpError::UnknownCommand {
        message: format!("{error}"),
        hint: "`GET /api/hosts` names the commands of each host".into(),
    })?;
    let wait = wait(queue, expires_in)?;
    let asked = if parsed.as_str() == "stop" {
        // As earlier dashboards had it: stop whatever runs there.
        let run = current_run(&app, host).await?;
        Asked {
            run: app.hub.stop(run, force, operator.name).await?,
            queued_until: None,
        }
    } else {
        let ask = Ask {
            host,
            command: parsed,
            args,
            by: operator.name,
            wait,
        };
        app.hub.run(ask).await?
    };
    let queued = CommandQueued {
        status: "queued".into(),
        command,
        command_id: asked.run,
        queued_until: asked.queued_until.map(clock::rfc3339),
    };
    Ok((StatusCode::ACCEPTED, Json(queued)))
}

/// How long a run may wait for its host, if it may.
fn wait(queue: bool, expires_in: Option<u64>) -> Result<Option<Duration>, HttpError> {
    let invalid = |message: String| HttpError::OutOfRange {
        message,
        hint: format!(
            "send `\"queue\": true` with `expires_in` in seconds, {} to {}, or without it for a day",
            WAIT.start(),
            WAIT.end()
        ),
    };
    match expires_in {
        Some(_) if !queue => Err(invalid(
            "expires_in says how long a run may wait, but this one may not: `queue` is not true"
                .into(),
        )),
        Some(seconds) if !WAIT.contains(&seconds) => Err(invalid(format!(
            "expires_in {seconds} is not between {} seconds and {} seconds (7 days)",
            WAIT.start(),
            WAIT.end()
        ))),
        seconds => Ok(queue.then(|| Duration::from_secs(seconds.unwrap_or(DEFAULT_WAIT)))),
    }
}

/// The run that goes on at a host, for whoever would stop it. A heartbeat may name another host's: that one is not meant.
pub(super) async fn current_run(app: &AppState, host: HostName) -> Result<RunId, HttpError> {
    let known = app.fleet.host(&host);
    let known = known.ok_or_else(|| Refusal::UnknownHost(host.clone()))?;
    let Some(activity) = known.activity else {
        return Err(Refusal::Idle(host).into());
    };
    match app.store.run(activity.run).await? {
        Some(row) if row.host != host => Err(Refusal::Idle(host).into()),
        _ => Ok(activity.run),
    }
}

impl From<Refusal> for HttpError {
    fn from(refusal: Refusal) -> Self {
        let conflict = |message: String, hint: &str| Self::Conflict {
            message,
            hint: hint.into(),
        };
        match refusal {
            Refusal::UnknownHost(host) => Self::NotFound(format!("there is no host `{host}`")),
            Refusal::UnknownRun(run) => Self::NotFound(format!("there is no run {run}")),
            Refusal::UnknownCommand {
                host,
                command,
                offered,
            } => {
                let names: Vec<&str> = offered.iter().map(CommandName::as_str).collect();
                Self::UnknownCommand {
                    message: format!("{host} does not offer the command `{command}`"),
                    hint: if names.is_empty() {
                        format!("{host} offers no commands")
                    } else {
                        format!("{host} offers: {}", names.join(", "))
                    },
                }
            }
            Refusal::NoArguments { host, command } => Self::UnknownCommand {
                message: format!("the command `{command}` takes no arguments on {host}"),
                hint: "send it without; only commands that the host declares with allow_args = true take any".into(),
            },
            Refusal::Offline(host) => conflict(
                format!("{host} is not connected"),
                "look at the agent's service on the host; it reconnects by itself. With `--queue` (`\"queue\": true`) the run waits for it",
            ),
            Refusal::OnlyPushes(host) => conflict(
                format!("{host} only pushes heartbeats: no agent there takes commands"),
                "run `nixfleet-agent` with this dashboard as its `url` on the host",
            ),
            Refusal::Connected(host) => conflict(
                format!("{host} is connected"),
                "stop the agent on the host first, or it will register again at once",
            ),
            Refusal::Busy { host, command, run } => conflict(
                format!("{host} is busy with `{command}` (run {run})"),
                "wait for its end, or stop it; with `--queue` (`\"queue\": true`) the run waits for it",
            ),
            Refusal::QueueFull { host, waiting } => conflict(
                format!("{waiting} runs wait for {host} already"),
                "cancel one of them: `GET /api/runs?state=queued` lists them, `POST /api/runs/{id}/stop` cancels",
            ),
            Refusal::Idle(host) => conflict(
                format!("{host} runs nothing that could be stopped"),
                "`GET /api/runs` lists what ran",
            ),
            Refusal::Pushed(run) => conflict(
                format!("run {run} is made of lines that somebody pushes; no agent runs it"),
                "end it where its lines come from: `POST /api/hosts/{host}/logs` with `done`",
            ),
            Refusal::NotPushed(run) => conflict(
                format!("run {run} is an agent's own; its lines come from the agent alone"),
                "leave out `run` to open a run for your lines",
            ),
            Refusal::Over(run) => conflict(
                format!("run {run} is over"),
                "`GET /api/runs` lists what goes on",
            ),
            Refusal::Stopping => {
                conflict("the dashboard is stopping".into(), "try again in a moment")
            }
            Refusal::Store { why, damaged } => Self::Store { why, damaged },
        }
    }
}
