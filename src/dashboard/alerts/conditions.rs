//! Whether what a rule looks for is there. Pure: a host's reading and its past, and the time.

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::memory::{Past, RunEnd};
use super::message::duration;
use super::metric::Metric;
use super::reading::Reading;
use super::rules::{Bound, Condition, Pattern, any_fits};
use crate::base::clock::Millis;
use crate::run::id::RunId;
use crate::run::phase::RunState;
use crate::wire::api::HostStatus;

/// The most things of one host that one rule finds bad at once.
const MAX_FOUND: usize = 64;

/// Something that is as the rule says.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// What of the host; empty for the host itself.
    pub object: String,
    /// A sentence, without the host's name.
    pub summary: String,
    /// The number behind it.
    pub value: Option<f64>,
    /// The run that it is about.
    pub run: Option<RunId>,
}

/// What a look at a host says.
#[derive(Debug, Clone, PartialEq)]
pub enum Judged {
    /// Nobody knows: nothing fires and nothing recovers.
    Unknown,
    /// These are bad, and everything else is well.
    Known(Vec<Found>),
    /// These are bad, and of everything else nobody knows.
    Partly(Vec<Found>),
}

impl Judged {
    /// Whether nothing bad was found.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Unknown => true,
            Self::Known(bad) | Self::Partly(bad) => bad.is_empty(),
        }
    }
}

fn found(object: &str, summary: String, value: Option<f64>) -> Found {
    Found {
        object: object.to_owned(),
        summary,
        value,
        run: None,
    }
}

fn one(is_bad: bool, summary: impl FnOnce() -> String, value: Option<f64>) -> Judged {
    let bad = is_bad.then(|| found("", summary(), value));
    Judged::Known(bad.into_iter().collect())
}

/// Looks at one host, or at the dashboard itself, for what `condition` says.
pub fn judge(condition: &Condition, reading: &Reading, past: Option<&Past>, now: Millis) -> Judged {
    match condition {
        Condition::Certificate { within } => {
            // Whoever serves has a certificate: none means that nobody can tell when it ends.
            let ends = Some(&reading.certificates).filter(|ends| !ends.is_empty());
            return expiry("certificate", ends, *within, now);
        }
        Condition::Token { within } => {
            return expiry("token", reading.tokens.as_ref(), *within, now);
        }
        _ if reading.host.is_none() => return Judged::Unknown,
        _ => {}
    }
    match condition {
        Condition::Offline => offline(reading.status),
        Condition::Flapping { times, within } => {
            let from = now.saturating_sub(within.as_millis() as Millis);
            let n = past.map_or(0, |past| {
                past.departures.iter().filter(|at| **at >= from).count()
            });
            let time = duration(within.as_millis() as Millis);
            one(
                n >= *times,
                || format!("went away {n} times within {time}"),
                Some(n as f64),
            )
        }
        Condition::RunFailed { commands } => runs(past, commands, RunEnd::has_failed),
        Condition::RunDegraded { commands } => {
            runs(past, commands, |end| end.state == RunState::Degraded)
        }
        _ => resources(condition, reading, past, now),
    }
}

fn offline(status: HostStatus) -> Judged {
    match status {
        HostStatus::Offline => one(true, || String::from("is offline"), None),
        HostStatus::Online => Judged::Known(Vec::new()),
        // It has time to come back, or never came.
        HostStatus::Reconnecting | HostStatus::NeverSeen => Judged::Unknown,
    }
}

fn runs(past: Option<&Past>, commands: &[Pattern], is_bad: impl Fn(&RunEnd) -> bool) -> Judged {
    let ends = past.into_iter().flat_map(|past| &past.runs);
    let bad = ends.filter(|(command, end)| any_fits(commands, command) && is_bad(end));
    let sentence = |command: &str, end: &RunEnd| {
        let what = match end.state {
            RunState::TimedOut => "took too long",
            RunState::Lost => "was lost",
            RunState::RolledBack => "was rolled back",
            RunState::Degraded => "left failed units",
            _ => "failed",
        };
        if end.reason.is_empty() {
            format!("{command} {what}")
        } else {
            format!("{command} {what}: {}", end.reason)
        }
    };
    Judged::Known(
        bad.take(MAX_FOUND)
            .map(|(command, end)| Found {
                run: Some(end.run),
                ..found(command, sentence(command, end), None)
            })
            .collect(),
    )
}

/// What only a host that is online says of itself.
fn resources(condition: &Condition, reading: &Reading, past: Option<&Past>, now: Millis) -> Judged {
    let Some(beat) = reading.fresh() else {
        return Judged::Unknown;
    };
    let own = beat.resources.as_ref();
    let judged = match condition {
        Condition::Disk { over, mounts } => own.filter(|own| !own.disks.is_empty()).map(|own| {
            let full = own.disks.iter().filter_map(|disk| {
                let percent = disk.amount.percent();
                let is_bad = percent > *over && any_fits(mounts, &disk.mount);
                let sentence = || format!("the disk {} is {percent:.0} % full", disk.mount);
                is_bad.then(|| found(&disk.mount, sentence(), Some(percent)))
            });
            Judged::Known(full.take(MAX_FOUND).collect())
        }),
        Condition::Memory { over } => Metric::Memory.of(beat).map(|percent| {
            let sentence = || format!("{percent:.0} % of the memory is in use");
            one(percent > *over, sentence, Some(percent))
        }),
        Condition::FailedUnits { units } => {
            own.and_then(|own| own.failed_units.as_ref()).map(|failed| {
                let named = failed.names.iter().filter(|name| any_fits(units, name));
                let bad = named
                    .take(MAX_FOUND)
                    .map(|name| found(name, format!("the unit {name} has failed"), None))
                    .collect();
                if failed.count as usize > failed.names.len() {
                    Judged::Partly(bad)
                } else {
                    Judged::Known(bad)
                }
            })
        }
        Condition::RebootNeeded => own.and_then(|own| own.reboot_for.as_ref()).map(|what| {
            let sentence = || format!("needs a reboot for a new {}", what.join(", "));
            one(!what.is_empty(), sentence, None)
        }),
        Condition::Metric { metric, bound } => metric.of(beat).map(|value| {
            let (is_bad, words, limit) = match bound {
                Bound::Over(limit) => (value > *limit, "over", limit),
                Bound::Under(limit) => (value < *limit, "under", limit),
            };
            let (name, unit) = (metric.name(), metric.unit());
            let sentence = || format!("{name} is {value:.1}{unit}, {words} {limit}{unit}");
            one(is_bad, sentence, Some(value))
        }),
        Condition::Unusual {
            metric,
            deviations,
            least,
        } => metric.of(beat).and_then(|value| {
            let usual = past?.baselines.get(metric)?.usual(now)?;
            let away = (value - usual.mean).abs();
            let is_bad = away >= *least && away > deviations * usual.deviation;
            let (name, unit, mean) = (metric.name(), metric.unit(), usual.mean);
            let sentence =
                || format!("{name} is {value:.1}{unit}, and usually {mean:.1}{unit} at this hour");
            Some(one(is_bad, sentence, Some(value)))
        }),
        _ => None,
    };
    judged.unwrap_or(Judged::Unknown)
}

fn expiry(
    what: &str,
    ends: Option<&Vec<(String, Millis)>>,
    within: Duration,
    now: Millis,
) -> Judged {
    let Some(ends) = ends else {
        return Judged::Unknown;
    };
    let until = now.saturating_add(within.as_millis() as Millis);
    let soon = ends.iter().filter(|(_, end)| *end < until);
    let sentence = |name: &str, end: Millis| {
        if end <= now {
            format!("the {what} {name} has expired")
        } else {
            format!("the {what} {name} ends in {}", duration(end - now))
        }
    };
    let days = |end: Millis| (end as f64 - now as f64) / 86_400_000.0;
    Judged::Known(
        soon.take(MAX_FOUND)
            .map(|(name, end)| found(name, sentence(name, *end), Some(days(*end))))
            .collect(),
    )
}
