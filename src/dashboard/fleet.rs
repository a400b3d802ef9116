//! All hosts and how each is, in memory. One small lock, held for a few instructions and never across a wait; heartbeats
//! go here directly, past the hub and the store, which gets them once a second.

mod absence;
mod capacity;
mod changes;
mod contact;
mod entry;
mod log;
mod pushed;
mod sample;
mod skew;
#[cfg(test)]
mod tests;
mod unsaved;
mod v2;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use crate::base::clock;
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::live::{Change, Live, lock};
use crate::dashboard::liveness;
use crate::dashboard::metrics::Recorder;
use crate::dashboard::metrics::series::Sample;
use crate::dashboard::store::hosts::HostRow;
use crate::run::id::{HostName, RunId};
use crate::wire::api::{Host, HostActivity, HostStatus, Hosts};
use crate::wire::to_dashboard::{Heartbeat, OfferedCommand, Register};
pub use absence::Suppressed;
pub use capacity::Needs;
pub use contact::FLAPS_WITHIN;
use entry::Entry;
pub use sample::HostSample;
use unsaved::Unsaved;

pub use pushed::PUSHES_ONLY;

/// What a usual host is as JSON, in bytes.
const HOST_JSON: usize = 1024;

#[derive(Debug, Default)]
struct State {
    hosts: BTreeMap<HostName, Entry>,
    unsaved: Unsaved,
    /// Before this nothing changes by itself, with any host; none for never.
    due: Option<Instant>,
}

/// The front of all hosts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Fleet {
    state: Arc<Mutex<State>>,
    live: Live,
    /// A host is offline after so many of its own intervals.
    multiplier: u32,
    /// Where the numbers of heartbeats go.
    metrics: Recorder,
}

impl Fleet {
    /// The hosts of the store. Those that were there when the dashboard stopped get time to come back.
    pub fn new(rows: Vec<HostRow>, multiplier: u32, live: Live) -> Self {
        let now = Instant::now();
        let hosts = rows
            .into_iter()
            .map(|row| (row.host.clone(), Entry::restore(row, multiplier, now)))
            .collect();
        let state = State {
            hosts,
            due: Some(now),
            ..State::default()
        };
        Self {
            state: Arc::new(Mutex::new(state)),
            live,
            multiplier,
            metrics: Recorder::default(),
        }
    }

    /// A host registered. Answers its connection from before, if that is still open.
    pub fn connect(&self, peer: &Arc<Peer>, register: &Register) -> Option<Arc<Peer>> {
        self.change(&peer.host, true, |entry, _| {
            entry.compare(register, clock::now());
            entry.register = Some(Arc::new(register.clone()));
            entry.protocol = peer.protocol;
            entry.extra.returned();
            entry.signs.connected = true;
            entry.signs.pushes = false;
            entry.pushed = None;
            entry.peer.replace(Arc::clone(peer))
        })
        .flatten()
    }

    /// A heartbeat came. One of a connection that was replaced changes nothing.
    pub fn beat(&self, peer: &Peer, heartbeat: Heartbeat) {
        let (sample, at) = (Sample::of(&heartbeat), clock::now());
        let taken = self.change(&peer.host, false, |entry, now| {
            let current = entry.is_current(peer);
            if current {
                entry.beat(heartbeat, now, at);
            }
            current
        });
        if taken == Some(true) {
            self.metrics.record(&peer.host, at, &sample);
        }
    }

    /// How the hosts were.
    pub fn metrics(&self) -> &Recorder {
        &self.metrics
    }

    /// An operator's words for a host.
    pub fn tag(&self, host: &HostName, tags: &[String]) {
        self.change(host, false, |entry, _| entry.tags = tags.into());
    }

    /// A connection ended.
    pub fn disconnect(&self, peer: &Peer) {
        self.change(&peer.host, false, |entry, _| {
            if entry.is_current(peer) {
                entry.peer = None;
                entry.signs.connected = false;
            }
        });
    }

    /// What the hub knows of the host's current run; none ends the activity of `run`.
    pub fn set_activity(&self, host: &HostName, run: RunId, activity: Option<HostActivity>) {
        self.change(host, false, |entry, now| {
            entry.set_activity(run, activity, now);
            entry.extend_grace(now);
        });
    }

    /// How many runs wait for the host.
    pub fn set_queued(&self, host: &HostName, waiting: usize) {
        self.change(host, false, |entry, _| entry.queued = waiting);
    }

    /// An operator's note on a host, which may be new.
    pub fn comment(&self, host: &HostName, comment: &str) {
        self.change(host, true, |entry, _| {
            entry.comment = comment.into();
        });
    }

    /// Forgets a host. A connection of it is closed.
    pub fn forget(&self, host: &HostName) {
        self.metrics.forget(host);
        let entry = {
            let mut state = lock(&self.state);
            state.unsaved.log.forget(host);
            state.hosts.remove(host)
        };
        if let Some(entry) = entry {
            if let Some(peer) = entry.peer {
                peer.close(1000, "the host was removed");
            }
            self.live.changed(Change::Removed(host.clone()));
        }
    }

    /// A host's open connection.
    pub fn peer(&self, host: &HostName) -> Option<Arc<Peer>> {
        lock(&self.state).hosts.get(host)?.peer.clone()
    }

    /// Whether that connection is still its host's.
    pub fn is_current(&self, peer: &Peer) -> bool {
        lock(&self.state)
            .hosts
            .get(&peer.host)
            .is_some_and(|entry| entry.is_current(peer))
    }

    /// The commands that a host offers; none if it is not known.
    pub fn commands(&self, host: &HostName) -> Option<Vec<OfferedCommand>> {
        let state = lock(&self.state);
        let entry = state.hosts.get(host)?;
        Some(
            entry
                .register
                .as_ref()
                .map(|register| register.commands.clone())
                .unwrap_or_default(),
        )
    }

    /// The protocol of a host's last connection; none if it was never here.
    pub fn protocol(&self, host: &HostName) -> Option<u32> {
        let state = lock(&self.state);
        let entry = state.hosts.get(host)?;
        entry.register.as_ref().map(|_| entry.protocol)
    }

    /// Whether a host is there, and how long one that is away may take to come back.
    pub fn presence(&self, host: &HostName) -> Option<(HostStatus, Option<Duration>)> {
        let state = lock(&self.state);
        let entry = state.hosts.get(host)?;
        let limit = entry.limit(self.multiplier);
        Some(liveness::status(&entry.signs, limit, Instant::now()))
    }

    /// A host as the API shows it.
    pub fn host(&self, host: &HostName) -> Option<Host> {
        let state = lock(&self.state);
        let entry = state.hosts.get(host)?;
        Some(entry.show(host, self.multiplier, Instant::now()))
    }

    /// All of them, by name.
    pub fn hosts(&self) -> Hosts {
        let now = Instant::now();
        let show = |(host, entry): &(HostName, Entry)| entry.show(host, self.multiplier, now);
        Hosts {
            hosts: self.entries().iter().map(show).collect(),
        }
    }

    /// The same as JSON: host by host, so that a large fleet is never there as a whole but as bytes.
    ///
    /// # Errors
    /// A value that has no JSON; there is none.
    pub fn hosts_json(&self) -> serde_json::Result<Vec<u8>> {
        let now = Instant::now();
        let entries = self.entries();
        let mut body = Vec::with_capacity(entries.len() * HOST_JSON + 16);
        body.extend_from_slice(b"{\"hosts\":[");
        for (n, (host, entry)) in entries.iter().enumerate() {
            if n > 0 {
                body.push(b',');
            }
            serde_json::to_writer(&mut body, &entry.show(host, self.multiplier, now))?;
        }
        body.extend_from_slice(b"]}");
        Ok(body)
    }

    /// All hosts as they are now. Heartbeats wait for the copying alone, not for what is made of it.
    fn entries(&self) -> Vec<(HostName, Entry)> {
        let state = lock(&self.state);
        let copy = |(host, entry): (&HostName, &Entry)| (host.clone(), entry.clone());
        state.hosts.iter().map(copy).collect()
    }

    /// How many hosts have each status, and how many connections are open.
    pub fn counts(&self) -> ([(HostStatus, usize); 4], usize) {
        let state = lock(&self.state);
        let count = |status| {
            let same = |entry: &&Entry| entry.status == status;
            (status, state.hosts.values().filter(same).count())
        };
        let counts = [
            count(HostStatus::Online),
            count(HostStatus::Reconnecting),
            count(HostStatus::Offline),
            count(HostStatus::NeverSeen),
        ];
        let connected = |entry: &&Entry| entry.peer.is_some();
        (counts, state.hosts.values().filter(connected).count())
    }

    /// Looks at every host's deadline, once one of them may have come.
    pub fn sweep(&self) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        if state.due.is_none_or(|due| now < due) {
            return;
        }
        self.end_maintenances(&mut state, now);
        let State {
            hosts,
            unsaved,
            due,
        } = &mut *state;
        *due = None;
        for (host, entry) in hosts {
            if unsaved.take(host, entry, self.multiplier, now) {
                self.live.changed(Change::Host(host.clone()));
            }
            *due = earlier(*due, entry.due(self.multiplier, now));
        }
    }

    /// Changes one host under the lock, then tells who watches.
    fn change<T>(
        &self,
        host: &HostName,
        create: bool,
        change: impl FnOnce(&mut Entry, Instant) -> T,
    ) -> Option<T> {
        let now = Instant::now();
        let mut state = lock(&self.state);
        if create && !state.hosts.contains_key(host) {
            state.hosts.insert(host.clone(), Entry::default());
        }
        let State {
            hosts,
            unsaved,
            due,
        } = &mut *state;
        let entry = hosts.get_mut(host)?;
        let answer = change(entry, now);
        unsaved.take(host, entry, self.multiplier, now);
        *due = earlier(*due, entry.due(self.multiplier, now));
        drop(state);
        self.live.changed(Change::Host(host.clone()));
        Some(answer)
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
