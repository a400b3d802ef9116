//! What heartbeats make of the registry of hosts, over real sockets and with a real database.

mod capacity;

use std::time::Duration;

use serde_json::{Value, json};

use crate::dashboard::store::Store;
use crate::dashboard::testing::{Agent, House, jump, register};
use crate::wire::resources::{
    AgentUsage, Amount, Disk, FailedUnits, GpuKind, HostFacts, Resources,
};
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{Heartbeat, Metrics, Register, ToDashboard};

const GB: u64 = 1_000_000_000;

fn resources(cores_available: f64, memory_gb: u64) -> Resources {
    let amount = |total, available| Amount { total, available };
    Resources {
        age_ms: 200,
        load: Some([8.0 - cores_available, 1.0, 0.5]),
        cores: Some(8),
        cores_available: Some(cores_available),
        memory: Some(amount(32 * GB, memory_gb * GB)),
        disks: vec![Disk {
            mount: "/".into(),
            amount: amount(100 * GB, 40 * GB),
            store: true,
        }],
        gpu: Some(GpuKind::None),
        failed_units: Some(FailedUnits::default()),
        ..Resources::default()
    }
}

async fn say(agent: &mut Agent, n: u64, resources: Option<Resources>) {
    let heartbeat = Heartbeat {
        n,
        generation: "abc".into(),
        resources,
        metrics: Some(Metrics {
            cpu: 12.5,
            ram: 40.0,
            swap: 0.0,
            load: 0.5,
        }),
        agent: Some(AgentUsage {
            memory: 5_000_000,
            cpu_ms: 1200,
        }),
        ..Heartbeat::default()
    };
    agent
        .say(&ToDashboard::Heartbeat(Box::new(heartbeat)))
        .await;
    while !matches!(agent.next().await, ToAgent::HeartbeatAck { n: acked } if acked == n) {}
}

/// A host that has beaten once with these readings.
async fn host(house: &House, name: &str, resources: Resources) -> Agent {
    let slow = Register {
        heartbeat_interval: 10,
        ..register(name)
    };
    let (mut agent, _) = Agent::join(house, slow).await;
    say(&mut agent, 1, Some(resources)).await;
    agent
}

#[tokio::test]
async fn handle_agent_heartbeat_updates_registry() {
    let house = House::start().await;
    let facts = HostFacts {
        os: "NixOS 26.05".into(),
        kernel: "6.12.1\u{1b}[2J".into(),
        architecture: "x86_64".into(),
        boot_id: Some("b1".into()),
    };
    let told = Register {
        facts: Some(facts),
        ..register("web1")
    };
    let (mut agent, _) = Agent::join(&house, told).await;
    let before = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&before["resources"], &before["heartbeats"]),
        (&json!(null), &json!(0))
    );
    say(&mut agent, 1, Some(resources(6.5, 20))).await;
    let after = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&after["status"], &after["heartbeats"]),
        (&json!("online"), &json!(1))
    );
    assert_eq!(after["resources"]["load"], json!([1.5, 1.0, 0.5]));
    assert_eq!(after["resources"]["memory"]["available"], json!(20 * GB));
    assert_eq!(after["resources"]["disks"][0]["mount"], "/");
    assert_eq!(after["resources"]["stale"], json!(false));
    assert!(after["resources"]["age_ms"].as_u64().unwrap() >= 200);
    assert_eq!(after["agent"]["memory"], json!(5_000_000));
    assert_eq!(after["facts"]["kernel"], "6.12.1�[2J");
    // The next one replaces it, also where it says less.
    say(&mut agent, 2, None).await;
    let last = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&last["resources"], &last["metrics"]["load"]),
        (&json!(null), &json!(0.5))
    );
}

#[tokio::test]
async fn handle_agent_heartbeat_auto_registers_new_agent() {
    let house = House::start().await;
    assert_eq!(house.get("/api/hosts").await, json!({"hosts": []}));
    let _agent = host(&house, "new", resources(1.0, 1)).await;
    let known = house.get("/api/hosts/new").await;
    assert_eq!(known["status"], "online");
    let stored = house.app.store.hosts().await.unwrap();
    assert_eq!(stored.len(), 1);
    assert_eq!(stored[0].host.as_str(), "new");
}

#[tokio::test]
async fn handle_agent_heartbeat_saves_resource_metrics_to_db() {
    let house = House::start().await;
    let agent = host(&house, "web1", resources(6.5, 24)).await;
    // Before anything is written it is told, from memory.
    let told = house.get("/api/hosts/web1/metrics?since=5m&step=60").await;
    let known = |values: &Value| -> Vec<f64> {
        let values = values["avg"].as_array().unwrap();
        values.iter().filter_map(Value::as_f64).collect()
    };
    assert_eq!(known(&told["series"]["load1"]), [1.5]);
    assert_eq!(known(&told["series"]["memory"]), [25.0]);
    assert_eq!(known(&told["series"]["cpu"]), [12.5]);
    assert_eq!(
        told["series"]["load1"]["avg"].as_array().unwrap().len() as u64,
        told["points"].as_u64().unwrap()
    );
    drop(agent);
    // The end of the process writes it, and another one has it and goes on.
    let house = house.restart().await;
    let mut n = 0;
    house
        .app
        .store
        .each_metric(0, 0, |host, _, bucket| {
            assert_eq!(host.as_str(), "web1");
            assert_eq!(bucket.0[4].avg(), Some(1.5));
            n += 1;
        })
        .await
        .unwrap();
    assert_eq!(n, 1, "one bucket of ten seconds");
    let later = house.get("/api/hosts/web1/metrics?since=5m&step=60").await;
    assert_eq!(known(&later["series"]["load1"]), [1.5]);
    assert_eq!(known(&later["series"]["disk_store"]), [60.0]);
}

#[tokio::test]
async fn handle_agent_heartbeat_updates_last_heartbeat_at() {
    let house = House::start().await;
    let mut agent = host(&house, "web1", resources(1.0, 1)).await;
    jump(Duration::from_secs(10)).await;
    let aged = house.get("/api/hosts/web1").await;
    assert!(aged["last_heartbeat_age_ms"].as_u64().unwrap() >= 10_000);
    assert!(
        aged["resources"]["age_ms"].as_u64().unwrap() >= 10_200,
        "{aged}"
    );
    say(&mut agent, 2, None).await;
    let fresh = house.get("/api/hosts/web1").await;
    assert!(fresh["last_heartbeat_age_ms"].as_u64().unwrap() < 10_000);
    let told = fresh["last_seen"].as_str().unwrap().to_owned();
    drop(agent);
    let house = house.restart().await;
    let stored = house.get("/api/hosts/web1").await;
    assert_eq!(stored["last_seen"], told, "the store has it");
}

#[tokio::test]
async fn handle_agent_heartbeat_sets_status_online() {
    let house = House::start().await;
    let mut agent = host(&house, "web1", resources(1.0, 1)).await;
    jump(Duration::from_secs(31)).await;
    let silent = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&silent["status"], &silent["resources"]),
        (&json!("offline"), &json!(null))
    );
    say(&mut agent, 2, None).await;
    assert_eq!(house.get("/api/hosts/web1").await["status"], "online");
}

#[tokio::test]
async fn handle_agent_heartbeat_preserves_existing_capabilities() {
    let house = House::start().await;
    let note = r#"{"hostname":"web1","comment":"in the cellar"}"#;
    assert_eq!(house.ask("POST", "/api/hosts", note).await.0, 200);
    let tags = r#"{"tags":["gpu","build","gpu"]}"#;
    let (status, body) = house.ask("PUT", "/api/hosts/web1", tags).await;
    assert_eq!(status, 200, "{body}");
    let mut agent = host(&house, "web1", resources(1.0, 1)).await;
    say(&mut agent, 2, Some(resources(2.0, 2))).await;
    let check = |known: &Value| {
        assert_eq!(known["comment"], "in the cellar");
        assert_eq!(known["tags"], json!(["build", "gpu"]));
        assert_eq!(known["commands"][0]["name"], "switch");
    };
    check(&house.get("/api/hosts/web1").await);
    drop(agent);
    let house = house.restart().await;
    check(&house.get("/api/hosts/web1").await);
    // What is not named stays; an empty list takes all away.
    let (_, body) = house.ask("PUT", "/api/hosts/web1", r#"{"tags":[]}"#).await;
    let edited: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&edited["tags"], &edited["comment"]),
        (&json!([]), &json!("in the cellar"))
    );
    for (path, body, code) in [
        ("/api/hosts/web1", r#"{"tags":["a b"]}"#, 400),
        ("/api/hosts/web1", r#"{"tags":"gpu"}"#, 400),
        ("/api/hosts/nobody", r#"{"tags":[]}"#, 404),
    ] {
        assert_eq!(house.ask("PUT", path, body).await.0, code, "{body}");
    }
}

#[tokio::test]
async fn multiple_agents_register_independently() {
    let house = House::start().await;
    let mut agents = Vec::new();
    for n in 1..=5_u8 {
        agents.push(host(&house, &format!("host{n}"), resources(f64::from(n), 1)).await);
    }
    let answer = house.get("/api/hosts").await;
    for (n, host) in answer["hosts"].as_array().unwrap().iter().enumerate() {
        assert_eq!(host["hostname"], format!("host{}", n + 1));
        assert_eq!(host["status"], "online");
        assert_eq!(host["resources"]["cores_available"], json!((n + 1) as f64));
    }
    assert_eq!(answer["hosts"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn orchestrator_tracks_3_agents_separately() {
    let house = House::start().await;
    let mut one = host(&house, "one", resources(1.0, 1)).await;
    let two = host(&house, "two", resources(2.0, 2)).await;
    let _three = host(&house, "three", resources(3.0, 3)).await;
    drop(two);
    say(&mut one, 2, Some(resources(5.0, 1))).await;
    house
        .wait("/api/hosts/two", |host| host["status"] == "reconnecting")
        .await;
    let one = house.get("/api/hosts/one").await;
    assert_eq!(
        (&one["heartbeats"], &one["resources"]["cores_available"]),
        (&json!(2), &json!(5.0))
    );
    let three = house.get("/api/hosts/three").await;
    assert_eq!(
        (&three["heartbeats"], &three["resources"]["cores_available"]),
        (&json!(1), &json!(3.0))
    );
    assert_eq!(house.get("/api/hosts/two").await["resources"], json!(null));
    let recent = house.get("/api/metrics?hosts=one,two").await;
    let known: Vec<&String> = recent["hosts"].as_object().unwrap().keys().collect();
    assert_eq!(known, ["one", "two"]);
    assert_eq!(recent["hosts"]["one"]["load"].as_array().unwrap().len(), 60);
}

/// A reading that cannot be read costs itself, not the sign of life that it came with.
#[tokio::test]
async fn a_malformed_reading_does_not_cost_the_heartbeat() {
    let house = House::start().await;
    let mut agent = host(&house, "web1", resources(1.0, 1)).await;
    for (n, broken) in [
        r#""resources":{"gpu":"matrox"}"#,
        r#""resources":[1,2]"#,
        r#""metrics":{"cpu":"much"}"#,
        r#""metrics":{"load":1e999}"#,
        r#""agent":{"memory":-1}"#,
    ]
    .iter()
    .enumerate()
    {
        let n = n as u64 + 2;
        let text = format!(r#"{{"type":"heartbeat","payload":{{"n":{n},{broken}}}}}"#);
        agent
            .send(tokio_tungstenite::tungstenite::Message::text(text))
            .await;
        // JSON itself has no such number: that message is none.
        if broken.contains("1e999") {
            continue;
        }
        while !matches!(agent.next().await, ToAgent::HeartbeatAck { n: acked } if acked == n) {}
        let known = house.get("/api/hosts/web1").await;
        assert_eq!(
            (&known["resources"], &known["metrics"]),
            (&json!(null), &json!(null)),
            "{broken}"
        );
        assert_eq!(known["status"], "online");
    }
}

#[tokio::test]
async fn a_store_that_takes_nothing_costs_no_heartbeat_and_what_was_meant_for_it_comes_later() {
    let house = House::start().await;
    let mut agent = host(&house, "web1", resources(1.0, 1)).await;
    let store: &Store = &house.app.store;
    let held = store.hold_writer().await;
    for n in 2..40 {
        say(&mut agent, n, Some(resources(2.0, 1))).await;
    }
    let known = house.app.fleet.host(&"web1".parse().unwrap()).unwrap();
    assert_eq!(known.heartbeats, 39);
    drop(held);
    drop(agent);
    let house = house.restart().await;
    let mut counted = 0;
    let count = |_: &_, _, bucket: &crate::dashboard::metrics::bucket::Bucket| {
        counted += bucket.0[4].n;
    };
    house.app.store.each_metric(0, 0, count).await.unwrap();
    assert_eq!(counted, 39);
}
