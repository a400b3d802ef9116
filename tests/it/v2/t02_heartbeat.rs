//! T02: heartbeats. The five scenarios of the source are played by this agent and this dashboard, and by each of them with
//! a partner of the earlier protocol.

use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::agent::Agent;
use super::dashboard::{Dashboard, Link};
use crate::support::Fleet;
use crate::support::process::wait_until;

const SLEEP: &str =
    "[commands.test-long]\nargv = [\"/bin/sleep\", \"5\"]\ndescription = \"takes 5 s\"\n";
const WINDOW: Duration = Duration::from_secs(5);

fn stasysmo(dir: &std::path::Path) -> String {
    std::fs::create_dir_all(dir).unwrap();
    for (name, value) in [
        ("cpu", "15.5"),
        ("ram", "42.0"),
        ("swap", "0.0"),
        ("load", "0.5"),
    ] {
        std::fs::write(dir.join(name), format!("{value}\n")).unwrap();
    }
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    std::fs::write(dir.join("timestamp"), format!("{now}\n")).unwrap();
    format!("[metrics]\nstasysmo_paths = [\"{}\"]\n", dir.display())
}

fn beats(fleet: &Fleet) -> u64 {
    fleet.api.get("/api/hosts/web1").body["heartbeats"]
        .as_u64()
        .unwrap()
}

/// Heartbeats of the next five seconds.
fn in_five_seconds(link: &mut Link) -> Vec<Value> {
    let (start, from) = (Instant::now(), link.beats.len());
    while start.elapsed() < WINDOW {
        link.poll(Duration::from_millis(50));
    }
    link.beats[from..]
        .iter()
        .map(|(_, beat)| beat.clone())
        .collect()
}

#[test]
fn t02_1_regular_heartbeat() {
    let fleet = Fleet::start();
    let more = stasysmo(&fleet.path("stasysmo"));
    let _agent = fleet.agent("web1", &more);
    let before = beats(&fleet);
    std::thread::sleep(WINDOW);
    assert!(beats(&fleet) >= before + 4);
    let host = fleet.api.get("/api/hosts/web1").body;
    assert!(!host["generation"].is_null());
    let expected = json!({"cpu": 15.5, "ram": 42.0, "swap": 0.0, "load": 0.5});
    assert_eq!(host["metrics"], expected);

    let dashboard = Dashboard::start();
    let more = stasysmo(&dashboard.path("stasysmo"));
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    let beats = in_five_seconds(&mut link);
    assert!(beats.len() >= 4, "{}", beats.len());
    for beat in beats {
        assert!(beat["generation"].is_string());
        assert_eq!(beat["metrics"], expected);
        assert_eq!(beat["pending_command"], json!(null));
    }
}

#[test]
fn t02_2_heartbeats_during_a_command() {
    let fleet = Fleet::start();
    let _agent = fleet.agent("web1", SLEEP);
    let before = beats(&fleet);
    let run = fleet.run("web1", "test-long");
    let start = Instant::now();
    while !Fleet::is_over(&fleet.api.get(&format!("/api/runs/{run}")).body) {
        let host = fleet.api.get("/api/hosts/web1").body;
        assert_eq!(host["status"], "online", "{host}");
        assert!(start.elapsed() < Duration::from_secs(40));
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(beats(&fleet) >= before + 4);

    let dashboard = Dashboard::start();
    let _agent = dashboard.agent(SLEEP);
    let (mut link, _) = dashboard.joined();
    link.wait_beats(1);
    link.command("test-long");
    let from = link.beats.len();
    let (_, status) = link.until_the_end();
    assert_eq!(
        (&status["status"], &status["command"]),
        (&json!("ok"), &json!("test-long"))
    );
    let during: Vec<_> = link.beats[from..]
        .iter()
        .filter(|(_, beat)| beat["pending_command"] == "test-long")
        .collect();
    assert!(during.len() >= 4, "{}", during.len());
    assert!(
        during
            .iter()
            .any(|(_, beat)| beat["command_pid"].as_i64() > Some(0))
    );
}

#[test]
fn t02_2_an_earlier_agent_is_busy_and_never_stale() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "switch");
    agent.expect_command("switch");
    let start = Instant::now();
    while start.elapsed() < WINDOW {
        agent.beat(Some("switch"));
        std::thread::sleep(Duration::from_millis(500));
        let host = fleet.api.get("/api/hosts/web1").body;
        assert_eq!(host["status"], "online", "{host}");
        assert_eq!(host["pending_command"], "switch", "{host}");
        assert_eq!(host["activity"]["run"], run.as_str(), "{host}");
    }
    agent.status("ok", "switch", 0, "");
    assert_eq!(fleet.finished(&run)["state"], "succeeded");
    // At once, not with the next heartbeat.
    let host = fleet.api.get("/api/hosts/web1").body;
    assert_eq!(
        (&host["pending_command"], &host["generation"]),
        (&json!(null), &json!("def5678"))
    );
}

#[test]
fn t02_3_and_4_with_and_without_stasysmo() {
    let dashboard = Dashboard::start();
    let more = stasysmo(&dashboard.path("stasysmo"));
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    assert_eq!(link.wait_beats(1)[0]["metrics"]["load"], 0.5);
    // What is older than 30 s is nobody's number.
    let old = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() - 31;
    std::fs::write(dashboard.path("stasysmo/timestamp"), format!("{old}\n")).unwrap();
    wait_until("no metrics", || {
        link.wait_beats(1)[0]["metrics"].is_null().then_some(())
    });

    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    for load in [json!(0.5), json!("0.5")] {
        agent.say("heartbeat", &json!({"generation": "abc1234", "metrics": {"cpu": 1, "ram": "2", "swap": 0, "load": load}}));
        wait_until("metrics", || {
            let host = fleet.api.get("/api/hosts/web1").body;
            (host["metrics"] == json!({"cpu": 1.0, "ram": 2.0, "swap": 0.0, "load": 0.5}))
                .then_some(())
        });
        agent.say(
            "heartbeat",
            &json!({"generation": "abc1234", "metrics": null}),
        );
        wait_until("no metrics", || {
            let host = fleet.api.get("/api/hosts/web1").body;
            (host["metrics"].is_null() && host["status"] == "online").then_some(())
        });
    }
}

#[test]
fn t02_5_offline_after_three_intervals_and_online_again() {
    let fleet = Fleet::start();
    let agent = fleet.agent("web1", "");
    let mut old = Agent::online(&fleet, "old1");
    agent.signal(Signal::SIGSTOP);
    for host in ["web1", "old1"] {
        wait_until("it to be offline", || {
            let host = fleet.api.get(&format!("/api/hosts/{host}")).body;
            let age = host["last_heartbeat_age_ms"].as_u64().unwrap();
            assert!(host["status"] == "online" || age >= 3000, "{host}");
            (host["status"] == "offline").then_some(())
        });
    }
    agent.signal(Signal::SIGCONT);
    fleet.wait_online("web1");
    old.beat(None);
    fleet.wait_online("old1");
}

#[test]
fn t02_6_link_lost_during_a_command() {
    let dashboard = Dashboard::start();
    let more = format!(
        "[commands.count]\nargv = [\"{}\"]\ndescription = \"counts\"\n",
        dashboard
            .script(
                "count",
                "for n in 1 2 3 4 5 6 7 8 9 10; do echo line $n; sleep 0.4; done"
            )
            .display()
    );
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    link.wait_beats(1);
    link.command("count");
    let first = link.expect("output");
    assert_eq!(first["line"], "line 1");
    link.cut();
    let (mut link, _) = dashboard.joined();
    let (lines, status) = link.until_the_end();
    assert_eq!(status["status"], "ok");
    // What was missed of heartbeats is not made up for; what is told of output goes on where it stopped.
    assert!(link.beats.len() <= 6, "{}", link.beats.len());
    assert!(
        link.beats
            .iter()
            .any(|(_, beat)| beat["pending_command"] == "count")
    );
    assert_eq!(lines.last().unwrap(), "line 10");
    let numbers: Vec<u64> = lines
        .iter()
        .map(|line| line[5..].parse().unwrap())
        .collect();
    assert!(
        numbers.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{numbers:?}"
    );
}

#[test]
fn t02_7_a_second_command_is_rejected() {
    let dashboard = Dashboard::start();
    let _agent = dashboard.agent(SLEEP);
    let (mut link, _) = dashboard.joined();
    link.command("test-long");
    link.command("test-long");
    let rejected = link.expect("command_rejected");
    assert_eq!(rejected["current_command"], "test-long");
    assert!(
        rejected["reason"].as_str().unwrap().contains("test-long"),
        "{rejected}"
    );
    assert_eq!(link.until_the_end().1["status"], "ok");
}
