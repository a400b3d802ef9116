//! A dashboard in this process that looks at its rules all the time, and hosts that say what a test wants them to.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use nixfleet::base::secret::Secret;
use nixfleet::dashboard::access::digest::digest;
use nixfleet::dashboard::access::{Access, AccessSettings, Role};
use nixfleet::dashboard::alerts::settings::Pace;
use nixfleet::dashboard::config;
use nixfleet::dashboard::{self, Settings};
use nixfleet::run::event::{Outcome, RunEvent};
use nixfleet::run::id::Seq;
use nixfleet::run::phase::RunState;
use nixfleet::wire::to_agent::ToAgent;
use nixfleet::wire::to_dashboard::{Heartbeat, OfferedCommand, Register, ToDashboard};
use nixfleet::wire::{frame, record};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use tokio_util::sync::CancellationToken;

use crate::support::api::Api;

/// Nothing here takes longer unless it hangs.
pub const SOON: Duration = Duration::from_secs(30);
/// The channels' secret.
pub const SECRET: &str = "a-secret-of-the-tests";
const AGENT_TOKEN: &str = "agents";
const API_TOKEN: &str = "tests";

/// A dashboard.
pub struct Bench {
    dir: TempDir,
    pace: Pace,
    pub api: Api,
    address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// Quiet hours that began an hour ago and go on for some more.
pub fn quiet_now() -> String {
    let hour = nixfleet::base::clock::now() / 3_600_000 % 24;
    format!("{:02}:00-{:02}:00 UTC", (hour + 23) % 24, (hour + 3) % 24)
}

impl Bench {
    /// With rules and channels as they are written in the configuration; `SECRET` is a file with the secret.
    pub async fn start(text: &str) -> Self {
        Self::with(text, |_| {}).await
    }

    pub async fn with(text: &str, change: impl FnOnce(&mut Pace)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let secret = dir.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        let data = dir.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let text = format!(
            "data_dir = \"{}\"\n{}",
            data.display(),
            text.replace("SECRET", &secret.display().to_string())
        );
        std::fs::write(dir.path().join("dashboard.toml"), text).unwrap();
        let mut pace = Pace {
            every: Duration::from_millis(20),
            deadline: Duration::from_millis(400),
            first: Duration::from_millis(20),
            cap: Duration::from_millis(200),
            give_up: Duration::from_secs(3600),
        };
        change(&mut pace);
        let mut bench = Self {
            dir,
            pace,
            api: Api::new("", API_TOKEN),
            address: ([127, 0, 0, 1], 0).into(),
            stop: CancellationToken::new(),
            tasks: JoinSet::new(),
        };
        bench.run().await;
        bench
    }

    async fn run(&mut self) {
        let file = self.dir.path().join("dashboard.toml");
        let read = config::Settings::load(Some(&file), |_| None).unwrap();
        let access = Access::new(AccessSettings {
            agent_token: Secret::new(AGENT_TOKEN),
            session: Duration::from_secs(3600),
            https: false,
            trusted_proxies: Vec::new(),
        });
        let mut settings = Settings::new(read.data_dir.clone(), access);
        settings.offline_after = 1;
        settings.sweep = Duration::from_millis(50);
        settings.alerts = read.alerts;
        settings.alerts.pace = self.pace;
        let store = dashboard::store::Store::open(&read.data_dir).await.unwrap();
        let token = digest(API_TOKEN);
        store
            .create_token("tests", Role::Admin, &token, None)
            .await
            .unwrap();
        store.close().await;
        let listener = std::net::TcpListener::bind(self.address).unwrap();
        self.address = listener.local_addr().unwrap();
        self.api = Api::new(&format!("http://{}", self.address), API_TOKEN);
        self.stop = CancellationToken::new();
        self.tasks
            .spawn(dashboard::run(settings, listener, self.stop.clone()));
    }

    pub async fn restart(&mut self) {
        self.end().await;
        self.run().await;
    }

    async fn end(&mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap().unwrap();
        }
    }

    pub async fn stop(mut self) {
        self.end().await;
    }

    pub async fn get(&self, path: &str) -> Value {
        let (api, path) = (self.api.clone(), path.to_owned());
        let answer = tokio::task::spawn_blocking(move || api.get(&path))
            .await
            .unwrap();
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body
    }

    pub async fn post(&self, path: &str) -> Value {
        let (api, path) = (self.api.clone(), path.to_owned());
        let answer = tokio::task::spawn_blocking(move || api.post(&path, &json!({}))).await;
        answer.unwrap().body
    }

    /// Waits for one of `list` in the answer at `path`.
    async fn wait(&self, path: &str, list: &str, test: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let found = tokio::time::timeout(SOON, async {
            loop {
                last = self.get(path).await;
                if let Some(found) = last[list].as_array().unwrap().iter().find(|one| test(one)) {
                    return found.clone();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
        found.unwrap_or_else(|_| panic!("{path} never became what it should: {last}"))
    }

    /// Waits for such an alert.
    pub async fn alert(&self, test: impl Fn(&Value) -> bool) -> Value {
        self.wait("/api/alerts", "alerts", test).await
    }

    /// Waits until a channel is so.
    pub async fn channel(&self, test: impl Fn(&Value) -> bool) -> Value {
        self.wait("/api/alerts/channels", "channels", test).await
    }

    /// Waits until so many deliveries wait.
    pub async fn wait_queued(&self, n: u64) {
        self.channel(|channel| channel["queued"] == n).await;
    }
}

/// A host's end of the wire.
pub struct Host {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    n: u64,
}

impl Host {
    pub async fn join(bench: &Bench, name: &str) -> Self {
        let mut request = format!("ws://{}/ws", bench.address)
            .into_client_request()
            .unwrap();
        let bearer = format!("Bearer {AGENT_TOKEN}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let socket = tokio::time::timeout(SOON, async {
            loop {
                // A dashboard that has just started may not listen yet.
                match connect_async(request.clone()).await {
                    Ok((socket, _)) => return socket,
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        })
        .await
        .unwrap();
        let mut host = Self { socket, n: 0 };
        let command = OfferedCommand {
            name: "switch".parse().unwrap(),
            description: String::new(),
            changes_host: true,
            takes_args: false,
        };
        let register = Register {
            hostname: name.into(),
            heartbeat_interval: 2,
            protocol: Some(3),
            commands: vec![command],
            ..Register::default()
        };
        host.say(&ToDashboard::Register(Box::new(register))).await;
        assert!(matches!(host.next().await, ToAgent::Registered(_)));
        host
    }

    async fn say(&mut self, message: &ToDashboard) {
        let text = serde_json::to_string(message).unwrap();
        self.socket.send(Message::text(text)).await.unwrap();
    }

    async fn next(&mut self) -> ToAgent {
        loop {
            let message = tokio::time::timeout(SOON, self.socket.next()).await;
            if let Message::Text(text) = message.expect("silence").unwrap().unwrap() {
                return serde_json::from_str(text.as_str()).unwrap();
            }
        }
    }

    /// One heartbeat with these resources.
    pub async fn beat(&mut self, resources: &Value) {
        self.n += 1;
        let heartbeat = Heartbeat {
            n: self.n,
            resources: Some(serde_json::from_value(resources.clone()).unwrap()),
            ..Heartbeat::default()
        };
        self.say(&ToDashboard::Heartbeat(Box::new(heartbeat))).await;
    }

    /// Takes a `switch` that does not go well.
    pub async fn fail_a_run(&mut self, bench: &Bench) {
        let (api, path) = (bench.api.clone(), "/api/hosts/web1/command");
        let asking =
            tokio::task::spawn_blocking(move || api.post(path, &json!({"command": "switch"})));
        let run = loop {
            if let ToAgent::Run(request) = self.next().await {
                break request.run;
            }
        };
        assert_eq!(asking.await.unwrap().status, 202);
        let outcome = Outcome {
            state: RunState::Failed,
            exit_code: Some(1),
            signal: None,
            reason: Some("building: hello failed".into()),
            failure: None,
        };
        let events = [
            RunEvent::Started {
                at: 1000,
                argv: vec!["switch".into()],
                agent_version: "0".into(),
                boot_id: None,
                generation: None,
                system: None,
            },
            RunEvent::Finished {
                at: 2000,
                outcome,
                lines: 0,
                bytes: 0,
                crc32c: crc32c::crc32c(b""),
                generation: None,
                system: None,
            },
        ];
        let mut records = Vec::new();
        for (at, event) in events.iter().enumerate() {
            record::encode(Seq(at as u64 + 1), event, b"", &mut records).unwrap();
        }
        let bytes = frame::encode(run, Seq(1), Seq(events.len() as u64), &records).unwrap();
        self.socket.send(Message::binary(bytes)).await.unwrap();
    }
}
