//! A run's state ahead of its output.

use axum::http::StatusCode;

use super::text;
use crate::dashboard::testing::{Agent, House, Journal, register};
use crate::run::phase::RunState;
use crate::wire::to_agent::ToAgent;

#[tokio::test]
async fn a_run_that_has_failed_is_failed_before_its_output_is_here() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}");
    let mut journal = Journal::new(run);
    let first = [journal.started(), journal.output(b"one\n")].concat();
    agent.send(journal.frame(&first)).await;
    agent.acked(2).await;
    let rest = [
        journal.output(b"two\n"),
        journal.output(b"three\n"),
        journal.finished(RunState::Failed),
    ]
    .concat();
    agent.say(&journal.status(RunState::Failed)).await;
    let shown = house.wait(&path, |run| run["state"] == "failed").await;
    assert_eq!(
        (
            &shown["incomplete"],
            &shown["bytes_pending"],
            &shown["bytes"]
        ),
        (&true.into(), &10.into(), &4.into()),
        "{shown}"
    );
    assert_eq!(shown["verified"], serde_json::Value::Null);
    assert_eq!(shown["exit_code"], 0);
    assert!(shown["reason"].as_str().unwrap().contains("exit status 0"));
    assert_eq!(
        house.get("/api/runs?state=failed").await["runs"][0]["id"],
        run.to_string()
    );
    let log = house.get(&format!("{path}/log")).await;
    assert_eq!(log["complete"], false, "more lines come");
    // The host is free, and what has ended cannot be stopped.
    assert!(house.get("/api/hosts/web1").await["activity"].is_null());
    let (status, body) = house.ask("POST", &format!("{path}/stop"), "").await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let next = house.start_run(&mut agent, "web1").await;
    assert_ne!(next, run);

    // A status never moves a run backwards, also over a restart.
    agent.say(&journal.status(RunState::Running)).await;
    agent.beat(1).await;
    assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n: 1 });
    let house = house.restart().await;
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["bytes_pending"]),
        (&"failed".into(), &10.into())
    );
    let mut message = register("web1");
    message.runs = vec![journal.known(), Journal::new(next).known()];
    let (mut agent, registered) = Agent::join(&house, message).await;
    assert_eq!(registered.resume[0].seq.0, 2);
    agent.send(journal.frame(&rest)).await;
    agent.acked(5).await;
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["incomplete"], &shown["verified"]),
        (&"failed".into(), &false.into(), &true.into())
    );
    assert_eq!(shown["bytes_pending"], 0);
    assert_eq!(text(&house, run).await, "one\ntwo\nthree\n");
}

#[tokio::test]
async fn only_the_runs_own_host_speaks_for_it_and_records_speak_last() {
    let house = House::start().await;
    let (mut owner, _) = Agent::join(&house, register("web1")).await;
    let (mut thief, _) = Agent::join(&house, register("thief")).await;
    let run = house.start_run(&mut owner, "web1").await;
    let path = format!("/api/runs/{run}");
    let mut journal = Journal::new(run);
    let started = journal.started();
    thief.say(&journal.status(RunState::Failed)).await;
    thief.beat(1).await;
    assert_eq!(thief.next().await, ToAgent::HeartbeatAck { n: 1 });
    owner.send(journal.frame(&started)).await;
    owner.acked(1).await;
    assert_eq!(house.get(&path).await["state"], "running");
    let end = journal.finished(RunState::Stopped);
    owner.say(&journal.status(RunState::Failed)).await;
    house.wait(&path, |run| run["state"] == "failed").await;
    owner.send(journal.frame(&end)).await;
    owner.acked(2).await;
    let shown = house.get(&path).await;
    assert_eq!(shown["state"], "stopped", "the record is the run's own");
    // What is over stays so.
    journal.seq = 900;
    owner.say(&journal.status(RunState::Running)).await;
    owner.beat(1).await;
    assert_eq!(owner.next().await, ToAgent::HeartbeatAck { n: 1 });
    assert_eq!(house.get(&path).await["state"], "stopped");
}

#[tokio::test]
async fn a_known_end_stays_when_the_host_comes_back_without_the_output() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}");
    let mut journal = Journal::new(run);
    let started = journal.started();
    agent.send(journal.frame(&started)).await;
    agent.acked(1).await;
    let rest = [
        journal.output(b"not shipped..\n"),
        journal.finished(RunState::Succeeded),
    ]
    .concat();
    agent.say(&journal.status(RunState::Succeeded)).await;
    house.wait(&path, |run| run["state"] == "succeeded").await;
    Agent::join(&house, register("web1")).await;
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["incomplete"], &shown["verified"]),
        (&"succeeded".into(), &true.into(), &false.into())
    );
    assert_eq!(
        (&shown["bytes_pending"], &shown["bytes_missing"]),
        (&0.into(), &14.into())
    );
    let reason = shown["reason"].as_str().unwrap();
    assert!(reason.contains("without this run's journal"), "{reason}");
    // Should it come after all, it is taken.
    let house = house.restart().await;
    let mut message = register("web1");
    message.runs = vec![journal.known()];
    let (mut agent, _) = Agent::join(&house, message).await;
    let shown = house.get(&path).await;
    assert_eq!(
        (&shown["state"], &shown["bytes_pending"], &shown["reason"]),
        (&"succeeded".into(), &14.into(), &serde_json::Value::Null)
    );
    agent.send(journal.frame(&rest)).await;
    agent.acked(3).await;
    let shown = house.get(&path).await;
    assert_eq!(
        (
            &shown["incomplete"],
            &shown["verified"],
            &shown["bytes_missing"]
        ),
        (&false.into(), &true.into(), &0.into())
    );
    assert_eq!(text(&house, run).await, "not shipped..\n");
}
