//! What Nix does in a run, told by its records: builds and fetches of every Nix process, exactly.
//!
//! Each call of Nix that builds begins a [`Group`]: one activity that counts builds (type 104), one that counts copies (103),
//! and one that says how many bytes are expected (102). Groups below another activity of these are a remote builder's own and
//! are counted in ours. nixos-rebuild first builds itself; that group is told apart by what was evaluated before it, or by
//! the line that the tool prints afterwards, and is not counted.
//!
//! An activity is known by who sent it and by its id, never by the process in the id: a daemon's worker and the client that
//! asked it write to the same stream.

use std::collections::HashMap;

use crate::run::event::{BuildTime, Builds, Failure, Fetches, RunningBuild};
use crate::run::records::Record;

mod activities;
mod builds;
mod fetches;
mod group;
mod logs;

use builds::Registry;
use fetches::Rate;
use group::{Group, Target};
pub use logs::{Logs, MAX_LOGS, MAX_WAITING};

/// The most activities that are known at once; of more, new ones are not followed. Nix runs a few hundred at most.
pub const MAX_ACTIVITIES: usize = 100_000;
/// The most groups that are kept apart; the oldest beyond are added up.
pub const MAX_GROUPS: usize = 64;
/// How far an activity's ancestors are looked at.
const MAX_DEPTH: usize = 16;

/// Who sent a record (0: it stood in the output), and the id in it.
type Key = (u32, u64);

/// An activity that goes on.
#[derive(Debug)]
struct Activity {
    kind: u64,
    parent: u64,
    /// Number of its group.
    group: u64,
    /// Bytes so far, of a transfer that counts.
    done: u64,
}

/// What a record means for the run.
#[derive(Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// Nothing, or only counters.
    Nothing,
    /// A build of the system's began, or is counted as running. `sure` is false where it may be the tool's own.
    Building {
        /// See above.
        sure: bool,
    },
    /// A copy of the system's began.
    Fetching {
        /// See above.
        sure: bool,
    },
    /// A message: of which level, and what.
    Message(u64, std::borrow::Cow<'a, str>),
}

/// See the module's text.
#[derive(Debug, Default)]
pub struct Work {
    activities: HashMap<Key, Activity>,
    groups: Vec<Group>,
    /// What the groups that are not kept any more add up to.
    past: (Builds, Fetches),
    next_group: u64,
    registry: Registry,
    logs: Logs,
    rate: Rate,
    /// What each sender evaluated last, and the length of the list that it printed.
    senders: HashMap<u32, Sender>,
    activity: Option<String>,
    /// What came before the tool's own line is not known to be the system's.
    after_marker: bool,
    ended: bool,
    /// Records of a type or shape that is not known.
    unknown: u64,
}

#[derive(Debug, Default)]
struct Sender {
    target: Target,
    listed: Option<u64>,
}

impl Work {
    /// Whether any record told of something that is built or fetched.
    pub fn is_known(&self) -> bool {
        self.next_group > 0
    }

    /// How many records were of a type or shape that is not known.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Whether something is being built now: then no line of the output is the rebuild tool's.
    pub fn is_building(&self) -> bool {
        self.groups.iter().any(|group| group.counts.running > 0)
    }

    /// The rebuild tool said that it begins with the system itself: what was not known to be the system's was its own.
    pub fn marker(&mut self) {
        self.after_marker = true;
        for group in &mut self.groups {
            if group.target == Target::Unknown {
                group.target = Target::Tool;
            }
        }
    }

    /// The length of the list of what will be built; it comes before the group that it is about.
    pub fn listed(&mut self, sender: u32, count: u64) {
        self.senders.entry(sender).or_default().listed = Some(count);
    }

    /// Takes one record. `now` is in milliseconds since the epoch.
    pub fn take<'a>(&mut self, sender: u32, record: Record<'a>, now: u64) -> News<'a> {
        match record {
            Record::Start(start) => return self.start(sender, &start, now),
            Record::Stop { id } => self.stop((sender, id)),
            Record::Progress { id, numbers } => {
                return self.progress_of((sender, id), numbers, now);
            }
            Record::Expected { id, kind, amount } => {
                if let Some(group) = self.group_of((sender, id)) {
                    group.expect(kind, amount);
                }
            }
            Record::Log { id, line } => {
                let whose = self.registry.log((sender, id), &line);
                // A record in the output is a line of the output already.
                if let Some((drv, name)) = whose.filter(|_| sender != 0) {
                    self.logs.push(drv, name, &line);
                }
            }
            Record::Phase { id, phase } => {
                if let Some(activity) = self.registry.phase((sender, id), &phase) {
                    self.activity = Some(activity);
                }
            }
            Record::Message { level, text } => return News::Message(level, text),
            Record::Built {
                drv,
                success,
                cause,
            } => self.registry.ended(&drv, success, cause.as_deref(), now),
            Record::Other => {}
            Record::Unknown => self.unknown += 1,
        }
        News::Nothing
    }

    /// A sender's stream ended: nothing of it runs any more.
    pub fn gone(&mut self, sender: u32) {
        for group in self
            .groups
            .iter_mut()
            .filter(|group| group.sender == sender)
        {
            group.counts.running = 0;
            self.registry.settle(group);
        }
        self.activities.retain(|(own, _), _| *own != sender);
        self.senders.remove(&sender);
    }

    /// A build failed, as a message says.
    pub fn failed(&mut self, drv: &str, cause: &str, now: u64) {
        self.registry.ended(drv, false, Some(cause), now);
    }

    /// The run is over.
    pub fn finish(&mut self, success: bool) {
        self.ended = true;
        let any_system = self
            .groups
            .iter()
            .any(|group| group.target == Target::System);
        for group in &mut self.groups {
            group.finish(success);
            // The line never came: what was built was no re-execution.
            if !self.after_marker && !any_system && group.target == Target::Unknown {
                group.target = Target::System;
            }
        }
        self.registry.finish();
    }

    /// The counters of builds and fetches, as far as they are the system's.
    pub fn counters(&self) -> (Builds, Fetches) {
        let (mut builds, mut fetches) = self.past;
        for group in self.groups.iter().filter(|group| self.counts(group)) {
            group.add_to(&mut builds, &mut fetches);
        }
        fetches.bytes_per_second = if self.ended {
            0
        } else {
            self.rate.per_second()
        };
        (builds, fetches)
    }

    /// What is being built now.
    pub fn running(&self) -> Vec<RunningBuild> {
        self.registry.running(&self.groups)
    }

    /// What goes on now, in Nix's words.
    pub fn activity(&self) -> Option<&str> {
        self.activity.as_deref()
    }

    /// Builds that are done since this was last asked, with how long they took.
    pub fn take_built(&mut self) -> Vec<BuildTime> {
        self.registry.take_built()
    }

    /// Lines of builds' logs that wait to be taken.
    pub fn logs(&mut self) -> &mut Logs {
        &mut self.logs
    }

    /// The tool goes on: the build that failed was not fatal.
    pub fn went_on(&mut self) {
        self.registry.went_on();
    }

    /// The first build that failed itself.
    pub fn failure(&self) -> Option<&Failure> {
        self.registry.failure()
    }

    fn counts(&self, group: &Group) -> bool {
        match group.target {
            Target::System => true,
            Target::Tool => false,
            Target::Unknown => self.after_marker,
        }
    }
}

#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;
