//! The earlier protocol's messages, letter for letter: they are other people's, and never change.

use super::*;

/// The text is read as the message, and the message is written as the text.
#[track_caller]
fn check<T>(text: &str, message: &T)
where
    T: Serialize + for<'de> Deserialize<'de> + PartialEq + std::fmt::Debug,
{
    assert_eq!(&serde_json::from_str::<T>(text).unwrap(), message, "read");
    let written: Value = serde_json::to_value(message).unwrap();
    assert_eq!(
        written,
        serde_json::from_str::<Value>(text).unwrap(),
        "written"
    );
}

#[test]
fn what_an_agent_says() {
    let check = check::<ToDashboard>;
    check(
        r#"{"type":"output","payload":{"line":"building","stream":"stderr","command":"switch","is_error":false}}"#,
        &ToDashboard::Output(Output {
            line: "building".into(),
            stream: "stderr".into(),
            command: "switch".into(),
            is_error: false,
        }),
    );
    check(
        r#"{"type":"status","payload":{"status":"ok","command":"pull","exit_code":0,"message":"","generation":"1a2b3c4"}}"#,
        &ToDashboard::Status(Status {
            status: "ok".into(),
            command: "pull".into(),
            exit_code: Some(0),
            message: String::new(),
            generation: "1a2b3c4".into(),
        }),
    );
    check(
        r#"{"type":"operation_progress","payload":{"progress":{"pull":{"current":4,"total":4,"status":"complete"},"lock":null,"system":{"current":1,"total":3,"status":"in_progress"},"tests":{"current":2,"total":3,"status":"in_progress","results":["pass","fail","pending"]}}}}"#,
        &ToDashboard::OperationProgress(OperationProgress {
            progress: Operations {
                pull: Some(stage(4, 4, "complete", &[])),
                lock: None,
                system: Some(stage(1, 3, "in_progress", &[])),
                tests: Some(stage(2, 3, "in_progress", &["pass", "fail", "pending"])),
            },
        }),
    );
    check(
        r#"{"type":"test_progress","payload":{"current":2,"total":3,"passed":1,"running":true,"result":"pass"}}"#,
        &ToDashboard::TestProgress(TestProgress {
            current: 2,
            total: 3,
            passed: 1.into(),
            running: true.into(),
            result: "pass".into(),
        }),
    );
    check(
        r#"{"type":"command_complete","payload":{"command":"pull","exit_code":1,"fresh_status":{"git":{"status":"outdated","message":"3 commits behind","checked_at":"2025-12-15T10:00:00Z"},"lock":null,"system":null,"tests":null}}}"#,
        &ToDashboard::CommandComplete(CommandComplete {
            command: "pull".into(),
            exit_code: Some(1),
            fresh_status: Some(UpdateStatus {
                git: Some(Lamp {
                    status: "outdated".into(),
                    message: "3 commits behind".into(),
                    checked_at: "2025-12-15T10:00:00Z".into(),
                }),
                ..UpdateStatus::default()
            }),
        }),
    );
    check(
        r#"{"type":"command_rejected","payload":{"reason":"busy","current_command":"switch","current_pid":42}}"#,
        &ToDashboard::CommandRejected(CommandRejected {
            run: None,
            reason: "busy".into(),
            current_command: Some("switch".into()),
            current_pid: Some(42),
        }),
    );
    check(
        r#"{"type":"heartbeat","payload":{"generation":"1a2b3c4","nixpkgs_version":"25.05","pending_command":"switch","command_pid":42,"metrics":{"cpu":1.5,"ram":2.0,"swap":0.0,"load":0.5},"update_status":null}}"#,
        &ToDashboard::Heartbeat(Box::new(Heartbeat {
            generation: "1a2b3c4".into(),
            nixpkgs_version: "25.05".into(),
            pending_command: Some("switch".into()),
            command_pid: Some(42),
            metrics: Some(Metrics {
                cpu: 1.5,
                ram: 2.0,
                swap: 0.0,
                load: 0.5,
            }),
            update_status: None,
        })),
    );
}

fn stage(current: u64, total: u64, status: &str, results: &[&str]) -> Stage {
    Stage {
        current,
        total,
        status: status.into(),
        results: results.iter().map(|result| (*result).to_owned()).collect(),
    }
}

#[test]
fn what_a_dashboard_says() {
    let check = check::<ToAgent>;
    check(
        r#"{"type":"registered","payload":{"host_id":"web1"}}"#,
        &ToAgent::Registered {
            host_id: "web1".into(),
        },
    );
    check(
        r#"{"type":"command","payload":{"command":"pull-switch"}}"#,
        &ToAgent::Command {
            command: "pull-switch".into(),
        },
    );
    check(
        r#"{"type":"kill_command","payload":{"signal":"SIGTERM","pid":0}}"#,
        &ToAgent::KillCommand {
            signal: "SIGTERM".into(),
            pid: 0,
        },
    );
}

#[test]
fn what_is_left_out_or_unknown_is_no_reason_to_drop_the_rest() {
    let heard: ToDashboard =
        serde_json::from_str(r#"{"type":"status","payload":{"status":"error","new":[1]}}"#)
            .unwrap();
    let ToDashboard::Status(status) = heard else {
        panic!("{heard:?}");
    };
    assert_eq!((status.status.as_str(), status.exit_code), ("error", None));
    for text in [
        r#"{"type":"output","payload":{}}"#,
        r#"{"type":"operation_progress","payload":{"progress":{}}}"#,
        r#"{"type":"test_progress","payload":{"current":1,"passed":"two","running":null}}"#,
        r#"{"type":"command_complete","payload":{"fresh_status":{"git":{}}}}"#,
        r#"{"type":"heartbeat","payload":{"source_commit":"x","lock_hash":"y"}}"#,
    ] {
        serde_json::from_str::<ToDashboard>(text).unwrap();
    }
}
