use serde_json::Value;

use super::OPENAPI;
use crate::run::event::{Builds, Failure, Fetches, Progress, ProgressUnit, RunningBuild};
use crate::run::id::RunId;
use crate::run::phase::{Phase, RunState};
use crate::wire::api::{Eta, Host, HostActivity, HostStatus, Run, RunPhase, UpdateLamps};
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
        // What an agent reads of its host is the agent's own.
        resources: None,
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
    };
    check("Host", &host);
}
