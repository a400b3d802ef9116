//! `GET /metrics`: figures of the fleet and of the dashboard itself, in Prometheus' text format.
//!
//! Of a host that is away there is only that and since when. Names are those of docs/monitoring.md.

mod hosts;
mod process;
mod resources;
mod text;

use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::HttpError;
use crate::dashboard::access::Viewer;
use crate::dashboard::alerts::rules::Severity;
use crate::dashboard::app::AppState;
use crate::dashboard::fleet::HostSample;
use crate::dashboard::liveness;
use crate::run::phase::RunState;
use crate::wire::resources::Resources;
use text::{Kind, Text};

/// All figures.
pub async fn metrics(_: Viewer, State(app): State<AppState>) -> Result<Response, HttpError> {
    let counted = app.store.count_runs().await?;
    let firing = app.store.count_firing().await?;
    let used = app.store.used().await?;
    let mut text = Text::default();
    fleet(&mut text, &app, &counted);
    alerts(&mut text, &firing);
    itself(&mut text, &app, used);
    let samples = app.fleet.samples();
    hosts::write(&mut text, &samples);
    resources::write(&mut text, &readings(&samples));
    process::write(&mut text);
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text.finish()).into_response())
}

/// What agents read of their hosts, of those that are there.
fn readings(samples: &[HostSample]) -> Vec<(&str, &Resources)> {
    samples
        .iter()
        .filter_map(|own| {
            let heartbeat = own.heartbeat.as_deref()?;
            Some((&*own.shown.hostname, heartbeat.resources.as_ref()?))
        })
        .collect()
}

fn fleet(text: &mut Text, app: &AppState, counted: &[(String, u64)]) {
    let (statuses, connected) = app.fleet.counts();
    let mut family = text.family("nixfleet_hosts", Kind::Gauge, "Hosts by status.");
    for (status, n) in statuses {
        family.count(&[("status", liveness::name(status))], n as u64);
    }
    let mut family = text.family("nixfleet_runs", Kind::Gauge, "Stored runs by state.");
    for state in RunState::ALL {
        let n = counted.iter().find(|(own, _)| own == state.name());
        family.count(&[("state", state.name())], n.map_or(0, |(_, n)| *n));
    }
    let ends = &app.hub.counters.ends;
    let mut family = text.family(
        "nixfleet_runs_finished_total",
        Kind::Counter,
        "Runs that came to a final state since the dashboard started.",
    );
    for (state, n, _) in ends {
        family.count(&[("state", state.name())], n.load(Relaxed));
    }
    let mut family = text.family(
        "nixfleet_run_duration_seconds",
        Kind::Histogram,
        "How long those of them took that started.",
    );
    for (state, _, times) in ends {
        family.histogram(&[("state", state.name())], times);
    }
    text.family(
        "nixfleet_agent_connections",
        Kind::Gauge,
        "Open connections of registered agents.",
    )
    .only_count(connected as u64);
}

fn alerts(text: &mut Text, firing: &[(String, u64)]) {
    let help = "Alerts that fire, by severity.";
    let mut family = text.family("nixfleet_alerts_firing", Kind::Gauge, help);
    for severity in Severity::ALL {
        let n = firing.iter().find(|(own, _)| own == severity.name());
        family.count(&[("severity", severity.name())], n.map_or(0, |(_, n)| *n));
    }
}

fn itself(text: &mut Text, app: &AppState, used: u64) {
    let help = "The dashboard's version.";
    let mut family = text.family("nixfleet_build_info", Kind::Gauge, help);
    family.count(&[("version", crate::base::VERSION)], 1);
    let counters = &app.hub.counters;
    let (waiting, dropped) = app.fleet.event_counts();
    for (name, help, value) in [
        (
            "nixfleet_store_commits_total",
            "Transactions of runs that were committed.",
            counters.commits.load(Relaxed),
        ),
        (
            "nixfleet_store_commit_failures_total",
            "Transactions of runs that failed.",
            counters.failures.load(Relaxed),
        ),
        (
            "nixfleet_run_records_total",
            "Journal records that were committed.",
            counters.records.load(Relaxed),
        ),
        (
            "nixfleet_agent_connections_opened_total",
            "Connections of agents that registered.",
            app.connections.opened(),
        ),
        (
            "nixfleet_host_events_dropped_total",
            "Events of hosts that are lost, because the store did not take them.",
            dropped,
        ),
    ] {
        text.family(name, Kind::Counter, help).only_count(value);
    }
    text.family(
        "nixfleet_store_commit_duration_seconds",
        Kind::Histogram,
        "How long transactions of runs took.",
    )
    .histogram(&[], &counters.commit_time);
    let space = app.store.space();
    let waits = app.hub.waiting();
    for (name, help, value) in [
        (
            "nixfleet_store_healthy",
            "Whether the last writes to the store succeeded.",
            u64::from(app.store.fault().is_none()),
        ),
        (
            "nixfleet_store_bytes",
            "Size of the database's file, free pages included.",
            space.file,
        ),
        (
            "nixfleet_store_used_bytes",
            "Bytes of the database's file that hold something.",
            used,
        ),
        (
            "nixfleet_store_wal_bytes",
            "Size of the database's log of newest commits.",
            space.wal,
        ),
        (
            "nixfleet_store_disk_free_bytes",
            "What the dashboard may still write on the disk of its store.",
            space.free,
        ),
        (
            "nixfleet_hub_requests_waiting",
            "Requests of operators that wait for the hub.",
            waits.requests as u64,
        ),
        (
            "nixfleet_hub_connections_waiting",
            "Connections whose messages wait for the hub.",
            waits.connections as u64,
        ),
        (
            "nixfleet_hub_pushes_waiting",
            "Pushes of lines that wait for the hub.",
            waits.pushes as u64,
        ),
        (
            "nixfleet_host_events_waiting",
            "Events of hosts that wait for the store.",
            waiting as u64,
        ),
        (
            "nixfleet_live_readers",
            "Pages and programs that follow the fleet.",
            app.live.readers() as u64,
        ),
    ] {
        text.family(name, Kind::Gauge, help).only_count(value);
    }
}

#[cfg(test)]
mod tests;
