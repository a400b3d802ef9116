//! `GET /api/hosts/{host}/metrics` and `GET /api/metrics`.

use std::collections::{BTreeMap, HashSet};

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};

use super::error::HttpError;
use super::hosts::host_name;
use super::runs::query;
use crate::base::clock::{self, Millis, parse_rfc3339, rfc3339};
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::hub::requests::Refusal;
use crate::dashboard::metrics::history::{Asked, MAX_POINTS, Plan, PlanError};
use crate::dashboard::metrics::ladder::RUNGS;
use crate::dashboard::metrics::recent::MINUTES;
use crate::run::id::HostName;
use crate::wire::api::{MetricsHistory, RecentHost, RecentMetrics};

/// How far back is answered where nothing else is asked for.
const USUAL: Millis = 3_600_000;
/// The most hosts that one question may name.
const MAX_NAMED: usize = 500;

/// Which time, in which steps.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HistoryQuery {
    since: Option<String>,
    until: Option<String>,
    step: Option<u64>,
}

/// A host's history.
pub async fn history(
    _: Viewer,
    State(app): State<AppState>,
    Path(host): Path<String>,
    asked: Result<Query<HistoryQuery>, QueryRejection>,
) -> Result<Json<MetricsHistory>, HttpError> {
    let host = host_name(&host)?;
    let asked = query(asked)?;
    let known = app.fleet.host(&host);
    let known = known.ok_or_else(|| Refusal::UnknownHost(host.clone()))?;
    let now = clock::now();
    let until = moment("until", asked.until.as_deref(), now)?.unwrap_or(now);
    let since = moment("since", asked.since.as_deref(), now)?;
    let asked = Asked {
        since: since.unwrap_or(until.saturating_sub(USUAL)),
        until,
        step_s: asked.step,
        interval_s: known.heartbeat_interval.into(),
        now,
    };
    let plan = Plan::new(&asked).map_err(refused)?;
    // Nothing is kept before the ladder's end, and nothing comes from the future.
    let rung = RUNGS[plan.rung];
    let (first, last) = plan.buckets();
    let wanted = (
        first.max(rung.oldest(now, u64::MAX)),
        last.min(rung.bucket(now)),
    );
    let mut buckets = BTreeMap::new();
    if wanted.0 <= wanted.1 {
        buckets.extend(app.store.metrics(&host, plan.rung, wanted).await?);
        buckets.extend(app.fleet.metrics().unwritten(&host, plan.rung));
    }
    Ok(Json(plan.answer(host.as_str(), &buckets)))
}

/// A time, or a length of time before now: `2026-01-31T08:00:00Z`, `24h`.
fn moment(name: &str, text: Option<&str>, now: Millis) -> Result<Option<Millis>, HttpError> {
    let Some(text) = text else {
        return Ok(None);
    };
    // A `+` that was not escaped arrives as a space.
    if let Some(at) = parse_rfc3339(&text.replace(' ', "+")) {
        return Ok(Some(at));
    }
    let before = || {
        let unit = match text.chars().next_back()? {
            's' => 1000,
            'm' => 60_000,
            'h' => 3_600_000,
            'd' => 86_400_000,
            _ => return None,
        };
        let number: u64 = text.get(..text.len() - 1)?.parse().ok()?;
        Some(now.saturating_sub(number.saturating_mul(unit)))
    };
    let wrong = || HttpError::Invalid {
        message: format!("`{name}` is no time"),
        hint: "write it such as 2026-01-31T08:00:00Z, or such as 90m, 24h or 14d for so long ago"
            .into(),
    };
    before().map(Some).ok_or_else(wrong)
}

fn refused(error: PlanError) -> HttpError {
    HttpError::OutOfRange {
        message: error.to_string(),
        hint: match error {
            PlanError::Backwards => "`until` is now without it".into(),
            PlanError::NoStep => "leave it out for a step that fits".into(),
            PlanError::TooMany { least, .. } => format!(
                "ask with step={least} or more, for a shorter time, or without `step`; one answer has at most {MAX_POINTS} points"
            ),
        },
    }
}

/// Which hosts.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecentQuery {
    /// Names with a comma between; all hosts without.
    hosts: Option<String>,
}

/// The last hour of many hosts by the minute, from memory: the store is not asked.
pub async fn recent(
    _: Viewer,
    State(app): State<AppState>,
    asked: Result<Query<RecentQuery>, QueryRejection>,
) -> Result<Json<RecentMetrics>, HttpError> {
    let named = query(asked)?.hosts;
    let named: Option<HashSet<HostName>> = named
        .map(|names| names.split(',').map(host_name).collect())
        .transpose()?;
    if named.as_ref().is_some_and(|named| named.len() > MAX_NAMED) {
        return Err(HttpError::OutOfRange {
            message: format!("more than {MAX_NAMED} hosts are named"),
            hint: "ask for fewer at once, or for all of them without `hosts`".into(),
        });
    }
    let minute = RUNGS[1];
    // The minute that goes on is not over.
    let last = minute.bucket(clock::now()).saturating_sub(1);
    let wanted = |host: &HostName| named.as_ref().is_none_or(|named| named.contains(host));
    let hosts = app.fleet.metrics().recent(last, wanted).into_iter();
    Ok(Json(RecentMetrics {
        from: rfc3339(minute.start_s((last + 1).saturating_sub(MINUTES as u64)) * 1000),
        step_s: minute.step_s,
        hosts: hosts
            .map(|(host, [load, memory])| (host.to_string(), RecentHost { load, memory }))
            .collect(),
    }))
}
