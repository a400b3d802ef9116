//! T03: commands of an earlier dashboard on this agent. (On an earlier agent: T06.)

use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::dashboard::{Dashboard, Link};

fn declared(dashboard: &Dashboard, name: &str, text: &str) -> String {
    let script = dashboard.script(name, text);
    format!(
        "[commands.{name}]\nargv = [\"{}\"]\ndescription = \"{name}\"\n",
        script.display()
    )
}

fn rebuild(dashboard: &Dashboard, tool: &str) -> String {
    let script = dashboard.script(
        "rebuild",
        "echo building the system configuration...\nsleep 2\necho activating the configuration...\necho setting up /etc...\nexit ${FAIL:-0}",
    );
    format!(
        "[rebuild]\ntool = \"{tool}\"\nprogram = \"{}\"\nflake = \"/etc/nixos\"\n",
        script.display()
    )
}

#[track_caller]
fn is_ready(link: &mut Link, command: &str) {
    link.command(command);
    assert_eq!(link.until_the_end().1["status"], "ok");
    link.expect("command_complete");
}

#[test]
fn t03_1_pull_streams_and_reports_the_new_commit() {
    let git = |args: &[&str], dir: &std::path::Path| {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=t",
                "-c",
                "user.email=t@t",
                "-c",
                "init.defaultBranch=main",
            ])
            .args(args)
            .current_dir(dir)
            .output();
        output.ok().filter(|output| output.status.success())
    };
    let dashboard = Dashboard::start();
    let origin = dashboard.path("origin");
    std::fs::create_dir(&origin).unwrap();
    if git(&["init", "-q"], &origin).is_none() {
        println!("skipped: t03_1: git is not here");
        return;
    }
    git(&["commit", "-q", "--allow-empty", "-m", "first"], &origin).unwrap();
    let more = format!(
        "[repo]\nurl = \"{}\"\ndir = \"{}\"\n",
        origin.display(),
        dashboard.path("clone").display()
    );
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    is_ready(&mut link, "pull");
    git(&["commit", "-q", "--allow-empty", "-m", "second"], &origin).unwrap();
    let commit = git(&["log", "-1", "--format=%h"], &origin).unwrap();
    let commit = String::from_utf8(commit.stdout).unwrap();
    link.command("pull");
    let (lines, status) = link.until_the_end();
    assert_eq!(status["status"], "ok");
    let told = format!("{} second", commit.trim());
    assert!(lines.contains(&told), "{told}: {lines:?}");
}

fn switches(tool: &str) {
    let dashboard = Dashboard::start();
    let _agent = dashboard.agent(&rebuild(&dashboard, tool));
    let (mut link, _) = dashboard.joined();
    link.wait_beats(1);
    let from = link.beats.len();
    link.command("switch");
    let (lines, status) = link.until_the_end();
    assert_eq!(
        (&status["status"], &status["exit_code"]),
        (&json!("ok"), &json!(0)),
        "{status}"
    );
    assert!(status["generation"].is_string());
    for line in [
        "building the system configuration...",
        "activating the configuration...",
        "setting up /etc...",
    ] {
        assert!(lines.iter().any(|found| found == line), "{lines:?}");
    }
    let beats = link.beats[from..]
        .iter()
        .filter(|(_, beat)| beat["pending_command"] == "switch");
    assert!(beats.count() >= 1);
    assert_eq!(
        link.expect("command_complete"),
        json!({"command": "switch", "exit_code": 0, "fresh_status": null})
    );
    is_ready(&mut link, "switch");
}

#[test]
fn t03_2_switch_on_nixos_with_beats() {
    switches("nixos-rebuild");
}

#[test]
fn t03_3_switch_on_macos() {
    switches("darwin-rebuild");
}

#[test]
fn t03_4_test_scripts_one_by_one() {
    let dashboard = Dashboard::start();
    std::fs::create_dir(dashboard.path("tests")).unwrap();
    for (name, code) in [
        ("tests/T01-first", 0),
        ("tests/T02-second", 1),
        ("tests/T03-third", 0),
    ] {
        dashboard.script(name, &format!("exit {code}"));
    }
    let _agent = dashboard.agent(&format!(
        "[tests]\ndir = \"{}\"\n",
        dashboard.path("tests").display()
    ));
    let (mut link, _) = dashboard.joined();
    link.command("test");
    let (lines, status) = link.until_the_end();
    assert_eq!(status["status"], "error", "{status}");
    for part in [
        "[1/3] T01-first: passed",
        "[2/3] T02-second",
        "[3/3] T03-third: passed",
    ] {
        assert!(
            lines.iter().any(|line| line.starts_with(part)),
            "{part}: {lines:?}"
        );
    }
}

#[test]
fn t03_5_stop_by_sigterm_then_sigkill_and_ready_again() {
    let dashboard = Dashboard::start();
    let mut more = declared(&dashboard, "polite", "echo here\nexec sleep 100");
    more += &declared(
        &dashboard,
        "stubborn",
        "trap '' TERM\necho here\nwhile :; do sleep 1; done",
    );
    more += &declared(&dashboard, "hello", "echo hello");
    more += "[stop]\ngrace = 1\n";
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    for (command, how) in [("polite", "kill"), ("polite", "stop"), ("stubborn", "kill")] {
        link.command(command);
        assert_eq!(link.expect("output")["line"], "here");
        if how == "kill" {
            link.say("kill_command", &json!({"signal": "SIGTERM", "pid": 0}));
        } else {
            link.command("stop");
        }
        let (_, status) = link.until_the_end();
        assert_eq!(status["status"], "stopped", "{command}, {how}: {status}");
        link.expect("command_complete");
    }
    is_ready(&mut link, "hello");
}

#[test]
fn t03_6_each_line_within_100_ms() {
    let dashboard = Dashboard::start();
    let more = declared(
        &dashboard,
        "clock",
        "for n in 1 2 3 4 5 6 7 8 9; do date +%s%N; sleep 0.2; done\nprintf 'no end'",
    );
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    link.command("clock");
    let mut late = Vec::new();
    loop {
        let output = link.expect("output");
        assert_eq!(
            (&output["stream"], &output["command"], &output["is_error"]),
            (&json!("stdout"), &json!("clock"), &json!(false))
        );
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        match output["line"].as_str().unwrap().parse() {
            Ok(nanos) => late.push(now.saturating_sub(Duration::from_nanos(nanos))),
            Err(_) => break assert_eq!(output["line"], "no end"),
        }
    }
    late.sort_unstable();
    // A machine that builds beside this may be late once; the middle one tells what is usual.
    assert!(
        late[late.len() / 2] < Duration::from_millis(100),
        "{late:?}"
    );
    // It is kept on the host too, until the end is told.
    let runs = std::fs::read_dir(dashboard.path("state/runs")).unwrap();
    assert!(runs.count() >= 1);
}

#[test]
fn t03_7_failure_then_ready_again() {
    let dashboard = Dashboard::start();
    let mut more = declared(&dashboard, "fails", "echo it will >&2\nexit 3");
    more += &declared(&dashboard, "hello", "echo hello");
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    link.command("fails");
    let (lines, status) = link.until_the_end();
    assert_eq!(lines, ["it will"]);
    assert_eq!(
        (&status["status"], &status["exit_code"]),
        (&json!("error"), &json!(3))
    );
    assert!(
        status["message"]
            .as_str()
            .unwrap()
            .contains("exit status 3"),
        "{status}"
    );
    link.expect("command_complete");
    is_ready(&mut link, "hello");
    link.command("no-such-command");
    let rejected = link.expect("command_rejected");
    assert!(
        rejected["reason"]
            .as_str()
            .unwrap()
            .contains("no-such-command"),
        "{rejected}"
    );
    assert_eq!(rejected["current_command"], json!(null));
}

/// The agent's own restart costs no line, and the end is told by the new one.
#[test]
fn a_run_survives_the_agent_and_its_status_is_told_by_the_next() {
    let dashboard = Dashboard::start();
    let more = declared(
        &dashboard,
        "count",
        "for n in 1 2 3 4 5 6; do echo line $n; sleep 0.3; done",
    );
    let agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    link.command("count");
    assert_eq!(link.expect("output")["line"], "line 1");
    agent.kill();
    drop(link);
    let _agent = dashboard.agent(&more);
    let (mut link, _) = dashboard.joined();
    let (lines, status) = link.until_the_end();
    assert_eq!(
        (&status["status"], &status["command"]),
        (&json!("ok"), &json!("count"))
    );
    let all: Vec<String> = (1..=6).map(|n| format!("line {n}")).collect();
    assert!(all.ends_with(&lines) && lines.len() >= 5, "{lines:?}");
    // Nobody has answered a ping since: the next connection is told the end again, and no line.
    link.cut();
    let (mut link, _) = dashboard.joined();
    let (lines, status) = link.until_the_end();
    assert_eq!((lines.len(), &status["status"]), (0, &json!("ok")));
}
