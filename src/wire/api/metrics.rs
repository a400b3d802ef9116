//! Readings of hosts, their history, and what is free.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::wire::resources::Resources;

/// The newest readings of a host that is online.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostResources {
    /// The readings; `age_ms` is how old they are now, by the dashboard's clock.
    #[serde(flatten)]
    pub resources: Resources,
    /// They are too old to be how the host is: its agent goes on sending what it read last.
    #[serde(default)]
    pub stale: bool,
}

/// `PUT /api/hosts/{host}`: what an operator says of a host. What is absent stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostEdit {
    /// A note.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
    /// Words to choose hosts by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
}

/// `GET /api/hosts/{host}/metrics`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricsHistory {
    /// Whose.
    pub host: String,
    /// When the first point begins.
    pub from: String,
    /// The length of a point in seconds. It may be more than was asked for: older history is kept coarser.
    pub step_s: u64,
    /// How many points; every series has as many.
    pub points: u64,
    /// By name; a series of which nothing is known in this time is absent.
    pub series: BTreeMap<String, SeriesValues>,
}

/// One series. A point of which nothing is known is null: nothing is made up between its neighbours.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SeriesValues {
    /// The means.
    pub avg: Vec<Option<f64>>,
    /// The least values.
    pub min: Vec<Option<f64>>,
    /// The greatest values.
    pub max: Vec<Option<f64>>,
}

/// `GET /api/metrics`: the last hour of many hosts, by the minute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentMetrics {
    /// When the first point begins.
    pub from: String,
    /// The length of a point in seconds.
    pub step_s: u64,
    /// By name; a host of which nothing is known is absent.
    pub hosts: BTreeMap<String, RecentHost>,
}

/// One host in [`RecentMetrics`]; null where nothing is known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RecentHost {
    /// Load averages.
    pub load: Vec<Option<f64>>,
    /// Memory in use, percent.
    pub memory: Vec<Option<f64>>,
}

/// `GET /api/capacity`: what is free on the hosts that are online and whose readings are fresh.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    /// Those that pass the filter, the one with the most free cores first.
    pub hosts: Vec<HostCapacity>,
    /// Why others are not looked at.
    pub left_out: LeftOut,
}

/// Hosts that no capacity is told of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// They are not online.
    pub offline: usize,
    /// They are, and tell no readings, or none that are fresh.
    pub unknown: usize,
    /// They are, and do not pass the filter.
    pub filtered: usize,
}

/// What is free on a host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostCapacity {
    /// Which one.
    pub host: String,
    /// An operator's words for it.
    pub tags: Vec<String>,
    /// Where it stands.
    pub location: String,
    /// What kind of machine it is.
    pub device_type: String,
    /// The command that runs there now, if any.
    pub running: Option<String>,
    /// Cores less the load of the last minute.
    pub cores_available: Option<f64>,
    /// Bytes of memory that could still be used.
    pub memory_available: Option<u64>,
    /// Free bytes of the GPU that has the most.
    pub vram_available: Option<u64>,
    /// All readings, with their age.
    pub resources: Resources,
}
