//! How well a host keeps in touch, and whether it may be away.

use serde::{Deserialize, Serialize};

/// A part of [`Host`](super::Host): its fields are the host's own.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostLiveness {
    /// After how many intervals without a heartbeat it counts as offline.
    pub offline_after: u32,
    /// The host's clock less the dashboard's, in milliseconds; null until that is known. Nothing depends on it.
    pub clock_skew_ms: Option<i64>,
    /// How often it went away in the last hour, activations aside; counted up to 100.
    pub flaps: u32,
    /// Whether nobody needs to know when it is away: an operator said so, or it is a laptop and nobody said otherwise.
    pub expected_absence: bool,
    /// The maintenance that goes on.
    pub maintenance: Option<Maintenance>,
    /// Why nobody needs to worry about it; null unless it is offline.
    pub absence: Option<Absence>,
    /// The same in words.
    pub absence_reason: Option<String>,
}

/// Why an offline host is no cause for alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absence {
    /// Somebody works on it.
    Maintenance,
    /// It comes and goes, as laptops do.
    Expected,
}

/// A time in which a host may be away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Maintenance {
    /// When it was announced.
    pub since: String,
    /// When it ends by itself.
    pub until: String,
    /// What for, in an operator's words; may be empty.
    pub reason: String,
    /// Who announced it.
    pub by: String,
}

/// `POST /api/hosts/{host}/maintenance`: one of `until` and `minutes`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaintenanceBody {
    /// When it ends, as RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// How long it takes from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u64>,
    /// What for.
    pub reason: String,
}

/// `POST /api/hosts/{host}/absence`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AbsenceBody {
    /// Whether the host's absence is expected; null leaves it to what kind of device it is.
    pub expected: Option<bool>,
}

/// `GET /api/hosts/{host}/events`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEvents {
    /// Newest first.
    pub events: Vec<HostEvent>,
}

/// Something that happened to a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostEvent {
    /// Its number; events before it are asked for with `before`.
    pub id: u64,
    /// When the dashboard saw it, by the dashboard's clock.
    pub at: String,
    /// What.
    pub kind: HostEventKind,
    /// In words, where there is more to say.
    pub detail: String,
    /// When the host was last heard before it went away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<String>,
}

/// What can happen to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostEventKind {
    /// It registered for the first time.
    Registered,
    /// Its heartbeats arrive.
    Online,
    /// None arrived for too long.
    Offline,
    /// It disconnected and has time to come back.
    Reconnecting,
    /// It booted since it was last heard.
    Reboot,
    /// Its agent is of another version than before.
    AgentVersion,
    /// It runs another system than before.
    Generation,
    /// Its clock went wrong, or is right again.
    ClockSkew,
    /// An operator announced work on it.
    MaintenanceBegun,
    /// That is over.
    MaintenanceEnded,
}

impl HostEventKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Registered,
        Self::Online,
        Self::Offline,
        Self::Reconnecting,
        Self::Reboot,
        Self::AgentVersion,
        Self::Generation,
        Self::ClockSkew,
        Self::MaintenanceBegun,
        Self::MaintenanceEnded,
    ];

    /// Its name, as in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Online => "online",
            Self::Offline => "offline",
            Self::Reconnecting => "reconnecting",
            Self::Reboot => "reboot",
            Self::AgentVersion => "agent_version",
            Self::Generation => "generation",
            Self::ClockSkew => "clock_skew",
            Self::MaintenanceBegun => "maintenance_begun",
            Self::MaintenanceEnded => "maintenance_ended",
        }
    }
}

impl std::str::FromStr for HostEventKind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| format!("there is no such kind of event: `{}`", name.escape_debug()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for kind in HostEventKind::ALL {
            let json = serde_json::to_value(kind).unwrap();
            assert_eq!(json, kind.name());
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("nothing".parse::<HostEventKind>().is_err());
    }
}
