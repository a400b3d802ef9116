//! What is to be done, and how it goes: derivations that need each other, paths that are fetched, builds that fail.

use std::collections::BTreeMap;

/// A derivation.
#[derive(Debug, Clone)]
pub struct Derivation {
    pub name: String,
    /// Indices of those that must be built before; all smaller than its own.
    pub needs: Vec<usize>,
    /// Milliseconds.
    pub takes: u64,
    pub fails: bool,
    /// Built on another machine.
    pub remote: bool,
}

/// A path that is fetched before anything is built: its size.
pub type Fetch = u64;

/// A rebuild.
#[derive(Debug, Clone)]
pub struct Plan {
    pub derivations: Vec<Derivation>,
    pub fetches: Vec<Fetch>,
    /// How many are built at once.
    pub slots: usize,
    pub keep_going: bool,
}

/// How it ended.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    pub done: u64,
    pub failed: u64,
    pub interrupted: u64,
    pub first_failure: Option<String>,
    /// How long each one took that was built.
    pub times: BTreeMap<String, u64>,
}

/// What happens at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Starts(usize),
    Built(usize),
    Failed(usize),
    /// Nix ends it because another one failed.
    Interrupted(usize),
}

impl Plan {
    pub fn random(random: &mut fastrand::Rng) -> Self {
        let count = random.usize(1..=25);
        let failing = random.u8(..) < 80;
        let derivations = (0..count)
            .map(|at| Derivation {
                name: format!("package{at}-1.{}", random.u8(..)),
                needs: (0..at).filter(|_| random.f64() < 0.2).collect(),
                takes: random.u64(1..5000),
                fails: failing && random.f64() < 0.15,
                remote: random.f64() < 0.3,
            })
            .collect();
        Self {
            derivations,
            fetches: (0..random.usize(0..6))
                .map(|_| random.u64(1..100_000))
                .collect(),
            slots: random.usize(1..=4),
            keep_going: random.bool(),
        }
    }

    pub fn builds(&self) -> usize {
        self.derivations.len()
    }

    /// Everything that happens, in order, with its time.
    pub fn simulate(&self) -> (Vec<(u64, Step)>, Ending) {
        let count = self.derivations.len();
        let (mut built, mut over) = (vec![false; count], vec![false; count]);
        // When each running one ends.
        let mut running: Vec<(u64, usize)> = Vec::new();
        let mut steps = Vec::new();
        let mut ending = Ending::default();
        let mut now = 0;
        loop {
            for (at, derivation) in self.derivations.iter().enumerate() {
                let ready = !over[at]
                    && running.iter().all(|(_, other)| *other != at)
                    && derivation.needs.iter().all(|need| built[*need]);
                if ready && running.len() < self.slots {
                    running.push((now + derivation.takes, at));
                    steps.push((now, Step::Starts(at)));
                }
            }
            let Some(next) = running.iter().min().copied() else {
                break;
            };
            running.retain(|one| *one != next);
            let (end, at) = next;
            now = end;
            over[at] = true;
            let derivation = &self.derivations[at];
            if !derivation.fails {
                built[at] = true;
                ending.done += 1;
                ending
                    .times
                    .insert(derivation.name.clone(), derivation.takes);
                steps.push((now, Step::Built(at)));
                continue;
            }
            ending.failed += 1;
            ending
                .first_failure
                .get_or_insert_with(|| derivation.name.clone());
            steps.push((now, Step::Failed(at)));
            if !self.keep_going {
                steps.extend(
                    running
                        .drain(..)
                        .map(|(_, other)| (now, Step::Interrupted(other))),
                );
                break;
            }
        }
        ending.interrupted = count as u64 - ending.done - ending.failed;
        (steps, ending)
    }
}
