//! `GET /api/openapi.json`: the API's description, written by hand.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The description.
pub const OPENAPI: &str = include_str!("openapi.json");

#[cfg(test)]
mod tests;

/// Answers it.
pub async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}
