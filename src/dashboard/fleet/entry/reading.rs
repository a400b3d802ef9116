//! What alerts look at of a host.

use tokio::time::Instant;

use super::Entry;
use crate::dashboard::alerts::reading::Reading;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::liveness;
use crate::run::id::HostName;

impl Fleet {
    /// All hosts as alerts look at them.
    pub fn readings(&self) -> Vec<Reading> {
        let now = Instant::now();
        let entries = self.entries();
        let read = |(host, entry): &(HostName, Entry)| entry.reading(host, self.multiplier, now);
        entries.iter().map(read).collect()
    }
}

impl Entry {
    fn reading(&self, host: &HostName, multiplier: u32, now: Instant) -> Reading {
        let (status, _) = liveness::status(&self.signs, self.limit(multiplier), now);
        let mut tags = self.tags.to_vec();
        if let Some(register) = &self.register {
            let own = [
                &register.device_type,
                &register.location,
                &register.host_type,
            ];
            tags.extend(own.into_iter().filter(|tag| !tag.is_empty()).cloned());
        }
        Reading {
            tags,
            heartbeat: self.heartbeat.clone(),
            ..Reading::of(Some(host.clone()), status)
        }
    }
}
