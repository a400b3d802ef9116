//! Agents that come with a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tokio::time::{Instant, pause, resume};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tower::ServiceExt as _;

use crate::dashboard::testing::{AGENT_TOKEN, Agent, House, register};
use crate::wire::key::{PublicKey, Signed};
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{Proof, Register, ToDashboard};

/// A key pair and where the agent believes to be.
struct Key {
    pair: Ed25519KeyPair,
    dashboard: String,
    host: String,
}

impl Key {
    fn new(seed: u8, host: &str) -> Self {
        Self {
            pair: Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap(),
            dashboard: "127.0.0.1".into(),
            host: host.into(),
        }
    }

    fn public(&self) -> PublicKey {
        PublicKey::new(self.pair.public_key().as_ref().try_into().unwrap())
    }

    async fn add(self, house: &House) -> Self {
        let (key, host) = (self.public(), self.host.parse().unwrap());
        let none = crate::wire::subject::Organization::default();
        let added = house.app.store.add_agent_key(&key, &host, &none).await;
        assert!(added.unwrap());
        self
    }

    async fn dial(&self, house: &House) -> Result<Agent, Error> {
        let mut request = format!("ws://{}/ws", house.address).into_client_request()?;
        let shown = format!("NixFleet-Key {}", self.public()).parse().unwrap();
        request.headers_mut().insert("authorization", shown);
        let (socket, _) = connect_async(request).await?;
        Ok(Agent { socket })
    }

    fn proof(&self, nonce: &str) -> Proof {
        let signed = Signed {
            nonce,
            dashboard: &self.dashboard,
            hostname: &self.host,
            at: 5,
        };
        Proof {
            hostname: self.host.clone(),
            dashboard: self.dashboard.clone(),
            at: 5,
            signature: STANDARD.encode(self.pair.sign(signed.text().as_bytes())),
        }
    }

    /// Connects, proves and registers.
    async fn join(&self, house: &House) -> Agent {
        let mut agent = self.prove(house).await;
        say_register(&mut agent, register(&self.host)).await;
        assert!(matches!(agent.next().await, ToAgent::Registered(_)));
        agent
    }

    /// Connects and proves; `register` is still to come.
    async fn prove(&self, house: &House) -> Agent {
        let mut agent = self.dial(house).await.unwrap();
        let nonce = nonce(&mut agent).await;
        agent.say(&ToDashboard::Proof(self.proof(&nonce))).await;
        agent
    }
}

async fn nonce(agent: &mut Agent) -> String {
    match agent.next().await {
        ToAgent::Challenge { nonce } => nonce,
        other => panic!("no challenge but {other:?}"),
    }
}

async fn say_register(agent: &mut Agent, register: Register) {
    agent.say(&ToDashboard::Register(Box::new(register))).await;
}

#[tokio::test]
async fn a_known_key_is_proven_and_then_registers_its_host() {
    let house = House::start().await;
    let key = Key::new(1, "web1").add(&house).await;
    let mut agent = key.join(&house).await;
    agent.beat(1).await;
    assert_eq!(agent.next().await, ToAgent::HeartbeatAck { n: 1 });
    let mut first = key.dial(&house).await.unwrap();
    let mut second = key.dial(&house).await.unwrap();
    assert_ne!(nonce(&mut first).await, nonce(&mut second).await);
}

#[tokio::test]
async fn an_unknown_key_is_refused_before_the_upgrade() {
    let house = House::start().await;
    let Err(Error::Http(response)) = Key::new(1, "web1").dial(&house).await else {
        panic!("not refused");
    };
    assert_eq!(response.status(), 401);
    let body = String::from_utf8_lossy(response.body().as_ref().unwrap()).into_owned();
    assert!(
        body.contains("unknown_key") && body.contains("key add HOST"),
        "{body}"
    );
}

#[tokio::test]
async fn a_proof_of_another_connection_key_host_or_dashboard_is_refused() {
    let house = House::start().await;
    let key = Key::new(1, "web1").add(&house).await;
    let other = Key::new(2, "web2").add(&house).await;
    let mut seen = key.dial(&house).await.unwrap();
    let old = key.proof(&nonce(&mut seen).await);

    let mut agent = key.dial(&house).await.unwrap();
    nonce(&mut agent).await;
    agent.say(&ToDashboard::Proof(old)).await;
    let (code, reason) = agent.closed().await;
    assert_eq!(code, 1008);
    assert!(
        reason.contains("signature of this connection"),
        "a replay: {reason}"
    );

    let mut agent = key.dial(&house).await.unwrap();
    let challenge = nonce(&mut agent).await;
    let foreign = Key {
        host: "web1".into(),
        ..other
    };
    agent
        .say(&ToDashboard::Proof(foreign.proof(&challenge)))
        .await;
    assert!(agent.closed().await.1.contains("not this key's signature"));

    let lying = Key {
        host: "web2".into(),
        ..Key::new(1, "")
    };
    let mut agent = lying.prove(&house).await;
    assert!(agent.closed().await.1.contains("another host than web2"));

    let relayed = Key {
        dashboard: "evil.example".into(),
        ..Key::new(1, "web1")
    };
    let mut agent = relayed.prove(&house).await;
    let (_, reason) = agent.closed().await;
    assert!(
        reason.contains("`evil.example` is no name of this dashboard"),
        "{reason}"
    );
    assert!(reason.len() <= 123, "a close frame takes no more: {reason}");

    let mut agent = key.prove(&house).await;
    say_register(&mut agent, register("web2")).await;
    assert!(agent.closed().await.1.contains("another host than web2"));

    let mut agent = key.prove(&house).await;
    let elsewhere = Register {
        organization: Some("acme".into()),
        ..register("web1")
    };
    say_register(&mut agent, elsewhere).await;
    assert!(
        agent
            .closed()
            .await
            .1
            .contains("another organization than `acme`")
    );

    let mut agent = key.dial(&house).await.unwrap();
    nonce(&mut agent).await;
    say_register(&mut agent, register("web1")).await;
    assert!(agent.closed().await.1.contains("before the proof"));
    let hosts = house.get("/api/hosts").await;
    assert_eq!(
        hosts["hosts"].as_array().unwrap().len(),
        0,
        "nobody came in"
    );
}

#[tokio::test]
async fn the_shared_token_does_not_count_for_a_host_with_a_key() {
    let house = House::start().await;
    let (mut before, _) = Agent::join(&house, register("web1")).await;
    let (mut other, _) = Agent::join(&house, register("web2")).await;
    let key = Key::new(1, "web1").add(&house).await;
    let (code, reason) = before.closed().await;
    assert_eq!(code, 1008);
    assert!(reason.contains("has got a key"), "{reason}");
    let mut again = Agent::dial(house.address, AGENT_TOKEN).await.unwrap();
    say_register(&mut again, register("web1")).await;
    let (_, reason) = again.closed().await;
    assert!(
        reason.contains("set key_file") && reason.len() <= 123,
        "{reason}"
    );
    for (host, status) in [("web1", 403), ("web3", 200)] {
        let push = axum::http::Request::post(format!("/api/hosts/{host}/logs"))
            .header("authorization", format!("Bearer {AGENT_TOKEN}"))
            .header("content-type", "text/plain")
            .body(axum::body::Body::from("a line\n"))
            .unwrap();
        let pushed = crate::dashboard::http::router(house.app.clone())
            .oneshot(push)
            .await;
        assert_eq!(pushed.unwrap().status(), status, "{host}");
    }
    let _agent = key.join(&house).await;
    other.beat(1).await;
    assert_eq!(other.next().await, ToAgent::HeartbeatAck { n: 1 });
}

#[tokio::test]
async fn a_removed_keys_connection_is_closed_and_the_key_is_unknown() {
    let house = House::start().await;
    let key = Key::new(1, "web1").add(&house).await;
    let mut agent = key.join(&house).await;
    let removed = house.app.store.remove_agent_key(&key.public()).await;
    assert!(removed.unwrap());
    let (code, reason) = agent.closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (1008, "the key of this connection was removed")
    );
    assert!(
        matches!(key.dial(&house).await, Err(Error::Http(response)) if response.status() == 401)
    );
}

#[tokio::test]
async fn a_removed_key_is_seen_though_somebody_with_an_unknown_one_came_first() {
    let house = House::start().await;
    let key = Key::new(1, "web1").add(&house).await;
    let mut agent = key.join(&house).await;
    let store = &house.app.store;
    assert!(store.remove_agent_key(&key.public()).await.unwrap());
    let stranger = Key::new(2, "web2").public();
    let found = house.app.keys.find(store, &stranger).await.unwrap();
    assert_eq!(found, None);
    let (code, reason) = agent.closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (1008, "the key of this connection was removed")
    );
}

#[tokio::test]
async fn a_key_that_moves_to_another_organization_takes_its_connection_along() {
    let house = House::start().await;
    let key = Key::new(1, "web1").add(&house).await;
    let mut agent = key.join(&house).await;
    let store = &house.app.store;
    assert!(store.remove_agent_key(&key.public()).await.unwrap());
    let (host, acme) = ("web1".parse().unwrap(), "acme".parse().unwrap());
    let added = store.add_agent_key(&key.public(), &host, &acme).await;
    assert!(added.unwrap());
    assert_eq!(agent.closed().await.0, 1008);
}

#[tokio::test]
async fn who_proves_nothing_is_closed_after_ten_seconds() {
    let house = House::start().await;
    let key = Key::new(1, "web1").add(&house).await;
    let mut agent = key.dial(&house).await.unwrap();
    nonce(&mut agent).await;
    pause();
    let began = Instant::now();
    let (code, reason) = agent.closed().await;
    assert_eq!(
        (code, reason.as_str()),
        (1008, "no proof of the key within 10 seconds")
    );
    assert!(began.elapsed().as_secs() <= 11, "{:?}", began.elapsed());
    resume();
}
