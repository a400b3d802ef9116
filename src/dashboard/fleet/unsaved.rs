//! What of the fleet waits for the store: the keeper takes it, and gives it back when it could not be saved.

use tokio::time::Instant;

use super::entry::Entry;
use super::log::Log;
use super::{Fleet, State};
use crate::base::clock;
use crate::dashboard::live::lock;
use crate::dashboard::store::events::NewEvent;
use crate::dashboard::store::host_events::NewHostEvent;
use crate::dashboard::store::hosts::Beat;
use crate::run::id::HostName;

/// The most transitions that wait for the store; while it does not answer, further ones are in the dashboard's own log alone.
const MAX_TRANSITIONS: usize = 100_000;

/// What the store does not have yet.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// What happened to hosts.
    pub log: Log,
    transitions: Vec<NewEvent>,
    /// The hosts of which it does not have all. One that was removed meanwhile may still be among them.
    hosts: Vec<HostName>,
}

impl Unsaved {
    /// Looks at a host that may have changed, and takes what the store is to have of it. Says whether its status changed.
    pub fn take(
        &mut self,
        host: &HostName,
        entry: &mut Entry,
        multiplier: u32,
        now: Instant,
    ) -> bool {
        let event = entry.update_status(host, multiplier, now);
        let is_transition = event.is_some();
        if let Some(event) = event {
            self.push(event);
        }
        if !entry.contact.news.is_empty() {
            self.log.take(host, clock::now(), &mut entry.contact.news);
        }
        self.list(host, entry);
        is_transition
    }

    /// Notes the host, once, if there is anything to save of it.
    fn list(&mut self, host: &HostName, entry: &mut Entry) {
        if entry.unsaved && !std::mem::replace(&mut entry.listed, true) {
            self.hosts.push(host.clone());
        }
    }

    fn push(&mut self, event: NewEvent) {
        tracing::info!(host = %event.host, "{}", event.what);
        if self.transitions.len() < MAX_TRANSITIONS {
            self.transitions.push(event);
        }
    }
}

impl Fleet {
    /// What happened to hosts, as much of it as one transaction takes, and maintenances that are over.
    pub fn take_events(&self) -> (Vec<NewHostEvent>, Vec<(HostName, u64)>) {
        let log = &mut lock(&self.state).unsaved.log;
        (log.batch(), std::mem::take(&mut log.ended))
    }

    /// Gives back what could not be saved.
    pub fn return_events(&self, events: Vec<NewHostEvent>, ended: Vec<(HostName, u64)>) {
        let log = &mut lock(&self.state).unsaved.log;
        log.give_back(events);
        log.ended.extend(ended);
    }

    /// How many events wait for the store, and how many it will never have.
    pub fn event_counts(&self) -> (usize, u64) {
        let log = &lock(&self.state).unsaved.log;
        (log.len(), log.dropped)
    }

    /// What the store does not have yet.
    pub fn take_unsaved(&self) -> (Vec<Beat>, Vec<NewEvent>) {
        let mut state = lock(&self.state);
        let State { hosts, unsaved, .. } = &mut *state;
        let names = std::mem::take(&mut unsaved.hosts).into_iter();
        let beats = names
            .filter_map(|host| hosts.get_mut(&host)?.take_unsaved(&host))
            .collect();
        (beats, std::mem::take(&mut unsaved.transitions))
    }

    /// Gives back what could not be saved: transitions are kept, of the hosts only the newest state counts.
    pub fn return_unsaved(&self, beats: &[Beat], events: Vec<NewEvent>) {
        let mut state = lock(&self.state);
        let State { hosts, unsaved, .. } = &mut *state;
        for beat in beats {
            if let Some(entry) = hosts.get_mut(&beat.host) {
                entry.unsaved = true;
                unsaved.list(&beat.host, entry);
            }
        }
        let newer = std::mem::replace(&mut unsaved.transitions, events);
        let room = MAX_TRANSITIONS.saturating_sub(unsaved.transitions.len());
        unsaved.transitions.extend(newer.into_iter().take(room));
    }
}
