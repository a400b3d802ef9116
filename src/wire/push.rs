//! A heartbeat as it is pushed over HTTP: `POST` of one JSON object, to this project's dashboard or to any other back-end.

use serde::{Deserialize, Serialize};

use crate::wire::to_dashboard::Heartbeat;

/// The path at the dashboard.
pub const PATH: &str = "/api/v1/heartbeat";
/// The largest body, in bytes as it is sent.
pub const MAX_BODY: usize = 64 * 1024;
/// The largest body, in bytes of JSON.
pub const MAX_JSON: usize = 256 * 1024;

/// A heartbeat, and whose it is. All of it may be absent: simple scripts send `metrics` or `resources` alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Push {
    /// The host's name. A dashboard takes the one that the key belongs to.
    pub hostname: String,
    /// `nixos`, `macos` or `linux`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub host_type: String,
    /// The operating system's version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub os_version: String,
    /// The agent's version.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub agent_version: String,
    /// Seconds until the next one.
    pub interval: u32,
    /// The rest.
    #[serde(flatten)]
    pub heartbeat: Heartbeat,
}

/// What the dashboard answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// Always `ok`.
    pub status: String,
    /// The host that the key belongs to.
    pub hostname: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn simple_ones_and_whole_ones() {
        let simple: Push =
            serde_json::from_str(r#"{"metrics":{"cpu":"12.5","ram":3},"resources":{"cores":4}}"#)
                .unwrap();
        assert_eq!(
            simple.heartbeat.metrics.map(|metrics| metrics.cpu),
            Some(12.5)
        );
        let resources = simple.heartbeat.resources.unwrap();
        assert_eq!(resources.cores, Some(4));
        let whole = Push {
            hostname: "web1".into(),
            interval: 60,
            heartbeat: Heartbeat {
                n: 3,
                generation: "abc".into(),
                at: Some(5),
                ..Heartbeat::default()
            },
            ..Push::default()
        };
        let text = serde_json::to_string(&whole).unwrap();
        assert!(
            text.starts_with(r#"{"hostname":"web1","interval":60,"n":3,"#),
            "{text}"
        );
        assert_eq!(serde_json::from_str::<Push>(&text).unwrap(), whole);
    }
}
