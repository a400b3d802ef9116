//! From what rules find to what fires and recovers. Pure: one look after the other, with the time.
//!
//! An alert is one rule, host and object: it fires once, when it has gone on for as long as the rule says, and recovers
//! once, when it has been well for as long. What nobody knows changes nothing.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::conditions::{Found, Judged, judge};
use super::memory::Memory;
use super::reading::Reading;
use super::rules::{Condition, Rule};
use crate::base::clock::Millis;
use crate::run::id::{HostName, RunId};

/// The most alerts that fire at once; what more there is waits until some are over.
pub const MAX_FIRING: usize = 20_000;

/// An alert that fires.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// Its id.
    pub id: String,
    /// When it began, by the dashboard's clock.
    pub started_at: Millis,
    /// What it is about, in words.
    pub summary: String,
    /// The run that it is about.
    pub run: Option<RunId>,
}

/// What is known of a rule, host and object that is not well.
#[derive(Debug, Clone)]
enum Subject {
    /// It goes on, but not for long enough.
    Pending(Instant),
    /// It fires; if it is well again, since when.
    Firing(Firing, Option<Instant>),
}

/// What changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The rule's place.
    pub rule: usize,
    /// Which host; none for the dashboard itself.
    pub host: Option<HostName>,
    /// What of it.
    pub object: String,
    /// How.
    pub what: What,
}

/// How an alert changes.
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// It begins.
    Fire {
        /// What was found.
        found: Found,
        /// When it began.
        started_at: Millis,
    },
    /// It goes on, about another run.
    Renew {
        /// The alert.
        id: String,
        /// What was found.
        found: Found,
    },
    /// It is over.
    Recover {
        /// The alert.
        firing: Firing,
        /// Why, where it did not just pass.
        ended: Option<&'static str>,
    },
}

/// The time, by both clocks.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// What durations are told from.
    pub instant: Instant,
    /// What people read.
    pub wall: Millis,
}

type Objects = BTreeMap<String, Subject>;

/// All rules, and what of them is not well.
#[derive(Debug, Default)]
pub struct Engine {
    rules: Vec<Rule>,
    /// For each rule.
    subjects: Vec<HashMap<Option<HostName>, Objects>>,
}

impl Engine {
    /// With nothing firing.
    pub fn new(rules: Vec<Rule>) -> Self {
        let subjects = rules.iter().map(|_| HashMap::new()).collect();
        Self { rules, subjects }
    }

    /// The rules, in their places.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Takes an alert that fired before the dashboard started. Says whether its rule is still there and looks for the same.
    pub fn restore(
        &mut self,
        rule: &str,
        kind: &str,
        host: Option<HostName>,
        object: &str,
        firing: Firing,
    ) -> bool {
        let same = |own: &Rule| own.name == rule && own.condition.kind() == kind;
        let Some(place) = self.rules.iter().position(same) else {
            return false;
        };
        let objects = self.subjects[place].entry(host).or_default();
        objects.insert(object.to_owned(), Subject::Firing(firing, None));
        true
    }

    /// How many alerts fire.
    pub fn n_firing(&self) -> usize {
        let objects = self.subjects.iter().flat_map(HashMap::values);
        let firing = |subject: &&Subject| matches!(subject, Subject::Firing(..));
        objects.flat_map(BTreeMap::values).filter(firing).count()
    }

    /// Looks at all hosts. What it answers has happened once [`accept`](Self::accept) is told so; until then the next look
    /// answers it again. Nothing fires that `suppressed` names.
    pub fn look(
        &mut self,
        readings: &[Reading],
        memory: &Memory,
        now: Moment,
        suppressed: impl Fn(&HostName, &Condition) -> bool,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        let room = MAX_FIRING.saturating_sub(self.n_firing());
        let mut fired = 0;
        // Host by host, not rule by rule: what is known of one is fetched from memory once.
        for reading in readings {
            let past = reading.host.as_ref().and_then(|host| memory.of(host));
            for (place, rule) in self.rules.iter().enumerate() {
                let subjects = &mut self.subjects[place];
                if !rule.applies(reading) {
                    continue;
                }
                let judged = judge(&rule.condition, reading, past, now.wall);
                // Most of a fleet is well: nothing more is asked about it.
                if judged.is_empty()
                    && (subjects.is_empty() || !subjects.contains_key(&reading.host))
                {
                    continue;
                }
                let is_suppressed = reading
                    .host
                    .as_ref()
                    .is_some_and(|host| suppressed(host, &rule.condition));
                let objects = subjects.entry(reading.host.clone()).or_default();
                for what in settle(objects, judged, rule.hold, is_suppressed, now) {
                    if matches!(what.1, What::Fire { .. }) {
                        fired += 1;
                        if fired > room {
                            continue;
                        }
                    }
                    changes.push(Change {
                        rule: place,
                        host: reading.host.clone(),
                        object: what.0,
                        what: what.1,
                    });
                }
                if objects.is_empty() {
                    subjects.remove(&reading.host);
                }
            }
        }
        self.end_strangers(readings, &mut changes);
        changes
    }

    /// Ends what is about hosts that are no more, or that a rule is not about any more.
    fn end_strangers(&mut self, readings: &[Reading], changes: &mut Vec<Change>) {
        if self.subjects.iter().all(HashMap::is_empty) {
            return;
        }
        let known: HashMap<&Option<HostName>, &Reading> = readings
            .iter()
            .map(|reading| (&reading.host, reading))
            .collect();
        for (place, rule) in self.rules.iter().enumerate() {
            let mut gone = HashSet::new();
            for (host, objects) in &self.subjects[place] {
                let ended = match known.get(host) {
                    None => "the host was removed",
                    Some(reading) if rule.applies(reading) => continue,
                    Some(_) => "the rule is not about this host any more",
                };
                let mut is_firing = false;
                for (object, subject) in objects {
                    let Subject::Firing(firing, _) = subject else {
                        continue;
                    };
                    is_firing = true;
                    changes.push(Change {
                        rule: place,
                        host: host.clone(),
                        object: object.clone(),
                        what: What::Recover {
                            firing: firing.clone(),
                            ended: Some(ended),
                        },
                    });
                }
                if !is_firing {
                    gone.insert(host.clone());
                }
            }
            self.subjects[place].retain(|host, _| !gone.contains(host));
        }
    }

    /// The change is in the store; a new alert has that id.
    pub fn accept(&mut self, change: &Change, id: &str) {
        let subjects = &mut self.subjects[change.rule];
        match &change.what {
            What::Fire { found, started_at } => {
                let firing = Firing {
                    id: id.to_owned(),
                    started_at: *started_at,
                    summary: found.summary.clone(),
                    run: found.run,
                };
                let objects = subjects.entry(change.host.clone()).or_default();
                objects.insert(change.object.clone(), Subject::Firing(firing, None));
            }
            What::Renew { found, .. } => {
                let objects = subjects.get_mut(&change.host);
                if let Some(Subject::Firing(firing, _)) =
                    objects.and_then(|objects| objects.get_mut(&change.object))
                {
                    firing.summary.clone_from(&found.summary);
                    firing.run = found.run;
                }
            }
            What::Recover { .. } => {
                if let Some(objects) = subjects.get_mut(&change.host) {
                    objects.remove(&change.object);
                    if objects.is_empty() {
                        subjects.remove(&change.host);
                    }
                }
            }
        }
    }
}

/// Holds what was found against what was known.
fn settle(
    objects: &mut Objects,
    judged: Judged,
    hold: Duration,
    is_suppressed: bool,
    now: Moment,
) -> Vec<(String, What)> {
    let (bad, is_whole) = match judged {
        Judged::Unknown => (Vec::new(), false),
        Judged::Known(bad) => (bad, true),
        Judged::Partly(bad) => (bad, false),
    };
    // What a host says twice is one thing: two alerts of it would fail in the store, and with them all others.
    let mut seen = HashSet::new();
    let bad: Vec<Found> = bad
        .into_iter()
        .filter(|found| seen.insert(found.object.clone()))
        .collect();
    let mut changes = Vec::new();
    let names: HashSet<&str> = bad.iter().map(|found| found.object.as_str()).collect();
    objects.retain(|object, subject| {
        if names.contains(object.as_str()) {
            return true;
        }
        let Subject::Firing(firing, well) = subject else {
            return false;
        };
        if !is_whole {
            // What was well before may not be so now.
            *well = None;
        } else if now.instant.duration_since(*well.get_or_insert(now.instant)) >= hold {
            let firing = firing.clone();
            changes.push((
                object.clone(),
                What::Recover {
                    firing,
                    ended: None,
                },
            ));
        }
        true
    });
    for found in bad {
        let subject = objects.get_mut(&found.object);
        if let Some(Subject::Firing(firing, well)) = subject {
            *well = None;
            if found.run != firing.run {
                let id = firing.id.clone();
                changes.push((found.object.clone(), What::Renew { id, found }));
            }
            continue;
        }
        if is_suppressed {
            objects.remove(&found.object);
            continue;
        }
        let since = if let Some(Subject::Pending(since)) = subject {
            *since
        } else {
            objects.insert(found.object.clone(), Subject::Pending(now.instant));
            now.instant
        };
        let gone_on = now.instant.duration_since(since);
        if gone_on >= hold {
            let started_at = now.wall.saturating_sub(gone_on.as_millis() as Millis);
            changes.push((found.object.clone(), What::Fire { found, started_at }));
        }
    }
    changes
}
