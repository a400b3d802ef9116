//! The dashboard, as the test plays it.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use nixfleet::run::event::RunEvent;
use nixfleet::run::id::{RunId, Seq};
use nixfleet::run::phase::RunState;
use nixfleet::wire::to_agent::{Registered, RunAck, RunRequest, ToAgent};
use nixfleet::wire::to_dashboard::{Register, ToDashboard};
use nixfleet::wire::{frame, record};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

/// Nothing here takes longer.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// What one run has sent so far, checked as it comes.
#[derive(Default)]
pub struct Received {
    pub last: u64,
    pub bytes: u64,
    crc32c: u32,
    pub text: Vec<u8>,
    events: Vec<RunEvent>,
}

impl Received {
    fn take(&mut self, bytes: &[u8]) {
        let (header, records) = frame::decode(bytes).unwrap();
        assert_eq!(
            header.first_seq,
            Seq(self.last + 1),
            "no hole and no doubled record"
        );
        let mut rest = records.as_slice();
        while let Some((record, len)) = record::decode(rest).unwrap() {
            self.last = record.seq.0;
            self.bytes += record.raw.len() as u64;
            self.crc32c = crc32c::crc32c_append(self.crc32c, &record.raw);
            if self.text.len() < 10_000 {
                self.text.extend_from_slice(&record.raw);
            }
            if !matches!(record.event, RunEvent::Output { .. }) {
                self.events.push(record.event);
            }
            rest = &rest[len..];
        }
        assert_eq!(self.last, header.last_seq.0);
    }

    pub fn end(&self) -> Option<&RunEvent> {
        self.events
            .last()
            .filter(|event| matches!(event, RunEvent::Finished { .. }))
    }

    #[track_caller]
    pub fn check_end(&self, expected: RunState) {
        let Some(RunEvent::Finished {
            outcome,
            bytes,
            crc32c,
            ..
        }) = self.end()
        else {
            panic!("no end: {:?}", self.events);
        };
        assert_eq!(outcome.state, expected, "{:?}", outcome.reason);
        assert_eq!(
            (*bytes, *crc32c),
            (self.bytes, self.crc32c),
            "byte for byte"
        );
    }
}

/// The dashboard's side of one connection.
pub struct Peer {
    pub socket: WebSocketStream<TcpStream>,
    pub beats: Vec<Instant>,
}

impl Peer {
    pub async fn accept(listener: &TcpListener, resume: &[RunAck]) -> (Self, Register) {
        let accepted = tokio::time::timeout(DEADLINE, listener.accept())
            .await
            .unwrap();
        let socket = accept_async(accepted.unwrap().0).await.unwrap();
        let mut peer = Self {
            socket,
            beats: Vec::new(),
        };
        let ToDashboard::Register(register) = peer.message().await else {
            panic!("something else than register came first");
        };
        let registered = Registered {
            host_id: "1".into(),
            protocol: Some(3),
            resume: resume.to_vec(),
            subjects: true,
        };
        peer.say(&ToAgent::Registered(registered)).await;
        (peer, *register)
    }

    pub async fn say(&mut self, message: &ToAgent) {
        let text = serde_json::to_string(message).unwrap();
        self.socket.send(Message::text(text)).await.unwrap();
    }

    pub async fn next(&mut self) -> Message {
        tokio::time::timeout(DEADLINE, self.socket.next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }

    pub async fn message(&mut self) -> ToDashboard {
        loop {
            if let Message::Text(text) = self.next().await {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    pub async fn run(&mut self, command: &str) -> RunId {
        let run = RunId::new();
        let command = command.parse().unwrap();
        self.say(&ToAgent::Run(RunRequest {
            run,
            command,
            args: vec![],
            requested_by: "ann".into(),
        }))
        .await;
        run
    }

    /// Takes and acknowledges records until `enough`.
    pub async fn receive(
        &mut self,
        run: RunId,
        received: &mut Received,
        enough: impl Fn(&Received) -> bool,
    ) {
        while !enough(received) {
            match self.next().await {
                Message::Binary(bytes) => {
                    received.take(&bytes);
                    let seq = Seq(received.last);
                    self.say(&ToAgent::RunAck(RunAck {
                        run,
                        seq,
                        rewind: false,
                    }))
                    .await;
                }
                Message::Text(text) => {
                    if text.contains("heartbeat") {
                        self.beats.push(Instant::now());
                    } else {
                        assert!(text.contains("run_status"), "{text}");
                    }
                }
                _ => {}
            }
        }
    }

    pub fn longest_gap(&self) -> Duration {
        self.beats
            .windows(2)
            .map(|pair| pair[1] - pair[0])
            .max()
            .unwrap_or_default()
    }
}
