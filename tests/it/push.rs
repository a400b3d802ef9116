//! Heartbeats that are pushed, from a real agent to a real dashboard.

use serde_json::Value;

use crate::support::Fleet;
use crate::support::process::{Process, command, wait_until};

/// Makes a key as an administrator does, and answers the file that it is in.
fn key(fleet: &Fleet, host: &str) -> std::path::PathBuf {
    let output = command("nixfleet-dashboard")
        .args(["--config", fleet.path("dashboard.toml").to_str().unwrap()])
        .args(["push-key", "create", host])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let path = fleet.path(&format!("key-{host}"));
    std::fs::write(&path, output.stdout).unwrap();
    path
}

fn push(url: &str, key: &std::path::Path) -> String {
    format!(
        "[[push]]\nurl = \"{url}/api/v1/heartbeat\"\napi_key_file = \"{}\"\n",
        key.display()
    )
}

fn host(fleet: &Fleet, name: &str) -> Value {
    fleet.api.get(&format!("/api/hosts/{name}")).body
}

/// A port of this machine where nobody listens.
fn nobody() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", free.local_addr().unwrap())
}

#[test]
fn a_host_whose_connection_is_dead_is_online_by_its_pushes_and_a_dead_back_end_is_nothing_to_them()
{
    let mut fleet = Fleet::start();
    let key = key(&fleet, "web1");
    let more = push(&nobody(), &key) + &push(&fleet.api.base, &key);
    let config = fleet.agent_config_at(&nobody(), "web1", &more);
    let mut agent = Fleet::start_agent(&config);
    fleet.wait_online("web1");
    let shown = host(&fleet, "web1");
    assert_eq!(
        (&shown["protocol"], &shown["heartbeat_interval"]),
        (&0.into(), &1.into())
    );
    wait_until("several pushes", || {
        (host(&fleet, "web1")["heartbeats"].as_u64() >= Some(3)).then_some(())
    });
    let answer = fleet.command("web1", "switch");
    assert_eq!(answer.status, 409, "{}", answer.body);
    // The dashboard is away for a while.
    fleet.kill_dashboard();
    agent.wait_for("heartbeats do not arrive at http");
    fleet.start_dashboard();
    fleet.wait_online("web1");
    // Its key is revoked: no more pushes, and no storm of tries.
    let revoked = command("nixfleet-dashboard")
        .args(["--config", fleet.path("dashboard.toml").to_str().unwrap()])
        .args(["push-key", "revoke", "web1"])
        .output()
        .unwrap();
    assert!(revoked.status.success(), "{revoked:?}");
    agent.wait_for("401: it refused the key");
    wait_until("web1 to be offline", || {
        (host(&fleet, "web1")["status"] == "offline").then_some(())
    });
    let tries = agent.output().matches("401: it refused the key").count();
    assert_eq!(tries, 1);
}

#[test]
fn once_pushes_to_a_dashboard_and_says_when_it_is_refused() {
    let fleet = Fleet::start();
    let key = key(&fleet, "web1");
    let config = fleet.agent_config("web1", &push(&fleet.api.base, &key));
    let once = || {
        let mut once = command("nixfleet-agent");
        once.arg("--once")
            .arg("--config")
            .arg(&config)
            .output()
            .unwrap()
    };
    let done = once();
    assert!(done.status.success(), "{done:?}");
    let before = host(&fleet, "web1")["heartbeats"].as_u64().unwrap();
    assert!((1..=2).contains(&before), "{before}");
    std::fs::write(&key, "wrong\n").unwrap();
    let refused = once();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("401: it refused the key"), "{said}");
}

/// A certificate for `localhost` and its key; none without the program that makes them.
fn certificate(fleet: &Fleet) -> Option<(std::path::PathBuf, std::path::PathBuf)> {
    let (cert, key) = (fleet.path("cert.pem"), fleet.path("key.pem"));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"])
        .args(["-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=fleet"])
        .args(["-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-out")
        .arg(&cert)
        .arg("-keyout")
        .arg(&key)
        .output();
    let Ok(made) = made else {
        println!("skipped: pushes by https: there is no `openssl` here to make a certificate");
        return None;
    };
    assert!(made.status.success(), "{made:?}");
    Some((cert, key))
}

#[test]
fn pushes_by_https_arrive_where_the_certificate_is_trusted_and_nowhere_else() {
    let mut fleet = Fleet::start();
    let Some((cert, tls_key)) = certificate(&fleet) else {
        return;
    };
    let key = key(&fleet, "web1");
    // The same dashboard, with TLS.
    fleet.kill_dashboard();
    let config = fleet.path("dashboard.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let text = format!(
        "{text}tls_cert_file = \"{}\"\ntls_key_file = \"{}\"\n",
        cert.display(),
        tls_key.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut dashboard = Process::start(
        "dashboard",
        command("nixfleet-dashboard").arg("--config").arg(&config),
    );
    let line = dashboard.wait_for("listening on https://");
    let port = line
        .trim()
        .trim_end_matches('/')
        .rsplit(':')
        .next()
        .unwrap();
    let more = push(&format!("https://localhost:{port}"), &key);
    // Nobody has vouched for it.
    let config = fleet.agent_config_at(&nobody(), "web1", &more);
    let mut stranger = Fleet::start_agent(&config);
    let said = stranger.wait_for("heartbeats do not arrive at https://localhost");
    assert!(said.contains("certificate"), "{said}");
    stranger.kill();
    assert!(!dashboard.output().contains("online host=web1"));
    let more = format!("ca_file = \"{}\"\n{more}", cert.display());
    let config = fleet.agent_config_at(&nobody(), "web1", &more);
    let _agent = Fleet::start_agent(&config);
    dashboard.wait_for("online host=web1");
}
