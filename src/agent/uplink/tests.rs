mod blip;
mod earlier;
mod kept;
mod peer;
mod quiet;
mod shipping;

use std::net::SocketAddr;
use std::path::Path;

use futures_util::SinkExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::agent::config::Execution;
use crate::agent::config::{Labels, TokenSource};
use crate::agent::credential::Credential;
use crate::agent::facts;
use crate::agent::launch::SelfCommand;
use crate::agent::launcher::{Direct, Launcher};
use crate::base::secret::Secret;
use crate::run::id::{RunId, Seq};
use crate::wire::to_agent::{RunAck, RunRequest, ToAgent};
use crate::wire::to_dashboard::ToDashboard;
use kept::kept_run;
use peer::{Peer, Said};

const DEADLINE: Duration = Duration::from_secs(10);

/// An agent that runs while a test plays the dashboard.
struct Agent {
    tasks: JoinSet<anyhow::Result<()>>,
    shutdown: CancellationToken,
    health: watch::Receiver<Health>,
}

fn identity(dashboard: SocketAddr) -> Identity {
    Identity {
        url: format!("ws://{dashboard}/ws"),
        credential: Credential::Token(TokenSource::Environment(Secret::new("s3cret"))),
        hostname: "web1".parse().unwrap(),
        organization: crate::wire::subject::Organization::default(),
        interval: Duration::from_secs(1),
        offline_after: Some(4),
        labels: Labels {
            location: "attic".into(),
            device_type: "server".into(),
            theme_color: String::new(),
            nixpkgs_version: String::new(),
        },
        host: facts::Host::default(),
    }
}

impl Agent {
    fn start(listener: &TcpListener, state_dir: &Path, change: impl FnOnce(&mut Uplink)) -> Self {
        let self_command = SelfCommand {
            program: "/nowhere".into(),
            leading_args: Vec::new(),
        };
        let shutdown = CancellationToken::new();
        let direct = Direct::detached(state_dir, self_command, Execution::default());
        let runs = Runs::open(Launcher::Direct(Box::new(direct)), shutdown.clone()).unwrap();
        let sample = crate::agent::metrics::sample(
            Vec::new(),
            Duration::from_secs(1),
            crate::agent::resources::Reader::off(),
        )
        .unwrap();
        let mut uplink = Uplink {
            identity: identity(listener.local_addr().unwrap()),
            tls: Tls::for_url("ws://", None).unwrap(),
            runs: Some(runs.clone()),
            sent: Some(Arc::new(Sent::open(state_dir))),
            sample,
            statement: watch::channel(Statement::default()).1,
            subjects: Subjects::silent(),
            reconnect: Reconnect::default(),
            once: false,
            health: watch::channel(Health::default()).0,
        };
        change(&mut uplink);
        let health = uplink.health.subscribe();
        let mut tasks = JoinSet::new();
        let token = shutdown.clone();
        tasks.spawn(async move {
            tokio::select! {
                ended = uplink.run(&token) => ended,
                () = crate::agent::runs::watch(runs) => Ok(()),
            }
        });
        Self {
            tasks,
            shutdown,
            health,
        }
    }

    async fn ended(&mut self) -> anyhow::Result<()> {
        tokio::time::timeout(DEADLINE, self.tasks.join_next())
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

#[tokio::test]
async fn once_registers_beats_and_ends() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut agent = Agent::start(&listener, state.path(), |uplink| uplink.once = true);
    let (mut peer, authorization) = Peer::accept(&listener).await;
    assert_eq!(authorization, "Bearer s3cret");
    let register = peer.register().await;
    assert_eq!(
        (register.hostname.as_str(), register.protocol),
        ("web1", Some(3))
    );
    assert_eq!(
        (register.heartbeat_interval, register.location.as_str()),
        (1, "attic")
    );
    peer.registered(Vec::new()).await;
    let heartbeat = peer.heartbeat().await;
    assert_eq!((heartbeat.n, heartbeat.metrics), (1, None));
    peer.say(ToAgent::HeartbeatAck { n: 1 }).await;
    match peer.next().await {
        Said::Closed(code, reason) => assert_eq!((code, reason.as_str()), (1000, "shutdown")),
        other => panic!("{other:?}"),
    }
    agent.ended().await.unwrap();
}

#[tokio::test]
async fn a_refused_token_is_named_and_the_attempts_are_counted() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut agent = Agent::start(&listener, state.path(), |uplink| {
        uplink.reconnect = Reconnect::attempts(2);
        uplink.identity.credential =
            Credential::Token(TokenSource::Environment(Secret::new("wrong")));
    });
    for _ in 0..2 {
        let (mut stream, _) = tokio::time::timeout(DEADLINE, listener.accept())
            .await
            .unwrap()
            .unwrap();
        let mut buffer = [0; 2048];
        let _ = stream.read(&mut buffer).await.unwrap();
        let answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 13\r\n\r\nunknown token";
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
    let error = agent.ended().await.unwrap_err().to_string();
    assert!(
        error.contains("giving up after 2 failed attempts"),
        "{error}"
    );
    assert!(
        error.contains("refused the token in NIXFLEET_TOKEN: 401 Unauthorized (unknown token)"),
        "{error}"
    );
    assert!(!error.contains("wrong"), "{error}");
    assert_eq!(agent.health.borrow().attempts, 2);
}

#[tokio::test]
async fn nonsense_is_ignored_and_the_heartbeats_go_on() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.registered(Vec::new()).await;
    for text in [
        "{",
        "[]",
        r#"{"type":"sing","payload":{}}"#,
        r#"{"type":"run","payload":{"run":"x"}}"#,
    ] {
        peer.0.send(Message::text(text)).await.unwrap();
    }
    peer.0.send(Message::binary(vec![0; 100])).await.unwrap();
    assert_eq!(peer.heartbeat().await.n, 1);
    assert_eq!(peer.heartbeat().await.n, 2);
    peer.say(ToAgent::HeartbeatAck { n: 2 }).await;
    tokio::time::timeout(
        DEADLINE,
        agent.health.wait_for(|health| health.last_ack.is_some()),
    )
    .await
    .unwrap()
    .unwrap();
    let request = RunRequest {
        run: RunId::new(),
        command: "format".parse().unwrap(),
        args: vec![],
        requested_by: "x".into(),
    };
    peer.say(ToAgent::Run(request.clone())).await;
    let rejected = loop {
        match peer.next().await {
            Said::Message(ToDashboard::CommandRejected(rejected)) => break rejected,
            Said::Message(ToDashboard::Heartbeat(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(rejected.run, Some(request.run));
    agent.shutdown.cancel();
    let closed = loop {
        if let Said::Closed(code, reason) = peer.next().await {
            break (code, reason);
        }
    };
    assert_eq!(closed, (1000, "shutdown".to_owned()));
    agent.ended().await.unwrap();
}

#[tokio::test]
async fn a_journal_is_resumed_rewound_acknowledged_and_not_offered_again() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let dir = kept_run(state.path(), 3, 10);
    let run = dir.run_id().unwrap();
    let ack = |seq, rewind| RunAck {
        run,
        seq: Seq(seq),
        rewind,
    };
    let agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    let known = peer.register().await.runs;
    assert_eq!(
        (known[0].run, known[0].last_seq, known[0].alive),
        (run, Seq(4), false)
    );
    peer.registered(vec![ack(0, false)]).await;
    assert_eq!(peer.records().await, [1, 2, 3, 4]);
    drop(peer);
    let (mut peer, _) = Peer::accept(&listener).await;
    assert_eq!(
        peer.register().await.runs.len(),
        1,
        "nothing is acknowledged yet"
    );
    peer.registered(vec![ack(2, false)]).await;
    assert_eq!(peer.records().await, [3, 4]);
    peer.say(ToAgent::RunAck(ack(1, true))).await;
    assert_eq!(peer.records().await, [2, 3, 4]);
    peer.say(ToAgent::RunAck(ack(4, false))).await;
    tokio::time::timeout(DEADLINE, async {
        while !crate::agent::runs::prune::is_acknowledged(&dir) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    drop(peer);
    let (mut peer, _) = Peer::accept(&listener).await;
    assert!(peer.register().await.runs.is_empty());
    agent.shutdown.cancel();
}

#[tokio::test]
async fn without_acknowledgements_output_stops_at_the_window_and_heartbeats_do_not() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let dir = kept_run(state.path(), 100, 60_000);
    let run = dir.run_id().unwrap();
    let agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.registered(Vec::new()).await;
    let (mut bytes, mut last, mut beats) = (0, 0, 0);
    while beats < 3 {
        match peer.next().await {
            Said::Records(records) => {
                assert_eq!(records[0].0, Seq(last + 1));
                last = records.last().unwrap().0.0;
                bytes += records.iter().map(|(_, raw)| raw.len()).sum::<usize>();
            }
            Said::Message(ToDashboard::Heartbeat(_)) => beats += 1,
            Said::Message(ToDashboard::RunStatus(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(
        (1..=512 * 1024).contains(&bytes),
        "{bytes} unacknowledged bytes"
    );
    while last < 101 {
        peer.say(ToAgent::RunAck(RunAck {
            run,
            seq: Seq(last),
            rewind: false,
        }))
        .await;
        let records = peer.records().await;
        assert_eq!(records[0], last + 1);
        last = *records.last().unwrap();
    }
    agent.shutdown.cancel();
}
