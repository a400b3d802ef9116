use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::io::AsyncReadExt as _;
use tokio::time::{Instant, pause, timeout};

use super::peer::Peer;
use super::{Agent, Reconnect, listener};
use crate::wire::to_agent::ToAgent;

/// Seconds from `since` at which pings come, until the agent gives the connection up; what else it says is left out.
/// Read as bytes: the library would answer.
async fn pings(peer: Peer, since: Instant) -> (Vec<u64>, u64) {
    let (mut stream, mut found) = (peer.0.into_inner(), Vec::new());
    loop {
        let mut head = [0; 2];
        if stream.read_exact(&mut head).await.is_err() {
            return (found, since.elapsed().as_secs());
        }
        let len = match head[1] & 0x7f {
            126 => stream.read_u16().await.unwrap().into(),
            short => usize::from(short),
        };
        // The mask, then what it hides.
        let mut rest = vec![0; 4 + len];
        stream.read_exact(&mut rest).await.unwrap();
        if head[0] & 0x0f == 9 {
            found.push(since.elapsed().as_secs());
        }
    }
}

#[tokio::test]
async fn a_dashboard_that_answers_is_not_pinged_and_a_silent_one_is_given_up_after_45_s() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let agent = Agent::start(&listener, state.path(), |uplink| {
        uplink.identity.interval = Duration::from_secs(30);
    });
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.registered(Vec::new()).await;
    pause();
    let mut last = Instant::now();
    for n in 1..=4 {
        let heartbeat = loop {
            let message = timeout(Duration::from_secs(40), peer.any()).await;
            match message.expect("silence") {
                Some(text) if text.contains("\"heartbeat\"") => break text,
                Some(_) => {}
                None => panic!("a ping before heartbeat {n}"),
            }
        };
        assert!(heartbeat.contains("\"n\""), "{heartbeat}");
        last = Instant::now();
        peer.say(ToAgent::HeartbeatAck { n }).await;
    }
    let (at, gone) = pings(peer, last).await;
    assert_eq!((at.as_slice(), gone), ([32, 37, 42].as_slice(), 45));
    drop(agent);
}

#[tokio::test]
async fn who_answers_pings_and_no_register_is_given_up_after_a_minute() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    pause();
    let began = Instant::now();
    // Reading answers pings.
    while let Some(Ok(_)) = peer.0.next().await {}
    assert_eq!(began.elapsed().as_secs(), 60);
    let health = agent.health.wait_for(|health| health.error.is_some()).await;
    let health = health.unwrap().clone();
    let error = health.error.unwrap();
    assert!(
        error.contains("`register` was not answered within 60 s"),
        "{error}"
    );
    assert_eq!(health.attempts, 1);
}

#[tokio::test]
async fn a_connection_that_was_one_is_no_failed_attempt() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut agent = Agent::start(&listener, state.path(), |uplink| {
        uplink.reconnect = Reconnect {
            first: Duration::from_millis(1),
            ..Reconnect::attempts(1)
        };
    });
    for _ in 0..3 {
        let (mut peer, _) = Peer::accept(&listener).await;
        peer.register().await;
        peer.registered(Vec::new()).await;
        peer.heartbeat().await;
    }
    drop(listener);
    let error = agent.ended().await.unwrap_err().to_string();
    assert!(
        error.contains("giving up after 1 failed attempts"),
        "{error}"
    );
}
