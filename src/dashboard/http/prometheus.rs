//! `GET /metrics`: figures in Prometheus' text format.

use std::fmt::Write as _;
use std::sync::atomic::Ordering::Relaxed;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::error::HttpError;
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::liveness;
use crate::run::phase::RunState;

/// All figures.
pub async fn metrics(_: Viewer, State(app): State<AppState>) -> Result<Response, HttpError> {
    let mut text = String::with_capacity(4096);
    let mut family = |name: &str, kind: &str, help: &str, samples: &[(String, String)]| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let plain = |value: String| [(String::new(), value)];
    let version = env!("CARGO_PKG_VERSION");
    let build = [(format!("{{version=\"{version}\"}}"), "1".to_owned())];
    family(
        "nixfleet_build_info",
        "gauge",
        "The dashboard's version.",
        &build,
    );
    let (statuses, connected) = app.fleet.counts();
    let hosts: Vec<_> = statuses
        .iter()
        .map(|(status, n)| {
            let name = liveness::name(*status);
            (format!("{{status=\"{name}\"}}"), n.to_string())
        })
        .collect();
    family("nixfleet_hosts", "gauge", "Hosts by status.", &hosts);
    let counted = app.store.count_runs().await?;
    let runs: Vec<_> = RunState::ALL
        .iter()
        .map(|state| {
            let name = state.name();
            let n = counted
                .iter()
                .find(|(own, _)| own == name)
                .map_or(0, |(_, n)| *n);
            (format!("{{state=\"{name}\"}}"), n.to_string())
        })
        .collect();
    family("nixfleet_runs", "gauge", "Stored runs by state.", &runs);
    family(
        "nixfleet_agent_connections",
        "gauge",
        "Open connections of registered agents.",
        &plain(connected.to_string()),
    );
    let counters = &app.hub.counters;
    for (name, help, value) in [
        (
            "nixfleet_store_commits_total",
            "Transactions of runs that were committed.",
            &counters.commits,
        ),
        (
            "nixfleet_store_commit_failures_total",
            "Transactions of runs that failed.",
            &counters.failures,
        ),
        (
            "nixfleet_run_records_total",
            "Journal records that were committed.",
            &counters.records,
        ),
    ] {
        family(
            name,
            "counter",
            help,
            &plain(value.load(Relaxed).to_string()),
        );
    }
    let seconds = counters.micros.load(Relaxed) as f64 / 1e6;
    family(
        "nixfleet_store_commit_seconds_total",
        "counter",
        "Time spent in transactions of runs.",
        &plain(seconds.to_string()),
    );
    let space = app.store.space();
    let healthy = u64::from(app.store.fault().is_none());
    for (name, help, value) in [
        (
            "nixfleet_store_healthy",
            "Whether the last writes to the store succeeded.",
            healthy,
        ),
        (
            "nixfleet_store_bytes",
            "Size of the database's file, free pages included.",
            space.file,
        ),
        (
            "nixfleet_store_used_bytes",
            "Bytes of the database's file that hold something.",
            app.store.used().await?,
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
    ] {
        family(name, "gauge", help, &plain(value.to_string()));
    }
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
