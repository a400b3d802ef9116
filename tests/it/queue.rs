//! Runs that wait for a host that is not there.

use serde_json::json;

use crate::cli::nixfleet;
use crate::support::fleet::Fleet;
use crate::support::process::wait_until;

#[test]
fn a_run_waits_for_its_host_over_a_restart_of_the_dashboard_and_is_then_watched() {
    let mut fleet = Fleet::start();
    let script = fleet.script("hello", "#!/bin/sh\necho hello from $1\n");
    let more = format!(
        "[commands.hello]\nargv = [\"{}\"]\ndescription = \"says hello\"\nallow_args = true\n",
        script.display()
    );
    fleet.agent("web1", &more).kill();
    wait_until("web1 to be gone", || {
        let refused = fleet.command("web1", "hello");
        (refused.status == 409).then_some(())
    });
    let printed = nixfleet(
        &fleet,
        &[
            "run",
            "--queue",
            "--expires",
            "2h",
            "--no-wait",
            "web1",
            "hello",
            "x",
        ],
    );
    assert!(printed.status.success(), "{printed:?}");
    let run = String::from_utf8(printed.stdout).unwrap().trim().to_owned();
    let said = String::from_utf8(printed.stderr).unwrap();
    assert!(said.contains("the run waits until 2"), "{said}");
    let listed = nixfleet(&fleet, &["runs", "web1"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("waiting until 2"), "{listed}");
    let cancelled = fleet.api.post(
        "/api/hosts/web1/command",
        &json!({ "command": "hello", "queue": true }),
    );
    let cancelled = cancelled.body["command_id"].as_str().unwrap().to_owned();
    assert!(nixfleet(&fleet, &["stop", &cancelled]).status.success());
    assert_eq!(fleet.finished(&cancelled)["state"], "stopped");

    fleet.kill_dashboard();
    fleet.start_dashboard();
    let shown = fleet.api.get(&format!("/api/runs/{run}")).body;
    assert!(shown["queued_until"].is_string(), "{shown}");
    // Whoever watches sees it wait, begin and end.
    let (ended, output) = std::thread::scope(|scope| {
        let watching = scope.spawn(|| nixfleet(&fleet, &["logs", "-f", &run]));
        let _agent = fleet.agent("web1", &more);
        let ended = fleet.finished(&run);
        (ended, watching.join().unwrap())
    });
    assert_eq!(ended["state"], "succeeded", "{ended}");
    assert_eq!(ended["verified"], true, "{ended}");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "hello from x\n");
    assert_eq!(fleet.finished(&cancelled)["lines"], 0);
}
