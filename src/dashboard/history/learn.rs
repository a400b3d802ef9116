//! What new builds change: first worked out, then stored, and only then so in memory.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::{Built, History, KEPT, Kept, LONGEST, Learnt, MAX_OF_HOST, MAX_ROWS, Machine, Times};
use crate::base::clock::Millis;
use crate::dashboard::eta::Expect;

/// When there is too much, one part in so many goes at once: that is looked for seldom.
const SPARE: usize = 50;

impl History {
    /// The history of the store.
    pub fn new(rows: Vec<Times>) -> Self {
        let mut history = Self::default();
        for row in rows {
            history.put(row);
        }
        history
    }

    /// What these builds change.
    pub fn learn(&self, built: &[Built], now: Millis) -> Learnt {
        let mut rows: BTreeMap<(Machine, Arc<str>), Times> = BTreeMap::new();
        let mut n_new: HashMap<Arc<str>, usize> = HashMap::new();
        for Built { machine, name, ms } in built {
            let key = (machine.clone(), Arc::clone(name));
            if !rows.contains_key(&key) {
                let known = self.kept(machine, name).map(|kept| kept.ms.clone());
                if known.is_none() {
                    let n = n_new.entry(Arc::clone(&machine.host)).or_default();
                    if *n == MAX_OF_HOST {
                        continue;
                    }
                    *n += 1;
                }
                let times = Times {
                    machine: machine.clone(),
                    name: Arc::clone(name),
                    at: now,
                    ms: known.unwrap_or_default(),
                };
                rows.insert(key.clone(), times);
            }
            if let Some(times) = rows.get_mut(&key) {
                times.ms.push(*ms);
                let over = times.ms.len().saturating_sub(KEPT);
                times.ms.drain(..over);
            }
        }
        let kept: HashSet<&(Machine, Arc<str>)> = rows.keys().collect();
        let mut gone = Vec::new();
        for (host, n) in &n_new {
            let n_own = self.rows_of(host) + n;
            if n_own > MAX_OF_HOST {
                let own = self.by_age(|machine| machine.host == *host, &kept);
                gone.extend(oldest(own, n_own, MAX_OF_HOST));
            }
        }
        let n_all = self.n_rows + n_new.values().sum::<usize>() - gone.len();
        if n_all > MAX_ROWS {
            let gone_already: HashSet<_> = gone.iter().cloned().collect();
            let all = self.by_age(|_| true, &kept).into_iter();
            let all = all.filter(|key| !gone_already.contains(key)).collect();
            gone.extend(oldest(all, n_all, MAX_ROWS));
        }
        Learnt {
            rows: rows.into_values().collect(),
            gone,
        }
    }

    /// Takes what is stored now.
    pub fn accept(&mut self, learnt: Learnt) {
        for (machine, name) in &learnt.gone {
            self.remove(machine, name);
        }
        for row in learnt.rows {
            self.put(row);
        }
    }

    /// Forgets what a host told.
    pub fn forget(&mut self, host: &str) {
        let keys = self.by_age(|machine| &*machine.host == host, &HashSet::new());
        for (machine, name) in keys {
            self.remove(&machine, &name);
        }
    }

    /// How many derivations on machines there are.
    pub fn len(&self) -> usize {
        self.n_rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.n_rows == 0
    }

    fn rows_of(&self, host: &str) -> usize {
        let own = self.machines.iter();
        let own = own.filter(|(machine, _)| &*machine.host == host);
        own.map(|(_, names)| names.len()).sum()
    }

    /// The keys of some machines, without those in `but`; the newest first.
    fn by_age(
        &self,
        which: impl Fn(&Machine) -> bool,
        but: &HashSet<&(Machine, Arc<str>)>,
    ) -> Vec<(Machine, Arc<str>)> {
        let mut found = Vec::new();
        for (machine, names) in self.machines.iter().filter(|(machine, _)| which(machine)) {
            for (name, kept) in names {
                found.push((kept.at, (machine.clone(), Arc::clone(name))));
            }
        }
        found.sort_unstable_by_key(|(at, _)| Reverse(*at));
        let keys = found.into_iter().map(|(_, key)| key);
        keys.filter(|key| !but.contains(key)).collect()
    }

    fn put(&mut self, row: Times) {
        let Times {
            machine,
            name,
            at,
            mut ms,
        } = row;
        let over = ms.len().saturating_sub(KEPT);
        ms.drain(..over);
        for ms in &mut ms {
            *ms = (*ms).clamp(1, LONGEST);
        }
        let Some(expect) = Expect::of(ms.clone()) else {
            return;
        };
        let kept = Kept { at, ms, expect };
        let names = self.machines.entry(machine.clone()).or_default();
        if names.insert(Arc::clone(&name), kept).is_none() {
            self.n_rows += 1;
            self.builders.entry(name).or_default().push(machine);
        }
    }

    fn remove(&mut self, machine: &Machine, name: &Arc<str>) {
        let Some(names) = self.machines.get_mut(machine) else {
            return;
        };
        if names.remove(name).is_none() {
            return;
        }
        self.n_rows -= 1;
        if names.is_empty() {
            self.machines.remove(machine);
        }
        if let Some(builders) = self.builders.get_mut(name) {
            builders.retain(|builder| builder != machine);
            if builders.is_empty() {
                self.builders.remove(name);
            }
        }
    }
}

/// Of `n` rows, `limit` of which are the most, those that go: the last of `keys`, a few more than must.
fn oldest(mut keys: Vec<(Machine, Arc<str>)>, n: usize, limit: usize) -> Vec<(Machine, Arc<str>)> {
    let go = n.saturating_sub(limit) + limit / SPARE;
    keys.split_off(keys.len().saturating_sub(go))
}
