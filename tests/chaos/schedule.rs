//! Which faults when: a function of the seed.

use std::time::Duration;

use crate::proxy::{Cut, Stall, Treatment};

/// The least faults of agent, dashboard and link in a round.
pub const LEAST: usize = 25;
/// Faults in so much time; a longer window has more.
const WINDOW: Duration = Duration::from_millis(12_500);
/// Before the first fault.
const QUIET: Duration = Duration::from_millis(700);

/// What happens to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessFault {
    /// SIGKILL; it is started again after this time.
    Kill(Duration),
    /// SIGTERM, and its orderly end; it is started again after this time.
    Term(Duration),
    /// SIGSTOP, and SIGCONT after this time.
    Stop(Duration),
}

/// Something happens to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinkFault {
    /// What.
    pub kind: LinkFaultKind,
    /// It waits until a connection is open, and then so long: a cut of nothing is no fault.
    pub after: Duration,
}

/// What happens to a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFaultKind {
    /// All connections end.
    Cut(Cut),
    /// Of the next piece a part arrives.
    Truncate(Cut),
    /// Connections, open and new, are treated so for a time.
    Treat(Treatment, Duration),
}

/// How the chaos ends: with a reconnection in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    KillAgent,
    KillDashboard,
    Cut(Cut),
    /// Half-open for a moment, then cut.
    Stall,
    /// Half-open for good: only the deadlines of agent and dashboard find out.
    Abandon,
}

/// A fault and when it begins, counted from the run's first line. It waits for the one before it on the same target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned<F> {
    pub at: Duration,
    pub fault: F,
}

/// All faults of a round. Those of different targets overlap.
#[derive(Debug, PartialEq, Eq)]
pub struct Schedule {
    pub agent: Vec<Planned<ProcessFault>>,
    pub dashboard: Vec<Planned<ProcessFault>>,
    /// Between agent and dashboard.
    pub link: Vec<Planned<LinkFault>>,
    /// Between dashboard and reader.
    pub reader: Vec<Planned<LinkFault>>,
    pub last: Last,
}

impl Schedule {
    /// The faults within `window`. With `patient`, the last one takes the deadlines of agent and dashboard.
    pub fn new(seed: u64, window: Duration, patient: bool) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let scale = window.as_secs_f64() / WINDOW.as_secs_f64();
        let mut count =
            |least: usize, most: usize| (random.usize(least..=most) as f64 * scale).ceil() as usize;
        let (agents, dashboards) = (count(5, 7), count(4, 6));
        let (links, readers) = (count(19, 23), count(4, 7));
        let last = match random.u32(..5) {
            _ if patient => Last::Abandon,
            0 => Last::KillAgent,
            1 => Last::KillDashboard,
            2 => Last::Cut(Cut::Rst),
            3 => Last::Cut(Cut::Fin),
            _ => Last::Stall,
        };
        Self {
            agent: plan(&mut random, window, agents, process_fault),
            dashboard: plan(&mut random, window, dashboards, process_fault),
            link: plan(&mut random, window, links, link_fault),
            reader: plan(&mut random, window, readers, link_fault),
            last,
        }
    }

    /// Faults of agent, dashboard and the link between them.
    pub fn faults(&self) -> usize {
        self.agent.len() + self.dashboard.len() + self.link.len() + 1
    }
}

fn plan<F>(
    random: &mut fastrand::Rng,
    window: Duration,
    count: usize,
    fault: fn(&mut fastrand::Rng) -> F,
) -> Vec<Planned<F>> {
    let span = window.saturating_sub(QUIET).as_millis() as u64;
    let mut times: Vec<Duration> = (0..count)
        .map(|_| QUIET + Duration::from_millis(random.u64(..span.max(1))))
        .collect();
    times.sort();
    times
        .into_iter()
        .map(|at| Planned {
            at,
            fault: fault(random),
        })
        .collect()
}

fn millis(random: &mut fastrand::Rng, from: u64, to: u64) -> Duration {
    Duration::from_millis(random.u64(from..to))
}

fn process_fault(random: &mut fastrand::Rng) -> ProcessFault {
    match random.u32(..10) {
        0..=4 => ProcessFault::Kill(millis(random, 0, 700)),
        5..=7 => ProcessFault::Term(millis(random, 0, 500)),
        _ => ProcessFault::Stop(millis(random, 50, 900)),
    }
}

fn cut(random: &mut fastrand::Rng) -> Cut {
    if random.bool() { Cut::Rst } else { Cut::Fin }
}

fn link_fault(random: &mut fastrand::Rng) -> LinkFault {
    LinkFault {
        kind: link_fault_kind(random),
        after: millis(random, 0, 300),
    }
}

fn link_fault_kind(random: &mut fastrand::Rng) -> LinkFaultKind {
    let healthy = Treatment::default();
    match random.u32(..12) {
        0..=2 => LinkFaultKind::Cut(cut(random)),
        3..=4 => LinkFaultKind::Truncate(cut(random)),
        5 => {
            let delay = Some((millis(random, 5, 150), millis(random, 1, 100)));
            LinkFaultKind::Treat(Treatment { delay, ..healthy }, millis(random, 200, 1200))
        }
        6..=7 => {
            let rate = Some(random.u32(20_000..400_000));
            LinkFaultKind::Treat(Treatment { rate, ..healthy }, millis(random, 200, 1200))
        }
        8 => {
            let cut = Some(cut(random));
            LinkFaultKind::Treat(Treatment { cut, ..healthy }, millis(random, 50, 600))
        }
        _ => {
            let (to_server, to_client) =
                [(true, true), (true, false), (false, true)][random.usize(..3)];
            let stall = Some(Stall {
                to_server,
                to_client,
                swallow: random.bool(),
            });
            LinkFaultKind::Treat(Treatment { stall, ..healthy }, millis(random, 50, 1200))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_from_the_seed_and_has_enough_of_each() {
        let window = Duration::from_millis(12_500);
        let mut lasts = Vec::new();
        for seed in 0..200 {
            let schedule = Schedule::new(seed, window, false);
            assert_eq!(schedule, Schedule::new(seed, window, false));
            assert!(
                schedule.faults() > LEAST,
                "seed {seed}: {}",
                schedule.faults()
            );
            assert!(schedule.agent.len() >= 5 && schedule.dashboard.len() >= 4);
            for planned in &schedule.link {
                assert!(planned.at >= QUIET && planned.at <= window);
            }
            assert!(schedule.link.is_sorted_by_key(|planned| planned.at));
            if !lasts.contains(&schedule.last) {
                lasts.push(schedule.last);
            }
        }
        assert_eq!(lasts.len(), 5);
        assert_ne!(
            Schedule::new(1, window, false),
            Schedule::new(2, window, false)
        );
        let long = Schedule::new(1, window * 4, true);
        assert!(long.faults() > 4 * (LEAST - 1) && long.last == Last::Abandon);
    }
}
