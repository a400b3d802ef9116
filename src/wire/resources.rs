//! What an agent reads of its host by itself, in heartbeats. Sizes are bytes, temperatures degrees Celsius.
//!
//! A value that could not be read is absent: nothing stands for "unknown" but its absence. Heartbeats write it in few bytes ([`short`]).

pub mod short;

use serde::{Deserialize, Serialize};

/// The most file systems that are told.
pub const MAX_DISKS: usize = 16;
/// The most GPUs.
pub const MAX_GPUS: usize = 16;
/// The most failed units that are named; their count is exact.
pub const MAX_FAILED_UNITS: usize = 8;

/// What of a host is in use, and what is left.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// How old the oldest of these values was when the heartbeat was made, in milliseconds.
    pub age_ms: u64,
    /// Load averages over 1, 5 and 15 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Processors that may be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<u32>,
    /// Cores less the load of the last minute, never below 0: how many more programs may compute at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores_available: Option<f64>,
    /// Main memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Amount>,
    /// Swap; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swap: Option<Amount>,
    /// File systems on disks, the root first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub disks: Vec<Disk>,
    /// Seconds since the host started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_s: Option<u64>,
    /// Which kind of GPU there is; absent until that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuKind>,
    /// Its memory, of each one that tells.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Gpu>,
    /// The hottest sensor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// systemd units that have failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed_units: Option<FailedUnits>,
    /// What the running system differs in from the one that the next boot starts: `kernel`, `initrd`, `modules`; empty
    /// when no reboot is needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reboot_for: Option<Vec<String>>,
}

impl Resources {
    /// How many more programs may compute at once on so many cores with such a load.
    pub fn cores_left(cores: u32, load: f64) -> f64 {
        ((f64::from(cores) - load).max(0.0) * 100.0).round() / 100.0
    }
}

/// Some of a whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    /// All of it.
    pub total: u64,
    /// What could still be used.
    pub available: u64,
}

impl Amount {
    /// How much is in use, in percent from 0 to 100.
    pub fn percent(self) -> f64 {
        let used = self.total.saturating_sub(self.available);
        if self.total == 0 {
            0.0
        } else {
            used as f64 * 100.0 / self.total as f64
        }
    }
}

/// A file system.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// Where it is mounted. The one that holds the Nix store is named by its own mount, often `/` or `/nix`.
    pub mount: String,
    /// All of it, and what an ordinary user could still write.
    #[serde(flatten)]
    pub amount: Amount,
    /// Whether it holds the Nix store.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub store: bool,
}

/// Who made a GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GpuKind {
    /// NVIDIA.
    Nvidia,
    /// AMD.
    Amd,
    /// Intel.
    Intel,
    /// There is none.
    None,
}

/// One GPU.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Its name, as the driver says it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Its own memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vram: Option<Amount>,
    /// How busy it is, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// Its temperature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// Units that systemd lists as failed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedUnits {
    /// How many.
    pub count: u32,
    /// The first ones by name, at most [`MAX_FAILED_UNITS`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// What stays the same as long as an agent is connected: it is told once on each connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostFacts {
    /// The operating system with its version, in words: `NixOS 26.05 (Yarara)`, `macOS 15.1`.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// The machine's architecture, as `uname -m` says it.
    pub architecture: String,
    /// Which boot this is: a new value after each one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
}

/// The agent's own consumption.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AgentUsage {
    /// Resident memory.
    pub memory: u64,
    /// CPU time since it started, in milliseconds.
    pub cpu_ms: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_much_is_in_use() {
        let percent = |total, available| Amount { total, available }.percent();
        for (total, available, expected) in [
            (0, 0, 0.0),
            (100, 25, 75.0),
            (100, 100, 0.0),
            (100, 200, 0.0),
            (3, 0, 100.0),
        ] {
            assert!((percent(total, available) - expected).abs() < 1e-9);
        }
    }

    #[test]
    fn what_is_unknown_is_absent() {
        let json = serde_json::to_string(&Resources::default()).unwrap();
        assert_eq!(json, r#"{"age_ms":0}"#);
        let back: Resources = serde_json::from_str("{}").unwrap();
        assert_eq!(back, Resources::default());
        let disk: Disk =
            serde_json::from_str(r#"{"mount":"/","total":5,"available":2,"new":1}"#).unwrap();
        assert_eq!((disk.amount.available, disk.store), (2, false));
    }
}
