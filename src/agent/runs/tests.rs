use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

mod ends;

use super::*;
use crate::agent::config;
use crate::agent::environment::Environment;
use crate::agent::journal::{JournalWriter, last_event};
use crate::agent::launch::SelfCommand;
use crate::agent::launcher::Direct;
use crate::agent::run_dir::SupervisorRequest;
use crate::run::event::{Outcome, RunEvent};
use crate::run::phase::Phase;
use crate::wire::to_agent::RunRequest;

/// Longer than anything here takes, the grace of adopted runs included.
const DEADLINE: Duration = Duration::from_secs(15);

fn started() -> RunEvent {
    RunEvent::Started {
        at: 5,
        argv: vec!["x".into()],
        agent_version: "0".into(),
        boot_id: None,
        generation: None,
        system: None,
    }
}

fn finished(state: RunState) -> RunEvent {
    let outcome = Outcome {
        state,
        exit_code: Some(0),
        signal: None,
        reason: None,
        failure: None,
    };
    RunEvent::Finished {
        at: 9,
        outcome,
        lines: 0,
        bytes: 0,
        crc32c: 0,
        generation: None,
        system: None,
    }
}

fn request(command: &str) -> RunRequest {
    RunRequest {
        run: RunId::new(),
        command: command.parse().unwrap(),
        args: Vec::new(),
        requested_by: "ann\n".into(),
    }
}

/// A state directory, and a stand-in for the supervisor: a shell script that is given the run's directory as `$1`.
fn open(
    state_dir: &Path,
    supervisor: &str,
    restart: &tokio_util::sync::CancellationToken,
) -> Arc<Runs> {
    let script = state_dir.join("supervisor");
    std::fs::write(&script, format!("#!/bin/sh\nshift\n{supervisor}\n")).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let self_command = SelfCommand {
        program: script,
        leading_args: Vec::new(),
    };
    let file = state_dir.join("agent.toml");
    std::fs::write(&file, "url = \"ws://a\"\ntoken_file = \"/t\"\nservice_manager = true\n[commands.hello]\nargv = [\"true\"]").unwrap();
    let config = config::load(Some(&file), Environment::default()).unwrap();
    let direct = Direct::detached(state_dir, self_command, config.execution);
    Runs::open(Launcher::Direct(Box::new(direct)), restart.clone()).unwrap()
}

async fn until(runs: &Arc<Runs>, what: impl Fn(&Runs) -> bool) {
    let wait = async {
        while !what(runs) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = watch(runs.clone()) => panic!("the watch ended"),
        waited = tokio::time::timeout(DEADLINE, wait) => waited.expect("it happens in time"),
    }
}

fn adopted(state_dir: &Path, command: &str) -> RunDir {
    let request = SupervisorRequest::sample(command);
    RunDir::create(state_dir, &request).unwrap()
}

#[tokio::test]
async fn one_at_a_time_and_a_repeated_request_changes_nothing() {
    let state = tempfile::tempdir().unwrap();
    let restart = tokio_util::sync::CancellationToken::new();
    let runs = open(state.path(), "exec sleep 60", &restart);
    let first = request("hello");
    runs.start(&first).unwrap();
    runs.start(&first).unwrap();
    assert_eq!(runs.known().len(), 1);
    let rejected = runs.start(&request("hello")).unwrap_err();
    assert_eq!(rejected.current_command.as_deref(), Some("hello"));
    assert!(
        rejected.reason.contains("`hello` is running"),
        "{}",
        rejected.reason
    );
    let current = runs.current().borrow().clone().unwrap();
    assert_eq!(
        (current.activity.run, current.activity.phase),
        (first.run, None)
    );
    let written = RunDir::list(state.path()).unwrap()[0].request().unwrap();
    assert_eq!(
        (
            written.argv[0].ends_with("/true"),
            written.requested_by.as_str()
        ),
        (true, "ann")
    );
    let child = runs.lock()[0].child.take();
    let mut child = child.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn unknown_commands_are_rejected_and_leave_nothing() {
    let state = tempfile::tempdir().unwrap();
    let runs = open(
        state.path(),
        "exit 0",
        &tokio_util::sync::CancellationToken::new(),
    );
    let request = request("format-disk");
    let rejected = runs.start(&request).unwrap_err();
    assert_eq!(rejected.run, Some(request.run));
    assert!(
        rejected.reason.contains("offers no command `format-disk`"),
        "{}",
        rejected.reason
    );
    assert!(RunDir::list(state.path()).unwrap().is_empty());
}

#[tokio::test]
async fn a_supervisor_that_dies_leaves_a_lost_run_with_its_last_words() {
    let state = tempfile::tempdir().unwrap();
    let runs = open(
        state.path(),
        "echo 'no terminal left' >&2; exit 3",
        &tokio_util::sync::CancellationToken::new(),
    );
    runs.start(&request("hello")).unwrap();
    until(&runs, |runs| runs.kept()[0].end.is_some()).await;
    let dir = RunDir::list(state.path()).unwrap().remove(0);
    let Some(RunEvent::Finished { outcome, .. }) = last_event(&dir.journal()).unwrap() else {
        panic!("no end");
    };
    let reason = outcome.reason.unwrap();
    assert_eq!(outcome.state, RunState::Lost);
    assert!(
        reason.contains("no terminal left") && reason.contains("run the command again"),
        "{reason}"
    );
    assert!(runs.current().borrow().is_none(), "another command may run");
}

#[tokio::test]
async fn a_found_run_is_followed_and_ends_with_its_journal() {
    let state = tempfile::tempdir().unwrap();
    let dir = adopted(state.path(), "restart");
    let lock = dir.lock().unwrap();
    let mut writer = JournalWriter::open(&dir.journal()).unwrap();
    writer.append(&started(), &[]);
    let restart = tokio_util::sync::CancellationToken::new();
    let runs = open(state.path(), "exit 1", &restart);
    let known = runs.known();
    assert_eq!((known[0].last_seq, known[0].alive), (Seq(1), true));
    writer.append(
        &RunEvent::Phase {
            at: 6,
            phase: Phase::Running,
            line: 1,
        },
        &[],
    );
    until(&runs, |runs| {
        runs.current()
            .borrow()
            .as_ref()
            .is_some_and(|current| current.activity.phase == Some(Phase::Running))
    })
    .await;
    let current = runs.current().borrow().clone().unwrap();
    assert_eq!(
        (current.activity.since, current.pid),
        (5, Some(i64::from(std::process::id())))
    );
    writer.append(&finished(RunState::Succeeded), &[]);
    drop(lock);
    until(&runs, |runs| runs.kept()[0].end == Some(Seq(3))).await;
    let run = dir.run_id().unwrap();
    runs.acknowledged(run, Seq(2)).await;
    assert!(!prune::is_acknowledged(&dir), "not all is acknowledged");
    runs.acknowledged(run, Seq(3)).await;
    assert!(prune::is_acknowledged(&dir) && runs.known().is_empty());
    let again = open(state.path(), "exit 1", &restart);
    assert!(again.known().is_empty() && dir.journal().exists());
    assert!(
        restart.is_cancelled(),
        "an acknowledged restart ends the agent"
    );
}

#[tokio::test]
async fn a_found_run_without_supervisor_is_lost_and_a_damaged_journal_is_cut() {
    let state = tempfile::tempdir().unwrap();
    let dir = adopted(state.path(), "hello");
    let mut writer = JournalWriter::open(&dir.journal()).unwrap();
    writer.append(&started(), &[]);
    writer.append(&finished(RunState::Succeeded), &[]);
    drop(writer);
    let mut bytes = std::fs::read(dir.journal()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(dir.journal(), bytes).unwrap();
    let runs = open(
        state.path(),
        "exit 1",
        &tokio_util::sync::CancellationToken::new(),
    );
    until(&runs, |runs| runs.kept()[0].end == Some(Seq(2))).await;
    let Some(RunEvent::Finished { outcome, .. }) = last_event(&dir.journal()).unwrap() else {
        panic!("no end");
    };
    assert_eq!(outcome.state, RunState::Lost);
    assert!(outcome.reason.unwrap().contains("damaged at byte"));
}
