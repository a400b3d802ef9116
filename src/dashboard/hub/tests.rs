mod absence;
mod ahead;
mod ends;
mod queue;
mod teaches;
mod verify;

use std::time::Duration;

use axum::http::StatusCode;

use crate::dashboard::hub::requests::Ask;
use crate::dashboard::testing::{Agent, House, Journal, jump, register};
use crate::run::id::RunId;
use crate::run::phase::RunState;
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{CommandRejected, ToDashboard};

async fn text(house: &House, run: RunId) -> String {
    house
        .ask("GET", &format!("/api/runs/{run}/log.txt"), "")
        .await
        .1
}

#[tokio::test]
async fn a_run_from_request_to_end_over_a_restart_of_the_dashboard() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}");
    assert_eq!(house.get(&path).await["state"], "queued");
    let mut journal = Journal::new(run);
    let first = [journal.started(), journal.output(b"one\ntw")].concat();
    agent.send(journal.frame(&first)).await;
    assert_eq!(agent.ack().await, (2, false));
    assert_eq!(house.get(&path).await["state"], "running");
    assert_eq!(
        house.get("/api/hosts/web1").await["activity"]["command"],
        "switch"
    );
    let (status, body) = house
        .ask("POST", "/api/hosts/web1/command", r#"{"command":"pull"}"#)
        .await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert!(body.contains("busy with `switch`"), "{body}");

    let house = house.restart().await;
    let mut message = register("web1");
    message.runs = vec![journal.known()];
    let (mut agent, registered) = Agent::join(&house, message).await;
    assert_eq!(
        (registered.resume[0].run, registered.resume[0].seq.0),
        (run, 2)
    );
    let rest = [
        journal.output(b"o\n"),
        journal.finished(RunState::Succeeded),
    ]
    .concat();
    agent.send(journal.frame(&rest)).await;
    assert_eq!(agent.ack().await, (4, false));
    let done = house.get(&path).await;
    assert_eq!(
        (done["state"].as_str(), done["lines"].as_u64()),
        (Some("succeeded"), Some(2))
    );
    assert_eq!(text(&house, run).await, "one\ntwo\n");
    let log = house.get(&format!("{path}/log")).await;
    assert_eq!(log["lines"][1]["text"], "two");
    assert_eq!(
        (log["next"].as_u64(), log["complete"].as_bool()),
        (Some(3), Some(true))
    );
    assert!(house.get("/api/hosts/web1").await["activity"].is_null());
    // What is over is acknowledged again, and changes nothing.
    agent.send(journal.frame(&rest)).await;
    assert_eq!(agent.ack().await, (4, false));
    assert_eq!(text(&house, run).await, "one\ntwo\n");
}

#[tokio::test]
async fn doubles_are_ignored_and_holes_and_damage_ask_for_a_rewind() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let one = journal.started();
    let two = journal.output(b"two\n");
    let three = journal.output(b"three\n");
    let mut broken = journal.output(b"four\n");
    let four = broken.clone();
    agent
        .send(journal.frame(&[one.clone(), two.clone()].concat()))
        .await;
    assert_eq!(agent.ack().await, (2, false));
    agent.send(journal.frame(&[one, two].concat())).await;
    assert_eq!(agent.ack().await, (2, false), "doubles");
    agent.send(journal.frame(&four)).await;
    assert_eq!(agent.ack().await, (2, true), "a hole");
    let last = broken.len() - 1;
    broken[last] ^= 1;
    agent.send(journal.frame(&[three, broken].concat())).await;
    assert_eq!(agent.ack().await, (3, true), "damage after a good one");
    agent.send(journal.frame(&four)).await;
    assert_eq!(agent.ack().await, (4, false));
    assert_eq!(text(&house, run).await, "two\nthree\nfour\n");
}

#[tokio::test]
async fn a_run_is_its_hosts_alone() {
    let house = House::start().await;
    let (mut owner, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut owner, "web1").await;
    let mut journal = Journal::new(run);
    let mut thief_register = register("thief");
    thief_register.runs = vec![journal.known()];
    let (mut thief, registered) = Agent::join(&house, thief_register).await;
    assert!(registered.resume.is_empty());
    let own = Journal::new(RunId::new());
    let first = journal.started();
    thief.send(journal.frame(&first)).await;
    thief.send(own.frame(&first)).await;
    let rejected = CommandRejected {
        run: Some(run),
        ..CommandRejected::default()
    };
    thief.say(&ToDashboard::CommandRejected(rejected)).await;
    // Its heartbeat is answered: the connection is unharmed, and nothing else was.
    thief.beat(1).await;
    assert_eq!(thief.next().await, ToAgent::HeartbeatAck { n: 1 });
    owner.send(journal.frame(&first)).await;
    assert_eq!(owner.ack().await, (1, false));
    assert_eq!(
        house.get(&format!("/api/runs/{run}")).await["state"],
        "running"
    );
}

#[tokio::test]
async fn a_run_that_the_dashboard_does_not_know_is_taken_in() {
    let house = House::start().await;
    let mut journal = Journal::new(RunId::new());
    let mut message = register("web1");
    message.runs = vec![journal.known()];
    let (mut agent, registered) = Agent::join(&house, message).await;
    assert_eq!(registered.resume[0].seq.0, 0);
    let all = [
        journal.started(),
        journal.output(b"x\n"),
        journal.finished(RunState::Failed),
    ];
    agent.send(journal.frame(&all.concat())).await;
    assert_eq!(agent.ack().await, (3, false));
    let run = house.get(&format!("/api/runs/{}", journal.run)).await;
    assert_eq!(
        (run["state"].as_str(), run["requested_by"].as_str()),
        (Some("failed"), Some("the host"))
    );
    assert_eq!(run["reason"], "the program ended with exit status 0");
}

#[tokio::test]
async fn a_run_that_the_host_does_not_know_any_more_is_lost_until_its_journal_comes() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}");
    let (mut agent, _) = {
        drop(agent);
        Agent::join(&house, register("web1")).await
    };
    let lost = house.get(&path).await;
    assert_eq!(lost["state"], "lost");
    assert!(
        lost["reason"].as_str().unwrap().contains("ask again"),
        "{lost}"
    );
    let mut journal = Journal::new(run);
    let started = journal.started();
    agent.send(journal.frame(&started)).await;
    assert_eq!(agent.ack().await, (1, false));
    assert_eq!(house.get(&path).await["state"], "running");
    let (_agent, _) = Agent::join(&house, register("web1")).await;
    let lost = house.get(&path).await;
    assert!(
        lost["reason"].as_str().unwrap().contains("after 0 lines"),
        "{lost}"
    );
}

#[tokio::test]
async fn a_rejected_command_is_a_failed_run_with_the_hosts_reason() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let rejected = CommandRejected {
        run: Some(run),
        reason: "the disk is full".into(),
        ..CommandRejected::default()
    };
    agent.say(&ToDashboard::CommandRejected(rejected)).await;
    let path = format!("/api/runs/{run}");
    let failed = house.wait(&path, |run| run["state"] == "failed").await;
    assert_eq!(
        failed["reason"],
        "the host did not start it: the disk is full"
    );
    house.start_run(&mut agent, "web1").await;
}

#[tokio::test]
async fn a_stop_reaches_the_agent() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let stop = format!("/api/runs/{run}/stop");
    let (status, _) = house.ask("POST", &stop, r#"{"force":true}"#).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    let ToAgent::RunStop(message) = agent.next().await else {
        panic!("no run_stop");
    };
    assert!(message.force && message.run == run);
    let mut journal = Journal::new(run);
    let all = [journal.started(), journal.finished(RunState::Stopped)].concat();
    agent.send(journal.frame(&all)).await;
    agent.acked(2).await;
    let (status, body) = house.ask("POST", &stop, "").await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
}

#[tokio::test]
async fn what_is_not_on_the_disk_is_not_acknowledged() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut reader = house.app.live.watch(run).unwrap();
    let tips = &mut reader.tips;
    tips.borrow_and_update();
    house.app.store.close().await;
    let mut journal = Journal::new(run);
    let first = [journal.started(), journal.output(b"x\n")].concat();
    agent.send(journal.frame(&first)).await;
    assert_eq!(agent.ack().await, (0, true));
    assert!(
        !tips.has_changed().unwrap(),
        "published before it was stored"
    );
    let refused = house.app.hub.run(Ask {
        host: "web1".parse().unwrap(),
        command: "pull".parse().unwrap(),
        args: Vec::new(),
        by: "test".into(),
        wait: None,
    });
    assert!(refused.await.is_err());
}

#[tokio::test]
async fn a_run_that_no_agent_takes_is_given_up_with_a_reason() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}");
    for n in 1..=2 {
        jump(Duration::from_secs(28)).await;
        // It is there, and says nothing of the run.
        agent.beat(n).await;
        assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n });
        assert_eq!(house.get(&path).await["state"], "queued");
    }
    jump(Duration::from_secs(10)).await;
    let lost = house.wait(&path, |run| run["state"] == "lost").await;
    let reason = lost["reason"].as_str().unwrap();
    assert!(reason.contains("within 60 seconds"), "{reason}");
    // The host is free for the next one.
    house.start_run(&mut agent, "web1").await;
}
