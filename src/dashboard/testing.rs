//! A whole dashboard on a port of its own and an agent that says what a test wants it to, for the tests of this layer.

mod journal;

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use futures_util::{SinkExt, StreamExt};
use sqlx::Connection as _;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::access::digest::digest;
use super::access::{Access, AccessSettings, Role};
use super::app::AppState;
use super::{Dashboard, Settings, http, tls};
use crate::base::secret::Secret;
use crate::run::id::RunId;
use crate::wire::to_agent::{Registered, ToAgent};
use crate::wire::to_dashboard::{Heartbeat, OfferedCommand, Register, ToDashboard};

pub use journal::Journal;

/// The agents' token in tests.
pub const AGENT_TOKEN: &str = "agent-token";
/// The API token of an administrator in tests.
pub const API_TOKEN: &str = "test-token";
/// Nothing in these tests takes longer unless it hangs.
pub const SOON: Duration = Duration::from_secs(20);

/// Lets that much time pass at once. The clock stands only for that moment: a store that is asked meanwhile would seem to
/// take for ever.
pub async fn jump(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

/// What the access part needs in tests.
pub fn access() -> Access {
    Access::new(AccessSettings {
        agent_token: Secret::new(AGENT_TOKEN),
        session: Duration::from_secs(3600),
        https: false,
        trusted_proxies: Vec::new(),
    })
}

/// A running dashboard.
pub struct House {
    pub app: AppState,
    pub address: SocketAddr,
    dashboard: Dashboard,
    tasks: JoinSet<anyhow::Result<()>>,
    dir: TempDir,
}

impl House {
    pub async fn start() -> Self {
        Self::on(tempfile::tempdir().unwrap()).await
    }

    async fn on(dir: TempDir) -> Self {
        let settings = Settings::new(dir.path().to_owned(), access());
        let shutdown = CancellationToken::new();
        let dashboard = Dashboard::start(&settings, shutdown.clone()).await.unwrap();
        let app = dashboard.app.clone();
        // After a restart it is there already.
        let token = digest(API_TOKEN);
        app.store
            .create_token("tests", Role::Admin, &token, None)
            .await
            .unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(tls::serve(
            listener,
            None,
            http::router(app.clone()),
            shutdown,
        ));
        Self {
            app,
            address,
            dashboard,
            tasks,
            dir,
        }
    }

    /// Stops it and starts another one on the same data.
    pub async fn restart(mut self) -> Self {
        self.dashboard.finish().await;
        while let Some(served) = self.tasks.join_next().await {
            served.unwrap().unwrap();
        }
        Self::on(self.dir).await
    }

    /// Something that only a person with the database's file can do.
    pub async fn sql(&self, statement: &'static str) {
        let path = self.dir.path().join(super::store::file::NAME);
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut connection = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        sqlx::query(statement)
            .execute(&mut connection)
            .await
            .unwrap();
        connection.close().await.unwrap();
    }

    /// A request with a token that may do everything.
    pub async fn ask(&self, method: &str, path: &str, body: &str) -> (StatusCode, String) {
        let response = self.open(method, path, &[], body).await;
        let status = response.status();
        let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        (
            status,
            String::from_utf8_lossy(&bytes.unwrap()).into_owned(),
        )
    }

    /// The same, with further headers, and the response as it comes.
    pub async fn open(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> axum::response::Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {API_TOKEN}"))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        http::router(self.app.clone())
            .oneshot(request)
            .await
            .unwrap()
    }

    /// The JSON of a `GET`.
    pub async fn get(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.ask("GET", path, "").await;
        assert_eq!(status, StatusCode::OK, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    /// Waits until `GET path` fulfils `test`.
    pub async fn wait(
        &self,
        path: &str,
        test: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        timeout(SOON, async {
            loop {
                let value = self.get(path).await;
                if test(&value) {
                    return value;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{path} never became what it should"))
    }

    /// Starts `switch` on a host and answers the run that its agent is asked for.
    pub async fn start_run(&self, agent: &mut Agent, host: &str) -> RunId {
        let path = format!("/api/hosts/{host}/command");
        let (status, body) = self.ask("POST", &path, r#"{"command":"switch"}"#).await;
        assert_eq!(status, StatusCode::ACCEPTED, "{body}");
        match agent.next().await {
            ToAgent::Run(request) => request.run,
            other => panic!("no run but {other:?}"),
        }
    }
}

/// An agent's end of a connection.
pub struct Agent {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

pub fn register(host: &str) -> Register {
    let command = |name: &str| OfferedCommand {
        name: name.parse().unwrap(),
        description: String::new(),
        changes_host: true,
        takes_args: true,
    };
    Register {
        hostname: host.into(),
        host_type: "nixos".into(),
        heartbeat_interval: 1,
        protocol: Some(3),
        commands: vec![command("switch"), command("pull")],
        ..Register::default()
    }
}

impl Agent {
    pub async fn dial(address: SocketAddr, token: &str) -> Result<Self, Error> {
        let mut request = format!("ws://{address}/ws").into_client_request()?;
        let bearer = format!("Bearer {token}").parse().unwrap();
        request.headers_mut().insert("authorization", bearer);
        let (socket, _) = connect_async_with_config(request, None, true).await?;
        Ok(Self { socket })
    }

    /// Connects and registers.
    pub async fn join(house: &House, register: Register) -> (Self, Registered) {
        let mut agent = Self::dial(house.address, AGENT_TOKEN).await.unwrap();
        agent.say(&ToDashboard::Register(Box::new(register))).await;
        match agent.next().await {
            ToAgent::Registered(registered) => (agent, registered),
            other => panic!("no welcome but {other:?}"),
        }
    }

    pub async fn say(&mut self, message: &ToDashboard) {
        let text = serde_json::to_string(message).unwrap();
        self.send(Message::text(text)).await;
    }

    pub async fn send(&mut self, message: Message) {
        timeout(SOON, self.socket.send(message))
            .await
            .unwrap()
            .unwrap();
    }

    pub async fn beat(&mut self, n: u64) {
        let heartbeat = Heartbeat {
            n,
            ..Heartbeat::default()
        };
        self.say(&ToDashboard::Heartbeat(Box::new(heartbeat))).await;
    }

    /// The next message that is not how long output may wait.
    pub async fn next(&mut self) -> ToAgent {
        loop {
            match self.next_of_all().await {
                ToAgent::FlushInterval(_) => {}
                message => return message,
            }
        }
    }

    /// The next message.
    pub async fn next_of_all(&mut self) -> ToAgent {
        loop {
            let message = timeout(SOON, self.socket.next()).await.expect("silence");
            match message.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(text.as_str()).unwrap(),
                Message::Close(frame) => panic!("closed: {frame:?}"),
                _ => {}
            }
        }
    }

    /// The next acknowledgement of a run: its seq, and whether to go back.
    pub async fn ack(&mut self) -> (u64, bool) {
        match self.next().await {
            ToAgent::RunAck(ack) => (ack.seq.0, ack.rewind),
            other => panic!("no run_ack but {other:?}"),
        }
    }

    /// Waits for the acknowledgement of `seq`.
    pub async fn acked(&mut self, seq: u64) {
        while self.ack().await.0 < seq {}
    }

    /// The code and reason with which the dashboard closes.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            let message = timeout(SOON, self.socket.next()).await.expect("silence");
            if let Some(Ok(Message::Close(Some(frame)))) = &message {
                return (frame.code.into(), frame.reason.to_string());
            }
            assert!(matches!(message, Some(Ok(_))), "not closed but {message:?}");
        }
    }
}
