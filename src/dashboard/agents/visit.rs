//! A single heartbeat (`--once`) of a host whose agent is connected: it is answered, so that whoever sent it knows that it could,
//! and changes nothing. The agent's own heartbeats say more.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};
use tokio::time::timeout;

use super::connection::{Gone, Log, say};
use super::handshake::REGISTER;
use super::peer::{Closing, Peer};
use crate::dashboard::app::AppState;
use crate::wire::PROTOCOL;
use crate::wire::to_agent::{Registered, ToAgent};
use crate::wire::to_dashboard::ToDashboard;

/// Answers `register` and heartbeats, until it goes or stays for too long.
pub(super) async fn receive(
    app: &AppState,
    socket: &mut WebSocket,
    peer: &Arc<Peer>,
    log: &mut Log,
) -> Gone {
    tokio::select! {
        () = app.shutdown.cancelled() => Gone::Left,
        gone = timeout(REGISTER, answer(socket, peer, log)) => gone.unwrap_or_else(|_| {
            Gone::Close(Closing {
                code: 1008,
                reason: format!("a single heartbeat takes no {} seconds", REGISTER.as_secs()),
            })
        }),
    }
}

async fn answer(socket: &mut WebSocket, peer: &Arc<Peer>, log: &mut Log) -> Gone {
    let registered = ToAgent::Registered(Registered {
        host_id: peer.host.to_string(),
        protocol: Some(PROTOCOL),
        resume: Vec::new(),
        subjects: false,
    });
    if let Err(gone) = say(socket, peer.protocol, &registered).await {
        return gone;
    }
    loop {
        let text = match socket.recv().await {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_))) | None => return Gone::Left,
            Some(Ok(_)) => continue,
            Some(Err(error)) => return Gone::from_error(&error),
        };
        match serde_json::from_str(text.as_str()) {
            Ok(ToDashboard::Heartbeat(heartbeat)) => {
                tracing::info!(host = %peer.host, "a single heartbeat beside the agent's own");
                let ack = ToAgent::HeartbeatAck { n: heartbeat.n };
                if let Err(gone) = say(socket, peer.protocol, &ack).await {
                    return gone;
                }
            }
            Ok(_) => {}
            Err(error) => log.ignored(&error.to_string(), text.as_str()),
        }
    }
}
