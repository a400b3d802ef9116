//! What of the fleet waits for the store: the keeper takes it, and gives it back when it could not be saved.

use super::{Fleet, push};
use crate::dashboard::live::lock;
use crate::dashboard::store::events::NewEvent;
use crate::dashboard::store::host_events::NewHostEvent;
use crate::dashboard::store::hosts::Beat;
use crate::run::id::HostName;

impl Fleet {
    /// What happened to hosts, as much of it as one transaction takes, and maintenances that are over.
    pub fn take_events(&self) -> (Vec<NewHostEvent>, Vec<(HostName, u64)>) {
        let log = &mut lock(&self.state).log;
        (log.batch(), std::mem::take(&mut log.ended))
    }

    /// Gives back what could not be saved.
    pub fn return_events(&self, events: Vec<NewHostEvent>, ended: Vec<(HostName, u64)>) {
        let log = &mut lock(&self.state).log;
        log.give_back(events);
        log.ended.extend(ended);
    }

    /// How many events wait for the store, and how many it will never have.
    pub fn event_counts(&self) -> (usize, u64) {
        let log = &lock(&self.state).log;
        (log.len(), log.dropped)
    }

    /// What the store does not have yet.
    pub fn take_unsaved(&self) -> (Vec<Beat>, Vec<NewEvent>) {
        let mut state = lock(&self.state);
        let beats = state
            .hosts
            .iter_mut()
            .filter_map(|(host, entry)| entry.take_unsaved(host))
            .collect();
        (beats, std::mem::take(&mut state.transitions))
    }

    /// Gives back what could not be saved: transitions are kept, of the hosts only the newest state counts.
    pub fn return_unsaved(&self, beats: &[Beat], events: Vec<NewEvent>) {
        let mut state = lock(&self.state);
        for beat in beats {
            if let Some(entry) = state.hosts.get_mut(&beat.host) {
                entry.unsaved = true;
            }
        }
        let newer = std::mem::replace(&mut state.transitions, events);
        for event in newer {
            push(&mut state.transitions, event);
        }
    }
}
