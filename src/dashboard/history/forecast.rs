//! One run that goes on: what the history says of it.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Built, History, Machine, names};
use crate::base::clock::Millis;
use crate::dashboard::eta::{Before, BuildsLeft, Expect, Input, Running, Usual, estimate};
use crate::run::event::{MAX_RUNNING, Progress};
use crate::run::view::RunView;
use crate::wire::api::Eta;

/// The most builds that are taken to go on at the same time.
const MAX_SLOTS: u64 = 4096;

/// What a run's estimates are made of, from its start to its end.
#[derive(Debug)]
pub struct Forecast {
    machine: Machine,
    speed: f64,
    /// How long any build takes there.
    any: Option<Expect>,
    usual: Option<Usual>,
    /// What the host built last before this run, the newest first, without what this run has built.
    pool: Vec<(Arc<str>, Expect)>,
    slots: u64,
    /// A time of the host's clock, and the dashboard's when it was heard.
    clock: Option<(u64, Millis)>,
    before: Before,
}

impl Forecast {
    /// For a run of `host`, of which `percent` was already said; what came to the history `since` then is its own.
    pub fn new(history: &History, host: &str, since: Millis, percent: u8) -> Self {
        let machine = Machine::new(host, None);
        Self {
            speed: history.speed(&machine),
            any: history.any(&machine),
            pool: history.pool(&machine, since),
            machine,
            usual: None,
            slots: 1,
            clock: None,
            before: Before {
                percent,
                ..Before::default()
            },
        }
    }

    /// What earlier runs of the command took on the host.
    pub fn learn(&mut self, usual: Usual) {
        self.usual = Some(usual);
        // What was told without it is no reason to come near to what is known now only slowly.
        self.before.left = None;
    }

    /// Whether the host has said anything since this was made.
    pub fn has_heard(&self) -> bool {
        self.clock.is_some()
    }

    /// The run has built this: it is not expected once more.
    pub fn built(&mut self, built: &[Built]) {
        if built.is_empty() {
            return;
        }
        let done: HashSet<&str> = built.iter().map(|built| &*built.name).collect();
        self.pool.retain(|(name, _)| !done.contains(&**name));
    }

    /// An event of the time `at` by the host's clock has just come.
    pub fn heard(&mut self, at: u64, now: Millis) {
        self.clock = Some((at, now));
    }

    /// When the run will end, as it stands at `now` by the dashboard's clock.
    pub fn look(&mut self, history: &History, view: &RunView, now: Millis) -> Eta {
        let Some((at, heard)) = self.clock else {
            // The clocks of two machines may differ by hours.
            return Eta {
                percent: self.before.percent,
                ..Eta::default()
            };
        };
        let progress = view.progress.as_ref();
        let running = progress.map_or(&[][..], |progress| &progress.running);
        let running = &running[..running.len().min(MAX_RUNNING)];
        // What was said ahead of the records may be newer than all of them.
        let passed = at.saturating_add(now.saturating_sub(heard));
        let phase = view.phases.last().map_or(0, |span| span.started_at);
        let begun = running.iter().map(|build| build.since).max();
        let now = passed.max(phase).max(begun.unwrap_or_default());
        let input = Input {
            spans: view.phases.clone(),
            usual: self.usual.clone(),
            builds: progress.and_then(|progress| self.builds(history, progress)),
            fetches: progress
                .and_then(|progress| progress.fetches)
                .filter(|fetches| fetches.planned > 0 || fetches.bytes_total > 0),
            before: self.before,
        };
        let (eta, before) = estimate(&input, now);
        self.before = before;
        eta
    }

    fn builds(&mut self, history: &History, progress: &Progress) -> Option<BuildsLeft> {
        let counts = progress.builds.filter(|counts| counts.planned > 0)?;
        self.slots = self.slots.max(counts.running).min(MAX_SLOTS);
        let any = self.any;
        let named = &progress.running[..progress.running.len().min(MAX_RUNNING)];
        let mut going_on = Vec::new();
        let running = named.iter().map(|build| {
            let name = names::without_version(&build.name);
            going_on.push(name);
            let machine = Machine::new(&self.machine.host, build.host.as_deref());
            // How fast a builder is shows only in what it has built.
            let speed = if build.host.is_none() {
                self.speed
            } else {
                1.0
            };
            let expect = history.build(&machine, speed, name);
            Running {
                since: build.since,
                expect: expect.or(any),
                known: expect.is_some(),
            }
        });
        let running: Vec<_> = running.collect();
        let over = counts.done.saturating_add(counts.failed);
        let waiting = (counts.planned.saturating_sub(over)).saturating_sub(running.len() as u64);
        let likely = self.pool.iter();
        let likely = likely.filter(|(name, _)| !going_on.contains(&&**name));
        let likely = likely.map(|(_, expect)| *expect);
        let likely: Vec<Expect> = likely.take(waiting.min(1 << 20) as usize).collect();
        Some(BuildsLeft {
            planned: counts.planned,
            running,
            waiting,
            work: sum(&likely, waiting, any),
            longest: likely.iter().map(|expect| expect.ms).max().unwrap_or(0),
            slots: self.slots,
        })
    }
}

/// `n` builds: the likely ones, and for the others what any takes.
fn sum(likely: &[Expect], n: u64, any: Option<Expect>) -> Option<Expect> {
    let add = |pick: fn(&Expect) -> u64| likely.iter().map(pick).fold(0, u64::saturating_add);
    let (ms, most) = (add(|expect| expect.ms), add(|expect| expect.most));
    let others = n - likely.len() as u64;
    if others == 0 {
        return Some(Expect { ms, most });
    }
    let any = any?;
    let with = |sum: u64, each: u64| sum.saturating_add(each.saturating_mul(others));
    Some(Expect {
        ms: with(ms, any.ms),
        most: with(most, any.most),
    })
}
