use std::time::Duration;

use axum::http::StatusCode;
use futures_util::StreamExt as _;
use tokio::time::timeout;

use crate::dashboard::testing::{Agent, House, SOON, register};
use crate::wire::to_agent::{Message, ToAgent};
use crate::wire::to_dashboard::{Publish, Register, Subscribe, ToDashboard};

async fn listen(agent: &mut Agent, patterns: &[&str]) {
    let patterns = patterns.iter().map(|text| text.parse().unwrap()).collect();
    agent
        .say(&ToDashboard::Subscribe(Subscribe { patterns }))
        .await;
    // The answer to a heartbeat comes after it.
    agent.beat(1).await;
    while !matches!(agent.next().await, ToAgent::HeartbeatAck { .. }) {}
}

async fn heard(agent: &mut Agent) -> Message {
    match agent.next().await {
        ToAgent::Message(message) => *message,
        other => panic!("no message but {other:?}"),
    }
}

#[tokio::test]
async fn an_operator_publishes_to_agents_and_is_told_to_how_many() {
    let house = House::start().await;
    let (mut one, _) = Agent::join(&house, register("web1")).await;
    let (mut two, _) = Agent::join(&house, register("web2")).await;
    listen(&mut one, &["tasks.*"]).await;
    listen(&mut two, &["tasks.>", "x"]).await;
    let body = r#"{"subject":"tasks.new","payload":{"n":1}}"#;
    let (status, answer) = house.ask("POST", "/api/publish", body).await;
    assert_eq!(
        (status, answer.as_str()),
        (StatusCode::OK, r#"{"delivered":2}"#)
    );
    for agent in [&mut one, &mut two] {
        let message = heard(agent).await;
        assert_eq!(message.subject.as_str(), "tasks.new");
        assert_eq!(message.payload["n"], 1);
        assert_eq!(message.from, "operator token tests");
    }
    let body = r#"{"subject":"tasks.a.b"}"#;
    let (_, answer) = house.ask("POST", "/api/publish", body).await;
    assert_eq!(answer, r#"{"delivered":1}"#);
    assert!(heard(&mut two).await.payload.is_null());
}

#[tokio::test]
async fn a_request_is_answered_by_whoever_listens() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    listen(&mut agent, &["ask.>"]).await;
    let body = r#"{"subject":"ask.time","payload":"now","timeout_ms":20000}"#;
    let (answered, ()) = tokio::join!(house.ask("POST", "/api/request", body), async {
        let question = heard(&mut agent).await;
        let answer = Publish {
            id: 1,
            subject: question.reply_to.unwrap(),
            payload: serde_json::json!({ "asked": question.payload }),
            reply_to: None,
        };
        agent.say(&ToDashboard::Publish(Box::new(answer))).await;
    });
    let (status, answer) = answered;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(
        (&answer["payload"]["asked"], &answer["from"]),
        (&"now".into(), &"web1".into())
    );
    let ToAgent::Published(published) = agent.next().await else {
        panic!("not published");
    };
    assert_eq!((published.delivered, published.refused), (1, None));
}

#[tokio::test]
async fn what_cannot_be_sent_or_answered_says_why() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    listen(&mut agent, &["silent"]).await;
    let large = format!(r#"{{"subject":"a","payload":"{}"}}"#, "x".repeat(65_536));
    for (path, body, status, part) in [
        ("publish", r#"{"subject":"a.*"}"#, 400, "wildcards"),
        (
            "publish",
            r#"{"subject":"a","organisation":"b"}"#,
            400,
            "organisation",
        ),
        ("publish", r#"{"payload":1}"#, 400, "subject"),
        (
            "publish",
            r#"{"subject":"a","timeout_ms":1}"#,
            400,
            "/api/request",
        ),
        ("publish", large.as_str(), 413, "65538 bytes"),
        (
            "request",
            r#"{"subject":"a"}"#,
            409,
            "nobody listens to `a`",
        ),
        (
            "request",
            r#"{"subject":"a","timeout_ms":0}"#,
            422,
            "between 1 and 25000",
        ),
        (
            "request",
            r#"{"subject":"a","reply_to":"b"}"#,
            400,
            "reply_to",
        ),
        (
            "request",
            r#"{"subject":"silent","timeout_ms":30}"#,
            504,
            "within 30 ms",
        ),
    ] {
        let (found, answer) = house.ask("POST", &format!("/api/{path}"), body).await;
        assert_eq!(found.as_u16(), status, "{answer}");
        assert!(answer.contains(part), "{answer}");
    }
    for (query, part) in [
        ("", "no `subject`"),
        ("subject=a..b", "empty token"),
        ("subject=a&x=1", "`x` is nothing"),
        ("subject=a&organization=a%20b", "organization `a b`"),
    ] {
        let (found, answer) = house
            .ask("GET", &format!("/api/subscribe?{query}"), "")
            .await;
        assert_eq!(found.as_u16(), 400, "{answer}");
        assert!(answer.contains(part), "{answer}");
    }
}

#[tokio::test]
async fn a_stream_says_what_it_listens_to_then_each_message() {
    let house = House::start().await;
    let path = "/api/subscribe?subject=tasks.*&subject=jobs.%3E";
    let response = house.open("GET", path, &[], "").await;
    assert_eq!(response.status(), StatusCode::OK);
    let mut stream = response.into_body().into_data_stream();
    let mut text = String::new();
    let mut sent = false;
    timeout(SOON, async {
        while !text.contains("\"n\":2") {
            let bytes = stream.next().await.unwrap().unwrap();
            text.push_str(std::str::from_utf8(&bytes).unwrap());
            if !std::mem::replace(&mut sent, true) {
                for body in [
                    r#"{"subject":"other","payload":{"n":0}}"#,
                    r#"{"subject":"tasks.new","payload":{"n":1}}"#,
                    r#"{"subject":"jobs.a.b","payload":{"n":2}}"#,
                ] {
                    house.ask("POST", "/api/publish", body).await;
                }
            }
        }
    })
    .await
    .unwrap();
    let events: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("event:"))
        .collect();
    assert_eq!(
        events,
        ["event: listening", "event: message", "event: message"]
    );
    assert!(!text.contains("\"n\":0"), "{text}");
    house.app.shutdown.cancel();
    let rest = timeout(SOON, stream.next()).await.unwrap();
    assert!(rest.is_none());
}

#[tokio::test]
async fn organizations_hear_nothing_of_each_other() {
    let house = House::start().await;
    let of = |host: &str, organization: &str| Register {
        organization: Some(organization.into()),
        ..register(host)
    };
    let (mut inside, _) = Agent::join(&house, of("a1", "acme")).await;
    let (mut outside, _) = Agent::join(&house, of("b1", "other")).await;
    let (mut unnamed, _) = Agent::join(&house, register("c1")).await;
    for agent in [&mut inside, &mut outside, &mut unnamed] {
        listen(agent, &[">"]).await;
    }
    let body = r#"{"subject":"s","organization":"acme"}"#;
    let (_, answer) = house.ask("POST", "/api/publish", body).await;
    assert_eq!(answer, r#"{"delivered":1}"#);
    assert_eq!(heard(&mut inside).await.subject.as_str(), "s");
    for agent in [&mut outside, &mut unnamed] {
        agent.beat(2).await;
        assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n: 2 });
    }
    let mut bad = Agent::dial(house.address, crate::dashboard::testing::AGENT_TOKEN)
        .await
        .unwrap();
    bad.say(&ToDashboard::Register(Box::new(of("d1", "a b"))))
        .await;
    assert!(bad.closed().await.1.contains("organization is not valid"));
}

#[tokio::test]
async fn a_publisher_over_its_rate_is_told_and_goes_on_beating() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    for id in 0..400 {
        let publish = Publish {
            id,
            subject: "flood".parse().unwrap(),
            payload: serde_json::Value::Null,
            reply_to: None,
        };
        agent.say(&ToDashboard::Publish(Box::new(publish))).await;
    }
    let mut refused = 0;
    for id in 0..400 {
        let ToAgent::Published(published) = agent.next().await else {
            panic!("something else");
        };
        assert_eq!(published.id, id);
        refused += u32::from(
            published
                .refused
                .is_some_and(|why| why.contains("100 messages")),
        );
    }
    assert!(refused >= 1, "nothing was refused");
    agent.beat(1).await;
    assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n: 1 });
}

#[tokio::test]
async fn who_does_not_read_loses_the_oldest_and_hears_how_many() {
    let house = House::start().await;
    let (mut slow, _) = Agent::join(&house, register("slow")).await;
    listen(&mut slow, &["s"]).await;
    let own = crate::wire::subject::Organization::default();
    let text = "x".repeat(60_000);
    // More than the socket and the queue hold, from publishers enough that no rate is reached.
    for n in 0..600_u32 {
        let sent = house
            .app
            .subjects
            .publish(&crate::dashboard::subjects::Outgoing {
                organization: &own,
                subject: "s".parse().unwrap(),
                payload: serde_json::json!({ "n": n, "text": text }),
                reply_to: None,
                from: &format!("p{}", n % 60),
            });
        assert_eq!(sent, Ok(1));
        tokio::task::yield_now().await;
    }
    let (mut next, mut dropped) = (0, 0);
    while next < 600 {
        match timeout(Duration::from_secs(20), slow.next()).await.unwrap() {
            ToAgent::Message(message) => {
                let n = message.payload["n"].as_u64().unwrap();
                assert_eq!(n, next + dropped, "what is dropped is counted");
                next = n + 1;
                dropped = 0;
            }
            ToAgent::MessagesDropped { n } => dropped += n,
            other => panic!("{other:?}"),
        }
    }
}
