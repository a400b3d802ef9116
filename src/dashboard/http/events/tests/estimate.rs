//! When a run will end, as readers of both streams have it.

use std::time::Duration;

use tokio::time::timeout;

use super::Events;
use crate::dashboard::testing::{Agent, House, Journal, SOON, jump, register};
use crate::run::event::RunEvent;
use crate::run::phase::{Phase, RunState};

/// Begins a run whose one phase began when the run did, at 1 s by the host's clock.
async fn begin(house: &House, agent: &mut Agent) -> Journal {
    let mut journal = Journal::new(house.start_run(agent, "web1").await);
    let (at, phase, line) = (1000, Phase::Activating, 1);
    let begun = [
        journal.started(),
        journal.event(&RunEvent::Phase { at, phase, line }),
    ];
    agent.send(journal.frame(&begun.concat())).await;
    agent.acked(2).await;
    journal
}

#[tokio::test]
async fn both_streams_tell_it_and_tell_it_anew_when_it_takes_longer() {
    // A stream that lives and never says it would be read for ever.
    timeout(SOON, told_and_told_anew()).await.unwrap();
}

async fn told_and_told_anew() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let mut fleet = Events::open(&house, "/api/events", None).await;
    // Its end is at 9 s.
    let mut journal = begin(&house, &mut agent).await;
    let end = journal.finished(RunState::Succeeded);
    agent.send(journal.frame(&end)).await;
    agent.acked(3).await;
    let mut journal = begin(&house, &mut agent).await;
    let run = journal.run;
    let mut live = Events::open(&house, &format!("/api/runs/{run}/events"), None).await;
    let near = |eta: &serde_json::Value| (1..=8).contains(&eta["seconds"].as_u64().unwrap_or(0));
    while !near(&live.named("run").await.1["eta"]) {}
    loop {
        let activity = fleet.named("host").await.1["activity"].clone();
        if activity["run"] == run.to_string() && near(&activity["eta"]) {
            break;
        }
    }
    // By the host's clock, it takes twice as long as ever.
    jump(Duration::from_secs(2)).await;
    let (at, kind, line, text) = (
        17_000,
        crate::run::event::NoticeKind::Warning,
        1,
        "slow".into(),
    );
    let late = journal.event(&RunEvent::Notice {
        at,
        kind,
        line,
        text,
    });
    agent.send(journal.frame(&late)).await;
    let late = loop {
        let (_, run) = live.named("run").await;
        if run["eta"]["overdue"] == true {
            break run;
        }
    };
    assert!(late["eta"]["percent"].as_u64() >= Some(50), "{late}");
    assert!(late["eta"]["seconds"].as_u64() >= Some(1), "{late}");
    let end = journal.finished(RunState::Succeeded);
    agent.send(journal.frame(&end)).await;
    loop {
        let (_, run) = live.named("run").await;
        if run["state"] == "succeeded" {
            assert!(run.get("eta").is_none(), "{run}");
            break;
        }
    }
}
