//! What is told: the facts, and the words that a channel's templates make of them.

use serde::{Deserialize, Serialize};

use super::rules::Severity;
use crate::base::clock::{Millis, rfc3339};

/// Why something is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// It began.
    Firing,
    /// It is over.
    Recovered,
    /// Somebody wants to know whether the channel works.
    Test,
}

impl Event {
    /// Its name, as in JSON and in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Recovered => "recovered",
            Self::Test => "test",
        }
    }
}

/// The facts, as templates and a webhook's body have them. Absent texts are empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Why it is told.
    pub event: Event,
    /// The alert's id: the same when it recovers.
    pub alert: String,
    /// The rule's name.
    pub rule: String,
    /// What the rule looks for, as `on` has it.
    pub on: String,
    /// How bad it is.
    pub severity: Severity,
    /// Which host; empty for the dashboard itself.
    pub host: String,
    /// What of it: a mount, a unit, a command.
    pub object: String,
    /// What is the matter, in a sentence.
    pub summary: String,
    /// The number behind it.
    pub value: Option<f64>,
    /// The run's id.
    pub run: String,
    /// When it began, RFC 3339.
    pub started_at: String,
    /// When it was over.
    pub recovered_at: String,
    /// How long it went on, in words; empty while it does.
    pub duration: String,
    /// The page that shows it; empty where nobody said how people reach the dashboard.
    pub url: String,
}

/// A notice in a channel's words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// The facts.
    pub notice: Notice,
    /// One line.
    pub title: String,
    /// The rest.
    pub text: String,
}

impl Notice {
    /// What a test says.
    pub fn test(now: Millis, link_base: Option<&str>) -> Self {
        Self {
            event: Event::Test,
            alert: String::from("00000000-0000-0000-0000-000000000000"),
            rule: String::from("test"),
            on: String::from("test"),
            severity: Severity::Info,
            host: String::new(),
            object: String::new(),
            summary: String::from("this channel works"),
            value: None,
            run: String::new(),
            started_at: rfc3339(now),
            recovered_at: String::new(),
            duration: String::new(),
            url: link_base.unwrap_or_default().to_owned(),
        }
    }

    /// An example with nothing in it that an alert may not have, likewise.
    pub fn bare(event: Event) -> Self {
        Self {
            event,
            ..Self::test(0, None)
        }
    }

    /// An example with everything in it, to try templates on.
    pub fn example(event: Event) -> Self {
        Self {
            event,
            host: String::from("web1"),
            object: String::from("/"),
            summary: String::from("the disk / is 93 % full"),
            value: Some(93.0),
            run: String::from("00000000-0000-0000-0000-000000000000"),
            recovered_at: rfc3339(60_000),
            duration: String::from("1 min"),
            url: String::from("https://fleet.example.org/hosts/web1"),
            ..Self::test(0, None)
        }
    }
}

/// A length of time, two units at most: `8 s`, `3 min 5 s`, `2 h 10 min`, `4 d 3 h`.
pub fn duration(ms: Millis) -> String {
    let seconds = ms / 1000;
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| {
        if small == 0 {
            format!("{big} {unit}")
        } else {
            format!("{big} {unit} {small} {small_unit}")
        }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => two(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds / 60 % 60, "min"),
        _ => two(seconds / 86_400, "d", seconds / 3600 % 24, "h"),
    }
}
