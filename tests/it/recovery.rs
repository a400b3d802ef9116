//! Whatever is killed in the middle of a run: every line arrives once, and the run ends as it ended.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::Fleet;
use crate::support::process::{program as program_of, wait_until};

/// Lines that the run prints.
const LINES: u64 = 3000;

pub fn counting(fleet: &Fleet) -> String {
    let script = format!(
        "#!/bin/sh\ni=0\nwhile [ $i -lt {LINES} ]; do i=$((i+1)); echo line $i; [ $((i % 100)) = 0 ] && sleep 0.1; done\nexit 7\n"
    );
    let program = fleet.script("count", &script);
    format!(
        "[commands.count]\nargv = [\"{}\"]\ndescription = \"counts\"\n",
        program.display()
    )
}

pub fn expected() -> Vec<u8> {
    use std::io::Write as _;
    let mut bytes = Vec::new();
    for number in 1..=LINES {
        writeln!(bytes, "line {number}").unwrap();
    }
    bytes
}

#[track_caller]
pub fn wait_for_lines(fleet: &Fleet, run: &str, lines: u64) {
    wait_until(&format!("{lines} lines"), || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        (body["lines"].as_u64().unwrap_or(0) >= lines).then_some(())
    });
}

#[test]
fn a_run_outlives_its_agent() {
    let fleet = Fleet::start();
    let config = fleet.agent_config("web1", &counting(&fleet));
    let mut agent = Fleet::start_agent(&config);
    fleet.wait_online("web1");
    let run = fleet.run("web1", "count");
    for lines in [200, 900, 1600] {
        wait_for_lines(&fleet, &run, lines);
        agent.kill();
        agent = Fleet::start_agent(&config);
        agent.wait_for("connected to");
    }
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "failed", "{finished}");
    assert_eq!(finished["exit_code"], 7, "{finished}");
    assert_eq!(fleet.log(&run), expected());
}

#[test]
fn a_run_outlives_the_dashboard() {
    let mut fleet = Fleet::start();
    let _agent = fleet.agent("web1", &counting(&fleet));
    let run = fleet.run("web1", "count");
    for lines in [200, 900] {
        wait_for_lines(&fleet, &run, lines);
        fleet.kill_dashboard();
        fleet.start_dashboard();
    }
    let finished = fleet.finished(&run);
    assert_eq!(finished["exit_code"], 7, "{finished}");
    assert_eq!(fleet.log(&run), expected());
}

#[test]
fn a_killed_supervisor_leaves_a_lost_run_with_all_it_wrote() {
    let fleet = Fleet::start();
    let _agent = fleet.agent("web1", &counting(&fleet));
    let run = fleet.run("web1", "count");
    wait_for_lines(&fleet, &run, 200);
    let pid_file = fleet.path("state-web1").join("runs").join(&run).join("pid");
    let pid: i32 = std::fs::read_to_string(pid_file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    let killed = std::time::Instant::now();
    let finished = fleet.finished(&run);
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(finished["state"], "lost", "{finished}");
    let log = fleet.log(&run);
    assert!(expected().starts_with(&log));
    assert_eq!(finished["bytes"].as_u64(), Some(log.len() as u64));
    let lines = finished["lines"].as_u64().unwrap();
    assert!(lines >= 200, "{lines}");
    assert_eq!(
        finished["reason"].as_str().unwrap(),
        format!(
            "lost while running: its supervisor ended without a word, and the host was not rebooted; \
             its {lines} lines are kept; see how far it came before you run it again"
        )
    );
    // The host is free for the next run.
    let next = fleet.command("web1", "count");
    assert_eq!(next.status, 202, "{}", next.body);
}

#[test]
fn stop_ends_the_whole_group_and_frees_the_host() {
    let fleet = Fleet::start();
    let program = fleet.script(
        "stubborn",
        "#!/bin/sh\ntrap '' INT\necho started\nsleep 600 &\nwait\nsleep 600\n",
    );
    let more = format!(
        "[commands.stubborn]\nargv = [\"{}\"]\ndescription = \"does not want to end\"\n",
        program.display()
    );
    let _agent = fleet.agent("web1", &more);
    let run = fleet.run("web1", "stubborn");
    wait_for_lines(&fleet, &run, 1);
    let second = fleet.command("web1", "stubborn");
    assert_eq!(second.status, 409, "{}", second.body);
    assert!(
        second.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("stubborn"),
        "{}",
        second.body
    );
    let answer = fleet.api.post(&format!("/api/runs/{run}/stop"), &json!({}));
    assert!(answer.status < 300, "{}", answer.body);
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "stopped", "{finished}");
    assert_eq!(fleet.command("web1", "stubborn").status, 202);
}

#[test]
fn an_operator_reads_why_a_stop_is_refused() {
    let fleet = Fleet::start();
    let program = fleet.script(
        "nixos-rebuild",
        "#!/bin/sh\necho 'building the system configuration...'\necho 'activating the configuration...'\nsleep 600\n",
    );
    let more = format!(
        "[rebuild]\ntool = \"nixos-rebuild\"\nprogram = \"{}\"\n",
        program.display()
    );
    let _agent = fleet.agent("web1", &more);
    let run = fleet.run("web1", "switch");
    wait_until("the activation", || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        (body["phase"] == "activating").then_some(())
    });
    let stop = |more: &[&str]| {
        let token = fleet.path("operator-token");
        std::fs::write(&token, &fleet.api.token).unwrap();
        std::process::Command::new(program_of("nixfleet"))
            .args(["--url", &fleet.api.base, "--token-file"])
            .arg(&token)
            .args(["stop", "web1"])
            .args(more)
            .output()
            .unwrap()
    };
    let refused = stop(&[]);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(
        said.contains("is refused: the activation has begun"),
        "{refused:?}"
    );
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let body = fleet.api.get(&format!("/api/runs/{run}")).body;
    assert_eq!(body["state"], "running", "{body}");
    assert!(body["stop_refused"].is_string(), "{body}");
    assert!(stop(&["--force"]).status.success());
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "stopped", "{finished}");
}

#[test]
fn both_end_within_their_deadline_on_sigterm_and_a_run_goes_on() {
    let mut fleet = Fleet::start();
    let config = fleet.agent_config("web1", &counting(&fleet));
    let mut agent = Fleet::start_agent(&config);
    fleet.wait_online("web1");
    let run = fleet.run("web1", "count");
    wait_for_lines(&fleet, &run, 100);
    let start = std::time::Instant::now();
    agent.signal(Signal::SIGTERM);
    assert!(agent.wait().success(), "{}", agent.output());
    let dashboard = fleet.dashboard.as_mut().unwrap();
    dashboard.signal(Signal::SIGTERM);
    assert!(dashboard.wait().success(), "{}", dashboard.output());
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    fleet.start_dashboard();
    let _agent = Fleet::start_agent(&config);
    assert_eq!(fleet.finished(&run)["exit_code"], 7);
    assert_eq!(fleet.log(&run), expected());
}

/// A program beside the dashboard that takes itself for the only one brings the log in and removes it, and what the
/// dashboard then commits is in a file without a name.
#[test]
fn a_token_made_right_after_the_first_start_leaves_the_log_alone() {
    for round in 0..15 {
        // It makes a token.
        let fleet = Fleet::start();
        let log = fleet.path("dashboard").join("nixfleet.db-wal");
        assert!(log.exists(), "round {round}: {} is gone", log.display());
    }
}
