//! The HTTP calls of scripts that were written for earlier dashboards.

use serde_json::json;

use super::agent::Agent;
use super::login::{Client, make_admin};
use crate::support::Fleet;
use crate::support::process::wait_until;

#[test]
fn every_call_of_the_earlier_list() {
    let fleet = Fleet::start();
    make_admin(&fleet);
    // First the login: it may take longer than the agent may be silent.
    let client = Client::logged_in(&fleet);
    let mut agent = Agent::online(&fleet, "web1");
    assert_eq!(client.get("/health").body["status"], "ok");
    let hosts = client.get("/api/hosts").body;
    let fields = [
        "id",
        "hostname",
        "host_type",
        "agent_version",
        "os_version",
        "nixpkgs_version",
        "generation",
        "last_seen",
        "status",
        "pending_command",
        "comment",
    ];
    for field in fields {
        assert!(hosts["hosts"][0].get(field).is_some(), "{field}: {hosts}");
    }
    assert_eq!(
        client
            .post(
                "/api/hosts",
                &json!({"hostname": "web2", "comment": "spare"})
            )
            .status,
        200
    );
    assert_eq!(client.send("DELETE", "/api/hosts/web2", None).status, 204);
    assert_eq!(client.get("/api/hosts/web2").status, 404);

    let body = json!({"command": "pull", "force": true});
    let queued = client.post("/api/hosts/web1/command", &body);
    assert_eq!(
        (queued.status, &queued.body["status"]),
        (202, &json!("queued")),
        "{}",
        queued.body
    );
    let run = queued.body["command_id"].as_str().unwrap().to_owned();
    agent.expect_command("pull");
    for n in 1..=5 {
        agent.line("pull", &format!("line {n}"));
    }
    // Ended by hand, then once more while nothing runs.
    crate::support::process::wait_until("five lines", || {
        let body = client.get("/api/hosts/web1/output?lines=2").body;
        (body["lines"] == json!(["line 4", "line 5"]) && body["run"] == run.as_str()).then_some(())
    });
    let killed = client.post("/api/hosts/web1/kill", &json!({"signal": "SIGTERM"}));
    assert_eq!(
        (killed.status, &killed.body["run"]),
        (202, &json!(run)),
        "{}",
        killed.body
    );
    assert_eq!(agent.expect("kill_command")["signal"], "SIGTERM");
    agent.status("stopped", "pull", -1, "");
    assert_eq!(fleet.finished(&run)["state"], "stopped");
    assert_eq!(client.post("/api/hosts/web1/kill", &json!({})).status, 409);
    assert_eq!(
        client
            .post("/api/hosts/web1/kill", &json!({"signal": "SIGHUP"}))
            .status,
        422
    );
    assert_eq!(client.get("/api/hosts/web1/logs").status, 200);

    let events = wait_until("two events", || {
        let events = client.get("/api/hosts/web1/events?limit=2").body;
        let events = events["events"].as_array().unwrap().clone();
        (events.len() == 2).then_some(events)
    });
    let kinds: Vec<_> = events.iter().map(|event| &event["kind"]).collect();
    assert_eq!(kinds, ["online", "registered"], "newest first");
    for path in [
        "/api/hosts/web1/events?limit=0",
        "/api/hosts/web1/output?lines=1001",
        "/api/hosts/web1/output?lines=x",
    ] {
        assert_eq!(client.get(path).status, 400, "{path}");
    }
    for path in ["output", "events"] {
        assert_eq!(client.get(&format!("/api/hosts/nobody/{path}")).status, 404);
    }

    let _other = Agent::online(&fleet, "web3");
    let hosts = json!({"op": "refresh-all", "hosts": ["web1", "nobody", "web3", "<b>"]});
    let results = client.post("/api/dispatch", &hosts);
    assert_eq!(results.status, 200, "{}", results.body);
    let results = results.body["results"].as_array().unwrap().clone();
    let words: Vec<_> = results
        .iter()
        .map(|one| one["status"].as_str().unwrap())
        .collect();
    assert_eq!(words, ["queued", "refused", "queued", "refused"]);
    assert_eq!(results[1]["error"]["code"], "not_found");
    agent.expect_command("refresh-all");
    agent.status("ok", "refresh-all", 0, "");
    fleet.finished(results[0]["command_id"].as_str().unwrap());

    let reboot = client.post("/api/hosts/web1/reboot", &json!({}));
    assert_eq!(
        (reboot.status, &reboot.body["command"]),
        (202, &json!("reboot")),
        "{}",
        reboot.body
    );
    agent.expect_command("reboot");
    assert_eq!(
        client.post("/api/hosts/nobody/reboot", &json!({})).status,
        404
    );
}

#[test]
fn calls_with_an_effect_need_a_login_and_its_csrf_token() {
    let fleet = Fleet::start();
    make_admin(&fleet);
    let _agent = Agent::online(&fleet, "web1");
    let mut client = Client::logged_in(&fleet);
    client.csrf = None;
    let nobody = Client::new(&fleet);
    let dispatch = json!({"op": "pull", "hosts": ["web1"]});
    for (path, body) in [
        ("/api/dispatch", &dispatch),
        ("/api/hosts/web1/kill", &json!({})),
        ("/api/hosts/web1/reboot", &json!({})),
    ] {
        assert_eq!(nobody.post(path, body).status, 401, "{path}");
        assert_eq!(client.post(path, body).status, 403, "{path}");
    }
    for path in ["/api/hosts/web1/output", "/api/hosts/web1/events"] {
        assert_eq!(nobody.get(path).status, 401, "{path}");
    }
}
