//! An agent that is nobody and a helper that is root: what works with one process works with two, whatever is killed.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;

use crate::recovery::{counting, expected, wait_for_lines};
use crate::support::helper::{NOBODY, OTHER, Privileged, can_change_users, check_modes, shell_as};
use crate::support::process::wait_until;

/// How often an agent asks a helper that did not answer, the connection that it then makes, and a slow machine.
const OFFERED_WITHIN: Duration = Duration::from_secs(10);
/// How often it asks one that did, and the same.
const TOLD_WITHIN: Duration = Duration::from_secs(70);

#[track_caller]
fn wait_offered(host: &Privileged, command: &str, within: Duration) {
    let begun = Instant::now();
    while !host.offered().iter().any(|name| name == command) {
        let offered = host.offered();
        assert!(begun.elapsed() < within, "{command} is not in {offered:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[track_caller]
fn wait_released(host: &Privileged, run: &str) {
    wait_until("the run to be released", || {
        let marker = host.run_dir(run).join("acknowledged");
        marker.exists().then_some(())
    });
}

#[test]
fn a_run_is_roots_and_the_agent_is_nobody() {
    if !can_change_users("a run through the helper") {
        return;
    }
    let (host, agent) = Privileged::start(
        "[commands.whoami]\nargv = [\"sh\", \"-c\", \"id -u; umask\"]\n\
         [commands.wait]\nargv = [\"sh\", \"-c\", \"echo waiting; exec sleep 600\"]\n[stop]\ngrace = 1",
    );
    let fleet = &host.fleet;
    let status = std::fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let ids = format!("Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}\n");
    assert!(status.contains(&ids), "{status}");
    let run = fleet.run("web1", "whoami");
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "succeeded", "{finished}");
    assert_eq!(fleet.log(&run), b"0\n0022\n");
    wait_released(&host, &run);
    let names = check_modes(&host.run_dir(&run));
    let all = [
        "acknowledged",
        "journal",
        "lock",
        "pid",
        "request.json",
        "supervisor.log",
    ];
    assert_eq!(names, all);

    let run = fleet.run("web1", "wait");
    wait_for_lines(fleet, &run, 1);
    let (dir, pid) = (host.run_dir(&run), host.supervisor(&run));
    // Readable, and nothing else.
    let agent_can = |script: &str| shell_as(NOBODY, script, &[&dir]).status.success();
    assert!(agent_can("cat \"$1\"/journal > /dev/null"));
    for script in [
        "echo x >> \"$1\"/journal",
        "echo x > \"$1\"/stop.json",
        "echo x > \"$1\"/new",
        "rm -f \"$1\"/journal",
        "mv \"$1\" \"$1\".old",
        "mkdir \"$1\"/../0199a3f0-7a5c-7d3e-8b1f-2f6c9e4d5a10",
        "ln -s /etc \"$1\"/../../runs.new",
        "chmod g+w \"$1\"",
        &format!("kill -USR1 {pid}"),
    ] {
        assert!(!agent_can(script), "nobody can: {script}");
    }
    let read = shell_as(OTHER, "cat \"$1\"/journal", &[&dir]);
    assert!(!read.status.success(), "others read the journal");
    let answer = fleet.api.post(&format!("/api/runs/{run}/stop"), &json!({}));
    assert!(answer.status < 300, "{}", answer.body);
    assert_eq!(fleet.finished(&run)["state"], "stopped");
    assert!(check_modes(&dir).contains(&"stop.json".to_owned()));
}

#[test]
fn whatever_the_umask_the_group_reads_every_part_and_root_alone_writes() {
    if !can_change_users("modes under any umask") {
        return;
    }
    for umask in ["0000", "0077"] {
        let mut host = Privileged::prepare(
            "[limits]\njournal_max = 4\n\
             [commands.flood]\nargv = [\"sh\", \"-c\", \"yes 'a line as long as lines are' | head -c 6000000\"]",
        );
        let mut helper = Command::new("sh");
        helper
            .args(["-c", &format!("umask {umask}; exec \"$@\""), "sh"])
            .arg(host.helper_command().get_program())
            .args(host.helper_command().get_args())
            .arg("--socket")
            .arg(host.socket());
        host.start_helper_as(&mut helper);
        let _agent = host.start_agent("");
        let run = host.fleet.run("web1", "flood");
        let finished = host.fleet.finished(&run);
        assert_eq!(finished["state"], "succeeded", "{finished}");
        wait_released(&host, &run);
        let names = check_modes(&host.run_dir(&run));
        let parts = names.iter().filter(|name| name.starts_with("journal."));
        assert!(parts.count() > 0, "{names:?}");
        let cat = shell_as(NOBODY, "cat \"$1\"/* > /dev/null", &[&host.run_dir(&run)]);
        assert!(cat.status.success(), "{cat:?}");
    }
}

#[test]
fn agent_and_helper_are_killed_and_every_line_arrives_once() {
    if !can_change_users("killing agent and helper") {
        return;
    }
    let mut host = Privileged::prepare("");
    host.configure(&counting(&host.fleet));
    host.start_helper();
    let agent = host.start_agent("");
    let run = host.fleet.run("web1", "count");
    wait_for_lines(&host.fleet, &run, 200);
    agent.kill();
    let agent = host.start_agent("");
    wait_for_lines(&host.fleet, &run, 900);
    host.kill_helper();
    wait_for_lines(&host.fleet, &run, 1300);
    host.start_helper();
    wait_for_lines(&host.fleet, &run, 1600);
    host.kill_helper();
    agent.kill();
    // The agent comes before the helper.
    let _agent = host.start_agent("");
    host.start_helper();
    let finished = host.fleet.finished(&run);
    assert_eq!(finished["exit_code"], 7, "{finished}");
    assert_eq!(host.fleet.log(&run), expected());
}

#[test]
fn a_killed_supervisor_is_concluded_by_the_helper() {
    if !can_change_users("a killed supervisor") {
        return;
    }
    let mut host = Privileged::prepare("");
    host.configure(&counting(&host.fleet));
    host.start_helper();
    let _agent = host.start_agent("");
    let run = host.fleet.run("web1", "count");
    wait_for_lines(&host.fleet, &run, 200);
    kill(Pid::from_raw(host.supervisor(&run)), Signal::SIGKILL).unwrap();
    let killed = Instant::now();
    let finished = host.fleet.finished(&run);
    assert!(killed.elapsed() < Duration::from_secs(10));
    assert_eq!(finished["state"], "lost", "{finished}");
    let log = host.fleet.log(&run);
    assert!(expected().starts_with(&log));
    assert_eq!(finished["bytes"].as_u64(), Some(log.len() as u64));
    assert!(finished["lines"].as_u64().unwrap() >= 200, "{finished}");
    check_modes(&host.run_dir(&run));
    // The host is free for the next run.
    assert_eq!(host.fleet.command("web1", "count").status, 202);
}

#[test]
fn a_host_is_online_without_its_helper_and_offers_what_the_helper_says() {
    if !can_change_users("an absent helper") {
        return;
    }
    let greet = "[commands.greet]\nargv = [\"echo\", \"hello\"]\n";
    let mut host = Privileged::prepare(greet);
    let agent = host.start_agent("");
    assert_eq!(host.offered(), [""; 0]);
    assert_eq!(host.fleet.command("web1", "greet").status, 422);
    assert!(agent.output().contains("does not answer"));
    host.start_helper();
    wait_offered(&host, "greet", OFFERED_WITHIN);
    let run = host.fleet.run("web1", "greet");
    assert_eq!(host.fleet.finished(&run)["state"], "succeeded");
    // Another file, another helper: told without anybody's doing.
    host.kill_helper();
    host.configure(&format!(
        "{greet}[commands.wave]\nargv = [\"echo\", \"bye\"]\n"
    ));
    host.start_helper();
    wait_offered(&host, "wave", TOLD_WITHIN);
    let run = host.fleet.run("web1", "wave");
    assert_eq!(host.fleet.finished(&run)["state"], "succeeded");
}

#[test]
fn reboot_collect_garbage_and_restart_work_and_acknowledged_runs_go() {
    if !can_change_users("commands through the helper") {
        return;
    }
    let mut host = Privileged::prepare("[limits]\njournal_keep = 0");
    std::fs::create_dir(host.fleet.path("bin")).unwrap();
    for name in ["systemctl", "nix-collect-garbage"] {
        let script = format!("#!/bin/sh\necho {name} \"$@\"\n");
        let program = host.fleet.script(&format!("bin/{name}"), &script);
        // What the host would really execute must be this.
        assert!(program.is_file());
    }
    let mut helper = host.helper_command();
    helper.arg("--socket").arg(host.socket());
    helper.env("PATH", host.fleet.path("bin"));
    host.start_helper_as(&mut helper);
    let mut agent = host.start_agent("");
    for (command, printed) in [
        ("reboot", "systemctl reboot\n"),
        (
            "collect-garbage",
            "nix-collect-garbage --delete-older-than 14d\n",
        ),
    ] {
        let run = host.fleet.run("web1", command);
        let finished = host.fleet.finished(&run);
        assert_eq!(finished["state"], "succeeded", "{finished}");
        assert_eq!(host.fleet.log(&run), printed.as_bytes());
        wait_until("its journal to be deleted", || {
            (!host.run_dir(&run).exists()).then_some(())
        });
    }
    let run = host.fleet.run("web1", "restart");
    assert!(agent.wait().success(), "{}", agent.output());
    let finished = host.fleet.finished(&run);
    assert_eq!(finished["state"], "succeeded", "{finished}");
    let _agent = host.start_agent("");
    assert_eq!(host.fleet.command("web1", "restart").status, 202);
}
