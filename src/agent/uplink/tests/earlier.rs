//! A dashboard of the earlier protocol.

use futures_util::StreamExt as _;

use super::kept::{finished, new_run};
use super::*;
use crate::agent::journal::JournalWriter;
use crate::run::event::RunEvent;

#[tokio::test]
async fn a_dashboard_that_knows_no_runs_is_told_lines_and_their_end() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    kept_run(state.path(), 1, 10);
    let agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.0
        .send(Message::text(
            r#"{"type":"registered","payload":{"host_id":"abc"}}"#,
        ))
        .await
        .unwrap();
    // Pongs are not answered here, so the run is kept: nobody knows whether its end was heard.
    let mut told = Vec::new();
    while told.iter().filter(|kind| **kind == "heartbeat").count() < 2 {
        let message = tokio::time::timeout(DEADLINE, peer.0.next()).await;
        let Message::Text(text) = message.unwrap().unwrap().unwrap() else {
            continue;
        };
        let message: crate::wire::v2::ToDashboard = serde_json::from_str(&text).unwrap();
        told.push(match message {
            crate::wire::v2::ToDashboard::Heartbeat(_) => "heartbeat",
            crate::wire::v2::ToDashboard::Output(_) => "output",
            crate::wire::v2::ToDashboard::Status(_) => "status",
            crate::wire::v2::ToDashboard::CommandComplete(_) => "complete",
            other => panic!("{other:?}"),
        });
    }
    let count = |kind: &str| told.iter().filter(|found| *found == &kind).count();
    assert_eq!((count("status"), count("complete")), (1, 1), "{told:?}");
    agent.shutdown.cancel();
}

#[tokio::test]
async fn the_agents_own_lines_are_told_too_and_once() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let dir = new_run(state.path());
    let mut writer = JournalWriter::open(&dir.journal()).unwrap();
    let refused = RunEvent::StopRequested {
        at: 1,
        by: "operator ann".into(),
        force: false,
        refused: Some("the activation has begun".into()),
    };
    writer.append(&refused, &[]);
    writer.append(&finished(0), &[]);
    let agent = Agent::start(&listener, state.path(), |_| {});
    let mut own = Vec::new();
    // On the second connection it is told that it ended, and no line again.
    for _ in 0..2 {
        let (mut peer, _) = Peer::accept(&listener).await;
        peer.register().await;
        let registered = r#"{"type":"registered","payload":{"host_id":"abc"}}"#;
        peer.0.send(Message::text(registered)).await.unwrap();
        loop {
            let message = tokio::time::timeout(DEADLINE, peer.0.next()).await;
            let Message::Text(text) = message.unwrap().unwrap().unwrap() else {
                continue;
            };
            match serde_json::from_str(&text).unwrap() {
                crate::wire::v2::ToDashboard::Output(output) => own.push(output.line),
                crate::wire::v2::ToDashboard::CommandComplete(_) => break,
                _ => {}
            }
        }
    }
    assert_eq!(
        own,
        ["nixfleet: a stop by operator ann is refused: the activation has begun"]
    );
    agent.shutdown.cancel();
}
