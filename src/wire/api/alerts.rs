//! `/api/alerts`: what is not as it should be, and whom that is told to.

use serde::{Deserialize, Serialize};

use crate::run::id::RunId;

/// `GET /api/alerts?state=firing|recovered&host=&before=&limit=`; `before` is an alert's id, as with runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Alerts {
    /// Newest first.
    pub alerts: Vec<Alert>,
}

/// An alert: one rule, host and object, from when it fires until it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id.
    pub id: String,
    /// The rule's name.
    pub rule: String,
    /// What the rule looks for: `offline`, `disk`, …
    pub on: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// `firing` or `recovered`.
    pub state: String,
    /// Which host; none for the dashboard itself.
    pub host: Option<String>,
    /// What of it: a mount, a unit, a command; empty for the host itself.
    pub object: String,
    /// What is the matter, in a sentence.
    pub summary: String,
    /// The number behind it.
    pub value: Option<f64>,
    /// The run that it is about.
    pub run: Option<RunId>,
    /// When it began.
    pub started_at: String,
    /// When it fired.
    pub fired_at: String,
    /// When it was over.
    pub recovered_at: Option<String>,
    /// Why it is over, where it did not just pass.
    pub ended: Option<String>,
    /// What became of what was told of it.
    pub deliveries: Vec<AlertDelivery>,
}

/// What was told of an alert on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDelivery {
    /// The channel's name.
    pub channel: String,
    /// `firing` or `recovered`.
    pub event: String,
    /// The id that its receiver sees, the same on every try.
    pub delivery: String,
    /// `queued`, `sent`, `failed` or `dropped`.
    pub state: String,
    /// Failed tries.
    pub attempts: u32,
    /// When it was over.
    pub done_at: Option<String>,
    /// What went wrong last.
    pub error: Option<String>,
}

/// `GET /api/alerts/channels`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertChannels {
    /// As in the configuration.
    pub channels: Vec<AlertChannel>,
}

/// A channel. Nothing of it is a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertChannel {
    /// Its name.
    pub name: String,
    /// `webhook`, `ntfy`, `slack`, `discord`, `matrix` or `email`.
    pub kind: String,
    /// Deliveries that wait.
    pub queued: u64,
    /// Deliveries that were given up.
    pub failed: u64,
    /// When one last arrived.
    pub last_sent_at: Option<String>,
    /// What went wrong with the one whose turn it is, with the last one that was given up, or with the newest test.
    pub last_error: Option<String>,
}

/// The answer to `POST /api/alerts/channels/{name}/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelTest {
    /// `sent` or `failed`.
    pub outcome: String,
    /// The id that the receiver saw.
    pub delivery: String,
    /// What went wrong.
    pub error: Option<String>,
}
