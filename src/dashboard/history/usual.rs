//! What the stages of a host's earlier runs took.

use crate::dashboard::eta::{Expect, PastWork, Usual};
use crate::run::phase::Phase;
use crate::run::view::RunView;

use super::LONGEST;

/// So many of the newest runs that succeeded are looked at.
pub const RUNS: u32 = 10;

/// From the views of runs that succeeded; none of none.
pub fn usual(runs: &[RunView]) -> Option<Usual> {
    if runs.is_empty() {
        return None;
    }
    let stage = |phases: &[Phase]| {
        let times = runs.iter().filter(|run| has(run, phases));
        Expect::of(times.map(|run| took(run, phases)).collect())
    };
    let work: Vec<PastWork> = runs.iter().filter_map(past_work).collect();
    let rates = runs.iter().filter_map(rate).collect();
    Some(Usual {
        evaluating: stage(&[Phase::Evaluating]),
        // A run that had nothing to build says so: it counts as zero, unless it is no rebuild.
        work: Expect::of(work.iter().map(|work| work.ms).collect()),
        activating: stage(&[Phase::Activating]),
        switching: stage(&[Phase::Switching]),
        running: stage(&[Phase::Running]),
        runs: work,
        bytes_per_second: Expect::of(rates).map_or(0, |rate| rate.ms),
    })
}

fn has(run: &RunView, phases: &[Phase]) -> bool {
    run.phases.iter().any(|span| phases.contains(&span.phase))
}

/// Milliseconds in these phases, by the host's clock, which may have jumped.
fn took(run: &RunView, phases: &[Phase]) -> u64 {
    let spans = run.phases.iter();
    let spans = spans.filter(|span| phases.contains(&span.phase));
    let times = spans.map(|span| {
        let end = span.ended_at.unwrap_or(span.started_at);
        end.saturating_sub(span.started_at).min(LONGEST)
    });
    times.fold(0, u64::saturating_add).min(LONGEST)
}

fn past_work(run: &RunView) -> Option<PastWork> {
    (!has(run, &[Phase::Running])).then(|| {
        let progress = run.progress.as_ref();
        let builds = progress.and_then(|progress| progress.builds);
        let fetches = progress.and_then(|progress| progress.fetches);
        PastWork {
            builds: builds.map_or(0, |builds| builds.planned.max(builds.done)),
            bytes: fetches.map_or(0, |fetches| fetches.bytes_total),
            ms: took(run, &[Phase::Fetching, Phase::Building]),
        }
    })
}

/// Bytes a second while the run fetched.
fn rate(run: &RunView) -> Option<u64> {
    let bytes = run.progress.as_ref()?.fetches?.bytes_done;
    let ms = took(run, &[Phase::Fetching]);
    bytes
        .saturating_mul(1000)
        .checked_div(ms)
        .filter(|rate| *rate > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::{Builds, Fetches, Progress};
    use crate::run::view::PhaseSpan;

    /// A run with these phases, seconds each, and what it built and fetched.
    fn run(phases: &[(Phase, u64)], builds: u64, bytes: u64) -> RunView {
        let mut at = 1000;
        let spans = phases.iter().map(|(phase, seconds)| {
            let started_at = at;
            at += seconds * 1000;
            PhaseSpan {
                phase: *phase,
                started_at,
                ended_at: Some(at),
                first_line: 1,
            }
        });
        RunView {
            phases: spans.collect(),
            progress: Some(Progress {
                builds: Some(Builds {
                    planned: builds,
                    done: builds,
                    ..Builds::default()
                }),
                fetches: Some(Fetches {
                    bytes_done: bytes,
                    bytes_total: bytes,
                    ..Fetches::default()
                }),
                ..Progress::default()
            }),
            ..RunView::default()
        }
    }

    #[test]
    fn phases_that_come_twice_are_added_and_runs_without_work_count() {
        use Phase::{Activating, Building, Evaluating, Fetching, Running, Switching};
        assert_eq!(usual(&[]), None);
        let long = [
            (Evaluating, 10),
            (Fetching, 5),
            (Building, 20),
            (Fetching, 5),
            (Building, 30),
            (Activating, 4),
            (Switching, 2),
        ];
        let short = [(Evaluating, 6), (Activating, 2)];
        let usual = usual(&[run(&long, 7, 50_000_000), run(&short, 0, 0)]).unwrap();
        let expect = |ms, most| Some(Expect { ms, most });
        assert_eq!(usual.evaluating, expect(8000, 10_000));
        assert_eq!(usual.work, expect(30_000, 60_000));
        assert_eq!(usual.activating, expect(3000, 4000));
        assert_eq!(usual.switching, expect(2000, 2000));
        assert_eq!(usual.running, None);
        assert_eq!(usual.bytes_per_second, 5_000_000);
        let built = PastWork {
            builds: 7,
            bytes: 50_000_000,
            ms: 60_000,
        };
        assert_eq!(usual.runs, [built, PastWork::default()]);
        let other = super::usual(&[run(&[(Running, 3)], 0, 0)]).unwrap();
        assert_eq!((other.running, other.work), (expect(3000, 3000), None));
    }

    #[test]
    fn a_clock_that_jumps_makes_no_long_phase() {
        let mut view = run(&[(Phase::Evaluating, 1), (Phase::Building, 1)], 1, 0);
        view.phases[0].ended_at = Some(0);
        view.phases[1].ended_at = Some(u64::MAX);
        let usual = usual(&[view]).unwrap();
        assert_eq!(usual.evaluating.unwrap().ms, 0);
        assert_eq!(usual.work.unwrap().ms, LONGEST);
    }
}
