//! Synthetic rebuilds: a random graph of builds on a few builders, repeated with noise, told as a host would tell it.

use std::collections::BTreeSet;

use super::*;
use crate::dashboard::history::forecast::Forecast;
use crate::dashboard::history::usual::usual;
use crate::run::event::{Builds, Progress, RunningBuild};
use crate::run::phase::Phase;
use crate::run::view::{PhaseSpan, RunView};

/// How much a time differs from one run to the next: the standard deviation of its logarithm.
const NOISE: f64 = 0.2;
/// Builds that are replaced by ones that nobody has built before, of 100.
const NEW: u64 = 30;

/// Random numbers that are the same in every run of the tests.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Twelve uniform numbers are nearly a normal one.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    fn noisy(&mut self, ms: u64) -> u64 {
        (ms as f64 * (self.normal() * NOISE).exp()).max(1.0) as u64
    }
}

#[derive(Clone)]
struct Node {
    name: String,
    ms: u64,
    needs: Vec<usize>,
}

/// What is rebuilt again and again.
struct Plan {
    nodes: Vec<Node>,
    slots: usize,
    evaluating: u64,
    activating: u64,
    switching: u64,
}

impl Plan {
    fn random(dice: &mut Dice, number: u64) -> Self {
        let n = 8 + dice.below(90) as usize;
        let nodes = (0..n).map(|index| {
            let n_needs = dice.below(3).min(index as u64);
            let needs = (0..n_needs).map(|_| dice.below(index as u64) as usize);
            Node {
                needs: needs.collect(),
                name: format!("plan{number}-package{index}x-1.{index}"),
                // Half of them between 4 and 20 seconds, a few of many minutes.
                ms: (9000.0 * (dice.normal() * 1.2).exp()) as u64,
            }
        });
        Self {
            nodes: nodes.collect(),
            slots: 1 + dice.below(8) as usize,
            evaluating: 2000 + dice.below(40_000),
            activating: 1000 + dice.below(10_000),
            switching: 500 + dice.below(5000),
        }
    }

    /// One of its repetitions.
    fn repeat(&self, dice: &mut Dice) -> Self {
        let nodes = self.nodes.iter().cloned().map(|node| Node {
            ms: dice.noisy(node.ms),
            ..node
        });
        Self {
            nodes: nodes.collect(),
            slots: self.slots,
            evaluating: dice.noisy(self.evaluating),
            activating: dice.noisy(self.activating),
            switching: dice.noisy(self.switching),
        }
    }
}

/// How a run stands after something has happened in it, and what has just been built.
struct Step {
    at: u64,
    view: RunView,
    built: Vec<Built>,
}

/// All that happens in a run that begins at `start`, with a word every second; the last step is its end.
fn run(plan: &Plan, start: u64) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut view = RunView {
        state: crate::run::phase::RunState::Running,
        started_at: Some(start),
        ..RunView::default()
    };
    let phase = |view: &mut RunView, phase, at| {
        if let Some(last) = view.phases.last_mut() {
            last.ended_at = Some(at);
        }
        view.phases.push(PhaseSpan {
            phase,
            started_at: at,
            ended_at: None,
            first_line: 1,
        });
    };
    let mut say = |view: &RunView, at, built| {
        let view = view.clone();
        steps.push(Step { at, view, built });
    };
    let mut at = start;
    phase(&mut view, Phase::Evaluating, at);
    let until = at + plan.evaluating;
    while at < until {
        say(&view, at, Vec::new());
        at = (at + 1000).min(until);
    }
    phase(&mut view, Phase::Building, at);
    let mut waiting: BTreeSet<usize> = (0..plan.nodes.len()).collect();
    let (mut going_on, mut done) = (Vec::<(u64, u64, usize)>::new(), BTreeSet::new());
    while done.len() < plan.nodes.len() {
        while going_on.len() < plan.slots {
            let ready = |index: &&usize| plan.nodes[**index].needs.iter().all(|n| done.contains(n));
            let Some(next) = waiting.iter().find(ready).copied() else {
                break;
            };
            waiting.remove(&next);
            going_on.push((at + plan.nodes[next].ms, at, next));
        }
        going_on.sort_unstable();
        view.progress = Some(Progress {
            builds: Some(Builds {
                planned: plan.nodes.len() as u64,
                running: going_on.len() as u64,
                done: done.len() as u64,
                ..Builds::default()
            }),
            running: going_on
                .iter()
                .map(|(_, since, index)| RunningBuild {
                    name: plan.nodes[*index].name.clone(),
                    host: None,
                    phase: None,
                    since: *since,
                })
                .collect(),
            ..Progress::default()
        });
        let (end, since, index) = going_on[0];
        say(&view, at, Vec::new());
        while at + 1000 < end {
            at += 1000;
            say(&view, at, Vec::new());
        }
        at = end;
        going_on.remove(0);
        done.insert(index);
        let time = BuildTime {
            name: plan.nodes[index].name.clone(),
            ms: end - since,
            host: None,
        };
        say(&view, at, Built::all("web1", &[time]).collect());
    }
    for (next, ms) in [
        (Phase::Activating, plan.activating),
        (Phase::Switching, plan.switching),
    ] {
        phase(&mut view, next, at);
        let until = at + ms;
        while at < until {
            say(&view, at, Vec::new());
            at = (at + 1000).min(until);
        }
    }
    if let Some(last) = view.phases.last_mut() {
        last.ended_at = Some(at);
    }
    say(&view, at, Vec::new());
    steps
}

/// What an estimate was off by, in percent of what was really left.
fn error(said: Option<u64>, left: u64) -> f64 {
    let said = said.map_or(0.0, |seconds| seconds as f64 * 1000.0);
    (said - left as f64).abs() / left as f64 * 100.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Of many rebuilds with five earlier ones each.
struct Measured {
    /// The median error at a quarter of the time, in percent of what was really left.
    quarter: f64,
    /// At half of the time.
    half: f64,
    /// How often a percentage fell.
    retreats: usize,
    /// How often one was called overdue, of all looks, in percent.
    overdue: f64,
}

fn measure(n: u64, with_phases: bool, new: u64) -> Measured {
    let mut dice = Dice(42);
    let (mut quarter, mut half, mut retreats) = (Vec::new(), Vec::new(), 0);
    let (mut overdue, mut looks) = (0_u32, 0_u32);
    for number in 0..n {
        let mut history = History::default();
        let mut plan = Plan::random(&mut dice, number);
        let (mut views, mut now) = (Vec::new(), 1_700_000_000_000);
        for _ in 0..5 {
            let steps = run(&plan.repeat(&mut dice), now);
            for step in &steps {
                history.accept(history.learn(&step.built, step.at));
            }
            let last = steps.into_iter().next_back().unwrap();
            now = last.at + 3_600_000;
            views.push(last.view);
        }
        for node in &mut plan.nodes {
            if dice.below(100) < new {
                node.name = format!("new-{}", node.name);
            }
        }
        let usual = usual(&views).filter(|_| with_phases);
        let mut forecast = Forecast::new(&history, "web1", now, 0);
        if let Some(usual) = usual {
            forecast.learn(usual);
        }
        let steps = run(&plan.repeat(&mut dice), now);
        let end = steps.last().unwrap().at;
        let (mut percent, mut said) = (0, [None, None]);
        for step in &steps[..steps.len() - 1] {
            history.accept(history.learn(&step.built, step.at));
            forecast.built(&step.built);
            forecast.heard(step.at, step.at);
            let eta = forecast.look(&history, &step.view, step.at);
            retreats += usize::from(eta.percent < percent);
            percent = eta.percent;
            overdue += u32::from(eta.overdue);
            looks += 1;
            for (part, said) in [1, 2].into_iter().zip(&mut said) {
                if step.at - now >= (end - now) * part / 4 && said.is_none() {
                    *said = Some(error(eta.seconds, end - step.at));
                }
            }
        }
        quarter.extend(said[0]);
        half.extend(said[1]);
    }
    assert_eq!((quarter.len(), half.len()), (n as usize, n as usize));
    Measured {
        quarter: median(quarter),
        half: median(half),
        retreats,
        overdue: f64::from(overdue) * 100.0 / f64::from(looks),
    }
}

#[test]
fn ends_are_told_well_before_they_come() {
    for (with_phases, new, limits) in [
        (true, 0, (25.0, 15.0)),
        (true, NEW, (25.0, 15.0)),
        // By the builds alone, without an earlier run of the same command.
        (false, 0, (35.0, 35.0)),
    ] {
        let Measured {
            quarter,
            half,
            retreats,
            overdue,
        } = measure(40, with_phases, new);
        println!(
            "40 rebuilds, earlier runs {with_phases}, {new} % new builds: off by {quarter:.1} % at a quarter, {half:.1} % at half, \
             {retreats} retreats, {overdue:.2} % overdue"
        );
        assert!(
            quarter <= limits.0 && half <= limits.1,
            "{quarter:.1} {half:.1}"
        );
        assert_eq!(retreats, 0);
        // They take as long as ever, and 20 % more or less.
        assert!(overdue <= 2.0, "{overdue:.2}");
    }
}
