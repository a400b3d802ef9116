//! The rules and channels of the configuration, checked.

pub mod channel;
pub mod time;
pub mod written;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use self::channel::ChannelSettings;
use super::rules::{Condition, Rule, Severity};

/// The most rules.
pub const MAX_RULES: usize = 200;
/// The most channels.
pub const MAX_CHANNELS: usize = 50;
/// The longest name of a rule or channel, in bytes.
pub const MAX_NAME: usize = 64;

/// Deadlines and pauses. Only tests have other ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// How often the rules are looked at.
    pub every: Duration,
    /// How long one try of a delivery may take.
    pub deadline: Duration,
    /// The pause after the first failure; it doubles.
    pub first: Duration,
    /// The longest pause.
    pub cap: Duration,
    /// A delivery is given up after so long.
    pub give_up: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(2),
            deadline: Duration::from_secs(10),
            first: Duration::from_secs(5),
            cap: Duration::from_secs(600),
            give_up: Duration::from_secs(24 * 3600),
        }
    }
}

/// What is looked for and whom it is told to.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertSettings {
    /// The rules.
    pub rules: Vec<Rule>,
    /// The channels.
    pub channels: Vec<ChannelSettings>,
    /// Deadlines and pauses.
    pub pace: Pace,
}

impl Default for AlertSettings {
    fn default() -> Self {
        Self {
            rules: usual_rules(),
            channels: Vec::new(),
            pace: Pace::default(),
        }
    }
}

impl AlertSettings {
    /// Holds rules and channels against each other. Without rules, the usual ones.
    ///
    /// # Errors
    /// What is wrong, with the names and the key, and what to write instead.
    pub fn check(rules: Vec<Rule>, channels: Vec<ChannelSettings>) -> Result<Self, String> {
        if rules.len() > MAX_RULES || channels.len() > MAX_CHANNELS {
            return Err(format!(
                "alert, channel: {} rules and {} channels are more than {MAX_RULES} and {MAX_CHANNELS}; join rules with patterns: hosts = [\"web*\"]",
                rules.len(),
                channels.len()
            ));
        }
        let mut names = HashSet::new();
        for channel in &channels {
            if !names.insert(channel.name.as_str()) {
                return Err(format!(
                    "channel `{}`: name: two channels have it; write another one",
                    channel.name
                ));
            }
        }
        let mut rule_names = HashSet::new();
        for rule in &rules {
            if !rule_names.insert(rule.name.as_str()) {
                return Err(format!(
                    "alert `{}`: name: two alerts have it; write another one",
                    rule.name
                ));
            }
            for named in rule.channels.iter().flatten() {
                if !names.contains(named.as_str()) {
                    return Err(format!(
                        "alert `{}`: channels: there is no channel `{}`; {}",
                        rule.name,
                        named.escape_default(),
                        known(&channels)
                    ));
                }
            }
        }
        let rules = if rules.is_empty() {
            usual_rules()
        } else {
            rules
        };
        Ok(Self {
            rules,
            channels,
            pace: Pace::default(),
        })
    }
}

fn known(channels: &[ChannelSettings]) -> String {
    if channels.is_empty() {
        return String::from("write one as [[channel]]");
    }
    let names: Vec<&str> = channels
        .iter()
        .map(|channel| channel.name.as_str())
        .collect();
    format!("there are: {}", names.join(", "))
}

/// What is looked for where the configuration has no rule: told on every channel, and where there is none, on the page alone.
fn usual_rules() -> Vec<Rule> {
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    let rule = |name: &str, severity, hold, condition| Rule {
        name: name.into(),
        condition,
        hosts: Vec::new(),
        tags: Vec::new(),
        hold,
        severity,
        channels: None,
        quiet: None,
    };
    let (critical, warning, info) = (Severity::Critical, Severity::Warning, Severity::Info);
    let commands = Vec::new;
    vec![
        rule("offline", critical, Duration::ZERO, Condition::Offline),
        rule(
            "run failed",
            warning,
            Duration::ZERO,
            Condition::RunFailed {
                commands: commands(),
            },
        ),
        rule(
            "run degraded",
            warning,
            Duration::ZERO,
            Condition::RunDegraded {
                commands: commands(),
            },
        ),
        rule(
            "disk",
            warning,
            minutes(5),
            Condition::Disk {
                over: written::DISK,
                mounts: Vec::new(),
            },
        ),
        rule(
            "failed units",
            warning,
            minutes(2),
            Condition::FailedUnits { units: Vec::new() },
        ),
        rule(
            "certificate",
            warning,
            Duration::ZERO,
            Condition::Certificate {
                within: written::EXPIRY,
            },
        ),
        rule(
            "token",
            warning,
            Duration::ZERO,
            Condition::Token {
                within: written::EXPIRY,
            },
        ),
        rule("reboot needed", info, minutes(10), Condition::RebootNeeded),
    ]
}
