//! Beside a running dashboard: doctor, backup, a second dashboard.

use std::fs;
use std::process::{Command, Output};

use serde_json::Value;

use super::{FIRST, LINES, ends_whole, stop, telling, wait_for_lines};
use crate::support::Fleet;
use crate::support::process::{Process, program};

fn dashboard(fleet: &Fleet, args: &[&str]) -> Output {
    Command::new(program("nixfleet-dashboard"))
        .arg("--config")
        .arg(fleet.path("dashboard.toml"))
        .args(args)
        .output()
        .unwrap()
}

fn doctor(fleet: &Fleet) -> Value {
    let output = dashboard(fleet, &["doctor", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let body: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(body["ok"], true, "{body}");
    body
}

#[track_caller]
fn level<'a>(body: &'a Value, check: &str) -> &'a str {
    let checks = body["checks"].as_array().unwrap();
    let found = checks.iter().find(|found| found["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {body}"))["level"]
        .as_str()
        .unwrap()
}

#[test]
fn a_second_dashboard_is_told_about_the_first() {
    let fleet = Fleet::start();
    let mut second = Process::start(
        "second dashboard",
        Command::new(program("nixfleet-dashboard"))
            .arg("--config")
            .arg(fleet.path("dashboard.toml")),
    );
    assert!(!second.wait().success());
    let said = second.output();
    let pid = fleet.dashboard.as_ref().unwrap().pid();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(
        said.contains(&format!("another dashboard (process {pid}) works on it")),
        "{said}"
    );
    assert_eq!(fleet.api.get("/health").status, 200);
    let token = dashboard(&fleet, &["token", "create", "another", "--role", "viewer"]);
    assert!(token.status.success(), "{token:?}");
}

#[test]
fn doctor_and_backup_work_beside_a_run_and_the_backup_becomes_the_store() {
    let mut fleet = Fleet::start();
    let agent = fleet.agent("web1", &telling(&fleet));
    let run = fleet.run("web1", "tell");
    wait_for_lines(&fleet, &run, FIRST);
    let found = doctor(&fleet);
    for check in [
        "database",
        "integrity",
        "references",
        "runs",
        "output",
        "dashboard",
    ] {
        assert_eq!(level(&found, check), "ok", "{found}");
    }
    let file = fleet.path("backup");
    let early = dashboard(&fleet, &["backup", file.to_str().unwrap()]);
    assert!(early.status.success(), "{early:?}");
    let again = dashboard(&fleet, &["backup", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(
        !again.status.success() && said.contains("--force"),
        "{said}"
    );
    fs::write(fleet.path("go"), "").unwrap();
    ends_whole(&fleet, &run);
    doctor(&fleet);
    let late = dashboard(&fleet, &["backup", "--force", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&late.stdout).into_owned();
    assert!(
        late.status.success() && said.contains("MB in") && said.contains("checked"),
        "{said}"
    );
    drop(agent);
    stop(&mut fleet);
    let dir = fleet.path("dashboard");
    assert!(
        !dir.join("nixfleet.db-wal").exists(),
        "an end in order leaves no log"
    );
    fs::remove_file(dir.join("nixfleet.db")).unwrap();
    fs::copy(&file, dir.join("nixfleet.db")).unwrap();
    fleet.start_dashboard();
    ends_whole(&fleet, &run);
    assert_eq!(
        fleet.api.get(&format!("/api/runs/{run}")).body["lines"],
        LINES
    );
}

#[test]
fn doctor_names_what_is_open_to_others_and_what_is_broken() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut fleet = Fleet::start();
    stop(&mut fleet);
    let database = fleet.path("dashboard/nixfleet.db");
    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(fleet.path("agent-token"), fs::Permissions::from_mode(0o644)).unwrap();
    let found = doctor(&fleet);
    assert_eq!(level(&found, "permissions"), "warning", "{found}");
    assert_eq!(level(&found, "agent_token_file"), "warning", "{found}");
    let before = fs::read(&database).unwrap();
    fs::write(&database, &before[..before.len() / 2]).unwrap();
    let output = dashboard(&fleet, &["doctor"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("cut off") && said.contains("-> restore a backup"),
        "{said}"
    );
    assert_eq!(
        fs::read(&database).unwrap().len(),
        before.len() / 2,
        "nothing is changed"
    );
}
