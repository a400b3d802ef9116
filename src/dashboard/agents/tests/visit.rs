//! A single heartbeat (`--once`).

use super::*;
use crate::wire::to_dashboard::Register;

fn once() -> Register {
    Register {
        once: true,
        ..register("web1")
    }
}

async fn heard(agent: &mut Agent, n: u64) {
    agent.beat(n).await;
    assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n });
}

#[tokio::test]
async fn beside_the_agent_it_is_answered_and_changes_nothing() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    heard(&mut agent, 1).await;
    let (mut visitor, _) = Agent::join(&house, once()).await;
    heard(&mut visitor, 1).await;
    drop(visitor);
    heard(&mut agent, 2).await;
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&host["status"], &host["heartbeats"]),
        (&"online".into(), &2.into())
    );
    let state = house.get(&format!("/api/runs/{run}")).await["state"].clone();
    assert_ne!(state, "lost");
}

#[tokio::test]
async fn without_an_agent_it_loses_no_run_and_is_asked_for_none() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    drop(agent);
    let (mut visitor, _) = Agent::join(&house, once()).await;
    heard(&mut visitor, 1).await;
    let body = r#"{"command":"switch","queue":true}"#;
    let asked = house.ask("POST", "/api/hosts/web1/command", body).await;
    heard(&mut visitor, 2).await;
    assert_eq!(house.get("/api/hosts/web1").await["heartbeats"], 2);
    drop(visitor);
    let states: Vec<_> = house.get("/api/runs").await["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["state"].as_str().unwrap().to_owned())
        .collect();
    assert!(
        states.iter().all(|state| state != "lost"),
        "{states:?} {asked:?} {run}"
    );
}
