//! One frozen file per message: what is on the wire does not change by accident.
//!
//! A red test here means that older agents or dashboards would not understand this one. A new field is added to a new
//! message or as an optional one; the files of released messages are never edited.

mod journal;

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::to_agent::{FlushInterval, Registered, RunAck, RunRequest, RunStop, ToAgent};
use super::to_dashboard::{
    Activity, CommandRejected, Heartbeat, KnownRun, Metrics, OfferedCommand, Register, RunStatus,
    ToDashboard,
};
use crate::run::event::{Builds, Fetches, Progress, ProgressUnit};
use crate::run::id::{CommandName, RunId, Seq};
use crate::run::phase::{Phase, RunState};
use crate::run::view::RunView;

fn dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/wire/v3")
}

/// The message is written as the file says, and the file is read as the message.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(name: &str, message: &T) {
    let path = dir().join(format!("{name}.json"));
    let written = serde_json::to_string_pretty(message).unwrap() + "\n";
    if std::env::var_os("UPDATE_EXPECT").is_some() && !path.exists() {
        std::fs::write(&path, &written).unwrap();
    }
    let frozen = std::fs::read_to_string(&path).unwrap_or_else(|error| {
        panic!(
            "{}: {error}; a new message is frozen with UPDATE_EXPECT=1",
            path.display()
        )
    });
    assert_eq!(written, frozen, "{name} is written differently");
    assert_eq!(
        &serde_json::from_str::<T>(&frozen).unwrap(),
        message,
        "{name} is read differently"
    );
}

fn run() -> RunId {
    "0199a3f0-7a5c-7d3e-8b1f-2f6c9e4d5a10".parse().unwrap()
}

fn switch() -> CommandName {
    "switch".parse().unwrap()
}

fn progress() -> Progress {
    Progress {
        done: 3,
        total: 12,
        unit: ProgressUnit::Builds,
        activity: Some("building hello-2.12 (buildPhase)".into()),
        builds: Some(Builds {
            planned: 12,
            running: 2,
            done: 3,
            failed: 0,
            interrupted: 0,
        }),
        fetches: Some(Fetches {
            planned: 8,
            done: 8,
            bytes_done: 1024,
            bytes_total: 2048,
            bytes_per_second: 0,
        }),
        running: Vec::new(),
    }
}

#[test]
fn to_dashboard() {
    check(
        "register",
        &ToDashboard::Register(Box::new(Register {
            hostname: "web1".into(),
            host_type: "nixos".into(),
            agent_version: "0.1.0".into(),
            os_version: "NixOS 25.11 (Xantusia)".into(),
            nixpkgs_version: "25.11.20260101.abcdef1".into(),
            generation: "1a2b3c4d".into(),
            heartbeat_interval: 30,
            theme_color: "#7aa2f7".into(),
            location: "home".into(),
            device_type: "server".into(),
            repo_url: "https://git.example/fleet.git".into(),
            repo_dir: "/etc/nixos".into(),
            protocol: Some(3),
            commands: vec![OfferedCommand {
                name: switch(),
                description: "Build the configuration, activate it and make it the boot default"
                    .into(),
                changes_host: true,
                takes_args: false,
            }],
            runs: vec![KnownRun {
                run: run(),
                command: switch(),
                last_seq: Seq(41),
                alive: true,
            }],
        })),
    );
    check(
        "heartbeat",
        &ToDashboard::Heartbeat(Box::new(Heartbeat {
            n: 7,
            generation: "1a2b3c4d".into(),
            nixpkgs_version: "25.11.20260101.abcdef1".into(),
            pending_command: Some("switch".into()),
            command_pid: Some(4242),
            metrics: Some(Metrics {
                cpu: 12.5,
                ram: 40.0,
                swap: 0.0,
                load: 1.24,
            }),
            activity: Some(Activity {
                run: run(),
                command: switch(),
                phase: Some(Phase::Building),
                progress: Some(progress()),
                since: 1_769_847_330_250,
            }),
        })),
    );
    check(
        "heartbeat_idle",
        &ToDashboard::Heartbeat(Box::new(Heartbeat {
            n: 1,
            ..Heartbeat::default()
        })),
    );
    check(
        "command_rejected",
        &ToDashboard::CommandRejected(CommandRejected {
            run: Some(run()),
            reason: "`switch` is running; wait for its end or stop it first".into(),
            current_command: Some("switch".into()),
            current_pid: Some(4242),
        }),
    );
    check(
        "run_status",
        &ToDashboard::RunStatus(Box::new(RunStatus {
            run: run(),
            last_seq: Seq(4100),
            view: RunView {
                state: RunState::Running,
                started_at: Some(1),
                lines: 300_000,
                bytes: 4_000_000,
                progress: Some(progress()),
                ..RunView::default()
            },
        })),
    );
}

#[test]
fn to_agent() {
    let ack = RunAck {
        run: run(),
        seq: Seq(41),
        rewind: false,
    };
    check(
        "registered",
        &ToAgent::Registered(Registered {
            host_id: "7".into(),
            protocol: Some(3),
            resume: vec![ack],
        }),
    );
    check("heartbeat_ack", &ToAgent::HeartbeatAck { n: 7 });
    check(
        "run",
        &ToAgent::Run(RunRequest {
            run: run(),
            command: switch(),
            args: vec!["--flag".into()],
            requested_by: "ann".into(),
        }),
    );
    check(
        "run_ack",
        &ToAgent::RunAck(RunAck {
            rewind: true,
            ..ack
        }),
    );
    check(
        "run_stop",
        &ToAgent::RunStop(RunStop {
            run: run(),
            force: true,
            requested_by: "ann".into(),
        }),
    );
    check(
        "flush_interval",
        &ToAgent::FlushInterval(FlushInterval {
            run: run(),
            ms: crate::wire::WATCHED_MS,
        }),
    );
}

#[test]
fn every_file_is_checked() {
    let source = concat!(include_str!("golden.rs"), include_str!("golden/journal.rs"));
    for entry in std::fs::read_dir(dir()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(
            source.contains(&format!("\"{name}\"")),
            "{} belongs to no message",
            path.display()
        );
    }
}

#[test]
fn unknown_fields_are_ignored_and_earlier_peers_are_understood() {
    let registered = r#"{"type":"registered","payload":{"host_id":"abc","later":{"x":1}}}"#;
    let ToAgent::Registered(registered) = serde_json::from_str(registered).unwrap() else {
        panic!("another message");
    };
    assert_eq!((registered.protocol, registered.resume), (None, Vec::new()));
    let beat = r#"{"type":"heartbeat","payload":{"generation":"1a2b3c4","nixpkgs_version":"","pending_command":null,
        "command_pid":null,"metrics":{"cpu":"12","ram":40,"swap":0,"load":"1.24"},"update_status":null}}"#;
    let ToDashboard::Heartbeat(beat) = serde_json::from_str(beat).unwrap() else {
        panic!("another message");
    };
    assert_eq!((beat.n, beat.metrics.unwrap().load), (0, 1.24));
}
