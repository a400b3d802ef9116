//! Agents' connections at `/ws`.
//!
//! Each is one small task that reads and writes; thousands of idle ones must cost next to nothing, so WebSocket buffers
//! are small and grow with what is sent. Nothing here waits for the hub or the store.

mod bounds;
mod connection;
mod exchange;
mod handshake;
mod identify;
pub mod peer;
#[cfg(test)]
mod tests;
pub mod v2;
mod visit;

pub use handshake::cut_heartbeat;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::get;
use tokio_util::task::TaskTracker;

use self::handshake::Arrival;
use crate::dashboard::access::keys::Credential;
use crate::dashboard::app::AppState;
use crate::dashboard::http::error::HttpError;
use crate::wire::MAX_FRAME;
use crate::wire::key::{PublicKey, SCHEME, dashboard_host};

/// What is read from a socket at once, in bytes. The library's default is 128 KiB per connection.
const READ_BUFFER: usize = 1024;

/// The connections there are.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    /// Their tasks, to wait for at the end.
    pub tasks: TaskTracker,
    next_id: Arc<AtomicU64>,
}

impl Connections {
    /// A number for a new connection.
    fn number(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// How many agents registered since the start.
    pub fn opened(&self) -> u64 {
        self.next_id.load(Ordering::Relaxed)
    }
}

/// `/ws`.
pub fn routes() -> Router<AppState> {
    Router::new().route("/ws", get(upgrade))
}

async fn upgrade(
    State(app): State<AppState>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, HttpError> {
    let credential = credential(&app, &headers).await?;
    let authority = headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
        .map(dashboard_host)
        .unwrap_or_default();
    let upgrade = upgrade.map_err(|_| HttpError::Invalid {
        message: "this address is for WebSocket connections of agents".into(),
        hint: "the page is at `/`, the API at `/api/hosts`".into(),
    })?;
    let open = app.connections.tasks.token();
    Ok(upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MAX_FRAME)
        .max_message_size(MAX_FRAME)
        .max_frame_size(MAX_FRAME)
        .on_upgrade(move |socket| async move {
            let _open = open;
            connection::serve(
                app,
                socket,
                Arrival {
                    credential,
                    authority,
                },
            )
            .await;
        }))
}

/// What the agent shows, as far as it can be checked before the upgrade.
async fn credential(app: &AppState, headers: &HeaderMap) -> Result<Credential, HttpError> {
    let shown = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let (scheme, value) = shown.split_once(' ').unwrap_or((shown, ""));
    if scheme.eq_ignore_ascii_case(SCHEME) {
        let key: PublicKey = value
            .trim()
            .parse()
            .map_err(|error| HttpError::UnknownKey {
                message: format!("{error}"),
            })?;
        let known = app.keys.find(&app.store, &key).await?;
        return known.map(Credential::Key).ok_or_else(|| {
            tracing::warn!("an agent with the unknown key {key} was refused");
            HttpError::UnknownKey {
                message: format!("the dashboard does not know the key {key}"),
            }
        });
    }
    if scheme == "Bearer" && app.access.agent_allowed(value) {
        return Ok(Credential::Token);
    }
    tracing::warn!("an agent without a valid token was refused");
    Err(HttpError::Unauthorized)
}
