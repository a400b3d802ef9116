//! T05: the dashboard's sockets. Browsers of this dashboard listen to server-sent events, not to a WebSocket; what reaches
//! them is the same.

use std::sync::mpsc;
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::agent::{Agent, Did};
use super::login::{Client, make_admin};
use crate::support::Fleet;
use crate::support::process::{DEADLINE, wait_until};

/// What a browser hears of `path`, until its channel is dropped.
fn listen(fleet: &Fleet, path: &str) -> mpsc::Receiver<(String, Value)> {
    let (sender, receiver) = mpsc::sync_channel(10_000);
    let (api, path) = (fleet.api.clone(), path.to_owned());
    std::thread::spawn(move || {
        let _ = api.try_events(&path, None, |name, _, data| {
            sender.send((name.to_owned(), data)).is_ok()
        });
    });
    receiver
}

fn hear(browser: &mpsc::Receiver<(String, Value)>, test: impl Fn(&str, &Value) -> bool) -> Value {
    let end = Instant::now() + DEADLINE;
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let (name, data) = browser.recv_timeout(left).expect("the event");
        if test(&name, &data) {
            return data;
        }
    }
}

#[test]
fn t05_1_and_2_and_3_agent_browser_and_nobody() {
    let fleet = Fleet::start();
    make_admin(&fleet);
    let _agent = Agent::online(&fleet, "web1");
    let client = Client::logged_in(&fleet);
    assert_eq!(client.get("/api/hosts").body["hosts"][0]["id"], "web1");
    let nobody = Client::new(&fleet);
    for path in ["/api/events", "/api/hosts", "/api/runs"] {
        assert_eq!(nobody.get(path).status, 401, "{path}");
    }
    assert_eq!(Agent::dial(&fleet, None).err(), Some(401));
}

#[test]
fn t05_4_and_8_a_beat_reaches_all_browsers() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let browsers: Vec<_> = (0..20).map(|_| listen(&fleet, "/api/events")).collect();
    for browser in &browsers {
        hear(browser, |name, _| name == "hosts");
    }
    agent.say(
        "heartbeat",
        &json!({"generation": "fffffff", "pending_command": null, "metrics": null}),
    );
    for browser in &browsers {
        let host = hear(browser, |name, data| {
            name == "host" && data["generation"] == "fffffff"
        });
        assert_eq!(
            (&host["id"], &host["metrics"]),
            (&json!("web1"), &json!(null))
        );
    }
}

#[test]
fn t05_5_a_command_reaches_one_agent() {
    let fleet = Fleet::start();
    let mut one = Agent::online(&fleet, "web1");
    let mut other = Agent::online(&fleet, "web2");
    fleet.run("web1", "pull");
    one.expect_command("pull");
    match other.next_within(Duration::from_millis(300)) {
        Did::Nothing => {}
        did => panic!("{did:?}"),
    }
}

#[test]
fn t05_6_output_in_order_within_100_ms() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    let run = fleet.run("web1", "pull");
    agent.expect_command("pull");
    let browser = listen(&fleet, &format!("/api/runs/{run}/events"));
    hear(&browser, |name, _| name == "run");
    let mut late = Vec::new();
    for n in 1..=30 {
        let nanos = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
        agent.line("pull", &nanos.to_string());
        let lines = hear(&browser, |name, _| name == "lines");
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let line = &lines["lines"][0];
        assert_eq!(line["n"], n);
        let nanos: u64 = line["text"].as_str().unwrap().parse().unwrap();
        late.push(now.saturating_sub(Duration::from_nanos(nanos)));
    }
    late.sort_unstable();
    assert!(
        late[late.len() / 2] < Duration::from_millis(100),
        "{late:?}"
    );
    // Many at once come in order too.
    for n in 31..=5000 {
        agent.line("pull", &format!("line {n}"));
    }
    agent.status("ok", "pull", 0, "");
    let mut next = 31;
    loop {
        let (name, data) = browser.recv_timeout(DEADLINE).unwrap();
        match name.as_str() {
            "lines" => {
                for line in data["lines"].as_array().unwrap() {
                    assert_eq!(
                        (&line["n"], &line["text"]),
                        (&json!(next), &json!(format!("line {next}")))
                    );
                    next += 1;
                }
            }
            "end" => break,
            _ => {}
        }
    }
    assert_eq!(next, 5001);
}

#[test]
fn t05_7_cleaned_up_after_disconnect() {
    let fleet = Fleet::start();
    let connections = || {
        let metrics = fleet.api.get("/metrics").body;
        let metrics = metrics.as_str().unwrap().to_owned();
        let line = metrics
            .lines()
            .find(|line| line.starts_with("nixfleet_agent_connections "));
        line.map(str::to_owned)
    };
    if connections().is_none() {
        println!("skipped: a part of t05_7: there is no figure of open connections");
    }
    for _ in 0..5 {
        Agent::online(&fleet, "web1").cut();
    }
    wait_until("no connection", || {
        let refused = fleet.command("web1", "pull");
        (refused.status == 409).then_some(())
    });
    if let Some(line) = connections() {
        assert!(line.ends_with(" 0"), "{line}");
    }
}

#[test]
fn t05_9_ping_and_pong() {
    let fleet = Fleet::start();
    let mut agent = Agent::online(&fleet, "web1");
    agent.socket.send(Message::Ping(vec![1, 2].into())).unwrap();
    agent
        .socket
        .get_ref()
        .set_read_timeout(Some(DEADLINE))
        .unwrap();
    let pong = agent.socket.read().unwrap();
    assert_eq!(pong, Message::Pong(vec![1, 2].into()));
    // The dashboard's own ping is due after 35 s of silence.
    match agent.next_within(Duration::from_secs(45)) {
        Did::Pinged => {}
        did => panic!("{did:?}"),
    }
}
