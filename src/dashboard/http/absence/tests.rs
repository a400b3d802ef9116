use std::time::Duration;

use serde_json::{Value, json};

use crate::base::clock;
use crate::dashboard::testing::{Agent, House, SOON, jump, register};
use crate::wire::to_dashboard::Register;

/// The kinds of the host's events, newest first, once there are `n`.
async fn kinds(house: &House, host: &str, n: usize) -> Vec<String> {
    let path = format!("/api/hosts/{host}/events");
    let enough = |value: &Value| value["events"].as_array().unwrap().len() >= n;
    let found = house.wait(&path, enough).await;
    let events = found["events"].as_array().unwrap();
    let kind = |event: &Value| event["kind"].as_str().unwrap().to_owned();
    events.iter().map(kind).collect()
}

#[tokio::test]
async fn a_maintenance_is_kept_and_told_and_ends() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    agent.beat(1).await;
    house
        .wait("/api/hosts/web1", |host| host["status"] == "online")
        .await;
    let body = r#"{"minutes": 90, "reason": " new disk "}"#;
    let path = "/api/hosts/web1/maintenance";
    let (status, answer) = house.ask("POST", path, body).await;
    assert_eq!(status, 200, "{answer}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let told = &answer["maintenance"];
    assert_eq!(
        (&told["reason"], &told["by"]),
        (&json!("new disk"), &json!("token tests"))
    );
    let until = clock::parse_rfc3339(told["until"].as_str().unwrap()).unwrap();
    let since = clock::parse_rfc3339(told["since"].as_str().unwrap()).unwrap();
    assert_eq!(until - since, 90 * 60_000);
    drop(agent);
    house
        .wait("/api/hosts/web1", |host| host["status"] == "reconnecting")
        .await;
    jump(Duration::from_secs(10)).await;
    let away = house
        .wait("/api/hosts/web1", |host| host["status"] == "offline")
        .await;
    assert_eq!(away["absence"], "maintenance", "{away}");
    // It outlives the dashboard; the silence, which the store has, is no further event.
    let before = kinds(&house, "web1", 5).await;
    let house = house.restart().await;
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(host["maintenance"]["until"], told["until"], "{host}");
    assert_eq!(
        (&host["status"], &host["absence"]),
        (&json!("offline"), &json!("maintenance"))
    );
    let (status, _) = house.ask("DELETE", path, "").await;
    assert_eq!(status, 204);
    let after = kinds(&house, "web1", before.len() + 1).await;
    assert_eq!(after[0], "maintenance_ended");
    assert_eq!(after[1..], before);
    assert_eq!(
        before,
        [
            "offline",
            "reconnecting",
            "maintenance_begun",
            "online",
            "registered"
        ]
    );
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&host["maintenance"], &host["absence"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        house.ask("DELETE", path, "").await.0,
        204,
        "also without one"
    );
}

#[tokio::test]
async fn an_expected_absence_is_kept_until_it_is_left_to_the_device() {
    let house = House::start().await;
    let laptop = Register {
        device_type: "laptop".into(),
        ..register("book")
    };
    let (_agent, _) = Agent::join(&house, laptop).await;
    let path = "/api/hosts/book/absence";
    let expected =
        async |house: &House| house.get("/api/hosts/book").await["expected_absence"].clone();
    assert_eq!(expected(&house).await, true);
    let (status, answer) = house.ask("POST", path, r#"{"expected": false}"#).await;
    assert_eq!(status, 200, "{answer}");
    let house = house.restart().await;
    assert_eq!(expected(&house).await, false);
    house.ask("POST", path, r#"{"expected": null}"#).await;
    assert_eq!(expected(&house).await, true);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name() {
    let house = House::start().await;
    let (_agent, _) = Agent::join(&house, register("web1")).await;
    let long = format!(r#"{{"minutes": 5, "reason": "{}"}}"#, "x".repeat(301));
    let past = r#"{"until": "2020-01-01T00:00:00Z"}"#;
    for (host, what, body, status, part) in [
        ("web1", "maintenance", "{}", 400, "neither"),
        ("web1", "maintenance", r#"{"minutes": 0}"#, 422, "129600"),
        (
            "web1",
            "maintenance",
            r#"{"minutes": 129601}"#,
            422,
            "129601 minutes",
        ),
        (
            "web1",
            "maintenance",
            r#"{"minutes": 5, "until": "x"}"#,
            400,
            "both",
        ),
        (
            "web1",
            "maintenance",
            r#"{"until": "tomorrow"}"#,
            400,
            "tomorrow",
        ),
        ("web1", "maintenance", past, 422, "2020-01-01"),
        (
            "web1",
            "maintenance",
            r#"{"minutes": 5, "from": 1}"#,
            400,
            "from",
        ),
        ("web1", "maintenance", &long, 400, "300 characters"),
        (
            "web1",
            "maintenance",
            r#"{"minutes": 5, "reason": "a\u0007"}"#,
            400,
            "control",
        ),
        ("nobody", "maintenance", r#"{"minutes": 5}"#, 404, "nobody"),
        ("web1", "absence", r#"{"expected": "yes"}"#, 400, "bool"),
        ("nobody", "absence", r#"{"expected": true}"#, 404, "nobody"),
    ] {
        let path = format!("/api/hosts/{host}/{what}");
        let (found, answer) = house.ask("POST", &path, body).await;
        assert_eq!(found, status, "{body}: {answer}");
        assert!(answer.contains(part), "{part} is not in {answer}");
    }
    for (path, status) in [
        ("/api/hosts/web1/events?limit=0", 400),
        ("/api/hosts/web1/events?limit=1001", 400),
        ("/api/hosts/web1/events?before=x", 400),
        ("/api/hosts/nobody/events", 404),
    ] {
        assert_eq!(house.ask("GET", path, "").await.0, status, "{path}");
    }
}

#[tokio::test]
async fn events_that_the_store_does_not_take_cost_events_and_nothing_else() {
    let house = House::start().await;
    house.sql("DROP TABLE host_events").await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    agent.beat(1).await;
    let seen = house
        .wait("/api/hosts/web1", |host| host["status"] == "online")
        .await;
    // Written all the same: the next dashboard knows when it was seen.
    tokio::time::timeout(SOON, async {
        loop {
            let rows = house.app.store.hosts().await.unwrap();
            if rows[0].last_seen_at.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    assert!(seen["last_seen"].is_string());
    assert!(house.app.fleet.event_counts().0 >= 2);
}
