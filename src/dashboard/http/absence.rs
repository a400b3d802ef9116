//! Hosts that may be away: `/api/hosts/{host}/maintenance` and `/api/hosts/{host}/absence`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;

use super::error::HttpError;
use super::hosts::{JsonObject, body, host_name};
use crate::base::clock::{self, Millis};
use crate::dashboard::access::OperatorRole;
use crate::dashboard::app::AppState;
use crate::dashboard::hub::requests::Refusal;
use crate::dashboard::store::host_absence::MaintenanceRow;
use crate::run::id::HostName;
use crate::wire::api::{AbsenceBody, Host, MaintenanceBody};

/// The longest reason, in characters.
const MAX_REASON: usize = 300;
/// The longest maintenance, in minutes: 90 days.
const MAX_MINUTES: u64 = 90 * 24 * 60;

/// Puts a host under maintenance, in place of one before.
pub async fn begin(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(host): Path<String>,
    json: JsonObject,
) -> Result<Json<Host>, HttpError> {
    let host = known(&app, &host)?;
    let now = clock::now();
    let row = maintenance(body(json)?, operator.name, now)?;
    app.store.set_maintenance(&host, Some(&row), now).await?;
    tracing::info!(%host, by = row.by, until = clock::rfc3339(row.until), "maintenance");
    app.fleet.begin_maintenance(&host, row);
    shown(&app, host)
}

/// Ends a maintenance; also where there is none.
pub async fn end(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(host): Path<String>,
) -> Result<StatusCode, HttpError> {
    let host = known(&app, &host)?;
    app.store.set_maintenance(&host, None, clock::now()).await?;
    if app.fleet.end_maintenance(&host, &operator.name) {
        tracing::info!(%host, by = operator.name, "maintenance is over");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// Says whether a host's absence is expected.
pub async fn expect(
    OperatorRole(operator): OperatorRole,
    State(app): State<AppState>,
    Path(host): Path<String>,
    json: JsonObject,
) -> Result<Json<Host>, HttpError> {
    let host = known(&app, &host)?;
    let AbsenceBody { expected } = body(json)?;
    app.store
        .set_expected(&host, expected, clock::now())
        .await?;
    tracing::info!(%host, by = operator.name, ?expected, "absence");
    app.fleet.expect_absence(&host, expected);
    shown(&app, host)
}

fn known(app: &AppState, host: &str) -> Result<HostName, HttpError> {
    let host = host_name(host)?;
    if app.fleet.presence(&host).is_none() {
        return Err(Refusal::UnknownHost(host).into());
    }
    Ok(host)
}

fn shown(app: &AppState, host: HostName) -> Result<Json<Host>, HttpError> {
    let found = app.fleet.host(&host);
    found
        .map(Json)
        .ok_or_else(|| Refusal::UnknownHost(host).into())
}

/// The maintenance that is asked for.
fn maintenance(
    body: MaintenanceBody,
    by: String,
    now: Millis,
) -> Result<MaintenanceRow, HttpError> {
    let out_of_range = |message: String| HttpError::OutOfRange {
        message,
        hint: format!("a maintenance takes 1 to {MAX_MINUTES} minutes (90 days) from now on"),
    };
    let invalid = |message: String| {
        HttpError::Invalid {
        message,
        hint:
            "send `minutes`, or `until` as RFC 3339 such as 2026-01-31T08:00:00Z, and a short `reason`"
                .into(),
    }
    };
    let until = match (body.minutes, body.until) {
        (Some(minutes @ 1..=MAX_MINUTES), None) => now + minutes * 60_000,
        (Some(minutes), None) => {
            return Err(out_of_range(format!("{minutes} minutes are not possible")));
        }
        (None, Some(text)) => {
            let until = clock::parse_rfc3339(&text)
                .ok_or_else(|| invalid(format!("`until` is no time: `{}`", text.escape_debug())))?;
            if until <= now || until - now > MAX_MINUTES * 60_000 {
                let (until, now) = (clock::rfc3339(until), clock::rfc3339(now));
                return Err(out_of_range(format!(
                    "`until` {until} is not possible; it is {now} here"
                )));
            }
            until
        }
        (None, None) => return Err(invalid("neither `minutes` nor `until` is there".into())),
        (Some(_), Some(_)) => return Err(invalid("`minutes` and `until` are both there".into())),
    };
    let reason = body.reason.trim();
    if reason.chars().count() > MAX_REASON || reason.contains(char::is_control) {
        return Err(invalid(format!(
            "`reason` has control characters, or more than {MAX_REASON} characters"
        )));
    }
    Ok(MaintenanceRow {
        since: now,
        until,
        reason: reason.to_owned(),
        by,
    })
}

#[cfg(test)]
mod tests;
