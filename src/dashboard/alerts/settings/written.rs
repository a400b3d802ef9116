//! A rule as it is written, and what becomes of it.

use std::time::Duration;

use serde::Deserialize;

use super::MAX_NAME;
use super::time::Length;
use crate::dashboard::alerts::metric::Metric;
use crate::dashboard::alerts::quiet::Quiet;
use crate::dashboard::alerts::rules::{Bound, Condition, Pattern, Rule, Severity};

/// A disk is too full over so many percent, unless `over` says otherwise.
pub const DISK: f64 = 90.0;
/// So much memory is too much, in percent.
const MEMORY: f64 = 95.0;
/// A certificate or token is told of so long before its end.
pub const EXPIRY: Duration = Duration::from_secs(14 * 86_400);
/// How often a host may go away before it flaps, and in which time.
const FLAPS: (u32, Duration) = (4, Duration::from_secs(3600));
/// The longest time that is looked back on.
pub const MAX_WITHIN: Duration = Duration::from_secs(86_400);
/// So many standard deviations are unusual.
const DEVIATIONS: f64 = 4.0;

/// What a rule may look for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum On {
    Offline,
    Flapping,
    RunFailed,
    RunDegraded,
    Disk,
    Memory,
    FailedUnits,
    RebootNeeded,
    Certificate,
    Token,
    Metric,
    Unusual,
}

/// `[[alert]]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRule {
    name: String,
    on: On,
    #[serde(default)]
    hosts: Vec<Pattern>,
    #[serde(default)]
    tags: Vec<Pattern>,
    #[serde(rename = "for")]
    hold: Option<Length>,
    severity: Option<Severity>,
    channels: Option<Vec<String>>,
    quiet: Option<Quiet>,
    commands: Option<Vec<Pattern>>,
    mounts: Option<Vec<Pattern>>,
    units: Option<Vec<Pattern>>,
    metric: Option<Metric>,
    over: Option<f64>,
    under: Option<f64>,
    within: Option<Length>,
    times: Option<u32>,
    deviations: Option<f64>,
    least: Option<f64>,
}

impl TryFrom<WrittenRule> for Rule {
    type Error = String;

    fn try_from(written: WrittenRule) -> Result<Self, String> {
        let name = name("alert", &written.name)?;
        let about = |why: String| format!("alert `{name}`: {why}");
        let condition = written.condition().map_err(about)?;
        let hold = written.hold.map(|length| length.0);
        if hold.is_some_and(|hold| !hold.is_zero())
            && matches!(
                condition,
                Condition::RunFailed { .. }
                    | Condition::RunDegraded { .. }
                    | Condition::Flapping { .. }
                    | Condition::Certificate { .. }
                    | Condition::Token { .. }
            )
        {
            return Err(about(format!(
                "for: {} has no duration; leave the key out",
                condition.kind()
            )));
        }
        Ok(Self {
            hold: hold.unwrap_or_else(|| usual_hold(&condition)),
            severity: written
                .severity
                .unwrap_or_else(|| usual_severity(&condition)),
            condition,
            hosts: written.hosts,
            tags: written.tags,
            channels: written.channels,
            quiet: written.quiet,
            name,
        })
    }
}

impl WrittenRule {
    fn condition(&self) -> Result<Condition, String> {
        self.refuse_foreign()?;
        let patterns = |patterns: &Option<Vec<Pattern>>| patterns.clone().unwrap_or_default();
        let percent = |usual: f64| match self.over.unwrap_or(usual) {
            over if (0.0..100.0).contains(&over) => Ok(over),
            over => Err(format!(
                "over: {over} is not a percentage from 0 to below 100"
            )),
        };
        let expiry = self.within.map_or(EXPIRY, |length| length.0);
        Ok(match self.on {
            On::Offline => Condition::Offline,
            On::Flapping => self.flapping()?,
            On::RunFailed => Condition::RunFailed {
                commands: patterns(&self.commands),
            },
            On::RunDegraded => Condition::RunDegraded {
                commands: patterns(&self.commands),
            },
            On::Disk => Condition::Disk {
                over: percent(DISK)?,
                mounts: patterns(&self.mounts),
            },
            On::Memory => Condition::Memory {
                over: percent(MEMORY)?,
            },
            On::FailedUnits => Condition::FailedUnits {
                units: patterns(&self.units),
            },
            On::RebootNeeded => Condition::RebootNeeded,
            On::Certificate => Condition::Certificate { within: expiry },
            On::Token => Condition::Token { within: expiry },
            On::Metric => Condition::Metric {
                metric: self.wanted_metric()?,
                bound: self.bound()?,
            },
            On::Unusual => self.unusual()?,
        })
    }

    /// Keys that mean nothing beside this `on` are mistakes: somebody believes that they count.
    fn refuse_foreign(&self) -> Result<(), String> {
        use On::{
            Certificate, Disk, FailedUnits, Flapping, Memory, Metric, RunDegraded, RunFailed,
            Token, Unusual,
        };
        let keys: [(&str, bool, &[On], &str); 9] = [
            (
                "commands",
                self.commands.is_some(),
                &[RunFailed, RunDegraded],
                "run_failed or run_degraded",
            ),
            ("mounts", self.mounts.is_some(), &[Disk], "disk"),
            (
                "units",
                self.units.is_some(),
                &[FailedUnits],
                "failed_units",
            ),
            (
                "metric",
                self.metric.is_some(),
                &[Metric, Unusual],
                "metric or unusual",
            ),
            (
                "over",
                self.over.is_some(),
                &[Disk, Memory, Metric],
                "disk, memory or metric",
            ),
            ("under", self.under.is_some(), &[Metric], "metric"),
            (
                "within",
                self.within.is_some(),
                &[Flapping, Certificate, Token],
                "flapping, certificate or token",
            ),
            ("times", self.times.is_some(), &[Flapping], "flapping"),
            (
                "deviations",
                self.deviations.is_some(),
                &[Unusual],
                "unusual",
            ),
        ];
        for (key, written, ons, words) in keys {
            if written && !ons.contains(&self.on) {
                return Err(format!("{key}: it belongs to on = {words}; leave it out"));
            }
        }
        if self.least.is_some() && self.on != Unusual {
            return Err(String::from(
                "least: it belongs to on = unusual; leave it out",
            ));
        }
        Ok(())
    }

    fn flapping(&self) -> Result<Condition, String> {
        let within = self.within.map_or(FLAPS.1, |length| length.0);
        if within < Duration::from_secs(60) || within > MAX_WITHIN {
            return Err(String::from(
                "within: write a time between \"1m\" and \"24h\"",
            ));
        }
        match self.times.unwrap_or(FLAPS.0) {
            times @ 2..=1000 => Ok(Condition::Flapping {
                times: times as usize,
                within,
            }),
            times => Err(format!("times: {times} is not between 2 and 1000")),
        }
    }

    fn wanted_metric(&self) -> Result<Metric, String> {
        self.metric.ok_or_else(|| {
            let names = Metric::ALL.map(Metric::name);
            format!("metric: write which one: {}", names.join(", "))
        })
    }

    fn bound(&self) -> Result<Bound, String> {
        let bound = match (self.over, self.under) {
            (Some(over), None) => Bound::Over(over),
            (None, Some(under)) => Bound::Under(under),
            (None, None) => {
                return Err(String::from(
                    "over: write a limit as over = NUMBER or under = NUMBER",
                ));
            }
            (Some(_), Some(_)) => {
                return Err(String::from(
                    "over, under: write one of them; two limits are two alerts",
                ));
            }
        };
        let (Bound::Over(limit) | Bound::Under(limit)) = bound;
        if limit.is_finite() {
            Ok(bound)
        } else {
            Err(format!("over, under: {limit} is no limit; write a number"))
        }
    }

    fn unusual(&self) -> Result<Condition, String> {
        let metric = self.wanted_metric()?;
        let deviations = self.deviations.unwrap_or(DEVIATIONS);
        if !(1.0..=100.0).contains(&deviations) {
            return Err(format!("deviations: {deviations} is not between 1 and 100"));
        }
        let least = self.least.unwrap_or(match metric {
            Metric::Load => 1.0,
            Metric::LoadPerCore => 0.5,
            Metric::Uptime => 3600.0,
            _ => 10.0,
        });
        if !(least.is_finite() && least >= 0.0) {
            return Err(format!("least: {least} is no distance; write 0 or more"));
        }
        Ok(Condition::Unusual {
            metric,
            deviations,
            least,
        })
    }
}

/// The name of a rule or channel: part of addresses, headers and logs.
pub fn name(what: &str, text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_NAME || text.trim() != text {
        return Err(format!(
            "{what} `{}`: name: write 1 to {MAX_NAME} characters without spaces around them",
            text.escape_default()
        ));
    }
    if text
        .chars()
        .any(|letter| letter.is_control() || "/\\?#%".contains(letter))
    {
        return Err(format!(
            "{what} `{}`: name: leave out control characters and / \\ ? # %",
            text.escape_default()
        ));
    }
    Ok(text.to_owned())
}

/// How long it goes on before it is worth a word, unless `for` says otherwise.
fn usual_hold(condition: &Condition) -> Duration {
    Duration::from_secs(match condition {
        Condition::Disk { .. }
        | Condition::Memory { .. }
        | Condition::Metric { .. }
        | Condition::Unusual { .. } => 300,
        Condition::FailedUnits { .. } => 120,
        Condition::RebootNeeded => 600,
        _ => 0,
    })
}

fn usual_severity(condition: &Condition) -> Severity {
    match condition {
        Condition::Offline => Severity::Critical,
        Condition::RebootNeeded | Condition::Unusual { .. } => Severity::Info,
        _ => Severity::Warning,
    }
}
