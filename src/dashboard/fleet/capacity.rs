//! What is free on the hosts that are there. A host that is away has no capacity, whatever it last said; nor has one whose
//! readings are old.

use tokio::time::Instant;

use super::Fleet;
use super::entry::Entry;
use crate::dashboard::liveness;
use crate::run::id::HostName;
use crate::wire::api::{Capacity, HostCapacity, HostStatus, LeftOut};

/// What a host must have free. What a host does not tell, it does not have.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// Cores.
    pub cores: Option<f64>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Bytes of one GPU's own memory.
    pub vram: Option<u64>,
    /// Tags: all of them.
    pub tags: Vec<String>,
    /// Where it must stand.
    pub location: Option<String>,
    /// What kind of machine it must be.
    pub device_type: Option<String>,
}

impl Needs {
    fn are_met(&self, host: &HostCapacity) -> bool {
        let enough = |need: Option<u64>, has: Option<u64>| {
            need.is_none_or(|need| has.is_some_and(|has| has >= need))
        };
        let is = |need: &Option<String>, has: &str| need.as_ref().is_none_or(|need| need == has);
        self.cores
            .is_none_or(|need| host.cores_available.is_some_and(|has| has >= need))
            && enough(self.memory, host.memory_available)
            && enough(self.vram, host.vram_available)
            && self.tags.iter().all(|tag| host.tags.contains(tag))
            && is(&self.location, &host.location)
            && is(&self.device_type, &host.device_type)
    }
}

impl Fleet {
    /// The hosts that have what is needed, the one with the most free cores first.
    pub fn capacity(&self, needs: &Needs) -> Capacity {
        let now = Instant::now();
        let mut left_out = LeftOut::default();
        let mut hosts = Vec::new();
        for (name, entry) in self.entries() {
            let limit = entry.limit(self.multiplier);
            let (status, _) = liveness::status(&entry.signs, limit, now);
            if status != HostStatus::Online {
                left_out.offline += 1;
                continue;
            }
            match free(&name, &entry, self.multiplier, now) {
                None => left_out.unknown += 1,
                Some(host) if needs.are_met(&host) => hosts.push(host),
                Some(_) => left_out.filtered += 1,
            }
        }
        let cores = |host: &HostCapacity| host.cores_available.unwrap_or(-1.0);
        hosts.sort_by(|a, b| {
            let by_cores = cores(b).total_cmp(&cores(a));
            by_cores.then_with(|| a.host.cmp(&b.host))
        });
        Capacity { hosts, left_out }
    }
}

/// What is free on a host that is online, where it tells that freshly.
fn free(name: &HostName, entry: &Entry, multiplier: u32, now: Instant) -> Option<HostCapacity> {
    let known = entry.resources(HostStatus::Online, multiplier, now)?;
    if known.stale {
        return None;
    }
    let resources = known.resources;
    let vram = resources.gpus.iter().filter_map(|gpu| gpu.vram);
    let register = entry.register.as_deref();
    Some(HostCapacity {
        host: name.to_string(),
        tags: entry.tags.to_vec(),
        location: register.map_or_else(String::new, |register| register.location.clone()),
        device_type: register.map_or_else(String::new, |register| register.device_type.clone()),
        running: entry.running(),
        cores_available: resources.cores_available,
        memory_available: resources.memory.map(|memory| memory.available),
        vram_available: vram.map(|vram| vram.available).max(),
        resources,
    })
}
