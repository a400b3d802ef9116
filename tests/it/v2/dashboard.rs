//! A dashboard of the earlier NixFleet, as a test plays it.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::StatusCode;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Message, WebSocket, accept_hdr};

use crate::support::process::{DEADLINE, Process, command};

const TOKEN: &str = "an-earlier-token";

/// It, and where its agent lives.
pub struct Dashboard {
    listener: TcpListener,
    pub dir: TempDir,
}

/// A connection of an agent.
pub struct Link {
    socket: WebSocket<TcpStream>,
    /// Heartbeats so far, with their times.
    pub beats: Vec<(Instant, Value)>,
}

/// A message that is no heartbeat.
pub type Said = (String, Value);

impl Dashboard {
    pub fn start() -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").unwrap(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// This project's agent, set up by the earlier environment alone, with `more` in a file beside it.
    pub fn agent(&self, more: &str) -> Process {
        self.agent_with(more, TOKEN)
    }

    pub fn agent_with(&self, more: &str, token: &str) -> Process {
        let config = self.path("agent.toml");
        std::fs::write(&config, more).unwrap();
        let address = self.listener.local_addr().unwrap();
        let mut command = command("nixfleet-agent");
        command
            .env("NIXFLEET_URL", format!("ws://{address}/ws"))
            .env("NIXFLEET_TOKEN", token)
            .env("NIXFLEET_INTERVAL", "1")
            .env("NIXFLEET_HOSTNAME", "web1")
            .env("NIXFLEET_STATE_DIR", self.path("state"))
            .arg("--config")
            .arg(&config);
        Process::start("agent", &mut command)
    }

    /// Writes an executable script and answers its path.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The next attempt to connect: a link, or the time at which it was refused with 401.
    pub fn accept(&self) -> Result<Link, Instant> {
        self.listener.set_nonblocking(true).unwrap();
        let start = Instant::now();
        let stream = loop {
            match self.listener.accept() {
                Ok((stream, _)) => break stream,
                Err(_) if start.elapsed() < DEADLINE => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(error) => panic!("no agent: {error}"),
            }
        };
        stream.set_nonblocking(false).unwrap();
        #[expect(clippy::result_large_err, reason = "the library's callback")]
        let callback = |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), "/ws");
            let token = request.headers().get("authorization");
            if token.is_some_and(|token| token == &format!("Bearer {TOKEN}")) {
                return Ok(response);
            }
            let mut refused = ErrorResponse::new(None);
            *refused.status_mut() = StatusCode::UNAUTHORIZED;
            Err(refused)
        };
        match accept_hdr(stream, callback) {
            Ok(socket) => Ok(Link {
                socket,
                beats: Vec::new(),
            }),
            Err(_) => Err(Instant::now()),
        }
    }

    /// A link on which the agent has registered and was answered.
    #[track_caller]
    pub fn joined(&self) -> (Link, Value) {
        let accepted = self.accept().map_err(|_| "401");
        let mut link = accepted.expect("a token that is right");
        let (kind, register) = link.next();
        assert_eq!(kind, "register", "the first message");
        link.say("registered", &json!({"host_id": "7"}));
        (link, register)
    }
}

impl Link {
    pub fn say(&mut self, kind: &str, payload: &Value) {
        let text = json!({"type": kind, "payload": payload}).to_string();
        self.socket.send(Message::text(text)).unwrap();
    }

    pub fn text(&mut self, text: &str) {
        self.socket.send(Message::text(text)).unwrap();
    }

    pub fn command(&mut self, command: &str) {
        self.say("command", &json!({"command": command}));
    }

    /// The next message that is no heartbeat. Heartbeats are collected, pings answered.
    #[track_caller]
    pub fn next(&mut self) -> Said {
        let start = Instant::now();
        loop {
            if let Some(said) = self.poll(Duration::from_millis(200)) {
                return said;
            }
            assert!(start.elapsed() < DEADLINE, "the agent says nothing");
        }
    }

    /// The same within a time, if there is one.
    pub fn poll(&mut self, time: Duration) -> Option<Said> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.get_ref().set_read_timeout(Some(left)).unwrap();
            match self.socket.read() {
                Ok(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(text.as_str()).unwrap();
                    let kind = value["type"].as_str().unwrap().to_owned();
                    if kind == "heartbeat" {
                        self.beats.push((Instant::now(), value["payload"].clone()));
                    } else {
                        return Some((kind, value["payload"].clone()));
                    }
                }
                Ok(Message::Binary(_)) => panic!("a binary message is nothing of this protocol"),
                Ok(Message::Close(frame)) => {
                    let frame = frame.unwrap();
                    let code = u16::from(frame.code);
                    return Some(("close".into(), json!([code, frame.reason.as_str()])));
                }
                Ok(_) => {}
                Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => panic!("the link broke: {error}"),
            }
        }
    }

    /// The next message, which is of that kind.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Value {
        let (found, payload) = self.next();
        assert_eq!(found, kind, "{payload}");
        payload
    }

    /// Waits for so many heartbeats from now on.
    #[track_caller]
    pub fn wait_beats(&mut self, n: usize) -> Vec<Value> {
        let from = self.beats.len();
        let start = Instant::now();
        while self.beats.len() < from + n {
            assert!(start.elapsed() < DEADLINE, "no heartbeats");
            if let Some(said) = self.poll(Duration::from_millis(100)) {
                panic!("{said:?} between heartbeats");
            }
        }
        self.beats[from..]
            .iter()
            .map(|(_, beat)| beat.clone())
            .collect()
    }

    /// The lines of a command until its `status`, and that.
    #[track_caller]
    pub fn until_the_end(&mut self) -> (Vec<String>, Value) {
        let mut lines = Vec::new();
        loop {
            match self.next() {
                (kind, payload) if kind == "output" => {
                    lines.push(payload["line"].as_str().unwrap().to_owned());
                }
                (kind, payload) if kind == "status" => return (lines, payload),
                (kind, _) if kind == "test_progress" => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let _ = self.socket.close(Some(frame));
        let _ = self.socket.flush();
    }

    /// The link breaks, without a word.
    pub fn cut(self) {
        self.socket
            .get_ref()
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
    }
}
