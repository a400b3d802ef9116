//! `GET /health`: whether the dashboard does its work, for load balancers and service managers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::dashboard::app::AppState;

/// A store that needs longer for the smallest question does not answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// 200 while the store answers, else 503.
pub async fn health(State(app): State<AppState>) -> Response {
    let (status, body) = match tokio::time::timeout(DEADLINE, app.store.check()).await {
        Ok(Ok(())) => (StatusCode::OK, serde_json::json!({"status": "ok"})),
        failed => {
            let why = failed.map_or_else(
                |_| "it does not answer in time".into(),
                |answer| answer.map_or_else(|error| error.to_string(), |()| String::new()),
            );
            tracing::error!("not healthy, the store: {why}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                serde_json::json!({"status": "store_unavailable"}),
            )
        }
    };
    (status, Json(body)).into_response()
}
