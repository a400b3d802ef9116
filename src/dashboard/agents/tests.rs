mod keys;
mod visit;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, pause, sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::dashboard::testing::{AGENT_TOKEN, Agent, House, Journal, register};
use crate::run::id::RunId;
use crate::wire::MAX_FRAME;
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{Heartbeat, ToDashboard};

#[tokio::test]
async fn t01_a_bad_token_is_refused_before_the_upgrade() {
    let house = House::start().await;
    for token in ["", "wrong", "agent-token2"] {
        let Err(Error::Http(response)) = Agent::dial(house.address, token).await else {
            panic!("not refused");
        };
        assert_eq!(response.status(), 401);
        let body = String::from_utf8_lossy(response.body().as_ref().unwrap()).into_owned();
        assert!(body.contains(r#""code":"unauthorized""#), "{body}");
    }
}

#[tokio::test]
async fn t01_the_last_connection_of_a_host_wins() {
    let house = House::start().await;
    let (mut first, registered) = Agent::join(&house, register("web1")).await;
    assert_eq!(
        (registered.host_id.as_str(), registered.protocol),
        ("web1", Some(3))
    );
    let (mut second, _) = Agent::join(&house, register("web1")).await;
    let (code, reason) = first.closed().await;
    assert_eq!(code, 1008, "{reason}");
    second.beat(1).await;
    assert_eq!(second.next().await, ToAgent::HeartbeatAck { n: 1 });
    let host = house
        .wait("/api/hosts/web1", |host| host["status"] == "online")
        .await;
    assert_eq!(host["heartbeats"], 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_ignored_and_the_connection_stays() {
    let house = House::start().await;
    let mut agent = Agent::dial(house.address, AGENT_TOKEN).await.unwrap();
    for text in [
        "",
        "{",
        "[]",
        r#"{"type":"dance"}"#,
        r#"{"type":"heartbeat","payload":5}"#,
    ] {
        agent.send(Message::text(text)).await;
    }
    agent.send(Message::binary(vec![9, 9, 9])).await;
    agent
        .say(&ToDashboard::Register(Box::new(register("web1"))))
        .await;
    assert!(matches!(agent.next().await, ToAgent::Registered(_)));
    for text in ["", "{", r#"{"type":"dance"}"#, "\u{1b}[2J"] {
        agent.send(Message::text(text)).await;
    }
    agent
        .send(Message::binary(vec![3, 255, 255, 255, 255]))
        .await;
    let odd = r#"{"type":"heartbeat","payload":{"n":4,"generation":"abc","metrics":{"cpu":"0.5","ram":1,"swap":0,"load":"2"},"new":1}}"#;
    agent.send(Message::text(odd)).await;
    assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n: 4 });
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(host["metrics"]["cpu"], 0.5);
    assert_eq!(host["generation"], "abc");
}

#[tokio::test]
async fn names_that_are_none_are_refused_with_a_reason() {
    let house = House::start().await;
    let long = "a".repeat(300);
    for name in ["", "<b>", "a/b", "..", "a\u{1b}[0m", "a\nb", long.as_str()] {
        let mut agent = Agent::dial(house.address, AGENT_TOKEN).await.unwrap();
        agent
            .say(&ToDashboard::Register(Box::new(register(name))))
            .await;
        let (code, reason) = agent.closed().await;
        assert_eq!(code, 1008);
        assert!(reason.starts_with("host name `"), "{reason}");
    }
    assert_eq!(
        house.get("/api/hosts").await["hosts"]
            .as_array()
            .unwrap()
            .len(),
        0
    );
}

#[tokio::test]
async fn a_frame_over_the_limit_closes_this_connection_alone() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let (mut other, _) = Agent::join(&house, register("web2")).await;
    agent.send(Message::text("x".repeat(MAX_FRAME + 1))).await;
    assert_eq!(agent.closed().await.0, 1009);
    other.beat(1).await;
    assert_eq!(other.next().await, ToAgent::HeartbeatAck { n: 1 });
}

#[tokio::test]
async fn an_agent_of_protocol_2_registers_and_beats() {
    let house = House::start().await;
    let mut agent = Agent::dial(house.address, AGENT_TOKEN).await.unwrap();
    let old = r#"{"type":"register","payload":{"hostname":"old","host_type":"macos","agent_version":"2.0","heartbeat_interval":30}}"#;
    agent.send(Message::text(old)).await;
    let ToAgent::Registered(registered) = agent.next().await else {
        panic!("no welcome");
    };
    assert_eq!(
        (registered.host_id.as_str(), registered.protocol),
        ("old", None)
    );
    let beat = r#"{"type":"heartbeat","payload":{"generation":"1234567","pending_command":null,"metrics":null}}"#;
    agent.send(Message::text(beat)).await;
    let host = house
        .wait("/api/hosts/old", |host| host["status"] == "online")
        .await;
    assert_eq!(host["protocol"], 2);
    let body = r#"{"command":"switch"}"#;
    let (status, body) = house.ask("POST", "/api/hosts/old/command", body).await;
    assert_eq!(status, 202, "{body}");
    let command = agent.socket.next().await.unwrap().unwrap();
    let expected = r#"{"type":"command","payload":{"command":"switch"}}"#;
    assert_eq!(command, Message::text(expected));
}

#[tokio::test]
async fn a_disconnected_host_is_reconnecting_and_a_stopping_dashboard_says_so() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    agent.beat(1).await;
    agent.next().await;
    drop(agent);
    house
        .wait("/api/hosts/web1", |host| host["status"] == "reconnecting")
        .await;
    // A second without heartbeat more than the limit of three.
    house
        .wait("/api/hosts/web1", |host| host["status"] == "offline")
        .await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    agent.beat(1).await;
    agent.next().await;
    house.app.shutdown.cancel();
    assert_eq!(agent.closed().await.0, 1001);
    let house = house.restart().await;
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(host["status"], "reconnecting", "{host}");
}

#[tokio::test]
async fn heartbeats_are_answered_while_the_store_is_stuck_and_the_window_is_kept() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    // Another process holds the database's write lock.
    let lock = house.app.store.hold_writer().await;
    let mut journal = Journal::new(run);
    let started = journal.started();
    agent.send(journal.frame(&started)).await;
    for n in 1..=20 {
        agent.beat(n).await;
        assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n });
    }
    assert_eq!(house.get("/api/hosts/web1").await["heartbeats"], 20);
    let mut other = Journal::new(RunId::new());
    let raw = vec![b'x'; 64 * 1024];
    for _ in 0..80 {
        let record = other.output(&raw);
        let frame = other.frame(&record);
        if agent.socket.send(frame).await.is_err() {
            break;
        }
    }
    let (code, reason) = agent.closed().await;
    assert_eq!(code, 1008);
    assert!(reason.contains("run_ack"), "{reason}");
    drop(lock);
}

#[tokio::test]
async fn who_comes_and_goes_while_the_store_is_stuck_does_not_pile_up() {
    let house = House::start().await;
    let lock = house.app.store.hold_writer().await;
    for _ in 0..5 {
        let mut agent = Agent::dial(house.address, AGENT_TOKEN).await.unwrap();
        let register = ToDashboard::Register(Box::new(register("web1")));
        agent.say(&register).await;
        let (fleet, host) = (&house.app.fleet, "web1".parse().unwrap());
        let come = |_: &_| fleet.peer(&host).is_some();
        house.wait("/api/hosts", come).await;
        drop(agent);
        let gone = |_: &_| fleet.peer(&host).is_none();
        house.wait("/api/hosts", gone).await;
    }
    // At most one of them is in the hub's hands, and none waits for it.
    assert_eq!(house.app.hub.waiting().connections, 0);
    drop(lock);
}

#[tokio::test]
async fn who_does_not_register_is_closed_with_a_reason() {
    let house = House::start().await;
    let mut agent = Agent::dial(house.address, AGENT_TOKEN).await.unwrap();
    pause();
    let began = Instant::now();
    let (code, reason) = agent.closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (1008, "no register within 15 seconds")
    );
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(14) && took < Duration::from_secs(16),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_quiet_agent_is_pinged_and_a_silent_one_closed() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    pause();
    // Who beats is there: nothing is asked.
    for n in 1..=4 {
        sleep(Duration::from_secs(30)).await;
        let heartbeat = Heartbeat {
            n,
            ..Heartbeat::default()
        };
        agent
            .say(&ToDashboard::Heartbeat(Box::new(heartbeat)))
            .await;
        let message = timeout(Duration::from_secs(1), agent.socket.next()).await;
        let message = message.expect("silence").unwrap().unwrap();
        assert!(matches!(message, Message::Text(_)), "{message:?}");
    }
    let began = Instant::now();
    let next = async |agent: &mut Agent| {
        let message = timeout(Duration::from_secs(100), agent.socket.next()).await;
        (message.expect("silence").unwrap().unwrap(), began.elapsed())
    };
    // The library answers pings while somebody reads.
    for n in 1..=4 {
        let (message, at) = next(&mut agent).await;
        assert!(matches!(message, Message::Ping(_)), "{message:?}");
        let due = Duration::from_secs(35 * n);
        assert!(
            at + Duration::from_secs(1) > due && at < due + Duration::from_secs(1),
            "{at:?}"
        );
    }
    // Nobody reads, nobody answers.
    sleep(Duration::from_secs(70)).await;
    let (code, reason) = agent.closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (1008, "nothing heard for 60 seconds")
    );
}
