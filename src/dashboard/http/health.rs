//! `GET /health`: whether the dashboard does its work, for load balancers and service managers.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::dashboard::app::AppState;

/// A store that needs longer for the smallest question does not answer.
const DEADLINE: Duration = Duration::from_secs(3);

/// 200 while the store answers and takes what is written, else 503 with the reason.
pub async fn health(State(app): State<AppState>) -> Response {
    let why = match app.store.fault() {
        Some(fault) => Some(fault),
        None => match tokio::time::timeout(DEADLINE, app.store.check()).await {
            Ok(answer) => answer.err().map(|error| error.to_string()),
            Err(_) => Some(format!(
                "it does not answer within {} s",
                DEADLINE.as_secs()
            )),
        },
    };
    let (status, body) = match why {
        None => (StatusCode::OK, serde_json::json!({"status": "ok"})),
        Some(why) => {
            tracing::error!("not healthy, the store: {why}");
            (
                StatusCode::SERVICE_UNAVAILABLE,
                serde_json::json!({"status": "store_unavailable", "reason": why}),
            )
        }
    };
    (status, Json(body)).into_response()
}
