//! The HTTP interface. [`ROUTES`] is the table of all of it; a test compares it with the router and with the description
//! that `GET /api/openapi.json` answers.

pub mod absence;
pub mod access;
pub mod alerts;
pub mod assets;
pub mod builds;
pub mod capacity;
pub mod error;
pub mod events;
pub mod health;
pub mod host_events;
pub mod host_logs;
pub mod hosts;
pub mod log;
pub mod metrics;
pub mod openapi;
pub mod prometheus;
pub mod push;
pub mod runs;
pub mod security;
pub mod subjects;
#[cfg(test)]
mod tests;
pub mod v2;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};

use crate::dashboard::agents;
use crate::dashboard::app::AppState;

/// The largest body of a request, in bytes.
pub const MAX_BODY: usize = 256 * 1024;

/// Every route of the API: method, path as OpenAPI writes it, and who may call it.
pub const ROUTES: &[(&str, &str, &str)] = &[
    ("get", "/health", "everybody"),
    ("get", "/metrics", "viewer"),
    ("get", "/api/openapi.json", "everybody"),
    ("get", "/api/session", "viewer"),
    ("post", "/login", "everybody"),
    ("post", "/logout", "viewer"),
    ("post", "/setup", "everybody"),
    ("get", "/api/hosts", "viewer"),
    ("post", "/api/hosts", "operator"),
    ("get", "/api/hosts/{host}", "viewer"),
    ("put", "/api/hosts/{host}", "operator"),
    ("delete", "/api/hosts/{host}", "admin"),
    ("get", "/api/hosts/{host}/metrics", "viewer"),
    ("get", "/api/metrics", "viewer"),
    ("get", "/api/capacity", "viewer"),
    ("post", "/api/hosts/{host}/command", "operator"),
    ("post", "/api/hosts/{host}/logs", "agent or operator"),
    ("get", "/api/hosts/{host}/logs", "viewer"),
    ("get", "/api/hosts/{host}/events", "viewer"),
    ("post", "/api/hosts/{host}/maintenance", "operator"),
    ("delete", "/api/hosts/{host}/maintenance", "operator"),
    ("post", "/api/hosts/{host}/absence", "operator"),
    ("post", "/api/v1/heartbeat", "a host's key"),
    ("get", "/api/hosts/{host}/output", "viewer"),
    ("post", "/api/hosts/{host}/kill", "operator"),
    ("post", "/api/hosts/{host}/reboot", "operator"),
    ("post", "/api/dispatch", "operator"),
    ("get", "/api/runs", "viewer"),
    ("get", "/api/runs/{id}", "viewer"),
    ("get", "/api/runs/{id}/log", "viewer"),
    ("get", "/api/runs/{id}/log.txt", "viewer"),
    ("get", "/api/runs/{id}/gaps", "viewer"),
    ("get", "/api/runs/{id}/builds", "viewer"),
    ("get", "/api/runs/{id}/builds/log", "viewer"),
    ("post", "/api/runs/{id}/stop", "operator"),
    ("get", "/api/runs/{id}/events", "viewer"),
    ("get", "/api/events", "viewer"),
    ("post", "/api/publish", "operator"),
    ("post", "/api/request", "operator"),
    ("get", "/api/subscribe", "viewer"),
    ("get", "/api/alerts", "viewer"),
    ("get", "/api/alerts/channels", "viewer"),
    ("post", "/api/alerts/channels/{name}/test", "operator"),
];

/// All routes.
pub fn router(state: AppState) -> Router {
    let https = state.access.https();
    let routes = Router::new()
        .route("/health", get(health::health))
        .route("/metrics", get(prometheus::metrics))
        .route("/api/openapi.json", get(openapi::openapi))
        .route("/api/hosts", get(hosts::list).post(hosts::note))
        .route(
            "/api/hosts/{host}",
            get(hosts::one).put(hosts::edit).delete(hosts::remove),
        )
        .route("/api/hosts/{host}/metrics", get(metrics::history))
        .route("/api/metrics", get(metrics::recent))
        .route("/api/capacity", get(capacity::capacity))
        .route("/api/hosts/{host}/command", post(hosts::command))
        .route("/api/hosts/{host}/logs", host_logs::routes())
        .route("/api/hosts/{host}/events", get(host_events::list))
        .route(
            "/api/hosts/{host}/maintenance",
            post(absence::begin).delete(absence::end),
        )
        .route("/api/hosts/{host}/absence", post(absence::expect))
        .route(crate::wire::push::PATH, push::routes())
        .route("/api/hosts/{host}/output", get(v2::output))
        .route("/api/hosts/{host}/kill", post(v2::kill))
        .route("/api/hosts/{host}/reboot", post(v2::reboot))
        .route("/api/dispatch", post(v2::dispatch))
        .route("/api/runs", get(runs::list))
        .route("/api/runs/{id}", get(runs::one))
        .route("/api/runs/{id}/log", get(log::lines))
        .route("/api/runs/{id}/log.txt", get(log::text))
        .route("/api/runs/{id}/gaps", get(log::gaps))
        .route("/api/runs/{id}/builds", get(builds::list))
        .route("/api/runs/{id}/builds/log", get(builds::lines))
        .route("/api/runs/{id}/stop", post(runs::stop))
        .route("/api/runs/{id}/events", get(events::run::stream))
        .route("/api/events", get(events::fleet::stream))
        .route("/api/publish", post(subjects::publish))
        .route("/api/request", post(subjects::request))
        .route("/api/subscribe", get(subjects::subscribe))
        .route("/api/alerts", get(alerts::list))
        .route("/api/alerts/channels", get(alerts::channels))
        .route("/api/alerts/channels/{name}/test", post(alerts::test))
        .merge(agents::routes())
        .merge(access::routes())
        .merge(assets::routes(state.ui_dir.clone()))
        .layer(DefaultBodyLimit::max(MAX_BODY));
    security::headers(routes, https).with_state(state)
}
