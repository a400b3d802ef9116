//! An agent of the earlier NixFleet, as a test plays it.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::error::Error;
use tokio_tungstenite::tungstenite::{HandshakeError, Message, WebSocket, client};

use crate::support::Fleet;
use crate::support::process::DEADLINE;

/// One connection of it.
pub struct Agent {
    pub socket: WebSocket<TcpStream>,
    host: String,
}

/// What the dashboard did.
#[derive(Debug)]
pub enum Did {
    Said(String, Value),
    Closed(u16, String),
    Pinged,
    Nothing,
}

impl Agent {
    /// Opens a WebSocket with that token, or answers the HTTP status that was there instead.
    pub fn dial(fleet: &Fleet, token: Option<&str>) -> Result<WebSocket<TcpStream>, u16> {
        let address = fleet.api.base.strip_prefix("http://").unwrap();
        let mut request = format!("ws://{address}/ws").into_client_request().unwrap();
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert("authorization", bearer);
        }
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        match client(request, stream) {
            Ok((socket, _)) => Ok(socket),
            Err(HandshakeError::Failure(Error::Http(response))) => Err(response.status().as_u16()),
            Err(error) => panic!("no WebSocket: {error}"),
        }
    }

    /// Connects and registers, and waits for the answer.
    pub fn join(fleet: &Fleet, host: &str, host_type: &str) -> Self {
        let token = std::fs::read_to_string(fleet.path("agent-token")).unwrap();
        let mut agent = Self {
            socket: Self::dial(fleet, Some(token.trim())).unwrap(),
            host: host.to_owned(),
        };
        agent.register(host_type);
        let registered = agent.expect("registered");
        assert_eq!(
            registered,
            json!({"host_id": host}),
            "nothing but the facts"
        );
        agent
    }

    /// As [`Self::join`], of a host with NixOS that has sent a heartbeat.
    pub fn online(fleet: &Fleet, host: &str) -> Self {
        let mut agent = Self::join(fleet, host, "nixos");
        agent.beat(None);
        fleet.wait_online(host);
        agent
    }

    pub fn register(&mut self, host_type: &str) {
        self.say(
            "register",
            &json!({
                "hostname": self.host, "host_type": host_type, "agent_version": "2.1.0", "os_version": "24.11",
                "nixpkgs_version": "24.11.5678", "generation": "abc1234", "theme_color": "#769ff0",
                "heartbeat_interval": 1, "location": "home", "device_type": "server",
                "repo_url": "https://git.lan/cfg", "repo_dir": "/etc/nixos", "source_commit": "abc1234"
            }),
        );
    }

    pub fn say(&mut self, kind: &str, payload: &Value) {
        let text = json!({"type": kind, "payload": payload}).to_string();
        self.socket.send(Message::text(text)).unwrap();
    }

    /// A heartbeat with everything that the earlier agent puts in.
    pub fn beat(&mut self, pending: Option<&str>) {
        let pid = pending.map(|_| 4242);
        self.say(
            "heartbeat",
            &json!({
                "generation": "abc1234", "nixpkgs_version": "24.11.5678", "pending_command": pending, "command_pid": pid,
                "metrics": {"cpu": 15.5, "ram": 42.0, "swap": 0.0, "load": 0.5},
                "update_status": {"git": {"status": "outdated", "message": "2 commits behind", "checked_at": "2025-12-15T10:00:00Z"},
                    "lock": null, "system": null, "tests": null},
                "lock_hash": "sha256-x"
            }),
        );
    }

    pub fn line(&mut self, command: &str, line: &str) {
        self.say(
            "output",
            &json!({"line": line, "stream": "stdout", "command": command, "is_error": false}),
        );
    }

    pub fn status(&mut self, status: &str, command: &str, exit_code: i32, message: &str) {
        self.say(
            "status",
            &json!({"status": status, "command": command, "exit_code": exit_code, "message": message, "generation": "def5678"}),
        );
    }

    /// What the dashboard does next, within that time.
    pub fn next_within(&mut self, time: Duration) -> Did {
        self.socket.get_ref().set_read_timeout(Some(time)).unwrap();
        match self.socket.read() {
            Ok(Message::Text(text)) => {
                let value: Value = serde_json::from_str(text.as_str()).unwrap();
                Did::Said(
                    value["type"].as_str().unwrap().to_owned(),
                    value["payload"].clone(),
                )
            }
            Ok(Message::Close(Some(frame))) => {
                Did::Closed(frame.code.into(), frame.reason.to_string())
            }
            Ok(Message::Ping(_)) => Did::Pinged,
            Ok(other) => panic!("{other:?} is nothing of this protocol"),
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => Did::Nothing,
            Err(error) => panic!("the connection broke: {error}"),
        }
    }

    /// The payload of the next message, which is of that kind.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Value {
        match self.next_within(DEADLINE) {
            Did::Said(found, payload) if found == kind => payload,
            other => panic!("no {kind} but {other:?}"),
        }
    }

    #[track_caller]
    pub fn expect_command(&mut self, command: &str) {
        assert_eq!(self.expect("command"), json!({"command": command}));
    }

    /// The code and the reason of the closing.
    pub fn closed(&mut self) -> (u16, String) {
        let start = Instant::now();
        loop {
            assert!(start.elapsed() < DEADLINE, "not closed");
            if let Did::Closed(code, reason) = self.next_within(DEADLINE) {
                return (code, reason);
            }
        }
    }

    /// The link breaks, without a word.
    pub fn cut(self) {
        self.socket
            .get_ref()
            .shutdown(std::net::Shutdown::Both)
            .unwrap();
    }
}
