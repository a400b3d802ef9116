//! What a heartbeat is, as the agent writes it onto the wire: the first group of the second earlier program's cases, by
//! their names.

use nixfleet::wire::to_agent::{Registered, ToAgent};
use serde_json::Value;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::played::Peer;

/// The text of the next message of that type.
async fn next(peer: &mut Peer, kind: &str) -> Value {
    loop {
        if let Message::Text(text) = peer.next().await {
            let value: Value = serde_json::from_str(&text).unwrap();
            if value["type"] == kind {
                return value["payload"].clone();
            }
        }
    }
}

fn millis() -> u64 {
    nixfleet::base::clock::now()
}

fn metrics(agent: &Agent) {
    let dir = agent.dir.path().join("stasysmo");
    std::fs::create_dir(&dir).unwrap();
    let now = (millis() / 1000).to_string();
    for (name, value) in [
        ("cpu", "12"),
        ("ram", "48.5"),
        ("swap", "0"),
        ("load", "1.24"),
        ("timestamp", &now),
    ] {
        std::fs::write(dir.join(name), format!("{value}\n")).unwrap();
    }
}

#[tokio::test]
async fn heartbeat_message_has_all_required_fields() {
    let listener = listener().await;
    let mut agent = Agent::new(&listener, "");
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    let beat = next(&mut peer, "heartbeat").await;
    for field in ["n", "generation", "nixpkgs_version", "at"] {
        assert!(!beat[field].is_null(), "{field}: {beat}");
    }
    // What there is none of is said to be none: absent would be another protocol.
    let fields = beat.as_object().unwrap();
    for field in ["pending_command", "command_pid", "metrics", "activity"] {
        assert_eq!(fields.get(field), Some(&Value::Null), "{field}: {beat}");
    }
    assert_eq!(beat["n"], 1);
    assert_eq!(next(&mut peer, "heartbeat").await["n"], 2);
}

#[tokio::test]
async fn heartbeat_includes_resource_metrics() {
    let listener = listener().await;
    let mut agent = Agent::new(&listener, "");
    metrics(&agent);
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    let beat = next(&mut peer, "heartbeat").await;
    let expected = serde_json::json!({"cpu": 12.0, "ram": 48.5, "swap": 0.0, "load": 1.24});
    assert_eq!(beat["metrics"], expected, "{beat}");
}

#[tokio::test]
async fn heartbeat_status_update_structure() {
    let listener = listener().await;
    let mut agent = Agent::new(
        &listener,
        "[commands.wait]\nargv = [\"/bin/sleep\", \"60\"]",
    );
    agent.start();
    let (mut peer, _) = Peer::accept(&listener, &[]).await;
    assert!(next(&mut peer, "heartbeat").await["activity"].is_null());
    let run = peer.run("wait").await;
    let beat = loop {
        let beat = next(&mut peer, "heartbeat").await;
        if !beat["command_pid"].is_null() {
            break beat;
        }
    };
    let activity = &beat["activity"];
    assert_eq!(activity["run"], run.to_string(), "{beat}");
    assert_eq!(
        (&activity["command"], &beat["pending_command"]),
        (&"wait".into(), &"wait".into())
    );
    assert!(activity["since"].as_u64().unwrap() <= millis());
    assert!(activity.get("phase").is_some() && activity.get("progress").is_some());
    let stop = nixfleet::wire::to_agent::RunStop {
        run,
        force: true,
        requested_by: "ann".into(),
    };
    peer.say(&ToAgent::RunStop(stop)).await;
    while !next(&mut peer, "heartbeat").await["activity"].is_null() {}
}

/// The time is milliseconds since the epoch, which has no time zone: an agent elsewhere says the same.
#[tokio::test]
async fn heartbeat_timestamp_is_utc() {
    let listener = listener().await;
    let mut agent = Agent::new(&listener, "");
    let before = millis();
    agent.start_with(&[("TZ", "Pacific/Kiritimati")]);
    let (mut peer, register) = Peer::accept(&listener, &[]).await;
    let beat = next(&mut peer, "heartbeat").await;
    for at in [register.at.unwrap(), beat["at"].as_u64().unwrap()] {
        assert!((before..=millis()).contains(&at), "{at}");
    }
}

/// A heartbeat names no host: it counts for the one that registered on its connection, and for no other.
#[tokio::test]
async fn heartbeat_agent_id_correct() {
    let listener = listener().await;
    let mut agent = Agent::new(&listener, "");
    agent.start();
    for _ in 0..2 {
        let accepted = listener.accept().await.unwrap();
        let socket = tokio_tungstenite::accept_async(accepted.0).await.unwrap();
        let mut peer = Peer {
            socket,
            beats: Vec::new(),
        };
        // Nothing comes before `register`, which says who it is.
        let Message::Text(first) = peer.next().await else {
            panic!("no text came first");
        };
        let first: Value = serde_json::from_str(&first).unwrap();
        assert_eq!(
            (&first["type"], &first["payload"]["hostname"]),
            (&"register".into(), &"web1".into())
        );
        let registered = Registered {
            host_id: "web1".into(),
            protocol: Some(3),
            resume: Vec::new(),
            subjects: false,
        };
        peer.say(&ToAgent::Registered(registered)).await;
        let beat = next(&mut peer, "heartbeat").await;
        assert!(beat.get("hostname").is_none(), "{beat}");
        // And it is the same on the next connection.
        peer.socket.close(None).await.unwrap();
    }
}
