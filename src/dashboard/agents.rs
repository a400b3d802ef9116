//! Agents' connections at `/ws`.
//!
//! Each is one small task that reads and writes; thousands of idle ones must cost next to nothing, so WebSocket buffers
//! are small and grow with what is sent. Nothing here waits for the hub or the store.

mod connection;
mod handshake;
pub mod peer;
#[cfg(test)]
mod tests;
pub mod v2;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::get;
use tokio_util::task::TaskTracker;

use crate::dashboard::app::AppState;
use crate::dashboard::http::error::HttpError;
use crate::wire::MAX_FRAME;

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
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .unwrap_or_default();
    if !app.access.agent_allowed(bearer) {
        tracing::warn!("an agent without a valid token was refused");
        return Err(HttpError::Unauthorized);
    }
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
            connection::serve(app, socket).await;
        }))
}
