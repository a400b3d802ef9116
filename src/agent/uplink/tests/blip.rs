//! A link that breaks, and comes back.

use super::peer::Peer;
use super::*;
use crate::agent::uplink::{Reconnect, dial};
use crate::base::backoff::Backoff;

#[tokio::test]
async fn agent_reconnects_after_network_blip() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let agent = Agent::start(&listener, state.path(), |_| {});
    for _ in 0..2 {
        let (mut peer, _) = Peer::accept(&listener).await;
        let register = peer.register().await;
        assert_eq!(register.hostname, "web1");
        peer.registered(Vec::new()).await;
        // Each connection begins with a heartbeat at once, numbered from 1.
        assert_eq!(peer.heartbeat().await.n, 1);
        assert!(agent.health.borrow().connected);
        // No goodbye: the other side is gone, as when a cable is cut and the router says so.
        drop(peer);
    }
    let mut health = agent.health.clone();
    tokio::time::timeout(DEADLINE, health.wait_for(|health| !health.connected))
        .await
        .unwrap()
        .unwrap();
}

#[test]
fn reconnection_uses_exponential_backoff() {
    let usual = Reconnect::default();
    let mut backoff = Backoff::new(usual.first, usual.longest);
    let mut longest = Vec::new();
    for _ in 0..9 {
        longest.push(backoff.span().as_secs());
        let span = backoff.span();
        let delay = backoff.next(fastrand::f64());
        assert!(delay <= span && delay >= span / 10, "{delay:?} of {span:?}");
    }
    assert_eq!(longest, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
}

#[tokio::test]
async fn a_dashboard_that_is_away_is_told_from_one_that_refuses() {
    for (answer, is_away) in [
        (None, true),
        (Some("502 Bad Gateway"), true),
        (Some("503 Service Unavailable"), true),
        (Some("401 Unauthorized"), false),
        (Some("404 Not Found"), false),
        (Some("nonsense"), false),
    ] {
        let listener = listener().await;
        let identity = identity(listener.local_addr().unwrap());
        let tls = Tls::for_url("ws://", None).unwrap();
        let server = async {
            let Some(answer) = answer else {
                return drop(listener);
            };
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 2048]).await.unwrap();
            let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        // Where nobody is to listen, nobody does before it is dialled.
        let error = if answer.is_none() {
            server.await;
            dial::dial(&identity, &tls).await.unwrap_err()
        } else {
            tokio::join!(server, dial::dial(&identity, &tls))
                .1
                .unwrap_err()
        };
        assert_eq!(error.is_away, is_away, "{answer:?}: {error}");
    }
}
