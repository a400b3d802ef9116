//! Hosts that go away while something runs on them, and who hears how soon output is wanted.

use std::time::Duration;

use serde_json::Value;

use super::text;
use crate::dashboard::testing::{Agent, House, Journal, jump, register};
use crate::run::phase::{Phase, RunState};
use crate::wire::to_agent::ToAgent;
use crate::wire::{UNWATCHED_MS, WATCHED_MS};

/// A run on `web1` in that phase, whose host has gone away.
async fn gone_in(house: &House, phase: Phase) -> (Journal, String) {
    let (mut agent, _) = Agent::join(house, register("web1")).await;
    agent.beat(1).await;
    agent.next().await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let first = [
        journal.started(),
        journal.phase(phase),
        journal.output(b"one\n"),
    ]
    .concat();
    agent.send(journal.frame(&first)).await;
    agent.acked(3).await;
    drop(agent);
    let host = "web1".parse().unwrap();
    house
        .wait("/api/hosts", |_| house.app.fleet.peer(&host).is_none())
        .await;
    (journal, format!("/api/runs/{run}"))
}

async fn seconds(n: u64) {
    for _ in 0..n {
        jump(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_host_that_goes_away_in_its_activation_has_until_its_deadline() {
    let house = House::start().await;
    let (mut journal, path) = gone_in(&house, Phase::Switching).await;
    let shown = house.get(&path).await;
    let left = shown["reconnect_deadline_ms"].as_u64().unwrap();
    assert!((290_000..=300_000).contains(&left), "{left}");
    // Whoever watches learns it too.
    let run = journal.run;
    house
        .wait("/api/hosts", |_| {
            let live = house.app.live.run(run).unwrap();
            live.reconnect_deadline_ms.is_some()
        })
        .await;
    seconds(280).await;
    let shown = house.get(&path).await;
    assert_eq!(shown["state"], "running", "{shown}");
    assert_eq!(house.get("/api/hosts/web1").await["status"], "reconnecting");
    seconds(22).await;
    let lost = house.wait(&path, |run| run["state"] == "lost").await;
    let reason = lost["reason"].as_str().unwrap();
    for part in ["in phase switching", "5 minutes", "1 lines", "console"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert_eq!(lost["reconnect_deadline_ms"], Value::Null);
    // It comes back with the rest.
    let rest = [
        journal.output(b"two\n"),
        journal.finished(RunState::Succeeded),
    ]
    .concat();
    let mut message = register("web1");
    message.runs = vec![journal.known()];
    let (mut agent, registered) = Agent::join(&house, message).await;
    assert_eq!(registered.resume[0].seq.0, 3);
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["recovered"]),
        (&"running".into(), &true.into())
    );
    agent.send(journal.frame(&rest)).await;
    agent.acked(5).await;
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["recovered"], &shown["verified"]),
        (&"succeeded".into(), &true.into(), &true.into())
    );
    assert_eq!(text(&house, run).await, "one\ntwo\n");
}

#[tokio::test]
async fn a_restarted_dashboard_gives_an_activation_its_whole_time() {
    let house = House::start().await;
    let (_, path) = gone_in(&house, Phase::Activating).await;
    let house = house.restart().await;
    let shown = house.get(&path).await;
    let left = shown["reconnect_deadline_ms"].as_u64().unwrap();
    assert!((290_000..=300_000).contains(&left), "{left}");
    seconds(250).await;
    assert_eq!(house.get(&path).await["state"], "running");
    seconds(60).await;
    house.wait(&path, |run| run["state"] == "lost").await;
}

#[tokio::test]
async fn nothing_is_inferred_from_a_host_that_goes_away_while_it_builds() {
    let house = House::start().await;
    let (_, path) = gone_in(&house, Phase::Building).await;
    seconds(400).await;
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["reconnect_deadline_ms"]),
        (&"running".into(), &Value::Null)
    );
    assert_eq!(house.get("/api/hosts/web1").await["status"], "offline");
}

/// The next thing that the agent hears of how long output may wait.
async fn interval(agent: &mut Agent) -> u32 {
    match agent.next_of_all().await {
        ToAgent::FlushInterval(flush) => flush.ms,
        other => panic!("no flush_interval but {other:?}"),
    }
}

#[tokio::test]
async fn the_host_hears_when_somebody_watches_and_when_nobody_does() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let first = house.app.live.watch(run).unwrap();
    assert_eq!(interval(&mut agent).await, WATCHED_MS);
    let second = house.app.live.watch(run).unwrap();
    drop(first);
    agent.beat(1).await;
    assert_eq!(agent.next_of_all().await, ToAgent::HeartbeatAck { n: 1 });
    drop(second);
    assert_eq!(interval(&mut agent).await, UNWATCHED_MS);
    let _third = house.app.live.watch(run).unwrap();
    assert_eq!(interval(&mut agent).await, WATCHED_MS);
    // A new connection knows nothing of it.
    let mut message = register("web1");
    message.runs = vec![Journal::new(run).known()];
    let (mut agent, _) = Agent::join(&house, message).await;
    assert_eq!(interval(&mut agent).await, WATCHED_MS);
}

#[tokio::test]
async fn a_run_that_is_watched_while_it_waits_starts_watched() {
    let house = House::start().await;
    house
        .ask("POST", "/api/hosts", r#"{"hostname":"web1"}"#)
        .await;
    let body = r#"{"command":"switch","queue":true}"#;
    let (_, answer) = house.ask("POST", "/api/hosts/web1/command", body).await;
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let run = answer["command_id"].as_str().unwrap().parse().unwrap();
    let _reader = house.app.live.watch(run).unwrap();
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    assert!(matches!(agent.next_of_all().await, ToAgent::Run(_)));
    assert_eq!(interval(&mut agent).await, WATCHED_MS);
}
