//! Bad input from every side: each is refused with a text that says what to do, and nobody else is harmed.

use std::process::Command;

use serde_json::json;

use crate::support::Fleet;
use crate::support::process::{Process, program};

#[test]
fn commands_that_cannot_be() {
    let fleet = Fleet::start();
    let _agent = fleet.agent(
        "web1",
        "[commands.greet]\nargv = [\"/bin/echo\", \"hello\"]\ndescription = \"greets\"\n",
    );

    let answer = fleet.command("nobody", "greet");
    assert_eq!(answer.status, 404, "{}", answer.body);
    let answer = fleet.command("web1", "gret");
    assert_eq!(answer.status, 422, "{}", answer.body);
    assert!(
        answer.body["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("greet"),
        "{}",
        answer.body
    );
    let answer = fleet.command("web1", "rm -rf /");
    assert_eq!(answer.status, 422, "{}", answer.body);
    let answer = fleet.api.post(
        "/api/hosts/web1/command",
        &json!({"command": "greet", "args": ["; reboot"]}),
    );
    assert!(
        matches!(answer.status, 409 | 422),
        "{} {}",
        answer.status,
        answer.body
    );
    let answer = fleet.api.post("/api/hosts/web1/command", &json!(["greet"]));
    assert!((400..500).contains(&answer.status), "{}", answer.body);
    assert!(
        answer.body["error"]["message"].is_string(),
        "{}",
        answer.body
    );
    assert_eq!(fleet.command("web1", "greet").status, 202);

    for path in [
        "/api/runs/../../etc/passwd",
        "/api/runs/1234",
        "/api/hosts/%3Cscript%3E",
        "/api/nothing",
    ] {
        let answer = fleet.api.get(path);
        assert!(
            (400..500).contains(&answer.status),
            "{path}: {}",
            answer.status
        );
    }
}

#[test]
fn an_offline_host_is_refused() {
    let fleet = Fleet::start();
    let agent = fleet.agent(
        "web1",
        "[commands.greet]\nargv = [\"/bin/echo\", \"hello\"]\ndescription = \"greets\"\n",
    );
    agent.kill();
    let answer = crate::support::process::wait_until("a refusal", || {
        let answer = fleet.command("web1", "greet");
        (answer.status == 409).then_some(answer)
    });
    assert!(
        answer.body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("web1"),
        "{}",
        answer.body
    );
}

#[test]
fn without_a_login_nothing_is_told() {
    let mut fleet = Fleet::start();
    "nf_wrong".clone_into(&mut fleet.api.token);
    for path in ["/api/hosts", "/api/runs", "/api/events", "/api/hosts/web1"] {
        let answer = fleet.api.get(path);
        assert_eq!(answer.status, 401, "{path}");
        assert_eq!(answer.body["error"]["code"], "unauthorized");
    }
    assert_eq!(fleet.api.get("/health").status, 200);
}

#[test]
fn a_wrong_agent_token_is_logged_and_backed_off() {
    let fleet = Fleet::start();
    let config = fleet.agent_config("web1", "[reconnect]\nmax_attempts = 2\n");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(fleet.path("wrong-token"), "not-the-token").unwrap();
    std::fs::write(&config, text.replace("agent-token", "wrong-token")).unwrap();
    let mut agent = Fleet::start_agent(&config);
    let status = agent.wait();
    assert!(!status.success());
    let output = agent.output();
    assert!(output.contains("401"), "{output}");
    assert!(!output.contains("not-the-token"), "{output}");
    assert_eq!(fleet.api.get("/api/hosts").body["hosts"], json!([]));
}

#[track_caller]
fn check_config(fleet: &Fleet, name: &str, text: &str, parts: &[&str]) {
    let path = fleet.path("bad.toml");
    std::fs::write(&path, text).unwrap();
    let output = Command::new(program(name))
        .args(["check-config", "--config"])
        .arg(&path)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn configurations_with_mistakes() {
    let fleet = Fleet::start();
    let token = fleet.path("agent-token");
    let token = token.display();
    check_config(
        &fleet,
        "nixfleet-agent",
        "url = \"ws://x\"\nintervall = 3\n",
        &["bad.toml:2", "`intervall`", "`interval`"],
    );
    check_config(
        &fleet,
        "nixfleet-agent",
        &format!("url = \"ftp://x\"\ntoken_file = \"{token}\"\n"),
        &["url"],
    );
    check_config(
        &fleet,
        "nixfleet-agent",
        &format!("url = \"ws://x\"\ntoken_file = \"{token}\"\ninterval = 0\n"),
        &["interval"],
    );
    check_config(
        &fleet,
        "nixfleet-agent",
        &format!("url = \"ws://x\"\ntoken_file = \"{token}\"\nhostname = \"a/../b\"\n"),
        &["a/../b"],
    );
    check_config(
        &fleet,
        "nixfleet-dashboard",
        "listne = \"127.0.0.1:0\"\n",
        &["bad.toml:1", "`listne`", "`listen`"],
    );
    check_config(
        &fleet,
        "nixfleet-dashboard",
        "listen = \"everywhere\"\n",
        &["listen"],
    );
}

#[test]
fn a_port_in_use_and_a_directory_that_cannot_be_written() {
    let fleet = Fleet::start();
    let port = fleet.api.base.rsplit(':').next().unwrap();
    for (listen, data_dir, part) in [
        (
            format!("127.0.0.1:{port}"),
            fleet.path("other"),
            port.to_owned(),
        ),
        (
            "127.0.0.1:0".to_owned(),
            "/proc/nixfleet".into(),
            "/proc/nixfleet".to_owned(),
        ),
    ] {
        let config = fleet.path("second.toml");
        std::fs::write(
            &config,
            format!(
                "listen = \"{listen}\"\ndata_dir = \"{}\"\nagent_token_file = \"{}\"\n",
                data_dir.display(),
                fleet.path("agent-token").display()
            ),
        )
        .unwrap();
        let mut second = Process::start(
            "second",
            Command::new(program("nixfleet-dashboard"))
                .arg("--config")
                .arg(config),
        );
        assert!(!second.wait().success());
        let output = second.output();
        assert!(
            output.contains(&part) && !output.contains("panicked"),
            "{output}"
        );
    }
}

#[test]
fn a_missing_rebuild_program_is_named() {
    let fleet = Fleet::start();
    let more = "[rebuild]\ntool = \"nixos-rebuild\"\nprogram = \"/nowhere/nixos-rebuild\"\nflake = \"/etc/nixos\"\n";
    let config = fleet.agent_config("web1", more);
    let mut agent = Fleet::start_agent(&config);
    // Either the agent refuses to start with such a tool, or it starts and does not offer what cannot work.
    let said = agent.wait_for("/nowhere/nixos-rebuild");
    assert!(!said.contains("panicked"), "{said}");
}
