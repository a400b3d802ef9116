//! How far a run is: counters, what is built now, and how long builds took.

use serde::{Deserialize, Serialize};

use super::is_zero;

/// How far a run is. `done`, `total` and `unit` are the one pair to show; the counters are all that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Finished so far, in `unit`.
    pub done: u64,
    /// To be done in all; 0 while unknown.
    pub total: u64,
    /// What is counted.
    pub unit: ProgressUnit,
    /// What goes on now, in Nix's words: `building hello-2.12 (buildPhase)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activity: Option<String>,
    /// Derivations: planned, running, done, failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub builds: Option<Builds>,
    /// Paths and bytes from caches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetches: Option<Fetches>,
    /// What is being built now, the longest first; at most [`MAX_RUNNING`](super::MAX_RUNNING). Empty where only counters are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub running: Vec<RunningBuild>,
}

/// A derivation that is being built now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningBuild {
    /// Its name, without hash: `hello-2.12`.
    pub name: String,
    /// The remote builder; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The builder's own phase: `buildPhase`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// When it began, in milliseconds since the epoch by the host's clock.
    pub since: u64,
}

/// How long one derivation took to build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildTime {
    /// Its name, without hash: `hello-2.12`.
    pub name: String,
    /// Milliseconds.
    pub ms: u64,
    /// The remote builder; absent for the host itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What [`Progress::done`] and [`Progress::total`] count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProgressUnit {
    /// Derivations.
    #[default]
    Builds,
    /// Store paths copied or downloaded.
    Paths,
    /// Bytes downloaded.
    Bytes,
    /// The host's own test scripts.
    Tests,
}

/// Counters of derivations.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Builds {
    /// To be built in all, as far as known.
    pub planned: u64,
    /// Being built now.
    pub running: u64,
    /// Built.
    pub done: u64,
    /// Failed.
    pub failed: u64,
    /// Neither built nor failed when the run was over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub interrupted: u64,
}

/// Counters of fetched paths and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fetches {
    /// Paths to be fetched in all, as far as known.
    pub planned: u64,
    /// Paths fetched.
    pub done: u64,
    /// Bytes fetched.
    pub bytes_done: u64,
    /// Bytes to be fetched in all, as far as known.
    pub bytes_total: u64,
    /// Bytes a second over the last seconds; 0 while unknown.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub bytes_per_second: u64,
}
