//! Runs that wait for their hosts.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::base::clock;
use crate::dashboard::hub::requests::Ask;
use crate::dashboard::testing::{Agent, House, Journal, register};
use crate::run::phase::RunState;
use crate::wire::to_agent::{RunRequest, ToAgent};

async fn post(house: &House, body: Value) -> (StatusCode, Value) {
    let path = "/api/hosts/web1/command";
    let (status, body) = house.ask("POST", path, &body.to_string()).await;
    (status, serde_json::from_str(&body).unwrap())
}

/// The id of a run that waits.
async fn queued(house: &House, command: &str) -> String {
    let (status, body) = post(house, json!({"command": command, "queue": true})).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    assert!(body["queued_until"].is_string(), "{body}");
    body["command_id"].as_str().unwrap().to_owned()
}

async fn asked(agent: &mut Agent) -> RunRequest {
    match agent.next().await {
        ToAgent::Run(request) => request,
        other => panic!("no run but {other:?}"),
    }
}

async fn run(house: &House, id: &str) -> Value {
    house.get(&format!("/api/runs/{id}")).await
}

#[tokio::test]
async fn runs_wait_over_a_restart_and_start_in_order() {
    let house = House::start().await;
    let (agent, _) = Agent::join(&house, register("web1")).await;
    drop(agent);
    house
        .wait("/api/hosts/web1", |_| {
            house.app.fleet.peer(&"web1".parse().unwrap()).is_none()
        })
        .await;
    let (status, body) = post(&house, json!({"command": "switch"})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{body}");
    let (status, _) = post(&house, json!({"command": "dance", "queue": true})).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    let first = queued(&house, "switch").await;
    let second = queued(&house, "pull").await;
    let shown = run(&house, &first).await;
    assert_eq!(shown["state"], "queued");
    let until = clock::parse_rfc3339(shown["queued_until"].as_str().unwrap()).unwrap();
    let left = until.saturating_sub(clock::now());
    assert!((86_300_000..=86_400_000).contains(&left), "{left}");
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&host["queued"], &host["activity"]),
        (&2.into(), &Value::Null)
    );

    let house = house.restart().await;
    assert_eq!(house.get("/api/hosts/web1").await["queued"], 2);
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let request = asked(&mut agent).await;
    assert_eq!(
        (
            request.run.to_string(),
            request.command.as_str(),
            request.requested_by.as_str()
        ),
        (first.clone(), "switch", "token tests")
    );
    let started = run(&house, &first).await;
    assert_eq!(
        (&started["state"], &started["queued_until"]),
        (&"queued".into(), &Value::Null)
    );
    let mut journal = Journal::new(request.run);
    let begun = journal.started();
    agent.send(journal.frame(&begun)).await;
    agent.acked(1).await;
    assert_eq!(house.get("/api/hosts/web1").await["queued"], 1);
    // Its end is enough, before its records are here.
    let end = journal.finished(RunState::Succeeded);
    agent.say(&journal.status(RunState::Succeeded)).await;
    assert_eq!(asked(&mut agent).await.run.to_string(), second);
    agent.send(journal.frame(&end)).await;
    agent.acked(2).await;
    assert_eq!(house.get("/api/hosts/web1").await["queued"], 0);
}

#[tokio::test]
async fn an_idle_host_starts_at_once_and_a_busy_one_after_the_end() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let (status, body) = post(&house, json!({"command": "switch", "queue": true})).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert_eq!(body.get("queued_until"), None, "{body}");
    let busy = asked(&mut agent).await.run;
    let waiting = queued(&house, "pull").await;
    let mut journal = Journal::new(busy);
    let all = [journal.started(), journal.finished(RunState::Failed)].concat();
    agent.send(journal.frame(&all)).await;
    agent.acked(2).await;
    assert_eq!(asked(&mut agent).await.run.to_string(), waiting);
}

#[tokio::test]
async fn a_run_that_waits_can_be_cancelled_and_waits_no_longer_than_it_may() {
    let house = House::start().await;
    let note = r#"{"hostname":"web1"}"#;
    house.ask("POST", "/api/hosts", note).await;
    // Nobody knows what it offers: that is looked at later.
    let cancelled = queued(&house, "dance").await;
    let stop = format!("/api/runs/{cancelled}/stop");
    let (status, body) = house.ask("POST", &stop, "").await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");
    let shown = run(&house, &cancelled).await;
    assert_eq!(
        (&shown["state"], &shown["reason"], &shown["queued_until"]),
        (
            &"stopped".into(),
            &"cancelled by token tests before it began".into(),
            &Value::Null
        )
    );
    assert_eq!(house.ask("POST", &stop, "").await.0, StatusCode::CONFLICT);
    let unknown = queued(&house, "dance").await;
    let good = queued(&house, "switch").await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    assert_eq!(asked(&mut agent).await.run.to_string(), good);
    let shown = run(&house, &unknown).await;
    assert_eq!(shown["state"], "failed");
    assert_eq!(
        shown["reason"],
        "not started: web1 does not offer this command; it offers: switch, pull"
    );
}

#[tokio::test]
async fn a_run_that_waited_too_long_failed_with_a_reason() {
    let house = House::start().await;
    let note = r#"{"hostname":"web1"}"#;
    house.ask("POST", "/api/hosts", note).await;
    let ask = Ask {
        host: "web1".parse().unwrap(),
        command: "switch".parse().unwrap(),
        args: Vec::new(),
        by: "test".into(),
        wait: Some(Duration::from_secs(1)),
    };
    let late = house.app.hub.run(ask).await.unwrap().run;
    let other = queued(&house, "switch").await;
    let shown = house
        .wait(&format!("/api/runs/{late}"), |run| run["state"] == "failed")
        .await;
    assert_eq!(
        shown["reason"],
        "not started: web1 did not connect within 1 second; ask again"
    );
    assert_eq!(run(&house, &other).await["state"], "queued");
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    assert_eq!(asked(&mut agent).await.run.to_string(), other);
}

#[tokio::test]
async fn what_may_not_wait_is_refused_with_a_reason() {
    let house = House::start().await;
    let note = r#"{"hostname":"web1"}"#;
    house.ask("POST", "/api/hosts", note).await;
    for (body, part) in [
        (
            json!({"command": "switch", "queue": true, "expires_in": 59}),
            "not between 60",
        ),
        (
            json!({"command": "switch", "queue": true, "expires_in": 604_801}),
            "7 days",
        ),
        (
            json!({"command": "switch", "expires_in": 60}),
            "`queue` is not true",
        ),
    ] {
        let (status, answer) = post(&house, body).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
        let message = answer["error"]["message"].as_str().unwrap();
        assert!(message.contains(part), "{message}");
    }
    for _ in 0..10 {
        queued(&house, "switch").await;
    }
    let (status, answer) = post(&house, json!({"command": "switch", "queue": true})).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    assert!(answer.to_string().contains("10 runs wait"), "{answer}");
}
