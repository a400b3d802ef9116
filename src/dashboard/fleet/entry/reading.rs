//! What alerts look at of a host.

use std::sync::Arc;

use tokio::time::Instant;

use super::Entry;
use crate::dashboard::alerts::reading::Reading;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::lock;
use crate::dashboard::liveness;
use crate::run::id::HostName;

impl Fleet {
    /// All hosts as alerts look at them.
    pub fn readings(&self) -> Vec<Reading> {
        let now = Instant::now();
        let state = lock(&self.state);
        let read = |(host, entry): (&HostName, &Entry)| entry.reading(host, self.multiplier, now);
        state.hosts.iter().map(read).collect()
    }
}

impl Entry {
    fn reading(&self, host: &HostName, multiplier: u32, now: Instant) -> Reading {
        let (status, _) = liveness::status(&self.signs, self.limit(multiplier), now);
        Reading {
            tags: Arc::clone(&self.tags),
            register: self.register.clone(),
            heartbeat: self.heartbeat.clone(),
            ..Reading::of(Some(host.clone()), status)
        }
    }
}
