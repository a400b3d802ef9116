//! What the agent tells beside its connection: `status`, the local API, systemd, pushes and the log of heartbeats.

use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use nixfleet::wire::to_agent::ToAgent;
use nixfleet::wire::to_dashboard::ToDashboard;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::played::{DEADLINE, Peer};
use crate::process::{AGENT, Agent};
use crate::{listener, until};

/// Runs the program beside the agent, on the agent's own configuration.
async fn beside(agent: &Agent, args: &[&str]) -> Output {
    let mut command = Command::new(AGENT);
    command.args(args).stdin(Stdio::null());
    command.arg("--config").arg(agent.config());
    let done = tokio::task::spawn_blocking(move || command.output());
    tokio::time::timeout(DEADLINE, done)
        .await
        .unwrap()
        .unwrap()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Acknowledges heartbeats, as many as come in that time.
async fn acknowledge(peer: &mut Peer, n: usize) {
    for _ in 0..n {
        if let ToDashboard::Heartbeat(heartbeat) = peer.message().await {
            peer.say(&ToAgent::HeartbeatAck { n: heartbeat.n }).await;
        }
    }
}

#[tokio::test]
async fn status_asks_the_agent_that_runs_here() {
    let listener = listener().await;
    let mut agent = Agent::new(&listener, "");
    let none = beside(&agent, &["status"]).await;
    assert_eq!(none.status.code(), Some(2));
    let error = text(&none.stderr);
    assert!(
        error.contains("no agent answers here") && error.contains("agent.sock"),
        "{error}"
    );
    agent.start();
    let socket = agent.dir.path().join("state/agent.sock");
    until(|| socket.exists()).await;
    let early = beside(&agent, &["status"]).await;
    assert_eq!(early.status.code(), Some(1), "not connected yet: {early:?}");
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    acknowledge(&mut peer, 2).await;
    let well = beside(&agent, &["status"]).await;
    let said = text(&well.stdout);
    assert_eq!(well.status.code(), Some(0), "{said}");
    assert!(said.starts_with("web1: connected\n"), "{said}");
    let json = beside(&agent, &["status", "--json"]).await;
    let status: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(status["connection"]["healthy"], true, "{status}");
    assert_eq!(status["pid"], agent.process.as_ref().unwrap().id());
    assert!(
        status["heartbeats"]["acknowledged"].as_u64() >= Some(1),
        "{status}"
    );
    // The dashboard goes away.
    drop(peer);
    drop(listener);
    until(|| {
        let done = Command::new(AGENT)
            .args(["status", "--json", "--config"])
            .arg(agent.config())
            .output()
            .unwrap();
        let status: Value = serde_json::from_slice(&done.stdout).unwrap();
        done.status.code() == Some(1)
            && status["connection"]["reconnect_attempts"].as_u64() > Some(0)
    })
    .await;
    let away = beside(&agent, &["status"]).await;
    let said = text(&away.stdout);
    assert!(
        said.starts_with("web1: not connected\n") && said.contains("attempts"),
        "{said}"
    );
    agent.kill();
    let dead = beside(&agent, &["status"]).await;
    assert_eq!(
        dead.status.code(),
        Some(2),
        "its socket is left, and nobody there"
    );
    agent.start();
    until(|| std::os::unix::net::UnixStream::connect(&socket).is_ok()).await;
}

#[tokio::test]
async fn the_service_manager_hears_of_it_and_runs_do_not_reach_it() {
    let listener = listener().await;
    let command = "env | grep -c -e NOTIFY_SOCKET -e WATCHDOG; exit 0";
    let mut agent = Agent::new(
        &listener,
        &format!("[commands.look]\nargv = [\"sh\", \"-c\", {command:?}]"),
    );
    let path = agent.dir.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let hear = || {
        let mut buffer = [0; 1024];
        let length = manager.recv(&mut buffer).ok()?;
        Some(text(&buffer[..length]))
    };
    agent.start_with(&[
        ("NOTIFY_SOCKET", path.to_str().unwrap()),
        ("WATCHDOG_USEC", "200000"),
    ]);
    let mut heard = Vec::new();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    acknowledge(&mut peer, 1).await;
    until(|| {
        heard.extend(hear());
        heard.iter().filter(|said| *said == "WATCHDOG=1").count() > 3
            && heard
                .iter()
                .any(|said| said == "STATUS=connected to the dashboard")
    })
    .await;
    assert!(
        heard[0].starts_with("READY=1\nSTATUS=not connected yet"),
        "{heard:?}"
    );
    let run = peer.run("look").await;
    let mut received = crate::played::Received::default();
    peer.receive(run, &mut received, |received| received.end().is_some())
        .await;
    assert_eq!(text(&received.text), "0\n");
    // A stopped process gives no sign.
    let pid = nix::unistd::Pid::from_raw(agent.process.as_ref().unwrap().id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    while hear().is_some() {}
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(hear(), None);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).unwrap();
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
    until(|| hear().is_some_and(|said| said.starts_with("STOPPING=1"))).await;
}

/// Answers one request and tells what it was.
async fn take_push(back_end: &TcpListener) -> String {
    let accepted = tokio::time::timeout(DEADLINE, back_end.accept())
        .await
        .unwrap();
    let (mut stream, _): (TcpStream, _) = accepted.unwrap();
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"}") {
        assert!(stream.read_buf(&mut bytes).await.unwrap() > 0);
    }
    stream
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .await
        .unwrap();
    text(&bytes)
}

#[tokio::test]
async fn once_sends_one_heartbeat_pushes_once_and_leaves_the_rest_alone() {
    let (listener, back_end) = (listener().await, listener().await);
    let mut config = format!(
        "[[push]]\nurl = \"http://{}/in\"\napi_key_file = \"KEY\"\n",
        back_end.local_addr().unwrap()
    );
    let dir = tempfile::tempdir().unwrap();
    let (key, log) = (dir.path().join("key"), dir.path().join("log"));
    std::fs::write(&key, "k3y").unwrap();
    config = config.replace("KEY", key.to_str().unwrap());
    config.extend(["[heartbeat_log]\ndir = \"", log.to_str().unwrap(), "\"\n"]);
    let agent = Agent::new(&listener, &config);
    let once = beside(&agent, &["--once"]);
    let dashboard = async {
        let (mut peer, _) = Peer::accept(&listener, &[]).await;
        let ToDashboard::Heartbeat(first) = peer.message().await else {
            panic!("no heartbeat");
        };
        assert_eq!(first.n, 1);
        // Twice its interval: an ordinary agent would have sent another one.
        let second = tokio::time::timeout(Duration::from_secs(2), peer.next()).await;
        assert!(second.is_err(), "exactly one: {second:?}");
        peer.say(&ToAgent::HeartbeatAck { n: 1 }).await;
        let _ = peer.next().await;
    };
    let (done, (), pushed) = tokio::join!(once, dashboard, take_push(&back_end));
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(pushed.starts_with("POST /in HTTP/1.1\r\n") && pushed.contains("X-API-Key: k3y"));
    assert!(pushed.contains(r#""hostname":"web1""#), "{pushed}");
    assert!(!log.exists() && !Path::new(&agent.dir.path().join("state/agent.sock")).exists());
    drop(back_end);
    std::fs::write(&key, "").unwrap();
    let once = beside(&agent, &["--once"]).await;
    assert_eq!(once.status.code(), Some(1));
    assert!(text(&once.stderr).contains("is empty"), "{once:?}");
}

#[tokio::test]
async fn the_log_and_the_local_api_go_on_without_a_dashboard() {
    let nobody = listener().await;
    let free = listener().await;
    let address = free.local_addr().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    let mut agent = Agent::new(
        &nobody,
        &format!("[heartbeat_log]\ndir = {log:?}\n[local_api]\nlisten = \"{address}\"\n"),
    );
    drop(nobody);
    drop(free);
    agent.start();
    let lines = || {
        let files = std::fs::read_dir(&log).into_iter().flatten().flatten();
        let text: String = files
            .map(|file| std::fs::read_to_string(file.path()).unwrap())
            .collect();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .collect::<Vec<_>>()
    };
    until(|| lines().len() >= 3).await;
    let written = lines();
    assert_eq!((&written[0]["n"], &written[2]["n"]), (&1.into(), &3.into()));
    let gap = written[2]["at"].as_u64().unwrap() - written[1]["at"].as_u64().unwrap();
    assert!((800..1500).contains(&gap), "{gap} ms");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream
        .write_all(b"GET /metrics HTTP/1.0\r\nAccept: text/plain\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.contains("\nnixfleet_agent_connected 0\n"),
        "{answer}"
    );
    // Its directory goes and something is in its place: beats and API do not mind.
    std::fs::remove_dir_all(&log).unwrap();
    std::fs::write(&log, "").unwrap();
    let error = || {
        let done = Command::new(AGENT)
            .args(["status", "--json", "--config"])
            .arg(agent.config())
            .output()
            .unwrap();
        let status: Value = serde_json::from_slice(&done.stdout).unwrap();
        status["heartbeat_log"]["error"].is_string()
            && status["heartbeat_log"]["lost"].as_u64() > Some(1)
    };
    until(error).await;
    std::fs::remove_file(&log).unwrap();
    until(|| !lines().is_empty()).await;
}
