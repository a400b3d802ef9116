use serde_json::Value;

use super::OPENAPI;
use crate::run::event::{Builds, Failure, Fetches, Progress, ProgressUnit, RunningBuild};
use crate::run::id::RunId;
use crate::run::phase::{Phase, RunState};
use crate::wire::api::{
    Absence, Alert, AlertChannel, AlertDelivery, Capacity, ChannelTest, Eta, Host, HostActivity,
    HostCapacity, HostEvent, HostEventKind, HostEvents, HostLiveness, HostResources, HostStatus,
    LeftOut, Maintenance, MetricsHistory, RecentMetrics, Run, RunPhase, UpdateLamps,
};
use crate::wire::resources::{
    AgentUsage, Amount, Disk, FailedUnits, Gpu, GpuKind, HostFacts, Resources,
};
use crate::wire::to_dashboard::{Metrics, OfferedCommand};
use crate::wire::v2::{Lamp, UpdateStatus};

/// Fields of `value` that `schema` does not have, with those of the objects in it.
fn missing(api: &Value, schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let schema = match schema["$ref"].as_str() {
        Some(path) => api.pointer(path.trim_start_matches('#')).unwrap(),
        None => schema,
    };
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let place = format!("{place}.{name}");
                match schema["properties"].get(name) {
                    Some(schema) => missing(api, schema, value, &place, found),
                    None => found.push(place),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                missing(api, &schema["items"], value, place, found);
            }
        }
        _ => {}
    }
}

#[track_caller]
fn check(name: &str, value: &impl serde::Serialize) {
    let api: Value = serde_json::from_str(OPENAPI).unwrap();
    let schema = &api["components"]["schemas"][name];
    assert!(schema.is_object(), "{name}");
    let mut found = Vec::new();
    let value = serde_json::to_value(value).unwrap();
    missing(&api, schema, &value, name, &mut found);
    assert_eq!(found, Vec::<String>::new(), "not described");
}

/// Everything that is known of a run's progress. No field is left to a default: who adds one is told here.
fn progress() -> Progress {
    Progress {
        done: 1,
        total: 2,
        unit: ProgressUnit::Builds,
        activity: Some("building hello-2.12".into()),
        builds: Some(Builds {
            planned: 2,
            running: 1,
            done: 1,
            failed: 1,
            interrupted: 1,
        }),
        fetches: Some(Fetches {
            planned: 1,
            done: 1,
            bytes_done: 1,
            bytes_total: 1,
            bytes_per_second: 1,
        }),
        running: vec![RunningBuild {
            name: "hello-2.12".into(),
            host: Some("ssh://big".into()),
            phase: Some("buildPhase".into()),
            since: 1,
        }],
    }
}

fn eta() -> Eta {
    Eta {
        percent: 1,
        seconds: Some(1),
        seconds_most: Some(9),
        overdue: true,
    }
}

#[test]
fn every_field_of_a_run_is_described() {
    let text = || Some(String::from("x"));
    let run = Run {
        id: RunId::new(),
        host: "web1".into(),
        command: "switch".into(),
        args: vec!["x".into()],
        state: RunState::Running,
        phase: Some(Phase::Building),
        phases: vec![RunPhase {
            phase: Phase::Building,
            started_at: String::new(),
            ended_at: text(),
            first_line: 1,
        }],
        progress: Some(progress()),
        eta: Some(eta()),
        failure: Some(Box::new(Failure {
            name: "hello-2.12".into(),
            drv: text(),
            host: text(),
            cause: "x".into(),
            log: vec!["x".into()],
        })),
        exit_code: Some(1),
        reason: text(),
        requested_by: "x".into(),
        created_at: String::new(),
        started_at: text(),
        finished_at: text(),
        lines: 1,
        bytes: 1,
        bytes_missing: 1,
        bytes_pending: 1,
        incomplete: true,
        unheard: text(),
        verified: Some(true),
        recovered: true,
        queued_until: text(),
        reconnect_deadline_ms: Some(1),
        warnings: 1,
        errors: 1,
        failed_units: vec!["x".into()],
        generation: text(),
        stop_refused: text(),
    };
    check("Run", &run);
}

fn resources() -> Resources {
    let amount = Amount {
        total: 2,
        available: 1,
    };
    Resources {
        age_ms: 1,
        load: Some([1.0; 3]),
        cores: Some(1),
        cores_available: Some(1.0),
        memory: Some(amount),
        swap: Some(amount),
        disks: vec![Disk {
            mount: "/".into(),
            amount,
            store: true,
        }],
        uptime_s: Some(1),
        gpu: Some(GpuKind::Nvidia),
        gpus: vec![Gpu {
            name: "x".into(),
            vram: Some(amount),
            percent: Some(1.0),
            temperature: Some(1.0),
        }],
        temperature: Some(1.0),
        failed_units: Some(FailedUnits {
            count: 1,
            names: vec!["x".into()],
        }),
        reboot_for: Some(vec!["kernel".into()]),
    }
}

#[test]
fn every_field_of_capacity_and_history_is_described() {
    let host = HostCapacity {
        host: "web1".into(),
        tags: vec!["x".into()],
        location: String::new(),
        device_type: String::new(),
        running: Some("switch".into()),
        cores_available: Some(1.0),
        memory_available: Some(1),
        vram_available: Some(1),
        resources: resources(),
    };
    let capacity = Capacity {
        hosts: vec![host],
        left_out: LeftOut::default(),
    };
    check("Capacity", &capacity);
    // What is in them is by a host's or a series' name.
    check("MetricsHistory", &MetricsHistory::default());
    check("RecentMetrics", &RecentMetrics::default());
}

#[test]
fn every_field_of_a_host_is_described() {
    let host = Host {
        id: "web1".into(),
        hostname: "web1".into(),
        host_type: "nixos".into(),
        agent_version: String::new(),
        os_version: String::new(),
        nixpkgs_version: String::new(),
        generation: String::new(),
        last_seen: Some(String::new()),
        status: HostStatus::Online,
        pending_command: Some("switch".into()),
        comment: String::new(),
        activity: Some(HostActivity {
            run: RunId::new(),
            command: "switch".into(),
            phase: Some(Phase::Building),
            progress: Some(progress()),
            since: String::new(),
            eta: Some(eta()),
        }),
        last_heartbeat_age_ms: Some(1),
        reconnect_deadline_ms: Some(1),
        heartbeats: 1,
        heartbeat_interval: 5,
        metrics: Some(Metrics {
            cpu: 1.0,
            ram: 1.0,
            swap: 1.0,
            load: 1.0,
        }),
        resources: Some(HostResources {
            resources: resources(),
            stale: true,
        }),
        facts: Some(HostFacts {
            os: String::new(),
            kernel: String::new(),
            architecture: String::new(),
            boot_id: Some(String::new()),
        }),
        agent: Some(AgentUsage {
            memory: 1,
            cpu_ms: 1,
        }),
        tags: vec!["x".into()],
        status_text: Some("x".into()),
        // The names are the program's own.
        custom_metrics: std::collections::BTreeMap::new(),
        protocol: 3,
        update_status: Some(UpdateLamps {
            age_ms: 1,
            status: UpdateStatus {
                git: Some(Lamp {
                    status: "ok".into(),
                    message: String::new(),
                    checked_at: "2025-12-15T10:00:00Z".into(),
                }),
                lock: Some(Lamp::default()),
                system: Some(Lamp::default()),
                tests: Some(Lamp::default()),
            },
        }),
        queued: 1,
        theme_color: String::new(),
        location: String::new(),
        device_type: String::new(),
        commands: vec![OfferedCommand {
            name: "switch".parse().unwrap(),
            description: String::new(),
            changes_host: true,
            takes_args: true,
        }],
        liveness: HostLiveness {
            offline_after: 3,
            clock_skew_ms: Some(1),
            flaps: 1,
            expected_absence: true,
            maintenance: Some(Maintenance {
                since: String::new(),
                until: String::new(),
                reason: String::new(),
                by: String::new(),
            }),
            absence: Some(Absence::Expected),
            absence_reason: Some(String::new()),
        },
    };
    check("Host", &host);
    let event = HostEvent {
        id: 1,
        at: String::new(),
        kind: HostEventKind::Offline,
        detail: String::new(),
        last_seen: Some(String::new()),
    };
    let events = HostEvents {
        events: vec![event],
    };
    check("HostEvents", &events);
}

#[test]
fn every_field_of_an_alert_and_of_a_channel_is_described() {
    let text = || Some(String::from("x"));
    let alert = Alert {
        id: String::new(),
        rule: String::new(),
        on: String::new(),
        severity: String::new(),
        state: String::new(),
        host: text(),
        object: String::new(),
        summary: String::new(),
        value: Some(1.0),
        run: Some(RunId::new()),
        started_at: String::new(),
        fired_at: String::new(),
        recovered_at: text(),
        ended: text(),
        deliveries: vec![AlertDelivery {
            channel: String::new(),
            event: String::new(),
            delivery: String::new(),
            state: String::new(),
            attempts: 1,
            done_at: text(),
            error: text(),
        }],
    };
    check("Alert", &alert);
    let channel = AlertChannel {
        name: String::new(),
        kind: String::new(),
        queued: 1,
        failed: 1,
        last_sent_at: text(),
        last_error: text(),
    };
    check("AlertChannel", &channel);
    let test = ChannelTest {
        outcome: String::new(),
        delivery: String::new(),
        error: text(),
    };
    check("ChannelTest", &test);
}
