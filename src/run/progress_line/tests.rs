use super::*;
use crate::run::event::Builds;

fn left(seconds: u64, most: Option<u64>) -> Remaining {
    Remaining {
        seconds: Some(seconds),
        most,
        overdue: false,
    }
}

fn build(name: &str, host: Option<&str>, phase: Option<&str>, since: u64) -> RunningBuild {
    RunningBuild {
        name: name.into(),
        host: host.map(str::to_owned),
        phase: phase.map(str::to_owned),
        since,
    }
}

/// The run of the examples: 37 of 112 built, 214 MB of 1.2 GB fetched.
fn example() -> Progress {
    Progress {
        done: 37,
        total: 112,
        builds: Some(Builds {
            planned: 112,
            running: 1,
            done: 37,
            failed: 0,
            interrupted: 0,
        }),
        fetches: Some(Fetches {
            planned: 80,
            done: 20,
            bytes_done: 214_000_000,
            bytes_total: 1_200_000_000,
            bytes_per_second: 12_000_000,
        }),
        ..Progress::default()
    }
}

#[track_caller]
fn check(phase: Phase, progress: &Progress, left: Option<Remaining>, expected: &str) {
    assert_eq!(progress_line(phase, progress, 100_000, left), expected);
}

#[test]
fn what_is_known_is_in_the_line() {
    let mut progress = example();
    check(
        Phase::Building,
        &progress,
        Some(left(360, None)),
        "building 37 of 112 · 214 MB of 1.2 GB fetched · 12 MB/s · about 6 minutes",
    );
    check(
        Phase::Fetching,
        &progress,
        None,
        "fetching 20 of 80 paths · 214 MB of 1.2 GB fetched · 12 MB/s",
    );
    progress.running = vec![
        build("hello-2.12", Some("big"), Some("buildPhase"), 35_000),
        build("world-1", None, None, 90_000),
    ];
    check(
        Phase::Building,
        &progress,
        Some(left(250, Some(530))),
        "building 37 of 112 · 214 MB of 1.2 GB fetched · 12 MB/s · 4 to 9 minutes · \
         hello-2.12 buildPhase on big 1m 05s and 1 more",
    );
    progress.running = vec![build("a\u{1b}[2Jb", None, None, 200_000)];
    progress.fetches = None;
    progress.builds = progress.builds.map(|builds| Builds {
        failed: 2,
        interrupted: 0,
        ..builds
    });
    let unknown = Remaining {
        seconds: None,
        ..Remaining::default()
    };
    check(
        Phase::Building,
        &progress,
        Some(unknown),
        "building 37 of 112 · 2 failed · calculating · a\u{fffd}[2Jb 0s",
    );
}

#[test]
fn what_is_not_known_is_not() {
    let nothing = Progress::default();
    check(Phase::Evaluating, &nothing, None, "evaluating");
    let mut progress = example();
    progress.activity = Some("building hello-2.12".into());
    check(
        Phase::Switching,
        &progress,
        Some(left(5, None)),
        "switching · a few seconds · building hello-2.12",
    );
    progress.running = vec![build("hello-2.12", None, None, 90_000)];
    check(
        Phase::Activating,
        &progress,
        None,
        "activating · building hello-2.12",
    );
    progress.running.clear();
    progress.fetches = Some(Fetches {
        bytes_done: 1_200_000_000,
        bytes_total: 1_200_000_000,
        bytes_per_second: 5,
        ..Fetches::default()
    });
    check(
        Phase::Building,
        &progress,
        None,
        "building 37 of 112 · 1.2 GB fetched · building hello-2.12",
    );
    let tests = |done, total, unit| Progress {
        done,
        total,
        unit,
        ..Progress::default()
    };
    let running = |progress: Progress, expected| check(Phase::Running, &progress, None, expected);
    running(tests(3, 10, ProgressUnit::Tests), "running 3 of 10 tests");
    running(tests(3, 0, ProgressUnit::Paths), "running 3 paths");
    running(tests(3, 10, ProgressUnit::Bytes), "running");
}

#[test]
fn a_line_has_an_end() {
    let progress = Progress {
        activity: Some("é".repeat(2 * MAX_WIDTH)),
        ..Progress::default()
    };
    let line = progress_line(Phase::Building, &progress, 0, None);
    assert_eq!(line.chars().count(), MAX_WIDTH);
}

#[test]
fn sizes() {
    for (number, expected) in [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_949, "9.9 kB"),
        (9_950, "10 kB"),
        (214_000_000, "214 MB"),
        (999_499_999, "999 MB"),
        (999_500_000, "1.0 GB"),
        (1_200_000_000, "1.2 GB"),
        (u64::MAX, "18447 PB"),
    ] {
        assert_eq!(bytes(number), expected);
    }
}

#[test]
fn times_that_are_left() {
    for (seconds, most, expected) in [
        (0, None, "a few seconds"),
        (9, None, "a few seconds"),
        (14, None, "about 10 seconds"),
        (54, None, "about 50 seconds"),
        (55, None, "about 1 minute"),
        (90, None, "about 2 minutes"),
        (360, None, "about 6 minutes"),
        (5399, None, "about 90 minutes"),
        (5400, None, "about 1.5 hours"),
        (7300, None, "about 2 hours"),
        (u64::MAX, None, "about 5124095576030431 hours"),
        (360, Some(300), "about 6 minutes"),
        (15, Some(38), "10 to 40 seconds"),
        (5, Some(38), "up to 40 seconds"),
        (250, Some(530), "4 to 9 minutes"),
        (30, Some(60), "up to 1 minute"),
        (60, Some(60), "about 1 minute"),
        (120, Some(121), "2 to 3 minutes"),
        (5400, Some(10_000), "1.5 to 3 hours"),
        (600, Some(5400), "up to 1.5 hours"),
    ] {
        assert_eq!(
            remaining(left(seconds, most)),
            expected,
            "{seconds} {most:?}"
        );
    }
}

#[test]
fn time_that_passes_is_taken_off() {
    let told = left(250, Some(530));
    assert_eq!(remaining(told.after(60)), "3 to 8 minutes");
    assert_eq!(remaining(told.after(1000)), "a few seconds");
    let late = Remaining {
        overdue: true,
        ..told
    };
    assert_eq!(remaining(late.after(60)), "longer than usual");
    let unknown = Remaining {
        seconds: None,
        ..Remaining::default()
    };
    assert_eq!(remaining(unknown.after(60)), "calculating");
}
