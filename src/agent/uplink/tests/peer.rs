//! The dashboard's side of a connection, as the tests play it.

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async};

use super::DEADLINE;
use crate::run::id::Seq;
use crate::wire::to_agent::{Registered, RunAck, ToAgent};
use crate::wire::to_dashboard::{Heartbeat, Register, ToDashboard};
use crate::wire::{frame, record};

/// One connection of an agent, from the dashboard's side.
pub struct Peer(pub WebSocketStream<TcpStream>);

#[derive(Debug)]
pub enum Said {
    Message(ToDashboard),
    Records(Vec<(Seq, Vec<u8>)>),
    Closed(u16, String),
}

impl Peer {
    pub async fn accept(listener: &TcpListener) -> (Self, String) {
        let (stream, _) = tokio::time::timeout(DEADLINE, listener.accept())
            .await
            .unwrap()
            .unwrap();
        let mut authorization = String::new();
        #[expect(clippy::result_large_err, reason = "the library's callback")]
        let callback = |request: &Request, response: Response| {
            let value = request.headers().get("authorization").unwrap();
            value.to_str().unwrap().clone_into(&mut authorization);
            assert_eq!(request.uri().path(), "/ws");
            Ok(response)
        };
        let socket = accept_hdr_async(stream, callback).await.unwrap();
        (Self(socket), authorization)
    }

    pub async fn next(&mut self) -> Said {
        loop {
            let message = tokio::time::timeout(DEADLINE, self.0.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            match message {
                Message::Text(text) => return Said::Message(serde_json::from_str(&text).unwrap()),
                Message::Binary(bytes) => {
                    let (header, mut rest) = frame::decode(&bytes).unwrap();
                    let mut records = Vec::new();
                    while let Some((record, len)) = record::decode(&rest).unwrap() {
                        records.push((record.seq, record.raw));
                        rest.drain(..len);
                    }
                    assert_eq!(records.first().unwrap().0, header.first_seq);
                    assert_eq!(records.last().unwrap().0, header.last_seq);
                    return Said::Records(records);
                }
                Message::Close(Some(frame)) => {
                    return Said::Closed(frame.code.into(), frame.reason.to_string());
                }
                _ => {}
            }
        }
    }

    /// The next text; none for a ping.
    pub async fn any(&mut self) -> Option<String> {
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Text(text) => return Some(text.to_string()),
                Message::Ping(_) => return None,
                _ => {}
            }
        }
    }

    pub async fn register(&mut self) -> Register {
        match self.next().await {
            Said::Message(ToDashboard::Register(register)) => *register,
            other => panic!("{other:?}"),
        }
    }

    pub async fn heartbeat(&mut self) -> Heartbeat {
        loop {
            match self.next().await {
                Said::Message(ToDashboard::Heartbeat(heartbeat)) => return *heartbeat,
                Said::Records(..) | Said::Message(ToDashboard::RunStatus(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// The numbers of the next frame's records.
    pub async fn records(&mut self) -> Vec<u64> {
        loop {
            match self.next().await {
                Said::Records(records) => {
                    return records.into_iter().map(|(seq, _)| seq.0).collect();
                }
                Said::Message(ToDashboard::Heartbeat(_) | ToDashboard::RunStatus(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn say(&mut self, message: ToAgent) {
        self.0
            .send(Message::text(serde_json::to_string(&message).unwrap()))
            .await
            .unwrap();
    }

    pub async fn registered(&mut self, resume: Vec<RunAck>) {
        let registered = Registered {
            host_id: "1".into(),
            protocol: Some(3),
            resume,
            subjects: true,
        };
        self.say(ToAgent::Registered(registered)).await;
    }
}
