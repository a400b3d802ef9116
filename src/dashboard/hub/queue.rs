//! Runs that wait for a host that is offline or busy. They are stored, and start in order once the host is connected and
//! has nothing to do.

use std::collections::{BTreeMap, BTreeSet};

use super::Hub;
use super::draft::Draft;
use super::operators::request;
use super::requests::Refusal;
use crate::dashboard::store::runs::RunRow;
use crate::run::id::{CommandName, HostName, RunId};
use crate::run::phase::RunState;

/// The most runs that wait for one host.
pub const MAX_WAITING: usize = 10;
/// How long a run waits when nobody says otherwise, in seconds.
pub const DEFAULT_WAIT: u64 = 24 * 3600;
/// The shortest and the longest time that a run may wait, in seconds.
pub const WAIT: std::ops::RangeInclusive<u64> = 60..=7 * 24 * 3600;

/// The stored runs that wait, by host, oldest first.
pub(super) type Queue = BTreeMap<HostName, BTreeSet<RunId>>;

impl Hub {
    /// The runs that wait for a host, oldest first.
    pub(super) fn waiting(&self, draft: &Draft, host: &HostName) -> BTreeSet<RunId> {
        let stored = self.queue.get(host).into_iter().flatten().copied();
        let waits = |run: &RunId| match draft.runs.get(run) {
            Some(changed) => changed.track.row.is_waiting(),
            None => true,
        };
        let drafted = draft.runs.values().map(|changed| &changed.track.row);
        let drafted = drafted.filter(|row| &row.host == host && row.is_waiting());
        let drafted = drafted.map(|row| row.id);
        stored.filter(waits).chain(drafted).collect()
    }

    /// Starts what can be started of the runs that wait for hosts that this draft is about, or for any if `all`.
    pub(super) async fn start_waiting(&self, draft: &mut Draft, all: bool) {
        if self.queue.is_empty() {
            return;
        }
        let hosts: BTreeSet<HostName> = if all {
            self.queue.keys().cloned().collect()
        } else {
            let registered = draft.hosts.iter().map(|(host, _)| host);
            let changed = draft.runs.values().map(|changed| &changed.track.row.host);
            let waited_for = |host: &&HostName| self.queue.contains_key(*host);
            let hosts = registered.chain(changed).filter(waited_for);
            hosts.cloned().collect()
        };
        for host in hosts {
            let Some(peer) = self.welcome_peer(&host) else {
                continue;
            };
            if self.v2.is_leaving(&host) {
                continue;
            }
            for run in self.waiting(draft, &host) {
                if self.busy(draft, &host).is_some() {
                    break;
                }
                let Ok(Some(changed)) = self.changed(draft, run).await else {
                    break;
                };
                let row = &changed.track.row;
                let command = row.command.parse::<CommandName>();
                let refused = match &command {
                    Ok(command) => self.offers(&host, command, &row.args).err(),
                    Err(_) => None,
                };
                match (command, refused) {
                    (Ok(command), None) => {
                        let message = request(row, command);
                        changed.track.sent();
                        draft.starts.push((std::sync::Arc::clone(&peer), message));
                    }
                    (_, refused) => {
                        let why = why_not(refused.as_ref());
                        let reason = |row: &RunRow| format!("not started: {} {why}", row.host);
                        self.conclude(draft, run, RunState::Failed, reason).await;
                    }
                }
            }
        }
    }

    /// Ends runs that have waited for too long.
    pub(super) async fn give_up_waiting(&self, draft: &mut Draft) {
        let now = draft.now;
        let late = |run: &&RunId| {
            let until = self.runs.get(*run)?.row.notes.queued_until?;
            (until <= now).then_some(())
        };
        let waiting = self.queue.values().flatten();
        let late: Vec<RunId> = waiting.filter(|run| late(run).is_some()).copied().collect();
        for run in late {
            let connected = |host: &HostName| self.fleet.peer(host).is_some();
            let reason = |row: &RunRow| {
                let until = row.notes.queued_until.unwrap_or(now);
                let waited = words(until.saturating_sub(row.created_at) / 1000);
                let host = &row.host;
                if connected(host) {
                    format!("not started: {host} was busy for {waited}; ask again")
                } else {
                    format!("not started: {host} did not connect within {waited}; ask again")
                }
            };
            self.conclude(draft, run, RunState::Failed, reason).await;
        }
    }

    /// Notes whether a stored run waits.
    pub(super) fn note_waiting(&mut self, row: &RunRow) {
        let changed = if row.is_waiting() {
            self.queue
                .entry(row.host.clone())
                .or_default()
                .insert(row.id)
        } else {
            let waiting = self.queue.get_mut(&row.host);
            waiting.is_some_and(|waiting| waiting.remove(&row.id))
        };
        if changed {
            let waiting = self.queue.get(&row.host).map_or(0, BTreeSet::len);
            if waiting == 0 {
                self.queue.remove(&row.host);
            }
            self.fleet.set_queued(&row.host, waiting);
        }
    }
}

/// What is wrong with a command that was fine, or not looked at, when it was asked for.
fn why_not(refused: Option<&Refusal>) -> String {
    match refused {
        Some(Refusal::NoArguments { .. }) => "takes no arguments for this command".into(),
        Some(Refusal::UnknownCommand { offered, .. }) => {
            let names: Vec<&str> = offered.iter().map(CommandName::as_str).collect();
            let names = if names.is_empty() {
                "nothing".into()
            } else {
                names.join(", ")
            };
            format!("does not offer this command; it offers: {names}")
        }
        _ => "cannot be asked for it".into(),
    }
}

/// A time in the largest unit that is exact: `90 minutes`, `2 hours`.
fn words(seconds: u64) -> String {
    let (n, unit) = match seconds {
        0 => (0, "second"),
        _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "day"),
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => (seconds, "second"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn times_in_words() {
        for (seconds, expected) in [
            (0, "0 seconds"),
            (60, "1 minute"),
            (90, "90 seconds"),
            (5400, "90 minutes"),
            (7200, "2 hours"),
            (86_400, "1 day"),
            (7 * 86_400, "7 days"),
        ] {
            assert_eq!(words(seconds), expected);
        }
    }
}
