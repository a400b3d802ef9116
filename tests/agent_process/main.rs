//! The agent as a process of its own, with real supervisors, against a dashboard that the test plays.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on says so"
)]

mod beats;
mod follow;
mod played;
mod process;
mod resources;
mod rhythm;
mod stalled_disk;
mod tell;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nixfleet::run::id::Seq;
use nixfleet::run::phase::RunState;
use nixfleet::wire::to_agent::{RunAck, RunStop, ToAgent};
use nixfleet::wire::to_dashboard::ToDashboard;
use tokio::net::TcpListener;
use tokio_tungstenite::tungstenite::Message;

use futures_util::StreamExt as _;
use played::{DEADLINE, Peer, Received};
use process::{AGENT, Agent};

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn until(mut what: impl FnMut() -> bool) {
    let started = Instant::now();
    while !what() {
        assert!(started.elapsed() < DEADLINE, "it does not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn runs(dir: &Path) -> usize {
    let runs = std::fs::read_dir(dir.join("state/runs")).map_or(Vec::new(), Iterator::collect);
    runs.into_iter()
        .filter(|run| !run.as_ref().unwrap().path().join("acknowledged").exists())
        .count()
}

/// `NIXFLEET_TEST_FLOOD_MB` sets the size; small by default, because a test's build is slow.
#[tokio::test]
async fn a_flood_arrives_byte_for_byte_in_little_memory_while_the_heart_beats() {
    let size = std::env::var("NIXFLEET_TEST_FLOOD_MB")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(20_u64);
    let listener = listener().await;
    let command = format!("yes 'a line of output, as long as lines are' | head -c {size}000000");
    let mut agent = Agent::new(
        &listener,
        &format!("[commands.flood]\nargv = [\"sh\", \"-c\", {command:?}]"),
    );
    // A FIFO in the place of StaSysMo's file, which nobody writes.
    nix::unistd::mkfifo(
        &agent.dir.path().join("stasysmo"),
        nix::sys::stat::Mode::S_IRWXU,
    )
    .unwrap();
    agent.start();
    let (mut peer, register) = Peer::accept(&listener, &[]).await;
    assert!(
        register
            .commands
            .iter()
            .any(|command| command.name.as_str() == "flood")
    );
    let run = peer.run("flood").await;
    let started = Instant::now();
    let mut received = Received::default();
    peer.receive(run, &mut received, |received| received.end().is_some())
        .await;
    received.check_end(RunState::Succeeded);
    assert_eq!(received.bytes, size * 1_000_000);
    let (memory, gap) = (agent.peak_memory(), peer.longest_gap());
    println!(
        "{size} MB in {:?}; {} heartbeats, longest gap {gap:?}; peak memory {memory} KiB",
        started.elapsed(),
        peer.beats.len()
    );
    assert!(
        gap < Duration::from_millis(1900),
        "{gap:?} between heartbeats"
    );
    assert!(memory < 20 * 1024, "{memory} KiB");
    until(|| runs(agent.dir.path()) == 0).await;
}

#[tokio::test]
async fn a_killed_agent_is_replaced_and_no_line_is_lost_or_doubled() {
    let listener = listener().await;
    let command = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; sleep 0.05; done; env | grep -c t0psecret";
    let mut agent = Agent::new(
        &listener,
        &format!("[commands.count]\nargv = [\"sh\", \"-c\", {command:?}]"),
    );
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    let run = peer.run("count").await;
    let mut received = Received::default();
    peer.receive(run, &mut received, |received| {
        String::from_utf8_lossy(&received.text).contains("line 5\n")
    })
    .await;
    agent.kill();
    drop(peer);
    let seen = received.last;
    tokio::time::sleep(Duration::from_millis(500)).await;
    agent.start();
    let (mut peer, register) = Peer::accept(
        &listener,
        &[RunAck {
            run,
            seq: Seq(seen),
            rewind: false,
        }],
    )
    .await;
    let known = &register.runs[0];
    assert_eq!((known.run, known.alive), (run, true));
    assert!(known.last_seq.0 > seen, "the run went on without the agent");
    peer.receive(run, &mut received, |received| received.end().is_some())
        .await;
    // The last command counts the token in its environment: none, and grep's exit status says so.
    received.check_end(RunState::Failed);
    let expected: String = (1..=40)
        .map(|n| format!("line {n}\n"))
        .chain(["0\n".to_owned()])
        .collect();
    assert_eq!(String::from_utf8(received.text).unwrap(), expected);
    until(|| runs(agent.dir.path()) == 0).await;
}

#[tokio::test]
async fn sigterm_says_good_bye_and_leaves_the_run_alone_and_a_stop_ends_it() {
    let listener = listener().await;
    let mut agent = Agent::new(
        &listener,
        "[commands.wait]\nargv = [\"sh\", \"-c\", \"echo waiting; exec sleep 600\"]",
    );
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    let run = peer.run("wait").await;
    let mut received = Received::default();
    peer.receive(run, &mut received, |received| {
        received.text.ends_with(b"waiting\n")
    })
    .await;
    let mut process = agent.process.take().unwrap();
    let asked = Instant::now();
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(process.id() as i32),
        nix::sys::signal::Signal::SIGTERM,
    )
    .unwrap();
    loop {
        if let Message::Close(frame) = peer.next().await {
            let frame = frame.unwrap();
            assert_eq!(
                (u16::from(frame.code), frame.reason.as_str()),
                (1000, "shutdown")
            );
            break;
        }
    }
    // The library answers the closing when it is asked for the next message.
    let _ = peer.socket.next().await;
    until(|| process.try_wait().is_ok_and(|status| status.is_some())).await;
    assert!(asked.elapsed() < Duration::from_secs(5));
    assert!(process.wait().unwrap().success());
    agent.start();
    let resume = RunAck {
        run,
        seq: Seq(received.last),
        rewind: false,
    };
    let (mut peer, register) = Peer::accept(&listener, &[resume]).await;
    assert!(register.runs[0].alive);
    let second = peer.run("wait").await;
    let rejected = loop {
        if let ToDashboard::CommandRejected(rejected) = peer.message().await {
            break rejected;
        }
    };
    assert_eq!(
        (rejected.run, rejected.current_command.as_deref()),
        (Some(second), Some("wait"))
    );
    peer.say(&ToAgent::RunStop(RunStop {
        run,
        force: false,
        requested_by: "ann".into(),
    }))
    .await;
    peer.receive(run, &mut received, |received| received.end().is_some())
        .await;
    received.check_end(RunState::Stopped);
}

#[tokio::test]
async fn host_tests_run_one_by_one_through_the_agents_own_steps() {
    use std::os::unix::fs::PermissionsExt as _;
    let listener = listener().await;
    let tests = tempfile::tempdir().unwrap();
    for (name, body) in [("01-good", "echo fine"), ("02-bad", "exit 7")] {
        let path = tests.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let mut agent = Agent::new(&listener, &format!("[tests]\ndir = {:?}", tests.path()));
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    let run = peer.run("test").await;
    let mut received = Received::default();
    peer.receive(run, &mut received, |received| received.end().is_some())
        .await;
    received.check_end(RunState::Failed);
    let text = String::from_utf8(received.text).unwrap();
    assert!(
        text.starts_with("[1/2] 01-good\nfine\n[1/2] 01-good: passed\n[2/2] 02-bad\n"),
        "{text}"
    );
    assert!(
        text.ends_with("error: 1 of 2 tests failed: 02-bad\n"),
        "{text}"
    );
}

#[tokio::test]
async fn check_config_and_bad_starts_say_what_to_do_in_one_line() {
    let listener = listener().await;
    let agent = Agent::new(&listener, "");
    let run = |args: &[&str]| {
        let output = Command::new(AGENT)
            .args(args)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let path = agent.config();
    let path = path.to_str().unwrap();
    assert_eq!(
        run(&["check-config", "--config", path]),
        (Some(0), String::new())
    );
    std::fs::write(
        path,
        "url = \"ws://a\"\ntoken_file = \"/nowhere/token\"\ninterval = 0\n",
    )
    .unwrap();
    let (code, error) = run(&["check-config", "--config", path]);
    assert_eq!(code, Some(1));
    assert!(
        error.starts_with(&format!("{path}:3: `interval` = 0 is not possible; write")),
        "{error}"
    );
    std::fs::write(path, "url = \"ws://a\"\ntoken_file = \"/nowhere/token\"\n").unwrap();
    let (code, error) = run(&["--config", path]);
    assert_eq!((code, error.lines().count()), (Some(1), 1), "{error}");
    assert!(
        error.contains("cannot read the secret file /nowhere/token"),
        "{error}"
    );
}
