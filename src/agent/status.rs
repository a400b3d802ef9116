//! What the agent tells of itself and its host: to the local API, to pushes, to the log and to systemd.
//!
//! All of it comes from the same cells as heartbeats. Whoever asks waits for nothing and delays nothing.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::agent::health::Health;
use crate::agent::heartbeat::Cells;
use crate::agent::identity::Identity;
use crate::base::VERSION;
use crate::base::clock::{self, Millis, rfc3339};
use crate::wire::local_api::{
    AgentStatus, AllMetrics, Connection, HealthAnswer, HeartbeatLog, Heartbeats, HostStatus, Push,
    System, Usage,
};
use crate::wire::resources::{Amount, Resources};
use crate::wire::to_dashboard::{Heartbeat, Metrics};

/// Values that could not be read again are told, with their age, for so long.
const KEPT: Duration = Duration::from_secs(3600);

/// Who this agent is, as far as it tells.
#[derive(Debug, Clone)]
struct Who {
    hostname: String,
    url: String,
    interval: Duration,
    limit: Duration,
    platform: String,
    os: String,
}

/// All that can be told, and where it is read.
#[derive(Debug)]
pub struct Status {
    who: Who,
    cells: Cells,
    health: watch::Receiver<Health>,
    started: Instant,
    started_at: Millis,
    last: Mutex<Last>,
    pushes: Vec<watch::Receiver<Push>>,
    log: Option<watch::Receiver<HeartbeatLog>>,
}

/// The newest values that there were.
#[derive(Debug, Default)]
struct Last {
    metrics: Option<(Metrics, Instant)>,
    resources: Option<(Resources, Instant)>,
}

/// A heartbeat with what was known before where it knows nothing now.
#[derive(Debug)]
pub struct Newest {
    /// The heartbeat of this moment, with nothing from before.
    pub heartbeat: Heartbeat,
    /// StaSysMo's numbers, and how old they are.
    pub metrics: Option<(Metrics, Duration)>,
    /// The host's own; their age is in them.
    pub resources: Option<Resources>,
}

impl Status {
    /// Tells nothing yet.
    pub fn new(identity: &Identity, cells: Cells, health: watch::Receiver<Health>) -> Self {
        Self {
            who: Who {
                hostname: identity.hostname.to_string(),
                url: identity.url.clone(),
                interval: identity.interval,
                limit: identity.silence_limit(),
                platform: identity.host.host_type.clone(),
                os: identity.host.os_version.clone(),
            },
            cells,
            health,
            started: Instant::now(),
            started_at: clock::now(),
            last: Mutex::default(),
            pushes: Vec::new(),
            log: None,
        }
    }

    /// Also tells of a back-end.
    pub fn add_push(&mut self, push: watch::Receiver<Push>) {
        self.pushes.push(push);
    }

    /// Also tells of the local log.
    pub fn add_log(&mut self, log: watch::Receiver<HeartbeatLog>) {
        self.log = Some(log);
    }

    /// The host's name.
    pub fn hostname(&self) -> &str {
        &self.who.hostname
    }

    /// Between heartbeats.
    pub fn interval(&self) -> Duration {
        self.who.interval
    }

    /// How long the host may be silent before it counts as offline.
    pub fn silence_limit(&self) -> Duration {
        self.who.limit
    }

    /// When the agent started, in milliseconds since the epoch.
    pub fn started_at(&self) -> Millis {
        self.started_at
    }

    /// How the connection is.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }

    /// The back-ends.
    pub fn pushes(&self) -> Vec<Push> {
        self.pushes
            .iter()
            .map(|push| push.borrow().clone())
            .collect()
    }

    /// The heartbeat of this moment.
    pub fn heartbeat(&self, n: u64) -> Heartbeat {
        self.cells.heartbeat(n)
    }

    /// The heartbeat of this moment and, where it lacks values, the last ones. To be called now and then, so that there are
    /// last ones.
    pub fn newest(&self) -> Newest {
        let heartbeat = self.cells.heartbeat(0);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if let Some(metrics) = heartbeat.metrics {
            last.metrics = Some((metrics, now));
        }
        if let Some(resources) = &heartbeat.resources {
            last.resources = Some((resources.clone(), now));
        }
        let kept = |at: Instant| now.saturating_duration_since(at);
        Newest {
            metrics: last
                .metrics
                .map(|(metrics, at)| (metrics, kept(at)))
                .filter(|(_, age)| *age < KEPT),
            resources: last
                .resources
                .as_ref()
                .filter(|(_, at)| kept(*at) < KEPT)
                .map(|(resources, at)| {
                    let mut resources = resources.clone();
                    resources.age_ms += kept(*at).as_millis() as u64;
                    resources
                }),
            heartbeat,
        }
    }

    /// For `/health`.
    pub fn health_answer(&self) -> HealthAnswer {
        let connection = self.connection();
        let reason = match (connection.healthy, connection.connected, connection.error) {
            (true, ..) => None,
            (false, true, _) => Some("the dashboard acknowledges no heartbeats".to_owned()),
            (false, false, Some(error)) => Some(format!("not connected: {error}")),
            (false, false, None) => Some("not connected yet".to_owned()),
        };
        HealthAnswer {
            status: if reason.is_none() {
                "healthy"
            } else {
                "unhealthy"
            }
            .to_owned(),
            timestamp: rfc3339(clock::now()),
            hostname: self.who.hostname.clone(),
            reason,
        }
    }

    /// For `/status`.
    pub fn host_status(&self) -> HostStatus {
        let newest = self.newest();
        HostStatus {
            hostname: self.who.hostname.clone(),
            timestamp: rfc3339(clock::now()),
            system: self.system(&newest),
            resources: usage(&newest),
            agent: self.connection(),
            activity: newest.heartbeat.activity,
        }
    }

    /// For `/metrics` as JSON.
    pub fn all_metrics(&self) -> AllMetrics {
        let newest = self.newest();
        let fresh = newest.heartbeat.metrics.is_some();
        let age = |age: Duration| if fresh { 0 } else { age.as_millis() as u64 };
        AllMetrics {
            hostname: self.who.hostname.clone(),
            timestamp: rfc3339(clock::now()),
            system: self.system(&newest),
            agent: self.connection(),
            metrics_age_ms: newest.metrics.map(|(_, since)| age(since)),
            metrics: newest.metrics.map(|(metrics, _)| metrics),
            resources: newest.resources,
            activity: newest.heartbeat.activity,
            usage: newest.heartbeat.agent,
        }
    }

    /// For `/agent/status`.
    pub fn agent_status(&self) -> AgentStatus {
        let heartbeat = self.cells.heartbeat(0);
        let health = self.health();
        AgentStatus {
            running: true,
            hostname: self.who.hostname.clone(),
            timestamp: rfc3339(clock::now()),
            monitor_url: self.who.url.clone(),
            interval: self.who.interval.as_secs(),
            version: VERSION.to_owned(),
            pid: std::process::id(),
            started_at: rfc3339(self.started_at),
            uptime_s: self.started.elapsed().as_secs(),
            connection: self.connection(),
            heartbeats: Heartbeats {
                sent: health.sent,
                acknowledged: health.acknowledged,
            },
            activity: heartbeat.activity,
            usage: heartbeat.agent,
            pushes: self.pushes(),
            heartbeat_log: self.log.as_ref().map(|log| log.borrow().clone()),
        }
    }

    fn connection(&self) -> Connection {
        let health = self.health.borrow();
        let since_ack = health.since_ack();
        Connection {
            connected: health.connected,
            healthy: health.is_healthy(self.who.limit),
            last_heartbeat_ack: since_ack
                .map(|ago| rfc3339(clock::now().saturating_sub(ago.as_millis() as u64))),
            seconds_since_ack: since_ack.map(|ago| ago.as_secs()),
            reconnect_attempts: health.attempts,
            error: health.error.clone(),
        }
    }

    fn system(&self, newest: &Newest) -> System {
        System {
            hostname: self.who.hostname.clone(),
            platform: self.who.platform.clone(),
            os: self.who.os.clone(),
            architecture: std::env::consts::ARCH.to_owned(),
            generation: newest.heartbeat.generation.clone(),
            nixpkgs_version: newest.heartbeat.nixpkgs_version.clone(),
            uptime_s: newest
                .resources
                .as_ref()
                .and_then(|resources| resources.uptime_s),
            agent_version: VERSION.to_owned(),
        }
    }
}

/// The host's own values, and StaSysMo's where it has none.
fn usage(newest: &Newest) -> Usage {
    let own = newest.resources.as_ref();
    let (metrics, metrics_age) = newest.metrics.unzip();
    let fullest = |resources: &Resources| {
        let percents = resources.disks.iter().map(|disk| disk.amount.percent());
        percents.max_by(f64::total_cmp)
    };
    let rounded = |percent: f64| (percent * 10.0).round() / 10.0;
    let memory = own.and_then(|own| own.memory).map(Amount::percent);
    let swap = own.and_then(|own| own.swap).map(Amount::percent);
    let ages = [
        own.map(|own| own.age_ms),
        metrics_age.map(|age| age.as_millis() as u64),
    ];
    Usage {
        cpu_percent: metrics.map(|metrics| rounded(metrics.cpu)),
        memory_percent: memory.or(metrics.map(|metrics| metrics.ram)).map(rounded),
        swap_percent: swap.or(metrics.map(|metrics| metrics.swap)).map(rounded),
        disk_percent: own.and_then(fullest).map(rounded),
        load: own.and_then(|own| own.load),
        age_ms: ages.into_iter().flatten().max(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
