//! Activities: what begins, what it belongs to, what it counts, and where it ends.

use super::builds;
use super::group::{Group, Target};
use super::{Activity, Key, MAX_ACTIVITIES, MAX_DEPTH, MAX_GROUPS, News, Work};
use crate::run::records::{Start, kind};
use crate::run::rules::store_name;

impl Work {
    pub(super) fn start<'a>(&mut self, sender: u32, start: &Start<'a>, now: u64) -> News<'a> {
        let key = (sender, start.id);
        match start.kind {
            kind::UNKNOWN => {
                self.unnamed(sender, start);
                return News::Nothing;
            }
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
        self.unknown += u64::from(start.kind > kind::NEWEST);
        let Some(group) = self.current(sender) else {
            // A question to a cache before anything is built.
            return News::Nothing;
        };
        match start.kind {
            kind::BUILD => {
                let drv = start.fields[0].as_deref().unwrap_or(&start.text);
                let name = store_name(drv);
                let host = start.fields[1].as_deref();
                self.registry.start(key, drv, name, host, group, now);
                self.name_target(group, name);
                self.activity = Some(builds::activity(name, host, None));
                self.is_systems(group)
                    .map_or(News::Nothing, |sure| News::Building { sure })
            }
            kind::COPY_PATH => {
                self.follow(key, start, group);
                let path = start.fields[0].as_deref().unwrap_or(&start.text);
                self.activity = Some(format!("copying {}", store_name(path)));
                self.is_systems(group)
                    .map_or(News::Nothing, |sure| News::Fetching { sure })
            }
            kind::FILE_TRANSFER | kind::SUBSTITUTE | kind::QUERY_PATH_INFO => {
                self.follow(key, start, group);
                News::Nothing
            }
            _ => News::Nothing,
        }
    }

    /// An activity without a type of its own: its text says what it is (Nix src/libcmd/installable-flake.cc).
    fn unnamed(&mut self, sender: u32, start: &Start<'_>) {
        if let Some(what) = start.text.strip_prefix("evaluating derivation '") {
            let tool = what
                .trim_end_matches('\'')
                .ends_with(".config.system.build.nixos-rebuild");
            self.senders.entry(sender).or_default().target =
                if tool { Target::Tool } else { Target::System };
        } else if start.parent != 0 || start.level > 4 || start.text.is_empty() {
            return;
        }
        self.activity = Some(start.text.to_string());
    }

    pub(super) fn stop(&mut self, key: Key) {
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

    pub(super) fn progress_of<'a>(&mut self, key: Key, numbers: [u64; 4], now: u64) -> News<'a> {
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
                // The sum over all groups is not made for each record.
                if self.rate.is_due(now) {
                    let counted = self.counters().1.bytes_done;
                    self.rate.sample(counted, now);
                }
            }
            _ => {}
        }
        News::Nothing
    }

    pub(super) fn follow(&mut self, key: Key, start: &Start<'_>, group: u64) {
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
    pub(super) fn is_below(&self, sender: u32, id: u64, kinds: &[u64]) -> bool {
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
    pub(super) fn root(&mut self, sender: u32, kind: u64) -> u64 {
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
    pub(super) fn current(&self, sender: u32) -> Option<u64> {
        let group = self.groups.iter().rfind(|group| group.sender == sender);
        group.map(|group| group.number)
    }

    /// Whether a group is the system's; false where it may be, none where it is the tool's own.
    pub(super) fn is_systems(&self, number: u64) -> Option<bool> {
        let group = self.groups.iter().find(|group| group.number == number)?;
        (group.target != Target::Tool).then(|| self.counts(group))
    }

    pub(super) fn group_of(&mut self, key: Key) -> Option<&mut Group> {
        let number = self.activities.get(&key)?.group;
        self.groups.iter_mut().find(|group| group.number == number)
    }

    /// Before the tool's own line, a build of its package is its re-execution.
    pub(super) fn name_target(&mut self, number: u64, name: &str) {
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
