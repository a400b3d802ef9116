//! What is looked for, on which hosts, and whom it is told to.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::metric::Metric;
use super::quiet::Quiet;
use super::reading::Reading;
use super::settings::written::WrittenRule;

/// How bad it is. `Critical` is told in quiet hours too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Somebody may want to know.
    Info,
    /// Somebody should look today.
    Warning,
    /// Somebody should look now.
    Critical,
}

impl Severity {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Info, Self::Warning, Self::Critical];

    /// Its name, as in the configuration and in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }

    /// The severity of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name() == name)
    }
}

/// A text with `*` for anything and `?` for one character.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Pattern(pub String);

impl Pattern {
    /// Whether all of `text` fits.
    pub fn fits(&self, text: &str) -> bool {
        let pattern: Vec<char> = self.0.chars().collect();
        let text: Vec<char> = text.chars().collect();
        // Where the last `*` stood, and how much of the text it has taken.
        let (mut at, mut from, mut star) = (0, 0, None);
        while from < text.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, from));
                    at += 1;
                }
                Some(letter) if *letter == '?' || *letter == text[from] => {
                    at += 1;
                    from += 1;
                }
                _ => {
                    let Some((place, taken)) = star else {
                        return false;
                    };
                    star = Some((place, taken + 1));
                    at = place + 1;
                    from = taken + 1;
                }
            }
        }
        pattern[at..].iter().all(|letter| *letter == '*')
    }
}

/// Whether any pattern fits; without patterns, everything does.
pub fn any_fits(patterns: &[Pattern], text: &str) -> bool {
    patterns.is_empty() || patterns.iter().any(|pattern| pattern.fits(text))
}

/// A limit that a value is not to pass.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// More is bad.
    Over(f64),
    /// Less is bad.
    Under(f64),
}

/// What is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// No heartbeat for longer than the host's deadline.
    Offline,
    /// The host left that often in that time.
    Flapping {
        /// How often.
        times: usize,
        /// In which time.
        within: Duration,
    },
    /// The newest run of a command failed, was lost, timed out or was rolled back.
    RunFailed {
        /// Of these commands.
        commands: Vec<Pattern>,
    },
    /// The newest run of a command left failed units.
    RunDegraded {
        /// Of these commands.
        commands: Vec<Pattern>,
    },
    /// A file system is fuller than that, in percent.
    Disk {
        /// The limit.
        over: f64,
        /// Of these mounts.
        mounts: Vec<Pattern>,
    },
    /// More memory is in use than that, in percent.
    Memory {
        /// The limit.
        over: f64,
    },
    /// systemd units have failed.
    FailedUnits {
        /// Of these names.
        units: Vec<Pattern>,
    },
    /// The host runs another kernel than its next boot starts.
    RebootNeeded,
    /// A certificate ends within that time.
    Certificate {
        /// The time.
        within: Duration,
    },
    /// A token ends within that time.
    Token {
        /// The time.
        within: Duration,
    },
    /// A metric is beyond a limit.
    Metric {
        /// Which one.
        metric: Metric,
        /// The limit.
        bound: Bound,
    },
    /// A metric is far from what it usually is in that hour of the week.
    Unusual {
        /// Which one.
        metric: Metric,
        /// How far: so many standard deviations.
        deviations: f64,
        /// And at least that far, in the metric's own unit.
        least: f64,
    },
}

impl Condition {
    /// Whether it is about a host that goes away: nobody is alarmed about those that are expected to.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Offline | Self::Flapping { .. })
    }

    /// Its name, as `on` has it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Offline => "offline",
            Self::Flapping { .. } => "flapping",
            Self::RunFailed { .. } => "run_failed",
            Self::RunDegraded { .. } => "run_degraded",
            Self::Disk { .. } => "disk",
            Self::Memory { .. } => "memory",
            Self::FailedUnits { .. } => "failed_units",
            Self::RebootNeeded => "reboot_needed",
            Self::Certificate { .. } => "certificate",
            Self::Token { .. } => "token",
            Self::Metric { .. } => "metric",
            Self::Unusual { .. } => "unusual",
        }
    }
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "WrittenRule")]
pub struct Rule {
    /// Its name; alerts are known by it.
    pub name: String,
    /// What is looked for.
    pub condition: Condition,
    /// On these hosts; on all without.
    pub hosts: Vec<Pattern>,
    /// On hosts with one of these tags; on all without.
    pub tags: Vec<Pattern>,
    /// It fires when that has gone on for so long, and recovers when it has been well for so long.
    pub hold: Duration,
    /// How bad it is.
    pub severity: Severity,
    /// Where it is told; none for every channel.
    pub channels: Option<Vec<String>>,
    /// When it is not told unless it is critical.
    pub quiet: Option<Quiet>,
}

impl Rule {
    /// Whether the rule is about that host, or about the dashboard itself.
    pub fn applies(&self, reading: &Reading) -> bool {
        let Some(host) = &reading.host else {
            return self.hosts.is_empty() && self.tags.is_empty();
        };
        any_fits(&self.hosts, host.as_str())
            && (self.tags.is_empty() || reading.tags().any(|tag| any_fits(&self.tags, tag)))
    }

    /// Whether it is told on that channel.
    pub fn is_told_on(&self, channel: &str) -> bool {
        self.channels
            .as_ref()
            .is_none_or(|names| names.iter().any(|name| name == channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("web*", "web1", true),
            ("web*", "aweb1", false),
            ("*", "", true),
            ("", "", true),
            ("", "x", false),
            ("?", "", false),
            ("w?b*1", "web-201", true),
            ("w?b*1", "web-202", false),
            ("*a*b", "xaxbxab", true),
            ("*a*b", "xaxbxac", false),
            ("/", "/", true),
            ("/", "/boot", false),
        ] {
            let pattern = Pattern(pattern.into());
            assert_eq!(pattern.fits(text), expected, "{pattern:?} {text}");
        }
    }
}
