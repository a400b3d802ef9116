//! `GET /api/hosts/{host}/events`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::error::HttpError;
use super::hosts::host_name;
use super::runs::query;
use crate::base::clock::rfc3339;
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::hub::requests::Refusal;
use crate::wire::api::{HostEvent, HostEvents};

/// Events in one answer, unless `limit` says otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// The most events in one answer.
const MAX_LIMIT: u32 = 1000;

/// Which events.
#[derive(Debug, serde::Deserialize)]
pub struct EventsQuery {
    before: Option<u64>,
    limit: Option<u32>,
}

/// What happened to a host, newest first.
pub async fn list(
    _: Viewer,
    State(app): State<AppState>,
    Path(host): Path<String>,
    asked: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Json<HostEvents>, HttpError> {
    let host = host_name(&host)?;
    let asked = query(asked)?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(HttpError::Invalid {
            message: format!("limit {limit} is not between 1 and {MAX_LIMIT}"),
            hint: "ask for further events with `before`, the id of the last one you have".into(),
        });
    }
    if app.fleet.presence(&host).is_none() {
        return Err(Refusal::UnknownHost(host).into());
    }
    let found = app.store.host_events(&host, asked.before, limit).await?;
    let events = found
        .into_iter()
        .map(|stored| HostEvent {
            id: stored.id,
            at: rfc3339(stored.event.at),
            kind: stored.event.kind,
            detail: stored.event.detail,
            last_seen: stored.event.last_seen.map(rfc3339),
        })
        .collect();
    Ok(Json(HostEvents { events }))
}
