mod never;

use super::*;
use crate::run::event::Fetches;
use crate::run::phase::Phase::{Activating, Building, Evaluating, Fetching, Running as Single};
use crate::run::view::PhaseSpan;

/// All times in these tables are seconds after the start.
const START: u64 = 1_700_000_000_000;

fn at(seconds: u64) -> u64 {
    START + seconds * 1000
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "written as the fields that it fills"
)]
fn seconds(ms: u64, most: u64) -> Option<Expect> {
    Some(Expect {
        ms: ms * 1000,
        most: most * 1000,
    })
}

/// Phases by their beginnings; the last one goes on.
fn spans(phases: &[(Phase, u64)]) -> Vec<PhaseSpan> {
    let ends = phases.iter().skip(1).map(|(_, end)| Some(at(*end)));
    let ends = ends.chain([None]);
    let span = |((phase, start), ended_at): (&(Phase, u64), Option<u64>)| PhaseSpan {
        phase: *phase,
        started_at: at(*start),
        ended_at,
        first_line: 1,
    };
    phases.iter().zip(ends).map(span).collect()
}

/// Ten seconds of evaluation, a minute of work on 40 builds, five seconds of activation, three of switching.
fn usual() -> Usual {
    Usual {
        evaluating: seconds(10, 12),
        work: seconds(60, 70),
        activating: seconds(5, 5),
        switching: seconds(3, 3),
        running: None,
        runs: vec![PastWork {
            builds: 40,
            bytes: 0,
            ms: 60_000,
        }],
        bytes_per_second: 0,
    }
}

fn running(since: u64, expect: Option<Expect>) -> Running {
    Running {
        since: at(since),
        expect,
        known: true,
    }
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "written as the fields that it fills"
)]
fn fetches(done: u64, total: u64, rate: u64) -> Option<Fetches> {
    Some(Fetches {
        planned: 10,
        done: 1,
        bytes_done: done,
        bytes_total: total,
        bytes_per_second: rate,
    })
}

/// What is said at `now`: percent, seconds, the most seconds.
#[track_caller]
fn check(input: &Input, now: u64, expected: (u8, Option<u64>, Option<u64>)) {
    let (eta, _) = estimate(input, at(now));
    let found = (eta.percent, eta.seconds, eta.seconds_most);
    assert_eq!(found, expected, "at {now}");
}

#[test]
fn nothing_is_told_where_nothing_is_known() {
    check(&Input::default(), 5, (0, None, None));
    let evaluating = Input {
        spans: spans(&[(Evaluating, 0)]),
        ..Input::default()
    };
    check(&evaluating, 5, (0, None, None));
    let builds = BuildsLeft {
        planned: 9,
        waiting: 9,
        slots: 4,
        ..BuildsLeft::default()
    };
    // A plan whose builds nobody has ever built is no reason to guess.
    let unknown = Input {
        spans: spans(&[(Evaluating, 0), (Building, 3)]),
        builds: Some(builds),
        ..Input::default()
    };
    check(&unknown, 5, (0, None, None));
    let switching = Input {
        spans: spans(&[(Evaluating, 0), (Activating, 3)]),
        ..Input::default()
    };
    check(&switching, 5, (0, None, None));
}

#[test]
fn phases_alone_tell_a_run_by_its_predecessors() {
    let with = |phases: &[(Phase, u64)]| Input {
        spans: spans(phases),
        usual: Some(usual()),
        ..Input::default()
    };
    check(&with(&[(Evaluating, 0)]), 0, (0, Some(78), None));
    check(&with(&[(Evaluating, 0)]), 6, (7, Some(72), None));
    // Evaluation takes longer than it did: what comes after it stays.
    check(&with(&[(Evaluating, 0)]), 40, (36, Some(70), None));
    let building = [(Evaluating, 0), (Building, 12)];
    check(&with(&building), 42, (52, Some(38), None));
    let activating = [(Evaluating, 0), (Building, 12), (Activating, 70)];
    check(&with(&activating), 72, (92, Some(6), None));
    // Never done before the end.
    check(&with(&activating), 700, (95, Some(35), None));
}

#[test]
fn a_single_phase_is_told_by_its_predecessors() {
    let input = Input {
        spans: spans(&[(Single, 0)]),
        usual: Some(Usual {
            running: seconds(20, 30),
            ..Usual::default()
        }),
        ..Input::default()
    };
    check(&input, 5, (25, Some(15), None));
}

fn building(running: Vec<Running>, waiting: u64, work: Option<Expect>) -> Input {
    Input {
        spans: spans(&[(Evaluating, 0), (Building, 10)]),
        // There were earlier runs, and none of them was alike.
        usual: Some(Usual::default()),
        builds: Some(BuildsLeft {
            planned: 40,
            running,
            waiting,
            work,
            longest: 0,
            slots: 4,
        }),
        ..Input::default()
    }
}

#[test]
fn builds_are_scheduled_on_the_slots_there_are() {
    let four = vec![running(20, seconds(20, 25)); 4];
    // 4 times 10 s of what runs, and 160 s of what waits, by 4 builders.
    let input = building(four.clone(), 8, seconds(160, 200));
    check(&input, 30, (37, Some(50), None));
    // One long build is longer than everything else together.
    let mut long = four.clone();
    long.push(running(20, seconds(300, 310)));
    check(&building(long, 0, None), 30, (9, Some(290), None));
    // So is one that waits.
    let mut input = building(four.clone(), 1, seconds(160, 160));
    input.builds.as_mut().unwrap().longest = 160_000;
    check(&input, 30, (15, Some(160), None));
    // Nothing known of the waiting ones.
    check(&building(four, 8, None), 30, (0, None, None));
    // With 60 s of work in earlier runs of as many builds, and 20 of them gone: halfway between the two.
    let mut input = building(vec![running(20, seconds(20, 25)); 4], 8, seconds(160, 200));
    input.usual = Some(usual());
    check(&input, 30, (36, Some(45 + 8), None));
}

#[test]
fn an_overdue_build_is_never_over() {
    let input = building(vec![running(10, seconds(20, 20))], 0, None);
    check(&input, 29, (96, Some(1), None));
    check(&input, 31, (96, Some(2), None));
    check(&input, 1010, (95, Some(50), None));
    let late = |input: &Input, now| estimate(input, at(now)).0.overdue;
    // A quarter and five seconds more than ever.
    let longest = building(vec![running(10, seconds(8, 20))], 0, None);
    assert_eq!((late(&longest, 40), late(&longest, 41)), (false, true));
    assert!(late(&input, 1010));
    // While others wait or are still in their time, a number is known.
    let waits = building(vec![running(10, seconds(20, 20))], 1, seconds(9, 9));
    let other = [
        running(10, seconds(20, 20)),
        running(10, seconds(2000, 2000)),
    ];
    let other = building(other.to_vec(), 0, None);
    assert!(!late(&waits, 1010) && !late(&other, 1010));
    // Nobody has ever built it: nobody knows what is usual.
    let mut new = input.clone();
    new.builds.as_mut().unwrap().running[0].known = false;
    assert!(!late(&new, 1010));
    let activating = |now| {
        let input = Input {
            spans: spans(&[(Evaluating, 0), (Activating, 10)]),
            usual: Some(usual()),
            ..Input::default()
        };
        late(&input, now)
    };
    assert_eq!((activating(21), activating(22)), (false, true));
    // By a clock that is wrong, and no more than seven days.
    check(&input, u64::MAX / 2000, (50, Some(7 * 86_400), None));
}

#[test]
fn a_download_is_told_by_its_rate() {
    let with = |fetches, bytes_per_second| Input {
        spans: spans(&[(Evaluating, 0), (Fetching, 10)]),
        fetches,
        usual: Some(Usual {
            bytes_per_second,
            ..Usual::default()
        }),
        ..Input::default()
    };
    let (done, total) = (100_000_000, 400_000_000);
    check(
        &with(fetches(done, total, 10_000_000), 0),
        20,
        (40, Some(30), None),
    );
    // By what it has fetched so far, and before that by what it usually does.
    check(&with(fetches(done, total, 0), 0), 20, (40, Some(30), None));
    check(
        &with(fetches(0, total, 0), 4_000_000),
        10,
        (9, Some(100), None),
    );
    check(&with(fetches(0, 0, 0), 0), 20, (0, None, None));
    // Fetching and building go on at the same time: the longer one counts.
    let mut both = building(vec![running(20, seconds(20, 20))], 0, None);
    both.fetches = fetches(done, total, 10_000_000);
    check(&both, 30, (50, Some(30), None));
    both.fetches = fetches(done, total, 100_000_000);
    check(&both, 30, (75, Some(10), None));
}

#[test]
fn what_may_follow_is_in_the_range_of_a_command_that_was_never_run_there() {
    let mut input = building(vec![running(10, seconds(30, 30))], 0, None);
    check(&input, 20, (50, Some(20), None));
    input.usual = None;
    check(&input, 20, (50, Some(20), Some(80)));
    input.builds.as_mut().unwrap().running[0].expect = seconds(200, 200);
    check(&input, 20, (9, Some(190), None));
}

#[test]
fn a_second_evaluation_goes_on_where_the_first_one_ended() {
    // `nixos-rebuild` first builds itself.
    let twice = Input {
        spans: spans(&[(Evaluating, 0), (Building, 4), (Evaluating, 30)]),
        usual: Some(usual()),
        ..Input::default()
    };
    // 4 and 2 of 10 s, 26 of 60 s, and what follows.
    check(&twice, 32, (41, Some(4 + 34 + 8), None));
}

#[test]
fn a_range_is_told_where_it_is_wide() {
    let with = |most| building(vec![running(10, seconds(20, most))], 0, None);
    check(&with(30), 15, (50, Some(15), None));
    check(&with(35), 15, (50, Some(15), None));
    check(&with(36), 15, (50, Some(15), Some(31)));
    check(&with(120), 15, (50, Some(15), Some(115)));
}

#[test]
fn seconds_change_gently_and_not_at_all_by_themselves() {
    let mut input = building(vec![running(10, seconds(60, 60))], 0, None);
    let (eta, before) = estimate(&input, at(20));
    assert_eq!(eta.seconds, Some(50));
    input.before = before;
    check(&input, 30, (42, Some(40), None));
    // What was thought to take a minute takes ten: half of the way after five seconds.
    let expect = |input: &mut Input, expect| {
        input.builds.as_mut().unwrap().running[0].expect = expect;
    };
    expect(&mut input, seconds(600, 600));
    check(&input, 25, (28, Some(45 + 270), None));
    // What is no longer known is counted down, and another plan is another reason.
    expect(&mut input, None);
    check(&input, 25, (35, Some(45), None));
    check(&input, 69, (98, Some(1), None));
    // And then nobody knows; what is over stays.
    check(&input, 70, (28, None, None));
    input.builds = building(vec![running(10, seconds(600, 600))], 0, None).builds;
    input.builds.as_mut().unwrap().planned = 41;
    check(&input, 25, (28, Some(585), None));
}

#[test]
fn an_estimate_ages() {
    let eta = Eta {
        percent: 7,
        seconds: Some(9),
        seconds_most: Some(30),
        overdue: false,
    };
    let seconds = |by| aged(eta, std::time::Duration::from_millis(by)).seconds;
    assert_eq!((seconds(900), seconds(4000)), (Some(9), Some(5)));
    assert_eq!(seconds(1_000_000), Some(1), "never over");
    assert_eq!(aged(eta, std::time::Duration::from_secs(4)).percent, 7);
}

#[test]
fn medians_and_nearest_ranks() {
    let of = |times: &[u64]| Expect::of(times.to_vec()).map(|expect| (expect.ms, expect.most));
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[7]), Some((7, 7)));
    assert_eq!(of(&[9, 1]), Some((5, 9)));
    assert_eq!(of(&[3, 1, 2]), Some((2, 3)));
    let twenty: Vec<u64> = (1..=20).rev().collect();
    assert_eq!(of(&twenty), Some((10, 18)));
    assert_eq!(of(&[u64::MAX, u64::MAX]), Some((u64::MAX, u64::MAX)));
}
