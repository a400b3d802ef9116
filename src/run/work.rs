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
use crate::run::records::{Record, Start, kind};
use crate::run::rules::store_name;

mod builds;
mod fetches;
mod group;

use builds::Registry;
use fetches::Rate;
use group::{Group, Target};

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
    /// Nix evaluates this.
    Evaluating(String),
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

    /// The rebuild tool said that it begins with the system itself. `first`: what is not known to be the system's was its own.
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
            Record::Log { id, line } => self.registry.log((sender, id), &line),
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
            } => self.registry.ended(&drv, success, cause, now),
            Record::Other => self.unknown += 1,
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
        self.registry.ended(drv, false, Some(cause.to_owned()), now);
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

    fn start<'a>(&mut self, sender: u32, start: &Start<'a>, now: u64) -> News<'a> {
        let key = (sender, start.id);
        match start.kind {
            kind::UNKNOWN => return self.unnamed(sender, start),
            kind::REALISE | kind::BUILDS | kind::COPY_PATHS => {
                if !self.is_below(
                    key.0,
                    start.parent,
                    &[kind::REALISE, kind::BUILDS, kind::BUILD],
                ) {
                    let group = self.root(sender, start.kind);
                    self.follow(key, start, group);
                }
                return News::Nothing;
            }
            kind::BUILD_WAITING => {
                self.activity = Some(start.text.to_string());
                return News::Nothing;
            }
            _ => {}
        }
        let Some(group) = self.current(sender) else {
            // A question to a cache before anything is built.
            return News::Nothing;
        };
        let sure = self.is_systems(group);
        match start.kind {
            kind::BUILD => {
                let drv = start.fields[0].as_deref().unwrap_or(&start.text);
                let name = store_name_of(drv);
                let host = start.fields[1].as_deref();
                self.registry.start(key, drv, name, host, group, now);
                self.name_target(group, name);
                let sure = self.is_systems(group);
                self.activity = Some(builds::activity(name, host, None));
                sure.map_or(News::Nothing, |sure| News::Building { sure })
            }
            kind::COPY_PATH => {
                self.follow(key, start, group);
                let path = start.fields[0].as_deref().unwrap_or(&start.text);
                self.activity = Some(format!("copying {}", store_name_of(path)));
                sure.map_or(News::Nothing, |sure| News::Fetching { sure })
            }
            kind::FILE_TRANSFER | kind::SUBSTITUTE | kind::QUERY_PATH_INFO => {
                self.follow(key, start, group);
                News::Nothing
            }
            _ => News::Nothing,
        }
    }

    /// An activity without a type of its own: its text says what it is (Nix src/libcmd/installable-flake.cc).
    fn unnamed<'a>(&mut self, sender: u32, start: &Start<'a>) -> News<'a> {
        let Some(what) = start.text.strip_prefix("evaluating derivation '") else {
            if start.parent == 0 && start.level <= 4 && !start.text.is_empty() {
                self.activity = Some(start.text.to_string());
            }
            return News::Nothing;
        };
        let what = what.trim_end_matches('\'');
        let target = if what.ends_with(".config.system.build.nixos-rebuild") {
            Target::Tool
        } else {
            Target::System
        };
        self.senders.entry(sender).or_default().target = target;
        self.activity = Some(start.text.to_string());
        News::Evaluating(what.to_owned())
    }

    fn stop(&mut self, key: Key) {
        if let Some(activity) = self.activities.remove(&key) {
            if activity.kind == kind::BUILDS
                && let Some(group) = self
                    .groups
                    .iter_mut()
                    .find(|group| group.number == activity.group)
            {
                group.counts.running = 0;
                self.registry.settle(group);
            }
            return;
        }
        self.registry.stop(key, &mut self.groups);
    }

    fn progress_of<'a>(&mut self, key: Key, numbers: [u64; 4], now: u64) -> News<'a> {
        let Some(activity) = self.activities.get_mut(&key) else {
            return News::Nothing;
        };
        let number = activity.group;
        let before = activity.done;
        let kind = activity.kind;
        if matches!(kind, kind::FILE_TRANSFER | kind::COPY_PATH) {
            activity.done = numbers[0];
            if kind == kind::FILE_TRANSFER
                && !self.is_below(
                    key.0,
                    self.activities.get(&key).map_or(0, |own| own.parent),
                    &[kind::SUBSTITUTE, kind::COPY_PATH],
                )
            {
                return News::Nothing;
            }
        }
        let Some(at) = self.groups.iter().position(|group| group.number == number) else {
            return News::Nothing;
        };
        let group = &mut self.groups[at];
        match kind {
            kind::BUILDS => {
                group.count_builds(numbers, now);
                self.registry.counted(group, now);
                if group.counts.running > 0
                    && let Some(sure) = self.is_systems(number)
                {
                    return News::Building { sure };
                }
            }
            kind::COPY_PATHS => group.count_copies(numbers),
            kind::FILE_TRANSFER | kind::COPY_PATH => {
                group.transfer(kind, before, numbers[0]);
                let counted = self.counters().1.bytes_done;
                self.rate.sample(counted, now);
            }
            _ => {}
        }
        News::Nothing
    }

    fn follow(&mut self, key: Key, start: &Start<'_>, group: u64) {
        if self.activities.len() < MAX_ACTIVITIES {
            let activity = Activity {
                kind: start.kind,
                parent: start.parent,
                group,
                done: 0,
            };
            self.activities.insert(key, activity);
        }
    }

    /// Whether the activity, or one that it belongs to, is of one of these types.
    fn is_below(&self, sender: u32, id: u64, kinds: &[u64]) -> bool {
        let mut id = id;
        for _ in 0..MAX_DEPTH {
            if self.registry.has((sender, id)) {
                return kinds.contains(&kind::BUILD);
            }
            let Some(activity) = self.activities.get(&(sender, id)) else {
                return false;
            };
            if kinds.contains(&activity.kind) {
                return true;
            }
            id = activity.parent;
        }
        false
    }

    /// The group that a counting activity belongs to: the sender's newest one, unless that has one of its type already.
    fn root(&mut self, sender: u32, kind: u64) -> u64 {
        if let Some(group) = self.groups.iter_mut().rfind(|group| group.sender == sender)
            && group.joins(kind)
        {
            return group.number;
        }
        let known = self.senders.entry(sender).or_default();
        let number = self.next_group;
        self.next_group += 1;
        self.groups.push(Group::new(
            number,
            sender,
            known.target,
            known.listed.take(),
            kind,
        ));
        if self.groups.len() > MAX_GROUPS {
            let group = self.groups.remove(0);
            if self.counts(&group) {
                let (builds, fetches) = &mut self.past;
                group.add_to(builds, fetches);
            }
            self.registry.forget(&group);
        }
        number
    }

    /// The sender's newest group.
    fn current(&self, sender: u32) -> Option<u64> {
        let group = self.groups.iter().rfind(|group| group.sender == sender);
        group.map(|group| group.number)
    }

    /// Whether a group is the system's; false where it may be, none where it is the tool's own.
    fn is_systems(&self, number: u64) -> Option<bool> {
        let group = self.groups.iter().find(|group| group.number == number)?;
        (group.target != Target::Tool).then(|| self.counts(group))
    }

    fn group_of(&mut self, key: Key) -> Option<&mut Group> {
        let number = self.activities.get(&key)?.group;
        self.groups.iter_mut().find(|group| group.number == number)
    }

    /// Before the tool's own line, a build of its package is its re-execution.
    fn name_target(&mut self, number: u64, name: &str) {
        if self.after_marker || !name.starts_with("nixos-rebuild") {
            return;
        }
        if let Some(group) = self.groups.iter_mut().find(|group| group.number == number)
            && group.target == Target::Unknown
        {
            group.target = Target::Tool;
        }
    }
}

/// `/nix/store/…-hello-2.12.drv` → `hello-2.12`
fn store_name_of(path: &str) -> &str {
    if path.contains('\'') {
        return store_name(path);
    }
    let file = path.rsplit('/').next().unwrap_or(path);
    let name = file.split_once('-').map_or(file, |(_, name)| name);
    name.strip_suffix(".drv").unwrap_or(name)
}

#[cfg(test)]
mod synthetic;
#[cfg(test)]
mod tests;
