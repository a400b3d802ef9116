//! The open buckets of all hosts, in memory. One lock of its own, held for a moment: heartbeats never wait here for the store.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use super::bucket::Bucket;
use super::ladder::{N_RUNGS, RUNGS};
use super::packed::{pack, unpack};
use super::recent::Recent;
use super::series::Sample;
use crate::base::clock::Millis;
use crate::dashboard::live::lock;
use crate::run::id::HostName;

/// The most buckets that wait for the store, about 10 MiB; while it does not answer, older ones are dropped and counted.
pub const MAX_WAITING: usize = 100_000;

/// A bucket that is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closed {
    /// Whose.
    pub host: HostName,
    /// On which rung.
    pub rung: usize,
    /// Which one of that rung.
    pub bucket: u64,
    /// What it adds up to, packed.
    pub packed: Vec<u8>,
}

/// What is open of one host: about 1.3 kB.
#[derive(Debug, Default)]
struct Open {
    rungs: [(u64, Bucket); N_RUNGS],
    recent: Recent,
}

#[derive(Debug, Default)]
struct State {
    hosts: HashMap<HostName, Box<Open>>,
    waiting: VecDeque<Closed>,
    dropped: u64,
    /// The bucket of the finest rung in which all hosts were last looked at: within it nothing more comes to an end.
    closed: u64,
}

/// The front of it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<State>>);

impl Recorder {
    /// Takes a heartbeat's numbers, which came at `at` by the dashboard's clock.
    pub fn record(&self, host: &HostName, at: Millis, sample: &Sample) {
        if sample.is_empty() {
            return;
        }
        let mut bucket = Bucket::default();
        bucket.push(sample);
        self.merge(host, 0, RUNGS[0].bucket(at), &bucket);
    }

    /// Adds to the open bucket of a rung, and closes the one before it.
    pub fn merge(&self, host: &HostName, rung: usize, bucket: u64, add: &Bucket) {
        let mut state = lock(&self.0);
        let State { hosts, waiting, .. } = &mut *state;
        if !hosts.contains_key(host) {
            hosts.insert(host.clone(), Box::default());
        }
        if let Some(open) = hosts.get_mut(host) {
            open.merge(host, rung, bucket, add, waiting);
        }
        state.shorten();
    }

    /// A minute that is stored, after a restart.
    pub fn recall(&self, host: &HostName, minute: u64, bucket: &Bucket) {
        let mut state = lock(&self.0);
        let open = state.hosts.entry(host.clone()).or_default();
        open.recent.put(minute, bucket);
    }

    /// Closes what is over at `now`.
    pub fn close(&self, now: Millis) {
        let mut state = lock(&self.0);
        let State {
            hosts,
            waiting,
            closed,
            ..
        } = &mut *state;
        let bucket = RUNGS[0].bucket(now);
        if std::mem::replace(closed, bucket) == bucket {
            return;
        }
        for (host, open) in hosts {
            for (rung, step) in RUNGS.iter().enumerate() {
                let (bucket, stats) = &open.rungs[rung];
                if *bucket < step.bucket(now) && !stats.is_empty() {
                    open.close(host, rung, waiting);
                }
            }
        }
        state.shorten();
    }

    /// Closes the open buckets of the finest rung for good. Coarser ones are made again from what is stored then.
    pub fn finish(&self) {
        let mut state = lock(&self.0);
        let State { hosts, waiting, .. } = &mut *state;
        for (host, open) in hosts {
            let (bucket, stats) = std::mem::take(&mut open.rungs[0]);
            if !stats.is_empty() {
                waiting.push_back(Closed {
                    host: host.clone(),
                    rung: 0,
                    bucket,
                    packed: pack(&stats),
                });
            }
        }
        state.shorten();
    }

    /// Takes all that waits for the store.
    pub fn take(&self) -> Vec<Closed> {
        std::mem::take(&mut lock(&self.0).waiting).into()
    }

    /// Gives back what could not be stored. Answers how many buckets were dropped since this was last asked, because too
    /// many wait.
    pub fn put_back(&self, rows: Vec<Closed>) -> u64 {
        let mut state = lock(&self.0);
        let newer = std::mem::replace(&mut state.waiting, rows.into());
        state.waiting.extend(newer);
        state.shorten();
        std::mem::take(&mut state.dropped)
    }

    /// Forgets a host.
    pub fn forget(&self, host: &HostName) {
        let mut state = lock(&self.0);
        state.hosts.remove(host);
        state.waiting.retain(|closed| closed.host != *host);
    }

    /// What the store does not have of a host on a rung: buckets by their number, in the order in which they replace stored
    /// ones; the open one comes last, with all that is in it so far.
    pub fn unwritten(&self, host: &HostName, rung: usize) -> Vec<(u64, Bucket)> {
        let state = lock(&self.0);
        let waiting = state
            .waiting
            .iter()
            .filter(|closed| closed.rung == rung && closed.host == *host)
            .filter_map(|closed| Some((closed.bucket, unpack(&closed.packed)?)));
        let mut found: Vec<(u64, Bucket)> = waiting.collect();
        let Some(open) = state.hosts.get(host) else {
            return found;
        };
        for finer in (0..=rung).rev() {
            let (bucket, stats) = &open.rungs[finer];
            if stats.is_empty() {
                continue;
            }
            let bucket = RUNGS[finer].start_s(*bucket) / RUNGS[rung].step_s;
            match found.iter_mut().rev().find(|(known, _)| *known == bucket) {
                // On its own rung the open one replaces what was stored of it before a restart.
                Some((_, known)) if finer < rung => known.merge(stats),
                _ => found.push((bucket, *stats)),
            }
        }
        found
    }

    /// Load and memory of the last hour by the minute, up to the minute `last`, of those hosts that `wanted` names.
    pub fn recent(
        &self,
        last: u64,
        wanted: impl Fn(&HostName) -> bool,
    ) -> Vec<(HostName, [Vec<Option<f64>>; 2])> {
        let state = lock(&self.0);
        let hosts = state.hosts.iter().filter(|(host, _)| wanted(host));
        hosts
            .map(|(host, open)| (host.clone(), open.recent.until(last)))
            .collect()
    }
}

impl State {
    fn shorten(&mut self) {
        let over = self.waiting.len().saturating_sub(MAX_WAITING);
        self.waiting.drain(..over);
        self.dropped += over as u64;
    }
}

impl Open {
    fn merge(
        &mut self,
        host: &HostName,
        rung: usize,
        bucket: u64,
        add: &Bucket,
        waiting: &mut VecDeque<Closed>,
    ) {
        let (open, stats) = &self.rungs[rung];
        if *open != bucket && !stats.is_empty() {
            self.close(host, rung, waiting);
        }
        let (open, stats) = &mut self.rungs[rung];
        *open = bucket;
        stats.merge(add);
    }

    fn close(&mut self, host: &HostName, rung: usize, waiting: &mut VecDeque<Closed>) {
        let (bucket, stats) = std::mem::take(&mut self.rungs[rung]);
        waiting.push_back(Closed {
            host: host.clone(),
            rung,
            bucket,
            packed: pack(&stats),
        });
        if RUNGS[rung].step_s == 60 {
            self.recent.put(bucket, &stats);
        }
        if let Some(coarser) = RUNGS.get(rung + 1) {
            let bucket = RUNGS[rung].start_s(bucket) / coarser.step_s;
            self.merge(host, rung + 1, bucket, &stats, waiting);
        }
    }
}
