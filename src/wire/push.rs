//! A heartbeat as it is pushed over HTTP: `POST` of one JSON object, to this project's dashboard or to any other back-end.

use serde::de::{Error as _, IgnoredAny};
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

impl Push {
    /// Reads one. Unlike a heartbeat of a connection, which counts although a part of it cannot be read, whoever pushes is told.
    ///
    /// # Errors
    /// It is not JSON or not such an object; or the part that cannot be read.
    pub fn read(json: &[u8]) -> serde_json::Result<Self> {
        #[derive(Deserialize)]
        struct Given {
            metrics: Option<IgnoredAny>,
            resources: Option<IgnoredAny>,
            agent: Option<IgnoredAny>,
        }
        let push: Self = serde_json::from_slice(json)?;
        let given: Given = serde_json::from_slice(json)?;
        let heartbeat = &push.heartbeat;
        for (name, unread) in [
            (
                "metrics",
                given.metrics.is_some() && heartbeat.metrics.is_none(),
            ),
            (
                "resources",
                given.resources.is_some() && heartbeat.resources.is_none(),
            ),
            ("agent", given.agent.is_some() && heartbeat.agent.is_none()),
        ] {
            if unread {
                let message = format!("`{name}` has a field of another kind than it should be");
                return Err(serde_json::Error::custom(message));
            }
        }
        Ok(push)
    }
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
    fn a_part_that_cannot_be_read_is_named() {
        for (text, part) in [
            (r#"{"metrics":{"cpu":"much"}}"#, "`metrics`"),
            (r#"{"resources":{"memory":[1]}}"#, "`resources`"),
            (r#"{"agent":7}"#, "`agent`"),
            (r#"{"n":-1}"#, "invalid value"),
            ("[1]", "invalid type"),
        ] {
            let error = Push::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        for text in ["{}", r#"{"metrics":null,"resources":{},"agent":null}"#] {
            Push::read(text.as_bytes()).unwrap();
        }
    }

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
