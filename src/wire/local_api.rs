//! The JSON of an agent's own HTTP API, for programs on its host: `/health`, `/status`, `/metrics` and `/agent/status`.
//!
//! What is not known is `null`, never an error. Times are RFC 3339 in UTC.

use serde::{Deserialize, Serialize};

use crate::wire::resources::{AgentUsage, Resources};
use crate::wire::to_dashboard::{Activity, Metrics};

/// An answer that is no error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer<T> {
    /// Always true: an error has an `error` instead of `data`.
    pub success: bool,
    /// What was asked for.
    pub data: T,
}

/// `/health`: 200 when healthy, 503 when not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthAnswer {
    /// `healthy` or `unhealthy`.
    pub status: String,
    /// Now.
    pub timestamp: String,
    /// The host.
    pub hostname: String,
    /// Why it is not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `/status`: the host in short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostStatus {
    /// The host.
    pub hostname: String,
    /// Now.
    pub timestamp: String,
    /// What it is.
    pub system: System,
    /// What of it is in use.
    pub resources: Usage,
    /// The agent's connection.
    pub agent: Connection,
    /// What the host is doing; null when it does nothing.
    pub activity: Option<Activity>,
}

/// `/metrics` as JSON: all that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllMetrics {
    /// The host.
    pub hostname: String,
    /// Now.
    pub timestamp: String,
    /// What it is.
    pub system: System,
    /// The agent's connection.
    pub agent: Connection,
    /// What the agent reads by itself; the last values, with their age, where reading fails now.
    pub resources: Option<Resources>,
    /// StaSysMo's numbers; the last ones where there are no fresh ones.
    pub metrics: Option<Metrics>,
    /// How old `metrics` are, in milliseconds; 0 while they are fresh.
    pub metrics_age_ms: Option<u64>,
    /// What the host is doing.
    pub activity: Option<Activity>,
    /// What the agent itself needs.
    pub usage: Option<AgentUsage>,
}

/// `/agent/status`: the agent itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AgentStatus {
    /// Always true: who can answer runs.
    pub running: bool,
    /// The host.
    pub hostname: String,
    /// Now.
    pub timestamp: String,
    /// The dashboard's address.
    pub monitor_url: String,
    /// Seconds between heartbeats.
    pub interval: u64,
    /// The agent's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started_at: String,
    /// Seconds since then.
    pub uptime_s: u64,
    /// Its connection to the dashboard.
    pub connection: Connection,
    /// Heartbeats since it started.
    pub heartbeats: Heartbeats,
    /// What the host is doing.
    pub activity: Option<Activity>,
    /// What the agent itself needs.
    pub usage: Option<AgentUsage>,
    /// The back-ends that heartbeats are pushed to.
    #[serde(default)]
    pub pushes: Vec<Push>,
    /// The local log of heartbeats.
    #[serde(default)]
    pub heartbeat_log: Option<HeartbeatLog>,
}

/// What kind of system it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// The host.
    pub hostname: String,
    /// `nixos`, `macos` or `linux`.
    pub platform: String,
    /// The operating system with its version.
    pub os: String,
    /// The processor's architecture.
    pub architecture: String,
    /// The running generation; empty where the system does not say.
    pub generation: String,
    /// The nixpkgs version it was built from; empty likewise.
    pub nixpkgs_version: String,
    /// Seconds since the host started.
    pub uptime_s: Option<u64>,
    /// The agent's version.
    pub agent_version: String,
}

/// The numbers that people look at first, in percent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// Processors in use.
    pub cpu_percent: Option<f64>,
    /// Memory in use.
    pub memory_percent: Option<f64>,
    /// Swap in use.
    pub swap_percent: Option<f64>,
    /// The fullest file system.
    pub disk_percent: Option<f64>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// How old the oldest of these is, in milliseconds.
    pub age_ms: Option<u64>,
}

/// The connection to the dashboard.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Connection {
    /// Registered at the dashboard now.
    pub connected: bool,
    /// Connected, and a heartbeat was acknowledged within `offline_after` intervals and five seconds.
    pub healthy: bool,
    /// When a heartbeat was acknowledged last.
    pub last_heartbeat_ack: Option<String>,
    /// How long ago that was.
    pub seconds_since_ack: Option<u64>,
    /// Failed attempts since the last connection.
    pub reconnect_attempts: u32,
    /// Why there is no connection.
    pub error: Option<String>,
}

/// Heartbeats since the agent started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeats {
    /// Sent to the dashboard.
    pub sent: u64,
    /// Acknowledged by it.
    pub acknowledged: u64,
}

/// A back-end that heartbeats are pushed to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Push {
    /// Its address, without a query.
    pub url: String,
    /// The newest push arrived.
    pub healthy: bool,
    /// When one arrived last.
    pub last_success: Option<String>,
    /// Pushes that arrived since the agent started.
    pub delivered: u64,
    /// Pushes that did not, each after all its tries.
    pub failed: u64,
    /// Why the newest one did not.
    pub error: Option<String>,
}

/// The local log of heartbeats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeartbeatLog {
    /// Its directory.
    pub dir: String,
    /// Lines written since the agent started.
    pub written: u64,
    /// Lines that could not be written.
    pub lost: u64,
    /// Why the newest one could not.
    pub error: Option<String>,
}
