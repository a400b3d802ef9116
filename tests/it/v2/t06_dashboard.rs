//! T06: commands through this dashboard to an earlier agent.

use std::time::Duration;

use serde_json::json;

use super::agent::{Agent, Did};
use super::login::{Client, make_admin};
use crate::support::Fleet;
use crate::support::process::wait_until;

#[test]
fn t06_1_pull() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let answer = fleet.command("web1", "pull");
    assert_eq!(answer.status, 202);
    assert_eq!(
        (&answer.body["status"], &answer.body["command"]),
        (&json!("queued"), &json!("pull"))
    );
    let run = answer.body["command_id"].as_str().unwrap().to_owned();
    agent.expect_command("pull");
    agent.line("pull", "Updating abc1234..def5678");
    agent.say("output", &json!({"line": "\u{1b}[31mred\u{1b}[0m\u{1b}[2J <b>", "stream": "stderr", "command": "", "is_error": true}));
    agent.status("ok", "pull", 0, "");
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "succeeded", "{finished}");
    assert_eq!(
        (&finished["lines"], &finished["exit_code"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(
        (&finished["generation"], &finished["incomplete"]),
        (&json!("def5678"), &json!(false))
    );
    let log = fleet.api.get(&format!("/api/runs/{run}/log")).body;
    assert_eq!(
        log["marked"],
        json!([{"first": 2, "last": 2, "stream": "stderr", "is_error": true}])
    );
    // The agent computes no checksum, so nothing is said to be verified.
    assert_eq!(finished["verified"], json!(null));
    assert_eq!(
        fleet.log(&run),
        "Updating abc1234..def5678\n\u{1b}[31mred\u{1b}[0m\u{1b}[2J <b>\n".as_bytes()
    );
    let log = fleet.api.get(&format!("/api/runs/{run}/log")).body;
    assert_eq!(log["lines"][1]["text"], "\u{1b}[31mred\u{1b}[0m <b>");
    assert_eq!(
        (&log["lines"][1]["n"], &log["complete"]),
        (&json!(2), &json!(true))
    );
}

#[test]
fn t06_2_switch_with_phases_then_reconnecting_then_back() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "switch");
    let path = format!("/api/runs/{run}");
    agent.expect_command("switch");
    agent.beat(Some("switch"));
    for (line, phase) in [
        ("building the system configuration...", "evaluating"),
        (
            "building '/nix/store/z9xbcxbyhpk6vhd2c9ij5vgvg2ihyk6m-hello-2.12.drv'...",
            "building",
        ),
        ("activating the configuration...", "activating"),
        ("restarting the following units: nginx.service", "switching"),
    ] {
        agent.line("switch", line);
        wait_until(phase, || {
            (fleet.api.get(&path).body["phase"] == phase).then_some(())
        });
        let host = fleet.api.get("/api/hosts/web1").body;
        assert_eq!(host["activity"]["phase"], phase, "{host}");
    }
    agent.status("ok", "switch", 0, "");
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "succeeded", "{finished}");
    let phases: Vec<_> = finished["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| span["phase"].clone())
        .collect();
    assert_eq!(
        phases,
        ["evaluating", "building", "activating", "switching"]
    );
    // One heartbeat more, then it exits with 101 and comes back as the new program: longer than three of its intervals.
    agent.beat(None);
    agent.cut();
    let start = std::time::Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        std::thread::sleep(Duration::from_millis(100));
        let host = fleet.api.get("/api/hosts/web1").body;
        assert!(
            host["status"] == "reconnecting" || start.elapsed() < Duration::from_secs(1),
            "{host}"
        );
    }
    let _agent = Agent::online(&fleet, "web1");
    assert_eq!(
        fleet.api.get(&path).body["incomplete"],
        false,
        "nothing was lost"
    );
}

#[test]
fn t06_3_offline_is_409_and_so_is_busy() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    fleet.run("web1", "pull");
    let busy = fleet.command("web1", "switch");
    assert_eq!(busy.status, 409, "{}", busy.body);
    assert!(
        busy.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("`pull`"),
        "{}",
        busy.body
    );
    agent.expect_command("pull");
    agent.cut();
    wait_until("web1 to be gone", || {
        let answer = fleet.command("web1", "pull").body["error"]["message"].to_string();
        answer.contains("not connected").then_some(())
    });
    let unknown = fleet.command("web1", "dance");
    assert_eq!(unknown.status, 409, "offline comes first: {}", unknown.body);
    let _agent = Agent::online(&fleet, "web2");
    assert_eq!(fleet.command("web2", "dance").status, 422);
}

#[test]
fn t06_4_and_5_no_login_and_no_csrf() {
    let fleet = Fleet::start();
    make_admin(&fleet);
    let mut agent = Agent::online(&fleet, "web1");
    let body = json!({"command": "pull"});
    let mut client = Client::new(&fleet);
    assert_eq!(client.post("/api/hosts/web1/command", &body).status, 401);
    client = Client::logged_in(&fleet);
    let csrf = client.csrf.take();
    assert_eq!(client.post("/api/hosts/web1/command", &body).status, 403);
    client.csrf = csrf;
    // It beats every second, and the login may have taken three.
    agent.beat(None);
    fleet.wait_online("web1");
    assert_eq!(client.post("/api/hosts/web1/command", &body).status, 202);
}

#[test]
fn t06_6_status_updates_host_browsers_and_log() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    for (word, code, message, state, part) in [
        ("ok", 0, "", "succeeded", ""),
        (
            "error",
            1,
            "the flake is dirty",
            "failed",
            "the flake is dirty",
        ),
        ("warning", 0, "2 units failed", "degraded", "2 units failed"),
        ("stopped", -1, "", "stopped", "stopped by"),
    ] {
        let run = fleet.run("web1", "update");
        agent.expect_command("update");
        agent.line("update", word);
        agent.status(word, "update", code, message);
        let finished = fleet.finished(&run);
        assert_eq!(
            (&finished["state"], &finished["exit_code"]),
            (&json!(state), &json!(code)),
            "{finished}"
        );
        assert!(
            finished["reason"]
                .as_str()
                .unwrap_or_default()
                .contains(part),
            "{finished}"
        );
        assert_eq!(fleet.log(&run), format!("{word}\n").as_bytes());
    }
    let events = fleet.api.get("/api/events/");
    assert_eq!(events.status, 404);
    let host = fleet.api.get("/api/hosts/web1").body;
    assert_eq!(
        (&host["activity"], &host["generation"]),
        (&json!(null), &json!("def5678"))
    );
}

#[test]
fn t06_7_progress_of_operations_and_tests() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "test");
    let progress = |done: u64, total: u64, unit: &str| {
        wait_until("progress", || {
            let body = fleet.api.get(&format!("/api/runs/{run}")).body;
            let found = &body["progress"];
            (found["done"] == done && found["total"] == total && found["unit"] == unit)
                .then(|| body.clone())
        })
    };
    agent.expect_command("test");
    agent.say(
        "test_progress",
        &json!({"current": 1, "total": 3, "passed": 0, "running": true, "result": ""}),
    );
    progress(0, 3, "tests");
    std::thread::sleep(Duration::from_millis(250));
    agent.say("operation_progress", &json!({"progress": {"tests": {"current": 2, "total": 3, "results": ["pass", "fail", "pending"], "status": "in_progress"}}}));
    let body = progress(2, 3, "tests");
    assert!(
        body["progress"]["activity"]
            .as_str()
            .unwrap()
            .contains("1 failed"),
        "{body}"
    );
    agent.say(
        "test_progress",
        &json!({"current": 3, "total": 3, "passed": 2, "running": false, "result": "pass"}),
    );
    progress(3, 3, "tests");
    agent.status("error", "test", 1, "1 of 3 failed");
    assert_eq!(fleet.finished(&run)["state"], "failed");
}

#[test]
fn t06_8_stop_by_sigterm_then_sigkill() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "pull");
    agent.expect_command("pull");
    agent.line("pull", "here");
    // As a command, as earlier pages sent it.
    assert_eq!(fleet.command("web1", "stop").status, 202);
    assert_eq!(
        agent.expect("kill_command"),
        json!({"signal": "SIGTERM", "pid": 0})
    );
    // It takes no notice; SIGKILL comes by itself.
    assert_eq!(
        agent.expect("kill_command"),
        json!({"signal": "SIGKILL", "pid": 0})
    );
    agent.status("error", "pull", -1, "signal: killed");
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "stopped", "{finished}");
    assert!(
        finished["reason"].as_str().unwrap().contains("token tests"),
        "{finished}"
    );
    let run = fleet.run("web1", "pull");
    agent.expect_command("pull");
    agent.status("ok", "pull", 0, "");
    assert_eq!(fleet.finished(&run)["state"], "succeeded");
}

#[test]
fn a_stop_in_the_middle_of_an_activation_is_refused_unless_forced() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "switch");
    agent.expect_command("switch");
    agent.line("switch", "building the system configuration...");
    agent.line("switch", "activating the configuration...");
    let path = format!("/api/runs/{run}");
    wait_until("activation", || {
        (fleet.api.get(&path).body["phase"] == "activating").then_some(())
    });
    assert_eq!(fleet.command("web1", "stop").status, 202);
    wait_until("the refusal", || {
        fleet.api.get(&path).body["stop_refused"]
            .is_string()
            .then_some(())
    });
    match agent.next_within(Duration::from_millis(300)) {
        Did::Nothing => {}
        did => panic!("{did:?}"),
    }
    let forced = fleet.api.post(
        "/api/hosts/web1/command",
        &json!({"command": "stop", "force": true}),
    );
    assert_eq!(forced.status, 202, "{}", forced.body);
    assert_eq!(agent.expect("kill_command")["signal"], "SIGTERM");
}
