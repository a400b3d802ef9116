//! Liveness and reconnection as the second of the earlier programs specified them, by its names, between real programs.
//! What needs a clock that stands still is beside the code: `dashboard::fleet::tests::contact`, `agent::uplink::tests::blip`;
//! what a heartbeat is on the wire is in `tests/agent_process/beats.rs`.

use crate::cli::nixfleet;
use crate::support::Fleet;
use crate::support::process::wait_until;

fn beats(fleet: &Fleet, host: &str) -> u64 {
    let body = fleet.api.get(&format!("/api/hosts/{host}")).body;
    body["heartbeats"].as_u64().unwrap()
}

#[test]
fn heartbeats_count_for_their_own_host_alone() {
    let fleet = Fleet::start();
    let web1 = fleet.agent("web1", "");
    let _web2 = fleet.agent("web2", "");
    for host in ["web1", "web2"] {
        let body = fleet.api.get(&format!("/api/hosts/{host}")).body;
        assert_eq!(
            (&body["id"], &body["hostname"]),
            (&body["hostname"], &host.into())
        );
    }
    // The heartbeats of one are no sign of life of the other.
    drop(web1);
    wait_until("web1 to be offline", || {
        let body = fleet.api.get("/api/hosts/web1").body;
        (body["status"] == "offline").then_some(())
    });
    let (one, two) = (beats(&fleet, "web1"), beats(&fleet, "web2"));
    wait_until("further heartbeats of web2", || {
        (beats(&fleet, "web2") >= two + 2).then_some(())
    });
    assert_eq!(beats(&fleet, "web1"), one);
    assert_eq!(fleet.api.get("/api/hosts/web2").body["status"], "online");
}

#[test]
fn heartbeat_loop_survives_metrics_collection_error() {
    let fleet = Fleet::start();
    let dir = fleet.path("stasysmo");
    // A directory where a file should be, and files that hold no numbers.
    std::fs::create_dir_all(dir.join("cpu")).unwrap();
    for name in ["ram", "swap", "load", "timestamp", "snapshot"] {
        std::fs::write(dir.join(name), b"\xff\xfe not a number\n").unwrap();
    }
    let more = format!("[metrics]\nstasysmo_paths = [\"{}\"]\n", dir.display());
    let _agent = fleet.agent("web1", &more);
    let first = beats(&fleet, "web1");
    wait_until("five heartbeats", || {
        (beats(&fleet, "web1") >= first + 5).then_some(())
    });
    let body = fleet.api.get("/api/hosts/web1").body;
    assert_eq!(body["status"], "online");
    assert!(body["metrics"].is_null(), "{body}");
}

#[test]
fn connection_error_triggers_reconnect() {
    let mut fleet = Fleet::start();
    let agent = fleet.agent("web1", "offline_after = 7\n");
    let version = |fleet: &Fleet| fleet.api.get("/api/hosts/web1").body["offline_after"].clone();
    assert_eq!(version(&fleet), 7);
    fleet.kill_dashboard();
    fleet.start_dashboard();
    fleet.wait_online("web1");
    let before = beats(&fleet, "web1");
    wait_until("heartbeats on the new connection", || {
        (beats(&fleet, "web1") > before).then_some(())
    });
    // It came back within its grace: nothing happened that anybody needs to know.
    let events = fleet.api.get("/api/hosts/web1/events").body;
    let kinds: Vec<_> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["kind"].as_str().unwrap().to_owned())
        .collect();
    assert!(!kinds.contains(&"offline".to_owned()), "{kinds:?}");
    drop(agent);
    wait_until("web1 to be offline, and that to be written", || {
        let events = fleet.api.get("/api/hosts/web1/events?limit=1").body;
        (events["events"][0]["kind"] == "offline").then_some(())
    });
}

#[test]
fn an_operator_says_by_command_line_that_a_host_may_be_away() {
    let fleet = Fleet::start();
    let agent = fleet.agent("web1", "device_type = \"laptop\"\n");
    let say = |args: &[&str]| {
        let output = nixfleet(&fleet, args);
        let (out, error) = (output.stdout, String::from_utf8(output.stderr).unwrap());
        (output.status.code(), String::from_utf8(out).unwrap(), error)
    };
    let (code, out, _) = say(&["maintenance", "web1", "--for", "2h", "--reason", "new disk"]);
    assert!(
        code == Some(0) && out.starts_with("web1 is under maintenance until 2"),
        "{out}"
    );
    let (code, _, error) = say(&["maintenance", "web1", "nobody", "--for", "5m"]);
    assert!(
        code == Some(1) && error.contains("there is no host `nobody`"),
        "{error}"
    );
    let (code, _, error) = say(&["maintenance", "web1"]);
    assert!(code == Some(2) && error.contains("--for"), "{error}");
    drop(agent);
    wait_until("web1 to be offline", || {
        let (_, out, _) = say(&["hosts"]);
        out.contains("offline (maintenance)").then_some(())
    });
    let (_, out, _) = say(&["maintenance", "web1", "--end"]);
    assert_eq!(out, "web1 is under no maintenance\n");
    assert!(say(&["hosts"]).1.contains("offline (expected)"));
    let (_, out, _) = say(&["absence", "web1", "--is", "unexpected"]);
    assert_eq!(out, "web1 is not expected to be away at times\n");
    let shown = wait_until("the end of the maintenance among the events", || {
        let (_, out, _) = say(&["host", "web1"]);
        out.contains("maintenance ended").then_some(out)
    });
    assert!(shown.contains("Status       offline, last seen"), "{shown}");
}
