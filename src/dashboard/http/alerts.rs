//! `/api/alerts`.

use std::collections::HashMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::error::HttpError;
use super::hosts::host_name;
use super::runs::query;
use crate::base::clock::rfc3339;
use crate::dashboard::access::{OperatorRole, Viewer};
use crate::dashboard::app::AppState;
use crate::dashboard::store::alerts::{AlertFilter, AlertRow};
use crate::dashboard::store::deliveries::DeliveryRow;
use crate::wire::api::{Alert, AlertChannel, AlertChannels, AlertDelivery, Alerts, ChannelTest};

/// Alerts in one answer, unless `limit` says otherwise.
const DEFAULT_LIMIT: u32 = 50;
/// The most alerts in one answer.
const MAX_LIMIT: u32 = 500;

/// Which alerts.
#[derive(Debug, serde::Deserialize)]
pub struct AlertsQuery {
    state: Option<String>,
    host: Option<String>,
    before: Option<String>,
    limit: Option<u32>,
}

/// Alerts, newest first.
pub async fn list(
    _: Viewer,
    State(app): State<AppState>,
    asked: Result<Query<AlertsQuery>, QueryRejection>,
) -> Result<Json<Alerts>, HttpError> {
    let asked = query(asked)?;
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT);
    if limit == 0 || limit > MAX_LIMIT {
        return Err(HttpError::Invalid {
            message: format!("limit {limit} is not between 1 and {MAX_LIMIT}"),
            hint: "ask for further alerts with `before`, the id of the last one you have".into(),
        });
    }
    let firing = match asked.state.as_deref() {
        None => None,
        Some("firing") => Some(true),
        Some("recovered") => Some(false),
        Some(_) => {
            return Err(HttpError::Invalid {
                message: "there is no such alert state".into(),
                hint: "the states are: firing, recovered".into(),
            });
        }
    };
    if let Some(before) = &asked.before
        && uuid::Uuid::try_parse(before).is_err()
    {
        return Err(HttpError::Invalid {
            message: "`before` is no alert's id".into(),
            hint: "`GET /api/alerts` lists the ids there are".into(),
        });
    }
    let filter = AlertFilter {
        firing,
        host: asked.host.as_deref().map(host_name).transpose()?,
        before: asked.before,
        limit,
    };
    let rows = app.store.alerts(&filter).await?;
    let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
    let mut told: HashMap<String, Vec<AlertDelivery>> = HashMap::new();
    for row in app.store.deliveries_of(&ids).await? {
        told.entry(row.alert.clone()).or_default().push(row.into());
    }
    let show = |row: AlertRow| {
        let deliveries = told.remove(&row.id).unwrap_or_default();
        show(row, deliveries)
    };
    Ok(Json(Alerts {
        alerts: rows.into_iter().map(show).collect(),
    }))
}

/// How the channels do.
pub async fn channels(
    _: Viewer,
    State(app): State<AppState>,
) -> Result<Json<AlertChannels>, HttpError> {
    let mut channels = Vec::new();
    for told in app.alerts.channels() {
        let settings = &told.channel.settings;
        let figures = app.store.channel_figures(&settings.name).await?;
        channels.push(AlertChannel {
            name: settings.name.clone(),
            kind: settings.kind.name().to_owned(),
            queued: figures.queued,
            failed: figures.failed,
            last_sent_at: figures.last_sent_at.map(rfc3339),
            last_error: app.alerts.test_error(&settings.name).or(figures.last_error),
        });
    }
    Ok(Json(AlertChannels { channels }))
}

/// Tells a test on a channel and waits for what comes of it.
pub async fn test(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(name): Path<String>,
) -> Result<Json<ChannelTest>, HttpError> {
    let tested = app.alerts.test(&name).await.ok_or_else(|| {
        HttpError::NotFound(format!(
            "there is no channel `{}`; `GET /api/alerts/channels` lists them",
            name.escape_default()
        ))
    })?;
    let tested = tested.map_err(|()| HttpError::Conflict {
        message: format!("a test of `{name}` goes on"),
        hint: "wait until it is over".into(),
    })?;
    tracing::info!(channel = name, by = operator.name, "a channel is tested");
    Ok(Json(ChannelTest {
        outcome: if tested.error.is_some() {
            "failed"
        } else {
            "sent"
        }
        .into(),
        delivery: tested.delivery,
        error: tested.error,
    }))
}

fn show(row: AlertRow, deliveries: Vec<AlertDelivery>) -> Alert {
    Alert {
        id: row.id,
        rule: row.rule,
        on: row.kind,
        severity: row.severity,
        state: if row.recovered_at.is_some() {
            "recovered"
        } else {
            "firing"
        }
        .into(),
        host: row.host.map(|host| host.to_string()),
        object: row.object,
        summary: row.summary,
        value: row.value,
        run: row.run,
        started_at: rfc3339(row.started_at),
        fired_at: rfc3339(row.fired_at),
        recovered_at: row.recovered_at.map(rfc3339),
        ended: row.ended,
        deliveries,
    }
}

impl From<DeliveryRow> for AlertDelivery {
    fn from(row: DeliveryRow) -> Self {
        Self {
            channel: row.channel,
            event: row.event,
            delivery: row.delivery,
            state: row.state,
            attempts: row.attempts,
            done_at: row.done_at.map(rfc3339),
            error: row.error,
        }
    }
}
