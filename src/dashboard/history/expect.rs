//! How long a build will take: from the same machine, else from others, else from what that machine usually builds.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use super::{History, Kept, Machine};
use crate::base::clock::Millis;
use crate::dashboard::eta::Expect;

/// So many times of one derivation on one machine are enough.
const ENOUGH: usize = 3;
/// The most other machines that are looked at for one derivation.
const MAX_OTHERS: usize = 64;
/// The most derivations that two machines are compared by, and the fewest.
const SHARED: (usize, usize) = (200, 3);
/// No machine is taken to be further from the others than this.
const SPEED: (f64, f64) = (0.25, 4.0);
/// The most derivations that a machine is taken to build again.
pub const MAX_POOL: usize = 512;
/// So many of the fleet's derivations tell how long any build takes.
const SAMPLE: usize = 2000;

impl History {
    pub(super) fn kept(&self, machine: &Machine, name: &str) -> Option<&Kept> {
        self.machines.get(machine)?.get(name)
    }

    /// How long `name` takes on `machine`, which is `speed` times as slow as the others; none if nobody has built it often
    /// enough.
    pub fn build(&self, machine: &Machine, speed: f64, name: &str) -> Option<Expect> {
        let own = self.kept(machine, name);
        if let Some(own) = own.filter(|own| own.ms.len() >= ENOUGH) {
            return Some(own.expect);
        }
        let others = self.others(machine, name);
        others
            .map(|others| others.times(speed))
            .or_else(|| own.map(|own| own.expect))
    }

    /// How long `name` takes elsewhere.
    fn others(&self, machine: &Machine, name: &str) -> Option<Expect> {
        let machines = self.builders.get(name)?.iter();
        let others = machines.filter(|other| *other != machine).take(MAX_OTHERS);
        let (ms, most) = others
            .filter_map(|other| self.kept(other, name))
            .map(|kept| (kept.expect.ms, kept.expect.most))
            .unzip();
        Some(Expect {
            ms: Expect::of(ms)?.ms,
            most: Expect::of(most)?.most,
        })
    }

    /// How many times as long a machine takes as others do for the same: the median over what both have built.
    pub fn speed(&self, machine: &Machine) -> f64 {
        let names = self.machines.get(machine).into_iter().flatten();
        let ratio = |(name, kept): (&Arc<str>, &Kept)| {
            let others = self.others(machine, name)?.ms.max(1);
            Some(kept.expect.ms as f64 / others as f64)
        };
        let mut ratios: Vec<f64> = names.filter_map(ratio).take(SHARED.0).collect();
        if ratios.len() < SHARED.1 {
            return 1.0;
        }
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() / 2].clamp(SPEED.0, SPEED.1)
    }

    /// What a machine has built before `before`, the newest first: what it builds next is mostly what it built last.
    pub fn pool(&self, machine: &Machine, before: Millis) -> Vec<(Arc<str>, Expect)> {
        let names = self.machines.get(machine).into_iter().flatten();
        let names = names.filter(|(_, kept)| kept.at < before);
        let mut pool: Vec<_> = names
            .map(|(name, kept)| (kept.at, Arc::clone(name), kept.expect))
            .collect();
        pool.sort_unstable_by(|one, other| {
            (Reverse(one.0), &one.1).cmp(&(Reverse(other.0), &other.1))
        });
        pool.truncate(MAX_POOL);
        let without_time = pool.into_iter().map(|(_, name, expect)| (name, expect));
        without_time.collect()
    }

    /// How long any build takes: by what the machine has built, else by what all have. None while that is too little.
    pub fn any(&self, machine: &Machine) -> Option<Expect> {
        let own = self.machines.get(machine).into_iter().flatten();
        let own: Vec<u64> = own.map(|(_, kept)| kept.expect.ms).collect();
        if own.len() >= ENOUGH {
            return Expect::of(own);
        }
        let all = self.machines.values().flat_map(HashMap::values);
        let all: Vec<u64> = all.take(SAMPLE).map(|kept| kept.expect.ms).collect();
        Expect::of(all).filter(|_| self.n_rows >= ENOUGH)
    }
}
