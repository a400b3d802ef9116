use std::collections::HashMap;

use super::*;
use crate::dashboard::testing::{Agent, House, register};
use crate::wire::resources::{AgentUsage, MAX_DISKS, MAX_GPUS};
use crate::wire::to_dashboard::{Heartbeat, Metrics, ToDashboard};

/// Series that one host can have, as docs/monitoring.md says it.
const MOST: usize = 133;

async fn scraped(house: &House) -> String {
    let (status, text) = house.ask("GET", "/metrics", "").await;
    assert_eq!(status, 200, "{text}");
    text
}

#[tokio::test]
async fn a_host_that_is_there_has_its_figures_and_one_that_is_away_only_says_so() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let heartbeat = Heartbeat {
        n: 1,
        metrics: Some(Metrics {
            cpu: 12.0,
            ram: 50.0,
            swap: 0.0,
            load: 1.25,
        }),
        resources: Some(resources::tests::most()),
        agent: Some(AgentUsage {
            memory: 4096,
            cpu_ms: 1500,
        }),
        ..Heartbeat::default()
    };
    agent
        .say(&ToDashboard::Heartbeat(Box::new(heartbeat)))
        .await;
    agent.next().await;
    let run = house.start_run(&mut agent, "web1").await;
    let body = r#"{"hostname": "away", "comment": ""}"#;
    house.ask("POST", "/api/hosts", body).await;
    let text = scraped(&house).await;
    for line in [
        "nixfleet_host_up{host=\"web1\"} 1",
        "nixfleet_host_up{host=\"away\"} 0",
        "nixfleet_host_absence_expected{host=\"web1\"} 0",
        "nixfleet_host_heartbeat_interval_seconds{host=\"web1\"} 1",
        "nixfleet_host_offline_after_seconds{host=\"web1\"} 3",
        "nixfleet_host_heartbeats_total{host=\"web1\"} 1",
        "nixfleet_host_memory_used_ratio{host=\"web1\"} 0.5",
        "nixfleet_host_load1{host=\"web1\"} 0.5",
        "nixfleet_host_agent_cpu_seconds_total{host=\"web1\"} 1.5",
        "nixfleet_host_run_in_progress{host=\"web1\"} 1",
        "nixfleet_host_activity{host=\"web1\",command=\"switch\",phase=\"starting\"} 1",
        "nixfleet_alerts_firing{severity=\"critical\"} 0",
        "nixfleet_agent_connections 1",
        "nixfleet_agent_connections_opened_total 1",
        "nixfleet_runs_finished_total{state=\"succeeded\"} 0",
        "nixfleet_store_healthy 1",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}: {text}");
    }
    assert!(text.contains("\nnixfleet_store_commit_duration_seconds_bucket{le=\"+Inf\"} "));
    #[cfg(target_os = "linux")]
    assert!(text.contains("\nprocess_resident_memory_bytes "));
    // Every family has help and type, once, before its samples.
    let mut kinds = HashMap::new();
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            let (name, kind) = head.split_once(' ').unwrap();
            assert!(text.contains(&format!("# HELP {name} ")), "{name}");
            assert_eq!(kinds.insert(name, kind), None, "{name} twice");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().unwrap();
            let short = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| name.strip_suffix(end))
                .filter(|short| kinds.get(short) == Some(&"histogram"));
            assert!(kinds.contains_key(short.unwrap_or(name)), "{line}");
        }
    }
    let of = |host: &str| {
        let label = format!("{{host=\"{host}\"");
        text.lines().filter(|line| line.contains(&label)).count()
    };
    // No clock was told, and nothing is known of the end of a run that has just begun.
    let unknown = 2;
    assert_eq!(of("web1"), MOST - unknown);
    assert_eq!(
        MOST,
        hosts::MOST + 16 + 2 * MAX_DISKS + 4 * MAX_GPUS,
        "docs/monitoring.md says how many"
    );
    // Neither heartbeats nor their clock nor a run: 10 numbers, and who it is.
    assert_eq!(of("away"), 11);
    // The run is given up: it is counted once, as what it became.
    drop(agent);
    let (other, _) = Agent::join(&house, register("web1")).await;
    house
        .wait(&format!("/api/runs/{run}"), |run| run["state"] == "lost")
        .await;
    let text = scraped(&house).await;
    assert!(text.contains("\nnixfleet_runs_finished_total{state=\"lost\"} 1\n"));
    assert!(text.contains("\nnixfleet_run_duration_seconds_count{state=\"lost\"} 0\n"));
    drop(other);
}

#[tokio::test]
async fn only_who_may_look_gets_figures() {
    let house = House::start().await;
    let mut request = axum::http::Request::builder();
    request = request.uri("/metrics");
    let request = request.body(axum::body::Body::empty()).unwrap();
    let router = crate::dashboard::http::router(house.app.clone());
    let refused = tower::ServiceExt::oneshot(router, request).await.unwrap();
    assert_eq!(refused.status(), 401);
}
