//! A dashboard of the earlier protocol.

use super::*;

#[tokio::test]
async fn a_dashboard_that_knows_no_runs_is_given_heartbeats_only() {
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
    for n in 1..=2 {
        match peer.next().await {
            Said::Message(ToDashboard::Heartbeat(heartbeat)) => assert_eq!(heartbeat.n, n),
            other => panic!("{other:?}"),
        }
    }
    agent.shutdown.cancel();
}
