//! Which derivations are being built, and how each of them ended.
//!
//! Nix says when a build begins. When one is over it says so twice, at different times in different versions: a counter goes
//! up at once, and the activity stops, which may be much later (Nix 2.18 to 2.36; maralorn/nix-output-monitor's reports of
//! builds that never end). So an end is a counter's; which build it was is known when only one can have been it, when its
//! activity stops while ends are open, or when a message names it.

use std::collections::{BTreeMap, HashMap, VecDeque};

use super::Key;
use super::group::Group;
use crate::run::event::{
    self, BuildTime, Failure, MAX_BUILT, MAX_FAILURE_LINES, MAX_RUNNING, RunningBuild,
};
use crate::run::rules;

/// The most builds that are followed at once; of more, new ones are only counted.
const MAX_OPEN: usize = 100_000;
/// The most times that wait to be taken; further ones are not told.
const MAX_TIMES: usize = 16 * MAX_BUILT;
/// The most builds that are over whose logs are kept: the message that one failed comes after its end.
const MAX_RECENT: usize = 64;

/// A build that is not known to be over.
#[derive(Debug)]
struct Open {
    drv: String,
    name: String,
    host: Option<String>,
    phase: Option<String>,
    since: u64,
    group: u64,
    /// The activity that stands for it: a remote store's own for the same build is another one.
    owner: Key,
    log: VecDeque<String>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Registry {
    /// By the order in which they began.
    open: BTreeMap<u64, Open>,
    next: u64,
    by_drv: HashMap<String, u64>,
    by_activity: HashMap<Key, u64>,
    /// How many of each group are open.
    per_group: HashMap<u64, u64>,
    times: Vec<BuildTime>,
    /// Those that are over and not known to be built, newest last.
    recent: VecDeque<Open>,
    failure: Option<Failure>,
}

impl Registry {
    pub(super) fn start(
        &mut self,
        key: Key,
        drv: &str,
        name: &str,
        host: Option<&str>,
        group: u64,
        now: u64,
    ) {
        let host = host.filter(|host| is_remote(host)).map(cut);
        if let Some(number) = self.by_drv.get(drv)
            && let Some(open) = self.open.get_mut(number)
        {
            // The same build on the other side of a remote store, or once more after a machine has declined it.
            if host.is_some() {
                open.host = host;
            }
            self.know(key, *number);
            return;
        }
        if self.open.len() >= MAX_OPEN {
            return;
        }
        let number = self.next;
        self.next += 1;
        self.open.insert(
            number,
            Open {
                drv: drv.to_owned(),
                name: cut(name),
                host,
                phase: None,
                since: now,
                group,
                owner: key,
                log: VecDeque::new(),
            },
        );
        self.by_drv.insert(drv.to_owned(), number);
        self.know(key, number);
        *self.per_group.entry(group).or_default() += 1;
    }

    fn know(&mut self, key: Key, number: u64) {
        if self.by_activity.len() < super::MAX_ACTIVITIES {
            self.by_activity.insert(key, number);
        }
    }

    pub(super) fn has(&self, key: Key) -> bool {
        self.by_activity.contains_key(&key)
    }

    /// Keeps a line for a failure; answers whose it is, derivation and name.
    pub(super) fn log(&mut self, key: Key, line: &str) -> Option<(&str, &str)> {
        let number = self.by_activity.get(&key)?;
        let open = self.open.get_mut(number)?;
        if open.log.len() >= MAX_FAILURE_LINES {
            open.log.pop_front();
        }
        open.log.push_back(cut(line));
        Some((&open.drv, &open.name))
    }

    /// A builder's own phase begins; answers what goes on now.
    pub(super) fn phase(&mut self, key: Key, phase: &str) -> Option<String> {
        let number = self.by_activity.get(&key)?;
        let open = self.open.get_mut(number)?;
        open.phase = Some(cut(phase));
        Some(activity(
            &open.name,
            open.host.as_deref(),
            open.phase.as_deref(),
        ))
    }

    /// An activity stopped. It is the end of its build if an end is open in its group; else the build was interrupted, and
    /// the counters will say so.
    pub(super) fn stop(&mut self, key: Key, groups: &mut [Group]) {
        let Some(number) = self.by_activity.remove(&key) else {
            return;
        };
        let Some(open) = self.open.get(&number).filter(|open| open.owner == key) else {
            return;
        };
        let Some(group) = groups.iter_mut().find(|group| group.number == open.group) else {
            self.close(number, None);
            return;
        };
        // The counter's time is the build's, if it cannot have been another's.
        let ended =
            (self.unattributed(group) == 1 && group.ends == [1, 0]).then_some(group.ended_at);
        self.close(number, ended);
        self.unattributed(group);
    }

    /// The counters of a group were told.
    pub(super) fn counted(&mut self, group: &mut Group, now: u64) {
        if self.unattributed(group) == 0 {
            return;
        }
        let open = self.open_in(group.number);
        if group.counts.running == 0 {
            let ended = (open == 1 && group.ends == [1, 0]).then_some(now);
            self.close_all(group.number, ended);
            group.ends = [0; 2];
        }
    }

    /// How many builds of the group are over without it being known which; forgets ends that are known to be somebody's.
    fn unattributed(&self, group: &mut Group) -> u64 {
        let over = self
            .open_in(group.number)
            .saturating_sub(group.counts.running);
        let known = group.ends[0]
            .saturating_add(group.ends[1])
            .saturating_sub(over);
        let built = known.min(group.ends[0]);
        group.ends[0] -= built;
        group.ends[1] -= known - built;
        over
    }

    fn open_in(&self, group: u64) -> u64 {
        self.per_group.get(&group).copied().unwrap_or_default()
    }

    /// Nothing of the group runs any more.
    pub(super) fn settle(&mut self, group: &mut Group) {
        self.close_all(group.number, None);
        group.ends = [0; 2];
    }

    /// A build is said to be over by name.
    pub(super) fn ended(&mut self, drv: &str, success: bool, cause: Option<&str>, now: u64) {
        let number = self.by_drv.get(drv).copied();
        if !success {
            let open = number.and_then(|number| self.open.get(&number));
            let open = open.or_else(|| self.recent.iter().rev().find(|open| open.drv == drv));
            let name = rules::store_name(drv);
            let failure = Failure {
                name: cut(name),
                drv: Some(cut(drv)),
                host: open.and_then(|open| open.host.clone()),
                cause: cut(cause.unwrap_or("it failed")),
                log: open.map_or_else(Vec::new, |open| open.log.iter().cloned().collect()),
            };
            match &mut self.failure {
                None => self.failure = Some(failure),
                Some(known) if known.drv.as_deref() == Some(drv) => {
                    if known.log.is_empty() {
                        known.log = failure.log;
                    }
                    known.cause = failure.cause;
                }
                Some(_) => {}
            }
        }
        if let Some(number) = number {
            self.close(number, success.then_some(now));
        }
    }

    pub(super) fn finish(&mut self) {
        self.open.clear();
        self.by_activity.clear();
        self.by_drv.clear();
        self.per_group.clear();
    }

    /// A group is not kept any more.
    pub(super) fn forget(&mut self, group: &Group) {
        self.close_all(group.number, None);
    }

    /// What runs, the longest first: of each group no more than its counters say, the newest ones.
    pub(super) fn running(&self, groups: &[Group]) -> Vec<RunningBuild> {
        let mut left: HashMap<u64, u64> = groups
            .iter()
            .filter(|group| group.counts.running > 0)
            .map(|group| (group.number, group.counts.running))
            .collect();
        let mut found: Vec<RunningBuild> = Vec::new();
        for open in self.open.values().rev() {
            if left.is_empty() {
                break;
            }
            let Some(of_group) = left.get_mut(&open.group) else {
                continue;
            };
            *of_group -= 1;
            if *of_group == 0 {
                left.remove(&open.group);
            }
            found.push(RunningBuild {
                name: open.name.clone(),
                host: open.host.clone(),
                phase: open.phase.clone(),
                since: open.since,
            });
        }
        found.reverse();
        found.truncate(MAX_RUNNING);
        found
    }

    pub(super) fn take_built(&mut self) -> Vec<BuildTime> {
        let rest = self.times.split_off(self.times.len().min(MAX_BUILT));
        std::mem::replace(&mut self.times, rest)
    }

    pub(super) fn went_on(&mut self) {
        self.failure = None;
    }

    pub(super) fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    fn close_all(&mut self, group: u64, ended: Option<u64>) {
        if self.open_in(group) == 0 {
            return;
        }
        let numbers: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| open.group == group)
            .map(|(number, _)| *number)
            .collect();
        for number in numbers {
            self.close(number, ended);
        }
    }

    /// A build is over: since `ended`, if it was built and its time is known.
    fn close(&mut self, number: u64, ended: Option<u64>) {
        let Some(open) = self.open.remove(&number) else {
            return;
        };
        self.by_drv.remove(&open.drv);
        if let Some(count) = self.per_group.get_mut(&open.group) {
            *count = count.saturating_sub(1);
        }
        let Some(ended) = ended else {
            if self.recent.len() >= MAX_RECENT {
                self.recent.pop_front();
            }
            self.recent.push_back(open);
            return;
        };
        if self.times.len() < MAX_TIMES {
            self.times.push(BuildTime {
                name: open.name,
                ms: ended.saturating_sub(open.since),
                host: open.host,
            });
        }
    }
}

/// `building hello-2.12 on ssh://builder (buildPhase)`
pub(super) fn activity(name: &str, host: Option<&str>, phase: Option<&str>) -> String {
    let mut text = format!("building {name}");
    if let Some(host) = host.filter(|host| is_remote(host)) {
        text.push_str(" on ");
        text.push_str(host);
    }
    if let Some(phase) = phase {
        text.push_str(" (");
        text.push_str(phase);
        text.push(')');
    }
    text
}

/// Whether a machine's name means another one (Nix src/libstore: the local store has several names).
fn is_remote(host: &str) -> bool {
    !matches!(
        host,
        "" | "local" | "local://" | "unix" | "unix://" | "daemon"
    )
}

/// A text without colours, at most [`MAX_TEXT`](crate::run::event::MAX_TEXT) characters.
fn cut(text: &str) -> String {
    event::cut(if text.contains(['\u{1b}', '\r', '\u{8}']) {
        rules::plain(text.as_bytes())
    } else {
        text.to_owned()
    })
}
