//! One agent's connection from its first message to its last.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use tokio::time::{Instant, timeout};

use super::exchange;
use super::handshake::{self, Admitted, Arrival};
use super::peer::{Batch, Closing, FromAgent, Peer};
use super::{v2, visit};
use crate::dashboard::access::keys;
use crate::dashboard::app::AppState;
use crate::dashboard::hub::sanitize;
use crate::dashboard::subjects::Seat;
use crate::wire::subject::Organization;
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{Register, ToDashboard};
use crate::wire::{MAX_FRAME, frame};

/// An agent that has said nothing for so long is asked: one that beats every 30 s, never.
const PING: Duration = Duration::from_secs(35);
/// A peer that says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(60);
/// How long one message may take to be sent, and the end to be said.
const SEND: Duration = Duration::from_secs(20);
/// How long the end may take.
const CLOSE: Duration = Duration::from_secs(2);
/// So many bad messages of one connection are logged; after that, only each thousandth.
const LOGGED: u64 = 5;

/// Why a connection ends.
#[derive(Debug)]
pub(super) enum Gone {
    /// The agent left, or the link broke.
    Left,
    /// We end it.
    Close(Closing),
}

impl Gone {
    /// What an error in reading means.
    pub fn from_error(error: &axum::Error) -> Self {
        let text = error.to_string();
        // The library's error is behind a box of another crate's version; its text is what says it.
        if text.contains("too long") || text.contains("too big") {
            return Self::Close(Closing {
                code: 1009,
                reason: format!("a message is larger than {MAX_FRAME} bytes"),
            });
        }
        tracing::debug!("a connection broke: {text}");
        Self::Left
    }
}

/// Says what was ignored, but not without end.
#[derive(Debug, Default)]
pub(super) struct Log {
    n_ignored: u64,
}

impl Log {
    /// Something was ignored.
    pub fn ignored(&mut self, why: &str, text: &str) {
        self.n_ignored += 1;
        if self.n_ignored <= LOGGED || self.n_ignored.is_multiple_of(1000) {
            let start: String = text
                .chars()
                .take(80)
                .flat_map(char::escape_default)
                .collect();
            tracing::warn!(
                n = self.n_ignored,
                "an agent's message is ignored: {why}: {start}"
            );
        }
    }
}

/// Serves one connection.
pub(super) async fn serve(app: AppState, mut socket: WebSocket, arrival: Arrival) {
    let mut log = Log::default();
    // The future of the handshake is larger than all the rest and lives for a moment only: on the heap, then gone.
    let registered = Box::pin(async {
        tokio::select! {
            biased;
            () = app.shutdown.cancelled() => Err(leaving()),
            registered = handshake::admit(&app, &mut socket, &mut log, arrival) => registered,
        }
    })
    .await;
    let gone = match registered {
        Err(gone) => gone,
        Ok(Admitted {
            host,
            key,
            organization,
            mut register,
        }) => {
            let protocol = register
                .protocol
                .map_or(crate::wire::v2::PROTOCOL, |offered| {
                    offered.min(crate::wire::PROTOCOL)
                });
            if protocol < 3 {
                v2::complete(&mut register);
            }
            // Not kept: what it says of the host is.
            let is_visit = std::mem::take(&mut register.once) && protocol >= 3;
            let peer = Peer::new(app.connections.number(), host, protocol).with_key(key);
            let peer = Arc::new(peer.with_visit(is_visit));
            if is_visit && app.fleet.peer(&peer.host).is_some() {
                visit::receive(&app, &mut socket, &peer, &mut log).await
            } else {
                stay(&app, &mut socket, &peer, &organization, register, &mut log).await
            }
        }
    };
    if let Gone::Close(closing) = gone {
        tracing::info!(
            "a connection is closed with {}: {}",
            closing.code,
            closing.reason
        );
        let frame = CloseFrame {
            code: closing.code,
            reason: closing.reason.into(),
        };
        Box::pin(async {
            let _ = timeout(CLOSE, socket.send(Message::Close(Some(frame)))).await;
            // Read on until the other side has seen it: a reset would overtake the frame.
            let _ = timeout(CLOSE, async {
                while let Some(Ok(_)) = socket.recv().await {}
            })
            .await;
        })
        .await;
    }
}

/// An agent that stays until it goes, or is replaced.
async fn stay(
    app: &AppState,
    socket: &mut WebSocket,
    peer: &Arc<Peer>,
    organization: &Organization,
    register: Box<Register>,
    log: &mut Log,
) -> Gone {
    tracing::info!(host = %peer.host, connection = peer.id, peer.protocol, "registered");
    if let Some(old) = app.fleet.connect(peer, &register) {
        old.close(
            1008,
            "another connection of the same host has replaced this one",
        );
    }
    // The key may have gone, or the host got one, since it was looked at.
    keys::enforce(&app.keys, &app.fleet, &peer.host);
    let seat = app.subjects.join(organization);
    let welcome = app.hub.deliver(peer, FromAgent::Registered(register));
    let gone = match welcome {
        Ok(()) => talk(app, socket, peer, &seat, log).await,
        Err(closing) => Gone::Close(closing),
    };
    drop(seat);
    app.hub.withdraw(peer);
    app.fleet.disconnect(peer);
    tracing::info!(host = %peer.host, connection = peer.id, "disconnected: {gone:?}");
    gone
}

fn leaving() -> Gone {
    Gone::Close(Closing {
        code: 1001,
        reason: "the dashboard is stopping; it will be back".into(),
    })
}

async fn talk(
    app: &AppState,
    socket: &mut WebSocket,
    peer: &Arc<Peer>,
    seat: &Seat,
    log: &mut Log,
) -> Gone {
    let mut heard = Instant::now();
    // Both wait through all messages: to be set up for each one costs as much as to read it.
    let leave = app.shutdown.cancelled();
    let timer = tokio::time::sleep_until(heard + PING);
    tokio::pin!(leave, timer);
    loop {
        tokio::select! {
            biased;
            () = &mut leave => return leaving(),
            () = &mut timer => {
                let silence = heard.elapsed();
                if silence >= SILENCE {
                    return Gone::Close(Closing {
                        code: 1008,
                        reason: format!("nothing heard for {} seconds", SILENCE.as_secs()),
                    });
                }
                if silence < PING {
                    timer.as_mut().reset(heard + PING);
                    continue;
                }
                timer.as_mut().reset(heard + SILENCE);
                if let Err(gone) = send(socket, Message::Ping(axum::body::Bytes::new())).await {
                    return gone;
                }
            }
            () = peer.outgoing() => {
                while let Some(next) = peer.next_outgoing() {
                    let sent = match next {
                        Ok(message) => say(socket, peer.protocol, &message).await,
                        Err(closing) => Err(Gone::Close(closing)),
                    };
                    if let Err(gone) = sent {
                        return gone;
                    }
                }
            }
            message = socket.recv() => {
                heard = Instant::now();
                let taken = match message {
                    Some(Ok(message)) => take(app, socket, (peer, seat), log, message).await,
                    Some(Err(error)) => Err(Gone::from_error(&error)),
                    None => Err(Gone::Left),
                };
                if let Err(gone) = taken {
                    return gone;
                }
            }
            // Last: messages by subject never delay what the fleet itself needs.
            () = seat.mailbox.news() => {
                if let Some(next) = seat.mailbox.take()
                    && let Err(gone) = exchange::pass_on(socket, &next).await
                {
                    return gone;
                }
            }
        }
    }
}

async fn take(
    app: &AppState,
    socket: &mut WebSocket,
    (peer, seat): (&Arc<Peer>, &Seat),
    log: &mut Log,
    message: Message,
) -> Result<(), Gone> {
    match message {
        Message::Text(text) if peer.protocol < 3 => {
            v2::deliver(app, peer, log, text.as_str()).await?;
        }
        Message::Text(text) => match serde_json::from_str(text.as_str()) {
            Ok(ToDashboard::Heartbeat(mut heartbeat)) => {
                let n = heartbeat.n;
                handshake::cut_heartbeat(&mut heartbeat);
                app.fleet.beat(peer, *heartbeat);
                say(socket, peer.protocol, &ToAgent::HeartbeatAck { n }).await?;
            }
            Ok(ToDashboard::CommandRejected(rejected)) => {
                let message = FromAgent::Rejected(rejected);
                app.hub.deliver(peer, message).map_err(Gone::Close)?;
            }
            Ok(ToDashboard::RunStatus(mut status)) => {
                sanitize::view(&mut status.view);
                let message = FromAgent::Status(status);
                app.hub.deliver(peer, message).map_err(Gone::Close)?;
            }
            Ok(ToDashboard::Publish(publish)) => {
                let answer = exchange::publish(&app.subjects, seat, peer, *publish);
                say(socket, peer.protocol, &answer).await?;
            }
            Ok(ToDashboard::Subscribe(subscribe)) => {
                if let Err(refused) = seat.listen(subscribe.patterns) {
                    log.ignored(&refused.to_string(), text.as_str());
                }
            }
            Ok(ToDashboard::Proof(_)) => log.ignored("a proof that nobody asked for", ""),
            Ok(ToDashboard::Register(_)) => log.ignored("a second register", ""),
            Err(error) => log.ignored(&error.to_string(), text.as_str()),
        },
        Message::Binary(bytes) => match frame::decode(&bytes) {
            Ok((header, records)) => {
                let batch = Batch::read(header.run, &records);
                app.hub
                    .deliver(peer, FromAgent::Records(batch))
                    .map_err(Gone::Close)?;
            }
            Err(error) => log.ignored(&error.to_string(), ""),
        },
        Message::Close(_) => return Err(Gone::Left),
        Message::Ping(_) | Message::Pong(_) => {}
    }
    Ok(())
}

pub(super) async fn say(
    socket: &mut WebSocket,
    protocol: u32,
    message: &ToAgent,
) -> Result<(), Gone> {
    let text = if protocol < 3 {
        v2::say(message)
    } else {
        serde_json::to_string(message).map(Some)
    };
    match text {
        Ok(Some(text)) => send(socket, Message::Text(text.into())).await,
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::error!("a message to an agent cannot be written: {error}");
            Ok(())
        }
    }
}

pub(super) async fn send(socket: &mut WebSocket, message: Message) -> Result<(), Gone> {
    match timeout(SEND, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(Gone::from_error(&error)),
        Err(_) => Err(Gone::Left),
    }
}
