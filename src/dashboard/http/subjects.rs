//! Messages by subject for people and scripts: publish, ask and listen. Live only; nothing is stored.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::error::HttpError;
use super::events;
use super::runs::query;
use crate::dashboard::access::digest::random;
use crate::dashboard::access::{OperatorRole, Viewer};
use crate::dashboard::app::AppState;
use crate::dashboard::subjects::mailbox::Next;
use crate::dashboard::subjects::{Outgoing, Refused, Seat, message};
use crate::wire::MAX_PATTERNS;
use crate::wire::subject::{Organization, Pattern, Subject};
use crate::wire::to_agent::Message;

/// How long `request` waits where it does not say.
const TIMEOUT_MS: u64 = 5000;
/// The longest that it may wait: proxies give an answer up after half a minute and more.
const MAX_TIMEOUT_MS: u64 = 25_000;

/// A message to be published; with `timeout_ms`, one that waits for an answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    subject: Subject,
    #[serde(default)]
    payload: Value,
    #[serde(default)]
    organization: Organization,
    reply_to: Option<Subject>,
    timeout_ms: Option<u64>,
}

impl From<Refused> for HttpError {
    fn from(refused: Refused) -> Self {
        let message = refused.to_string();
        match refused {
            Refused::TooLarge(_) => Self::TooLarge {
                message,
                hint: "send less, or where to fetch it".into(),
            },
            Refused::TooMany(_) | Refused::TooManyReaders => Self::Conflict {
                message,
                hint: "try again in a moment".into(),
            },
            Refused::TooManyPatterns => Self::Invalid {
                message,
                hint: "one pattern with `*` or `>` may stand for many".into(),
            },
        }
    }
}

fn body(body: Result<Json<Body>, JsonRejection>) -> Result<Body, HttpError> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(rejection) => Err(HttpError::Invalid {
            message: rejection.body_text(),
            hint: r#"send {"subject": "tasks.new", "payload": …} as in /api/openapi.json"#.into(),
        }),
    }
}

/// `POST /api/publish`.
pub async fn publish(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    sent: Result<Json<Body>, JsonRejection>,
) -> Result<Json<Value>, HttpError> {
    let sent = body(sent)?;
    if sent.timeout_ms.is_some() {
        return Err(HttpError::Invalid {
            message: "`timeout_ms` in a message that waits for no answer".into(),
            hint: "send it to /api/request, or leave `timeout_ms` out".into(),
        });
    }
    let delivered = app.subjects.publish(&Outgoing {
        organization: &sent.organization,
        subject: sent.subject,
        payload: sent.payload,
        reply_to: sent.reply_to,
        from: &format!("operator {}", operator.name),
    })?;
    Ok(Json(json!({ "delivered": delivered })))
}

/// `POST /api/request`: publishes, and answers with the first reply.
pub async fn request(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    sent: Result<Json<Body>, JsonRejection>,
) -> Result<Json<Message>, HttpError> {
    let sent = body(sent)?;
    let limit = sent.timeout_ms.unwrap_or(TIMEOUT_MS);
    if !(1..=MAX_TIMEOUT_MS).contains(&limit) {
        return Err(HttpError::OutOfRange {
            message: format!("`timeout_ms` {limit} is not between 1 and {MAX_TIMEOUT_MS}"),
            hint: "for what takes longer, have the answer published and listen for it".into(),
        });
    }
    if sent.reply_to.is_some() {
        return Err(HttpError::Invalid {
            message: "`reply_to` in a request, which has an address of its own".into(),
            hint: "leave `reply_to` out".into(),
        });
    }
    let address = reply_address()?;
    let seat = app
        .subjects
        .read(&sent.organization, vec![address.clone().into()])?;
    let subject = sent.subject.clone();
    let delivered = app.subjects.publish(&Outgoing {
        organization: &sent.organization,
        subject: sent.subject,
        payload: sent.payload,
        reply_to: Some(address),
        from: &format!("operator {}", operator.name),
    })?;
    if delivered == 0 {
        return Err(HttpError::Conflict {
            message: format!("nobody listens to `{subject}`"),
            hint: "start what answers it, or check `subject` and `organization`".into(),
        });
    }
    let answer = tokio::select! {
        answer = timeout(Duration::from_millis(limit), reply(&seat)) => answer.ok(),
        () = app.shutdown.cancelled() => None,
    };
    answer.map(Json).ok_or_else(|| HttpError::NoAnswer {
        message: format!("no answer to `{subject}` within {limit} ms"),
    })
}

/// An address that nobody can guess.
fn reply_address() -> Result<Subject, HttpError> {
    let failed = |error: String| {
        tracing::error!("a request cannot be made: {error}");
        HttpError::Conflict {
            message: "the dashboard has no random numbers".into(),
            hint: "its log says why".into(),
        }
    };
    let bytes = random::<16>().map_err(|error| failed(format!("{error:#}")))?;
    let number = u128::from_le_bytes(bytes);
    format!("_reply.{number:032x}")
        .parse()
        .map_err(|error| failed(format!("{error}")))
}

async fn reply(seat: &Seat) -> Message {
    loop {
        seat.mailbox.news().await;
        while let Some(next) = seat.mailbox.take() {
            if let Next::Message(json) = next
                && let Ok(message) = message(&json)
            {
                return message;
            }
        }
    }
}

/// `GET /api/subscribe?subject=PATTERN&subject=…&organization=`: server-sent events.
pub async fn subscribe(
    _: Viewer,
    State(app): State<AppState>,
    asked: Result<Query<Vec<(String, String)>>, QueryRejection>,
) -> Result<Response, HttpError> {
    let (patterns, organization) = wanted(query(asked)?)?;
    let first = events::event("listening", None, &json!({ "patterns": patterns }));
    let seat = app.subjects.read(&organization, patterns)?;
    let reader = (first, seat, app.shutdown.clone());
    Ok(events::respond(stream::unfold(
        reader,
        |mut reader| async {
            let event = match reader.0.take() {
                Some(first) => first,
                None => next_event(&reader.1, &reader.2).await?,
            };
            Some((Ok::<_, Infallible>(event), reader))
        },
    )))
}

/// What the query names. `subject` may come more than once.
fn wanted(pairs: Vec<(String, String)>) -> Result<(Vec<Pattern>, Organization), HttpError> {
    let invalid = |message: String| HttpError::Invalid {
        message,
        hint: "ask such as ?subject=tasks.*&subject=jobs.%3E".into(),
    };
    let (mut patterns, mut organization) = (Vec::new(), Organization::default());
    for (name, value) in pairs {
        match name.as_str() {
            "subject" if patterns.len() >= MAX_PATTERNS => {
                return Err(Refused::TooManyPatterns.into());
            }
            "subject" => {
                patterns.push(value.parse().map_err(|error| invalid(format!("{error}")))?);
            }
            "organization" => {
                organization = value.parse().map_err(|error| invalid(format!("{error}")))?;
            }
            other => {
                let other = other.escape_default();
                return Err(invalid(format!("`{other}` is nothing to ask for here")));
            }
        }
    }
    if patterns.is_empty() {
        return Err(invalid("no `subject` to listen to".into()));
    }
    Ok((patterns, organization))
}

async fn next_event(seat: &Seat, shutdown: &tokio_util::sync::CancellationToken) -> Option<Event> {
    loop {
        let event = match seat.mailbox.take() {
            Some(Next::Dropped(n)) => events::event("dropped", None, &json!({ "n": n })),
            Some(Next::Message(json)) => Some(Event::default().event("message").data(&*json)),
            None => tokio::select! {
                () = seat.mailbox.news() => None,
                () = shutdown.cancelled() => return None,
            },
        };
        if event.is_some() {
            return event;
        }
    }
}
