//! What an earlier agent cannot promise, and what is said of it.

use std::time::Duration;

use serde_json::{Value, json};

use super::agent::{Agent, Did};
use crate::support::Fleet;
use crate::support::process::wait_until;

const CANNOT: &str = "cannot send again what was lost";

fn over(fleet: &Fleet, run: &str) -> Value {
    wait_until("the end of the run", || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        let state = body["state"].as_str().unwrap();
        (!matches!(state, "queued" | "starting" | "running")).then(|| body.clone())
    })
}

fn begun(fleet: &Fleet, host: &str, command: &str) -> (Agent, String) {
    let mut agent = Agent::online(fleet, host);
    let run = fleet.run(host, command);
    agent.expect_command(command);
    agent.line(command, "one");
    wait_until("the first line", || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        (body["lines"] == 1).then_some(())
    });
    (agent, run)
}

#[test]
fn a_run_goes_on_over_a_lost_link_and_is_said_to_be_incomplete() {
    let fleet = Fleet::start();
    let (agent, run) = begun(&fleet, "web1", "switch");
    agent.cut();
    let mut agent = Agent::online(&fleet, "web1");
    agent.beat(Some("switch"));
    agent.line("switch", "four");
    agent.status("ok", "switch", 0, "");
    let finished = over(&fleet, &run);
    assert_eq!(
        (&finished["state"], &finished["incomplete"]),
        (&json!("succeeded"), &json!(true)),
        "{finished}"
    );
    assert!(
        finished["unheard"].as_str().unwrap().contains(CANNOT),
        "{finished}"
    );
    assert_eq!(fleet.log(&run), b"one\nfour\n");
}

#[test]
fn an_agent_that_comes_back_idle_leaves_its_run_lost() {
    let fleet = Fleet::start();
    let (agent, run) = begun(&fleet, "web1", "switch");
    agent.cut();
    let mut agent = Agent::online(&fleet, "web1");
    let finished = over(&fleet, &run);
    assert_eq!(finished["state"], "lost", "{finished}");
    let reason = finished["reason"].as_str().unwrap();
    assert!(
        reason.contains("the agent is idle") && reason.contains("1 lines are kept"),
        "{reason}"
    );
    assert!(
        finished["unheard"].as_str().unwrap().contains(CANNOT),
        "{finished}"
    );
    // It does say it after all.
    agent.status("error", "switch", 1, "no space left");
    let finished = wait_until("the end that was told late", || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        (body["state"] == "failed").then(|| body.clone())
    });
    assert_eq!(finished["recovered"], true, "{finished}");
    assert!(
        finished["reason"]
            .as_str()
            .unwrap()
            .contains("no space left")
    );
    assert_eq!(fleet.command("web1", "pull").status, 202);
}

#[test]
fn a_command_that_was_sent_into_a_broken_link_is_not_said_to_have_done_nothing() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "pull");
    agent.expect_command("pull");
    agent.cut();
    let _agent = Agent::online(&fleet, "web1");
    let finished = over(&fleet, &run);
    assert_eq!(finished["state"], "lost", "{finished}");
    assert!(
        finished["reason"]
            .as_str()
            .unwrap()
            .contains("whether it ran"),
        "{finished}"
    );
}

#[test]
fn the_dashboard_restarts_in_the_middle() {
    let mut fleet = Fleet::start();
    let (agent, run) = begun(&fleet, "web1", "switch");
    fleet.kill_dashboard();
    drop(agent);
    fleet.start_dashboard();
    let mut agent = Agent::online(&fleet, "web1");
    agent.beat(Some("switch"));
    agent.line("switch", "building the system configuration...");
    agent.line("switch", "activating the configuration...");
    agent.status("ok", "switch", 0, "");
    let finished = over(&fleet, &run);
    assert_eq!(
        (&finished["state"], &finished["lines"]),
        (&json!("succeeded"), &json!(3)),
        "{finished}"
    );
    assert!(
        finished["unheard"].as_str().unwrap().contains(CANNOT),
        "{finished}"
    );
    let phases: Vec<_> = finished["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|span| span["phase"].clone())
        .collect();
    assert_eq!(phases, ["evaluating", "activating"]);
}

#[test]
fn a_rejected_command_says_what_runs_instead() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "pull");
    agent.expect_command("pull");
    agent.say(
        "command_rejected",
        &json!({"reason": "busy", "current_command": "switch", "current_pid": 42}),
    );
    let finished = over(&fleet, &run);
    assert_eq!(finished["state"], "failed", "{finished}");
    let reason = finished["reason"].as_str().unwrap();
    assert!(
        reason.contains("busy") && reason.contains("`switch`"),
        "{reason}"
    );
    assert_eq!(fleet.command("web1", "pull").status, 202);
}

#[test]
fn restart_ends_when_the_agent_is_back() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "restart");
    agent.expect_command("restart");
    agent.cut();
    let _agent = Agent::online(&fleet, "web1");
    let finished = over(&fleet, &run);
    assert_eq!(finished["state"], "succeeded", "{finished}");
}

#[test]
fn a_command_that_was_not_asked_for_here_has_a_run_too() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    agent.beat(Some("switch"));
    agent.line("switch", "somebody else asked");
    agent.status("ok", "switch", 0, "");
    let runs = wait_until("the run", || {
        let body = fleet.api.get("/api/runs?host=web1").body;
        (body["runs"][0]["state"] == "succeeded").then(|| body.clone())
    });
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "{runs}");
    assert_eq!(runs["runs"][0]["requested_by"], "the host");
}

#[test]
fn lines_after_the_status_belong_to_the_run_or_are_said_to_be_missing() {
    let fleet = Fleet::start();
    let (mut agent, run) = begun(&fleet, "web1", "pull");
    agent.status("ok", "pull", 0, "");
    agent.line("pull", "late");
    let finished = over(&fleet, &run);
    assert_eq!(
        (&finished["lines"], &finished["incomplete"]),
        (&json!(2), &json!(false)),
        "{finished}"
    );
    agent.line("pull", "too late");
    let said = wait_until("a word of it", || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        body["unheard"].is_string().then(|| body.clone())
    });
    assert_eq!(
        (&said["state"], &said["incomplete"]),
        (&json!("succeeded"), &json!(true))
    );
    assert_eq!(
        fleet.api.get("/api/runs").body["runs"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[test]
fn a_command_complete_without_a_status_ends_the_run_by_its_exit_status() {
    let fleet = Fleet::start();
    let (mut agent, run) = begun(&fleet, "web1", "pull");
    agent.say("command_complete", &json!({"command": "pull", "exit_code": 3, "fresh_status": {"git": {"status": "ok", "message": "", "checked_at": null}}}));
    let finished = over(&fleet, &run);
    assert_eq!(
        (&finished["state"], &finished["exit_code"]),
        (&json!("failed"), &json!(3)),
        "{finished}"
    );
    assert_eq!(
        fleet.api.get("/api/hosts/web1").body["update_status"]["git"]["status"],
        "ok"
    );
}

#[test]
fn what_waits_is_not_sent_to_an_agent_that_is_about_to_exit() {
    let fleet = Fleet::start();
    let (mut agent, run) = begun(&fleet, "web1", "switch");
    let body = json!({"command": "pull", "queue": true});
    let waiting = fleet.api.post("/api/hosts/web1/command", &body);
    assert_eq!(waiting.status, 202, "{}", waiting.body);
    agent.status("ok", "switch", 0, "");
    assert_eq!(over(&fleet, &run)["state"], "succeeded");
    match agent.next_within(Duration::from_millis(1500)) {
        Did::Nothing => {}
        did => panic!("{did:?}"),
    }
    agent.cut();
    let mut agent = Agent::join(&fleet, "web1", "nixos");
    agent.expect_command("pull");
}

#[test]
fn a_flood_of_lines_neither_stops_heartbeats_nor_loses_one() {
    const LINES: usize = 50_000;
    let fleet = Fleet::start();
    let (mut agent, run) = begun(&fleet, "web1", "pull");
    let before = fleet.api.get("/api/hosts/web1").body["heartbeats"]
        .as_u64()
        .unwrap();
    for n in 0..LINES {
        agent.line("pull", &format!("line {n} of many, as a build prints them"));
        if n % 10_000 == 0 {
            agent.beat(Some("pull"));
        }
    }
    agent.line("pull", &"x".repeat(200_000));
    agent.status("ok", "pull", 0, "");
    let finished = over(&fleet, &run);
    assert_eq!(
        (&finished["state"], &finished["bytes_missing"]),
        (&json!("succeeded"), &json!(0)),
        "{finished}"
    );
    let log = fleet.log(&run);
    assert_eq!(memchr::memchr_iter(b'\n', &log).count(), LINES + 2);
    let after = fleet.api.get("/api/hosts/web1").body["heartbeats"]
        .as_u64()
        .unwrap();
    assert_eq!(after, before + 5);
}
