//! T01: connecting, in both directions.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::json;

use super::agent::{Agent, Did};
use super::dashboard::Dashboard;
use crate::support::Fleet;
use crate::support::process::wait_until;

#[test]
fn t01_1_connects_and_registers() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let host = fleet.api.get("/api/hosts/web1").body;
    for (field, value) in [
        ("id", json!("web1")),
        ("hostname", json!("web1")),
        ("host_type", json!("nixos")),
        ("agent_version", json!("2.1.0")),
        ("os_version", json!("24.11")),
        ("nixpkgs_version", json!("24.11.5678")),
        ("generation", json!("abc1234")),
        ("status", json!("online")),
        ("pending_command", json!(null)),
        ("comment", json!("")),
        ("protocol", json!(2)),
        ("theme_color", json!("#769ff0")),
        ("location", json!("home")),
        ("device_type", json!("server")),
    ] {
        assert_eq!(host[field], value, "{field}");
    }
    assert!(host["last_seen"].is_string());
    assert_eq!(host["metrics"]["cpu"], 15.5);
    let git = &host["update_status"]["git"];
    assert_eq!(git["message"], "2 commits behind", "{host}");
    assert!(host["update_status"]["age_ms"].is_u64());
    // Nothing of the newer protocol is said to it, heartbeat or not.
    agent.beat(None);
    match agent.next_within(Duration::from_millis(300)) {
        Did::Nothing => {}
        other => panic!("{other:?}"),
    }
}

#[test]
fn t01_1_this_agent_connects_and_registers() {
    let dashboard = Dashboard::start();
    let _agent = dashboard.agent("location = \"attic\"\n");
    let (mut link, register) = dashboard.joined();
    assert_eq!(register["hostname"], "web1");
    assert_eq!(register["location"], "attic");
    assert_eq!(register["heartbeat_interval"], 1);
    for field in [
        "host_type",
        "agent_version",
        "os_version",
        "nixpkgs_version",
        "generation",
        "theme_color",
        "device_type",
        "repo_url",
        "repo_dir",
    ] {
        assert!(register[field].is_string(), "{field}: {register}");
    }
    let beats = link.wait_beats(2);
    let mut fields: Vec<&str> = beats[0]
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    fields.sort_unstable();
    let known = [
        "command_pid",
        "generation",
        "metrics",
        "nixpkgs_version",
        "pending_command",
        "update_status",
    ];
    assert_eq!(fields, known);
}

#[test]
fn t01_2_a_bad_token_is_401() {
    let fleet = Fleet::start();
    for token in [None, Some(""), Some("wrong")] {
        assert_eq!(Agent::dial(&fleet, token).err(), Some(401), "{token:?}");
    }
    assert_eq!(fleet.api.get("/api/hosts").body, json!({"hosts": []}));
}

#[test]
fn t01_2_this_agent_backs_off() {
    let dashboard = Dashboard::start();
    let mut agent = dashboard.agent_with("", "wrong");
    let mut last: Option<Instant> = None;
    // At most 1, 2, 4 s: how much of it is chance, so that a fleet does not come back as one.
    for most in [0, 1, 2, 4] {
        let Err(at) = dashboard.accept() else {
            panic!("a wrong token was taken");
        };
        if let Some(last) = last.replace(at) {
            let waited = at.duration_since(last);
            assert!(
                waited < Duration::from_secs(most + 2),
                "{waited:?} of {most} s"
            );
        }
    }
    agent.wait_for("401");
    assert!(agent.ended().is_none());
}

#[test]
fn t01_3_dashboard_down_then_up() {
    let dashboard = Dashboard::start();
    // Nobody accepts: the first connection is cut as soon as it is there.
    let mut agent = dashboard.agent("");
    let link = dashboard.accept().unwrap_or_else(|_| panic!("no token"));
    link.cut();
    agent.wait_for("trying again");
    let (mut link, _) = dashboard.joined();
    link.wait_beats(1);

    let mut fleet = Fleet::start();
    drop(Agent::online(&fleet, "old1"));
    // In order: what it knew of the host is stored.
    let mut dashboard = fleet.dashboard.take().unwrap();
    dashboard.signal(Signal::SIGTERM);
    dashboard.wait();
    fleet.start_dashboard();
    let host = fleet.api.get("/api/hosts/old1").body;
    assert_eq!(host["status"], "reconnecting", "{host}");
    let _agent = Agent::online(&fleet, "old1");
}

#[test]
fn t01_4_link_lost_then_registers_again() {
    let dashboard = Dashboard::start();
    let _agent = dashboard.agent("");
    let (mut link, first) = dashboard.joined();
    link.wait_beats(1);
    link.cut();
    let (mut link, second) = dashboard.joined();
    assert_eq!(first["hostname"], second["hostname"]);
    // At once, not after an interval.
    link.wait_beats(1);

    let fleet = Fleet::start();
    Agent::online(&fleet, "old1").cut();
    wait_until("old1 to be away", || {
        let host = fleet.api.get("/api/hosts/old1").body;
        (host["status"] == "reconnecting").then_some(())
    });
    let _agent = Agent::online(&fleet, "old1");
}

#[test]
fn t01_5_sigterm_closes_with_1000() {
    let dashboard = Dashboard::start();
    let mut agent = dashboard.agent("");
    let (mut link, _) = dashboard.joined();
    link.wait_beats(1);
    let start = Instant::now();
    agent.signal(Signal::SIGTERM);
    assert_eq!(link.expect("close"), json!([1000, "shutdown"]));
    link.close(1000, "");
    assert!(agent.wait().success());
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn t01_6_malformed_messages_are_ignored() {
    let dashboard = Dashboard::start();
    let _agent = dashboard.agent("");
    let (mut link, _) = dashboard.joined();
    for text in [
        "",
        "{",
        "[]",
        "{\"type\":\"dance\"}",
        "{\"type\":\"command\"}",
        "{\"type\":\"command\",\"payload\":{\"command\":7}}",
        "\u{1b}[2J",
    ] {
        link.text(text);
    }
    link.wait_beats(2);

    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "old1");
    let before = fleet.api.get("/api/hosts/old1").body["heartbeats"]
        .as_u64()
        .unwrap();
    agent.say("dance", &json!({}));
    agent.say("output", &json!({"line": 7}));
    agent.say("status", &json!("ok"));
    agent.say("register", &json!({"hostname": "other"}));
    agent.socket.send("{".into()).unwrap();
    agent.beat(None);
    wait_until("another heartbeat", || {
        let host = fleet.api.get("/api/hosts/old1").body;
        (host["heartbeats"].as_u64().unwrap() > before).then_some(())
    });
    assert_eq!(fleet.api.get("/api/hosts/other").status, 404);
    assert_eq!(fleet.api.get("/api/runs").body, json!({"runs": []}));
}

#[test]
fn t01_7_the_last_connection_of_a_host_wins() {
    let fleet = Fleet::start();
    let mut first = Agent::online(&fleet, "web1");
    let mut second = Agent::online(&fleet, "web1");
    let (code, reason) = first.closed();
    assert_eq!(code, 1008, "{reason}");
    assert_eq!(fleet.command("web1", "pull").status, 202);
    second.expect_command("pull");
}
