//! History and capacity with the programs themselves: what a SIGTERM writes, what a SIGKILL costs, what the command line says.
//! The agents' end of the wire is spoken here.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use nix::sys::signal::Signal;
use nixfleet::wire::resources::{Amount, Disk, FailedUnits, Resources};
use nixfleet::wire::to_dashboard::{Heartbeat, Register, ToDashboard};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::cli::nixfleet;
use crate::support::fleet::Fleet;
use crate::support::process::wait_until;

const GB: u64 = 1_000_000_000;

/// An agent that beats when it is told to.
struct Agent {
    runtime: Runtime,
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    n: u64,
}

impl Agent {
    fn join(fleet: &Fleet, host: &str) -> Self {
        let url = fleet.api.base.replace("http://", "ws://");
        let mut request = format!("{url}/ws").into_client_request().unwrap();
        let token = std::fs::read_to_string(fleet.path("agent-token")).unwrap();
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let builder = tokio::runtime::Builder::new_current_thread();
        let runtime = { builder }.enable_all().build().unwrap();
        let (socket, _) = runtime
            .block_on(tokio_tungstenite::connect_async(request))
            .unwrap();
        let mut agent = Self {
            runtime,
            socket,
            n: 0,
        };
        agent.say(&ToDashboard::Register(Box::new(Register {
            hostname: host.into(),
            host_type: "nixos".into(),
            heartbeat_interval: 60,
            protocol: Some(3),
            ..Register::default()
        })));
        agent.hear(r#""type":"registered""#);
        agent
    }

    fn say(&mut self, message: &ToDashboard) {
        let text = serde_json::to_string(message).unwrap();
        let sent = self.socket.send(Message::text(text));
        self.runtime.block_on(sent).unwrap();
    }

    /// Reads until a message has `part`.
    fn hear(&mut self, part: &str) {
        self.runtime.block_on(async {
            let heard = async {
                while let Some(message) = self.socket.next().await {
                    if message
                        .unwrap()
                        .to_text()
                        .is_ok_and(|text| text.contains(part))
                    {
                        return;
                    }
                }
                panic!("closed before {part}");
            };
            let limit = Duration::from_secs(30);
            tokio::time::timeout(limit, heard).await.unwrap();
        });
    }

    fn beat(&mut self, load: f64) {
        self.n += 1;
        let amount = |total, available| Amount { total, available };
        let resources = Resources {
            age_ms: 10,
            load: Some([load, 1.0, 1.0]),
            cores: Some(8),
            cores_available: Some(8.0 - load),
            memory: Some(amount(32 * GB, 8 * GB)),
            disks: vec![Disk {
                mount: "/\u{1b}[2J".into(),
                amount: amount(100 * GB, 30 * GB),
                store: true,
            }],
            failed_units: Some(FailedUnits {
                count: 1,
                names: vec!["nginx.service".into()],
            }),
            reboot_for: Some(vec!["kernel".into()]),
            ..Resources::default()
        };
        self.say(&ToDashboard::Heartbeat(Box::new(Heartbeat {
            n: self.n,
            resources: Some(resources),
            ..Heartbeat::default()
        })));
        self.hear("heartbeat_ack");
    }
}

/// The loads that the history of the last minutes has.
fn loads(fleet: &Fleet, host: &str, step: u64) -> Vec<f64> {
    let path = format!("/api/hosts/{host}/metrics?since=10m&step={step}");
    let answer = fleet.api.get(&path);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let known = answer.body["series"]["load1"]["avg"].as_array();
    known.map_or_else(Vec::new, |values| {
        values.iter().filter_map(Value::as_f64).collect()
    })
}

#[test]
fn history_survives_a_stop_and_a_kill_of_the_dashboard() {
    let mut fleet = Fleet::start();
    let mut agent = Agent::join(&fleet, "web1");
    agent.beat(2.0);
    drop(agent);
    // Nothing that was acknowledged is lost by a stop, not even the ten seconds that are open.
    let mut dashboard = fleet.dashboard.take().unwrap();
    dashboard.signal(Signal::SIGTERM);
    assert!(dashboard.wait().success());
    fleet.start_dashboard();
    for step in [10, 60, 600] {
        assert_eq!(loads(&fleet, "web1", step), [2.0], "{step}");
    }
    // A kill loses the open ten seconds at most: what is over has been written some seconds later.
    let began = Instant::now();
    let mut agent = Agent::join(&fleet, "web1");
    agent.beat(4.0);
    wait_until("the ten seconds to be over and written", || {
        (began.elapsed() > Duration::from_secs(15)).then_some(())
    });
    fleet.kill_dashboard();
    fleet.start_dashboard();
    let fine = loads(&fleet, "web1", 10);
    assert!(fine.contains(&4.0) || fine.contains(&3.0), "{fine:?}");
    let all = fleet
        .api
        .get("/api/hosts/web1/metrics?since=10m&step=3600")
        .body;
    let max = all["series"]["load1"]["max"].as_array().unwrap();
    let most = max.iter().filter_map(Value::as_f64).fold(0.0, f64::max);
    assert!((most - 4.0).abs() < 1e-9, "{all}");
}

#[test]
fn the_command_line_finds_room_and_shows_a_host() {
    let fleet = Fleet::start();
    let mut web = Agent::join(&fleet, "web1");
    let mut db = Agent::join(&fleet, "db1");
    web.beat(1.0);
    db.beat(7.5);
    let text = |args: &[&str]| {
        let done = nixfleet(&fleet, args);
        assert!(done.status.success(), "{args:?}: {done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    assert_eq!(text(&["tag", "web1", "gpu", "build"]), "web1: build gpu\n");
    let shown = text(&["capacity"]);
    let rows: Vec<&str> = shown.lines().collect();
    assert!(rows[0].starts_with("HOST  CORES"), "{shown}");
    assert!(rows[1].starts_with("web1  7.0 of 8  8.0 GB"), "{shown}");
    assert!(rows[1].contains("build gpu"), "{shown}");
    assert!(rows[2].starts_with("db1   0.5 of 8"), "{shown}");
    let shown = text(&[
        "capacity",
        "--cores",
        "1",
        "--memory-gb",
        "8",
        "--tag",
        "gpu",
    ]);
    assert!(shown.contains("web1") && !shown.contains("db1"), "{shown}");
    assert!(shown.ends_with("left out: 1 without enough\n"), "{shown}");
    let json: Value =
        serde_json::from_str(&text(&["--json", "capacity", "--cores", "100"])).unwrap();
    assert_eq!(json["hosts"], serde_json::json!([]));
    assert_eq!(json["left_out"]["filtered"], 2);
    let shown = text(&["host", "web1"]);
    for part in [
        "Load         1.00 1.00 1.00 on 8 cores\n",
        "Memory       75 % of 32.0 GB in use, 8.0 GB free\n",
        "Disk         /�[2J (the Nix store): 70 % of 100.0 GB in use, 30.0 GB free\n",
        "Failed units 1: nginx.service\n",
        "Reboot       needed for kernel\n",
        "Tags         build gpu\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let refused = nixfleet(&fleet, &["tag", "web1", "a b"]);
    assert!(!refused.status.success());
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("`a b` is no tag"), "{said}");
    assert_eq!(text(&["tag", "web1"]), "web1: no tags\n");
}
