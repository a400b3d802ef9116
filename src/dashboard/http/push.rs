//! `POST /api/v1/heartbeat`: heartbeats of hosts that have no connection, each with its own key.

mod body;
#[cfg(test)]
mod tests;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::routing::{MethodRouter, post};

use super::error::HttpError;
use crate::dashboard::access::digest::digest;
use crate::dashboard::agents::cut_heartbeat;
use crate::dashboard::app::AppState;
use crate::dashboard::fleet::PUSHES_ONLY;
use crate::run::id::HostName;
use crate::wire::push::{MAX_BODY, Push, Taken};
use crate::wire::to_dashboard::Register;

/// The longest text that is kept of a host, in characters.
const MAX_TEXT: usize = 200;
/// What whoever pushes shows.
const KEY: &str = "x-api-key";

/// The route. The body's limit is its own.
pub fn routes() -> MethodRouter<AppState> {
    post(heartbeat).layer(DefaultBodyLimit::max(MAX_BODY))
}

/// A host that pushes, known by its key before its body is read.
struct PushingHost(HostName);

impl FromRequestParts<AppState> for PushingHost {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, HttpError> {
        let key = parts.headers.get(KEY).and_then(|key| key.to_str().ok());
        let key = key.ok_or(HttpError::UnknownPushKey)?;
        let host = app.store.push_key(&digest(key.trim())).await?;
        let host = host.ok_or(HttpError::UnknownPushKey)?;
        app.access
            .push_allowed(&host)
            .map_err(|retry_after| HttpError::TooManyPushes { retry_after })?;
        Ok(Self(host))
    }
}

async fn heartbeat(
    PushingHost(host): PushingHost,
    State(app): State<AppState>,
    headers: HeaderMap,
    bytes: Result<Bytes, BytesRejection>,
) -> Result<([(HeaderName, &'static str); 1], Json<Taken>), HttpError> {
    let bytes = bytes.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return body::too_large(MAX_BODY);
        }
        HttpError::Invalid {
            message: rejection.body_text(),
            hint: "send the request again".into(),
        }
    })?;
    let coding = headers.get(header::CONTENT_ENCODING);
    let coding = coding.map(|coding| coding.to_str().unwrap_or("?"));
    let json = body::decoded(coding, &bytes)?;
    let push = Push::read(&json).map_err(|error| HttpError::Invalid {
        message: format!("the body is not understood: {error}"),
        hint: "send one JSON object such as `{\"metrics\": {\"cpu\": 5, \"ram\": 40, \"swap\": 0, \"load\": 0.5}}`, or what `/api/openapi.json` says".into(),
    })?;
    let register = register(&host, &push);
    let mut heartbeat = push.heartbeat;
    cut_heartbeat(&mut heartbeat);
    if app.fleet.is_news(&host, &register) {
        app.store.note_pushing_host(&host, &register).await?;
    }
    app.fleet.push(&host, register, heartbeat);
    let taken = Taken {
        status: "ok".into(),
        hostname: host.to_string(),
    };
    Ok(([(header::ACCEPT_ENCODING, body::CODINGS)], Json(taken)))
}

/// What a push says of its host. Whose it is the key says, not the body.
fn register(host: &HostName, push: &Push) -> Register {
    let text = |text: &str| text.chars().take(MAX_TEXT).collect::<String>();
    Register {
        hostname: host.to_string(),
        host_type: text(&push.host_type),
        agent_version: text(&push.agent_version),
        os_version: text(&push.os_version),
        heartbeat_interval: push.interval,
        protocol: Some(PUSHES_ONLY),
        ..Register::default()
    }
}
