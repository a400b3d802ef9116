use super::*;
use crate::agent::config::{Labels, TokenSource};
use crate::agent::credential::Credential;
use crate::agent::facts;
use crate::agent::metrics::Sample;
use crate::agent::runs::Current;
use crate::agent::statement::Statement;
use crate::base::secret::Secret;
use crate::wire::resources::Disk;

/// A status and the cells behind it.
pub(crate) struct Told {
    pub(crate) status: Status,
    pub(crate) health: watch::Sender<Health>,
    pub(crate) current: watch::Sender<Option<Current>>,
    pub(crate) sample: watch::Sender<Sample>,
}

/// The status of `web1` with a heartbeat each 10 s.
pub(crate) fn told() -> Told {
    let identity = Identity {
        url: "ws://dash.lan/ws".into(),
        credential: Credential::Token(TokenSource::Environment(Secret::new("s3cret"))),
        hostname: "web1".parse().unwrap(),
        organization: crate::wire::subject::Organization::default(),
        interval: Duration::from_secs(10),
        offline_after: None,
        labels: Labels {
            location: "attic".into(),
            device_type: "server".into(),
            theme_color: String::new(),
            nixpkgs_version: "26.05".into(),
        },
        host: facts::Host {
            host_type: "nixos".into(),
            os_version: "NixOS \"26.05\"".into(),
            facts: None,
        },
    };
    let (sample, samples) = watch::channel(Sample::for_test(None));
    let (current, currents) = watch::channel(None);
    let (health, healths) = watch::channel(Health::default());
    let statement = watch::channel(Statement::default()).1;
    let cells = Cells::new(&identity, samples, currents, statement);
    Told {
        status: Status::new(&identity, cells, healths),
        health,
        current,
        sample,
    }
}

/// Some metrics.
pub(crate) fn metrics() -> Metrics {
    Metrics {
        cpu: 12.34,
        ram: 50.0,
        swap: 0.0,
        load: 1.5,
    }
}

#[tokio::test(start_paused = true)]
async fn values_that_cannot_be_read_any_more_are_told_with_their_age_and_then_not_at_all() {
    let told = told();
    let (status, sample) = (&told.status, &told.sample);
    assert_eq!(status.all_metrics().metrics, None);
    assert_eq!(status.all_metrics().metrics_age_ms, None);
    sample.send_replace(Sample::for_test(Some(metrics())));
    let all = status.all_metrics();
    assert_eq!(
        (all.metrics, all.metrics_age_ms),
        (Some(metrics()), Some(0))
    );
    sample.send_replace(Sample::for_test(None));
    tokio::time::advance(Duration::from_secs(90)).await;
    let all = status.all_metrics();
    assert_eq!(
        (all.metrics, all.metrics_age_ms),
        (Some(metrics()), Some(90_000))
    );
    let usage = status.host_status().resources;
    assert_eq!(
        (usage.cpu_percent, usage.age_ms, usage.disk_percent),
        (Some(12.3), Some(90_000), None)
    );
    assert_eq!(status.newest().heartbeat.metrics, None, "never sent as new");
    tokio::time::advance(KEPT).await;
    assert_eq!(status.all_metrics().metrics, None);
}

#[test]
fn the_fullest_disk_counts_and_own_values_before_others() {
    let amount = |total, available| Amount { total, available };
    let disk = |mount: &str, available| Disk {
        mount: mount.into(),
        amount: amount(100, available),
        store: false,
    };
    let newest = Newest {
        heartbeat: Heartbeat::default(),
        metrics: Some((metrics(), Duration::from_secs(1))),
        resources: Some(Resources {
            age_ms: 5,
            memory: Some(amount(1000, 375)),
            disks: vec![disk("/", 50), disk("/nix", 7), disk("/home", 90)],
            ..Resources::default()
        }),
    };
    let usage = usage(&newest);
    assert_eq!(usage.disk_percent, Some(93.0));
    assert_eq!(usage.memory_percent, Some(62.5));
    assert_eq!(
        (usage.cpu_percent, usage.swap_percent),
        (Some(12.3), Some(0.0))
    );
    assert_eq!(usage.age_ms, Some(1000));
}

#[tokio::test(start_paused = true)]
async fn health_says_why_not() {
    let told = told();
    let (status, health) = (&told.status, &told.health);
    let answer = status.health_answer();
    assert_eq!(
        (answer.status.as_str(), answer.reason.as_deref()),
        ("unhealthy", Some("not connected yet"))
    );
    health.send_modify(|health| health.error = Some("no route".into()));
    assert_eq!(
        status.health_answer().reason.as_deref(),
        Some("not connected: no route")
    );
    health.send_modify(|health| {
        health.connected = true;
        health.acknowledges = true;
        health.since = Some(Instant::now());
    });
    assert_eq!(status.health_answer().status, "healthy");
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(
        status.health_answer().reason.as_deref(),
        Some("the dashboard acknowledges no heartbeats")
    );
    health.send_modify(|health| {
        health.last_ack = Some(Instant::now());
        health.acknowledged = 7;
        health.sent = 9;
    });
    tokio::time::advance(Duration::from_secs(3)).await;
    let agent = status.agent_status();
    assert!(agent.connection.healthy && agent.connection.connected);
    assert_eq!(agent.connection.seconds_since_ack, Some(3));
    assert!(agent.connection.last_heartbeat_ack.is_some());
    assert_eq!(
        (agent.heartbeats.sent, agent.heartbeats.acknowledged),
        (9, 7)
    );
    assert_eq!(agent.uptime_s, 63);
}

#[test]
fn no_secret_is_told() {
    let told = told();
    let text = serde_json::to_string(&told.status.agent_status()).unwrap();
    assert!(
        text.contains("ws://dash.lan/ws") && !text.contains("s3cret"),
        "{text}"
    );
    assert!(!format!("{:?}", told.status).contains("s3cret"));
}
