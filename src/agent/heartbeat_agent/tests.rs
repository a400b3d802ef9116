//! What can be told without a dashboard; `tests/it/library.rs` has the rest.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::agent::key_file::KeyPair;

fn key(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("agent.key");
    KeyPair::create(&path).unwrap();
    path
}

#[test]
fn what_cannot_be_built_says_what_to_call() {
    let dir = tempfile::tempdir().unwrap();
    let key = key(dir.path());
    let token = dir.path().join("token");
    std::fs::write(&token, "s3cret").unwrap();
    let whole = || {
        HeartbeatAgent::builder()
            .url("ws://127.0.0.1:1")
            .hostname("worker-1")
            .key_file(&key)
    };
    assert!(whole().build().is_ok());
    let second = Duration::from_secs(1);
    let nothing = |_| async {};
    let hasty = Reconnect {
        first: Duration::ZERO,
        ..Reconnect::default()
    };
    let many = (0..64).fold(whole(), |builder, n| builder.on(format!("a.{n}"), nothing));
    for (builder, part) in [
        (HeartbeatAgent::builder(), "call .url("),
        (whole().url("fleet"), "has no scheme"),
        (HeartbeatAgent::builder().url("ws://a"), "call .hostname("),
        (whole().hostname("a b"), "host name `a b`"),
        (whole().token_file(&token), "not both"),
        (
            HeartbeatAgent::builder().url("ws://a").hostname("a"),
            "nothing to come in with",
        ),
        (whole().key_file(dir.path().join("none")), "key create"),
        (whole().organization("a b"), "organization `a b`"),
        (whole().interval(second / 2), "whole seconds"),
        (whole().interval(second * 4000), "whole seconds"),
        (whole().offline_after(0), ".offline_after("),
        (whole().reconnect(hasty), "call .reconnect("),
        (whole().on("a..b", nothing), "empty token"),
        (whole().on(">.b", nothing), "`>` before its end"),
        (whole().on("_reply.>", nothing), "replies of others"),
        (many, "at most 63"),
        (
            whole().url("wss://a").ca_file("/nowhere"),
            "ca_file /nowhere",
        ),
    ] {
        let error = builder.build().unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains('\n'), "{error}");
    }
}

#[tokio::test]
async fn an_agent_without_a_dashboard_says_so_and_ends_when_its_attempts_are_used_up() {
    let dir = tempfile::tempdir().unwrap();
    // A port that nobody has.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let build = |policy| {
        HeartbeatAgent::builder()
            .url(format!("ws://{address}"))
            .hostname("worker-1")
            .key_file(key_of(dir.path()))
            .reconnect(policy)
            .build()
            .unwrap()
    };
    let mut agent = build(Reconnect::never()).start().await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(20), agent.ended()).await;
    let error = ended.unwrap().unwrap_err().to_string();
    assert!(error.contains("cannot connect"), "{error}");

    let agent = build(Reconnect::default()).start().await.unwrap();
    let error = agent
        .connected(Duration::from_millis(300))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("no connection within 0.3 s"),
        "{error}"
    );
    let health = agent.connection_health();
    assert!(!health.connected && !health.healthy && health.last_ack.is_none());
    assert_eq!(agent.publish("a", 1).await, Err(MessageError::NotConnected));
    let client = agent.client();
    agent.stop().await.unwrap();
    assert_eq!(
        client.publish("a", 1).await,
        Err(MessageError::NotConnected)
    );
}

fn key_of(dir: &Path) -> std::path::PathBuf {
    let path = dir.join("agent.key");
    if path.exists() { path } else { key(dir) }
}
