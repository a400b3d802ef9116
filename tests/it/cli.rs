//! The operator's command line against a real dashboard; the host's end of the wire is scripted here.

use std::process::{Command, Output};
use std::sync::mpsc;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use nixfleet::run::event::{Failure, LineMark, Outcome, RunEvent};
use nixfleet::run::id::{RunId, Seq};
use nixfleet::run::phase::{Phase, RunState};
use nixfleet::wire::to_agent::ToAgent;
use nixfleet::wire::to_dashboard::{OfferedCommand, Register, ToDashboard};
use nixfleet::wire::{frame, record};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::support::fleet::Fleet;
use crate::support::process::program;

/// Nothing here takes longer unless it hangs.
const SOON: Duration = Duration::from_secs(60);

pub fn nixfleet(fleet: &Fleet, args: &[&str]) -> Output {
    let token = fleet.path("cli-token");
    std::fs::write(&token, &fleet.api.token).unwrap();
    Command::new(program("nixfleet"))
        .env("NIXFLEET_URL", &fleet.api.base)
        .env("NIXFLEET_TOKEN_FILE", token)
        .args(args)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// All records of a run that prints `output` and ends as `outcome` says.
fn journal(output: &str, outcome: Outcome) -> Vec<u8> {
    let lines: Vec<LineMark> = output
        .split_inclusive('\n')
        .map(|line| LineMark {
            len: line.len() as u64,
            skip: 0,
            ago: 0,
        })
        .collect();
    let (n, bytes) = (lines.len() as u64, output.len() as u64);
    let events = [
        RunEvent::Started {
            at: 1000,
            argv: vec!["script".into()],
            agent_version: "0".into(),
            boot_id: None,
            generation: None,
            system: None,
        },
        RunEvent::Phase {
            at: 1000,
            phase: Phase::Building,
            line: 1,
        },
        RunEvent::Output {
            at: 2000,
            offset: 0,
            first_line: 1,
            lines,
            tail_skip: 0,
        },
        RunEvent::Finished {
            at: 6000,
            outcome,
            lines: n,
            bytes,
            crc32c: crc32c::crc32c(output.as_bytes()),
            generation: None,
            system: None,
        },
    ];
    let mut records = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let raw = if at == 2 { output.as_bytes() } else { b"" };
        record::encode(Seq(at as u64 + 1), event, raw, &mut records).unwrap();
    }
    records
}

fn outcome(state: RunState, exit_code: Option<i32>, reason: Option<&str>) -> Outcome {
    Outcome {
        state,
        exit_code,
        signal: None,
        reason: reason.map(str::to_owned),
        failure: None,
    }
}

/// What the host answers to a command; none for one that goes on until it is stopped.
fn script(command: &str) -> Option<Vec<u8>> {
    match command {
        "switch" => Some(journal(
            "building the system\n\u{1b}[32mgreen\u{1b}[0m \u{1b}]0;title\u{7}done\n",
            outcome(RunState::Succeeded, Some(0), None),
        )),
        "build" => Some(journal(
            "error: builder for hello failed\n",
            outcome(RunState::Failed, Some(3), Some("building: hello failed")),
        )),
        "boot" => Some(journal(
            "",
            outcome(RunState::RebootRequired, Some(100), None),
        )),
        "dry-activate" => {
            let failure = Failure {
                name: "hello-2.12".into(),
                drv: None,
                host: Some("big".into()),
                cause: "builder failed with exit code 2".into(),
                log: vec!["make: \u{1b}[2J*** wrong".into(), "done".into()],
            };
            let reason = Some("failed while building: hello failed");
            Some(journal(
                "error: builder for hello failed\n",
                Outcome {
                    failure: Some(Box::new(failure)),
                    ..outcome(RunState::Failed, Some(1), reason)
                },
            ))
        }
        _ => None,
    }
}

/// Answers commands on a thread of its own, for as long as the dashboard keeps the connection.
fn host(fleet: &Fleet, name: &'static str) {
    let mut request = format!("{}/ws", fleet.api.base.replace("http://", "ws://"))
        .into_client_request()
        .unwrap();
    let token = std::fs::read_to_string(fleet.path("agent-token")).unwrap();
    let bearer = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", bearer);
    let (ready, registered) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(async move {
            let (mut socket, _) = tokio_tungstenite::connect_async(request).await.unwrap();
            let command = |name: &str| OfferedCommand {
                name: name.parse().unwrap(),
                description: String::new(),
                changes_host: true,
                takes_args: true,
            };
            let register = ToDashboard::Register(Box::new(Register {
                hostname: name.into(),
                host_type: "nixos".into(),
                heartbeat_interval: 60,
                protocol: Some(3),
                commands: ["switch", "build", "boot", "try", "dry-activate"]
                    .map(command)
                    .into(),
                ..Register::default()
            }));
            let say = Message::text(serde_json::to_string(&register).unwrap());
            socket.send(say).await.unwrap();
            let send = |run: RunId, records: Vec<u8>| {
                Message::binary(frame::encode(run, Seq(1), Seq(4), &records).unwrap())
            };
            while let Some(Ok(message)) = socket.next().await {
                let Message::Text(message) = message else {
                    continue;
                };
                match serde_json::from_str(message.as_str()) {
                    Ok(ToAgent::Registered(_)) => ready.send(()).unwrap(),
                    Ok(ToAgent::Run(asked)) => {
                        if let Some(records) = script(asked.command.as_str()) {
                            socket.send(send(asked.run, records)).await.unwrap();
                        }
                    }
                    Ok(ToAgent::RunStop(asked)) => {
                        let end = outcome(RunState::Stopped, None, Some("stopped by tests"));
                        socket
                            .send(send(asked.run, journal("", end)))
                            .await
                            .unwrap();
                    }
                    _ => {}
                }
            }
        });
    });
    registered.recv_timeout(SOON).unwrap();
}

#[test]
fn a_switch_is_watched_to_its_end_without_escapes() {
    let fleet = Fleet::start();
    host(&fleet, "web1");
    let done = nixfleet(&fleet, &["switch", "web1"]);
    assert_eq!(
        text(&done.stdout),
        "building the system\ngreen done\n",
        "{done:?}"
    );
    assert_eq!(text(&done.stderr), "switch on web1: succeeded after 5s\n");
    assert_eq!(done.status.code(), Some(0));
    let logs = nixfleet(&fleet, &["logs", "web1"]);
    assert_eq!(logs.stdout, done.stdout);
    let logs = nixfleet(&fleet, &["logs", "-f", "web1"]);
    assert_eq!(logs.stdout, done.stdout);
    let runs = nixfleet(&fleet, &["--json", "runs", "web1"]);
    let runs: Value = serde_json::from_slice(&runs.stdout).unwrap();
    assert_eq!(runs["runs"][0]["state"], "succeeded");
    assert_eq!(runs["runs"][0]["requested_by"], "token tests");
    let hosts = nixfleet(&fleet, &["hosts"]);
    assert!(text(&hosts.stdout).starts_with("HOST  STATUS"), "{hosts:?}");
    assert!(text(&hosts.stdout).contains("\nweb1  "), "{hosts:?}");
}

#[test]
fn the_exit_status_is_the_runs_and_the_reason_is_said() {
    let fleet = Fleet::start();
    host(&fleet, "web1");
    let failed = nixfleet(&fleet, &["run", "web1", "build"]);
    assert_eq!(failed.status.code(), Some(3), "{failed:?}");
    assert!(
        text(&failed.stderr).contains("error: builder for hello failed\n"),
        "{failed:?}"
    );
    assert!(
        text(&failed.stderr).ends_with("failed after 5s: building: hello failed\n"),
        "{failed:?}"
    );
    assert_eq!(
        nixfleet(&fleet, &["run", "web1", "boot"]).status.code(),
        Some(100)
    );
    for (args, part) in [
        (["run", "web1", "format-disk"], "format-disk"),
        (["run", "web2", "build"], "web2"),
    ] {
        let refused = nixfleet(&fleet, &args);
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        assert!(text(&refused.stderr).contains(part), "{refused:?}");
        assert_eq!(text(&refused.stderr).lines().count(), 1, "{refused:?}");
    }
}

#[test]
fn a_failed_build_comes_first_and_the_reason_last() {
    let fleet = Fleet::start();
    host(&fleet, "web1");
    let failed = nixfleet(&fleet, &["run", "web1", "dry-activate"]);
    assert_eq!(failed.status.code(), Some(1), "{failed:?}");
    assert_eq!(
        text(&failed.stderr),
        "hello-2.12: builder failed with exit code 2 (on big)\n    make: *** wrong\n    done\n\
         dry-activate on web1: failed after 5s: failed while building: hello failed\n"
    );
}

#[test]
fn several_hosts_are_told_apart_and_json_is_json() {
    let fleet = Fleet::start();
    host(&fleet, "web1");
    host(&fleet, "database");
    let done = nixfleet(&fleet, &["switch", "web1", "database"]);
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    for line in ["web1     | green done\n", "database | green done\n"] {
        assert!(text(&done.stdout).contains(line), "{done:?}");
    }
    let json = nixfleet(&fleet, &["--json", "switch", "web1"]);
    let events: Vec<Value> = text(&json.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let last = events.last().unwrap();
    assert_eq!(
        (&last["event"], &last["run"]["state"]),
        (&"end".into(), &"succeeded".into())
    );
    assert!(json.stderr.is_empty(), "{json:?}");
}

#[test]
fn a_run_is_stopped_from_elsewhere() {
    let fleet = Fleet::start();
    host(&fleet, "web1");
    let started = nixfleet(&fleet, &["run", "--no-wait", "web1", "try"]);
    let started = if started.status.success() {
        started
    } else {
        panic!("{started:?}")
    };
    let run: RunId = text(&started.stdout).trim().parse().unwrap();
    let stopped = nixfleet(&fleet, &["stop", "web1"]);
    assert_eq!(
        text(&stopped.stdout),
        format!("asked to stop {run}\n"),
        "{stopped:?}"
    );
    let ended = fleet.finished(&run.to_string());
    assert_eq!(ended["state"], "stopped");
}
