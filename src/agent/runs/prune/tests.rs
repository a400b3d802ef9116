use super::*;
use crate::agent::run_dir::SupervisorRequest;

const HOUR: u64 = 3_600_000;
const KEEP: Keep = Keep {
    time: Duration::from_secs(24 * 3600),
    bytes: 100,
};

/// Runs as (acknowledged so many hours ago, bytes), and the indices of those that are deleted.
#[track_caller]
fn check(runs: &[(Option<u64>, u64)], expected: &[usize]) {
    let now = 1000 * HOUR;
    let stored: Vec<Stored> = runs
        .iter()
        .map(|(hours, bytes)| Stored {
            run: RunId::new(),
            acknowledged: hours.map(|hours| now - hours * HOUR),
            bytes: *bytes,
        })
        .collect();
    let doomed = doomed(&stored, KEEP, now);
    let found: Vec<usize> = doomed
        .iter()
        .filter_map(|run| stored.iter().position(|one| one.run == *run))
        .collect();
    assert_eq!(found, expected, "{runs:?}");
}

#[test]
fn a_journal_that_is_kept_for_no_time_goes_at_once() {
    let stored = Stored {
        run: RunId::new(),
        acknowledged: Some(7),
        bytes: 1,
    };
    let time = Duration::ZERO;
    assert_eq!(doomed(&[stored], Keep { time, ..KEEP }, 7), [stored.run]);
}

#[test]
fn old_ones_go_then_the_oldest_and_never_what_is_not_acknowledged() {
    check(&[], &[]);
    check(&[(Some(1), 50), (Some(2), 50)], &[]);
    check(&[(Some(1), 1), (Some(25), 1), (Some(24), 1)], &[1]);
    check(&[(Some(1), 60), (Some(3), 30), (Some(2), 30)], &[1]);
    check(&[(Some(1), 60), (Some(3), 10), (Some(2), 40)], &[1]);
    check(&[(Some(1), 90), (Some(3), 10), (Some(2), 40)], &[1, 2]);
    check(&[(Some(1), 200)], &[0]);
    check(&[(None, 200), (None, 10)], &[]);
    check(&[(None, 200), (Some(1), 10), (None, 10)], &[1]);
    // Age alone makes room enough.
    check(&[(Some(30), 60), (Some(2), 60)], &[0]);
}

#[test]
fn a_new_journal_gets_what_is_left_and_never_too_little() {
    let stored = |acknowledged, bytes| Stored {
        run: RunId::new(),
        acknowledged,
        bytes,
    };
    let gib = 1 << 30;
    let keep = Keep::default();
    for (stored, expected) in [
        (vec![], gib),
        (vec![stored(Some(1), 3 * gib)], gib),
        (vec![stored(None, gib + 5)], gib - 5),
        (vec![stored(None, 3 * gib)], MIN_JOURNAL_MAX),
    ] {
        assert_eq!(room(&stored, keep, gib), expected, "{stored:?}");
    }
    assert_eq!(room(&[], keep, 1), MIN_JOURNAL_MAX);
}

fn run_dir(state_dir: &Path, bytes: usize) -> RunDir {
    let request = SupervisorRequest::sample("hello");
    let dir = RunDir::create(state_dir, &request).unwrap();
    fs::write(dir.journal(), vec![0; bytes / 2]).unwrap();
    fs::write(dir.path().join("journal.3"), vec![0; bytes / 2]).unwrap();
    dir
}

#[test]
fn released_runs_are_marked_and_deleted_in_time() {
    let state = tempfile::tempdir().unwrap();
    let dirs: Vec<RunDir> = (0..4).map(|_| run_dir(state.path(), 100_000)).collect();
    let keep = Keep {
        bytes: 350_000,
        ..Keep::default()
    };
    let there = || -> Vec<bool> { dirs.iter().map(|dir| dir.path().exists()).collect() };
    prune(state.path(), keep).unwrap();
    assert_eq!(there(), [true; 4], "nothing is acknowledged");
    let run = |n: usize| dirs[n].run_id().unwrap();
    release(state.path(), run(1), keep).unwrap();
    assert_eq!(there(), [true, false, true, true]);
    release(state.path(), run(1), keep).unwrap();
    release(state.path(), run(2), keep).unwrap();
    assert_eq!(there(), [true, false, true, true]);
    assert!(is_acknowledged(&dirs[2]) && !is_acknowledged(&dirs[3]));
    // A new run needs the room.
    let most = make_room(state.path(), keep, 100_000).unwrap();
    assert_eq!(most, MIN_JOURNAL_MAX);
    assert_eq!(there(), [true, false, false, true]);
    // A marker without a time is an old one.
    fs::write(dirs[3].path().join("acknowledged"), "").unwrap();
    prune(state.path(), keep).unwrap();
    assert_eq!(there(), [true, false, false, false]);
}
