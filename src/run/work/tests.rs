use super::*;
use crate::run::records::parse;

fn take(work: &mut Work, sender: u32, json: &str) {
    let record = parse(json.as_bytes()).unwrap_or_else(|| panic!("{json}"));
    work.take(sender, record, 0);
}

fn start(id: u64, parent: u64, kind: u64, fields: &str) -> String {
    format!(
        r#"{{"action":"start","fields":[{fields}],"id":{id},"level":3,"parent":{parent},"text":"","type":{kind}}}"#
    )
}

fn counted(id: u64, numbers: &str) -> String {
    format!(r#"{{"action":"result","fields":[{numbers}],"id":{id},"type":105}}"#)
}

/// A group of that sender: 102, 104 and 103 under the three ids from `first`.
fn group(work: &mut Work, sender: u32, first: u64) {
    for (at, kind) in [102, 104, 103].into_iter().enumerate() {
        take(work, sender, &start(first + at as u64, 0, kind, ""));
    }
}

#[test]
fn two_processes_with_the_same_ids_are_two() {
    let mut work = Work::default();
    for (sender, done) in [(1, 2), (2, 3)] {
        group(&mut work, sender, 10);
        take(&mut work, sender, &counted(11, &format!("{done},5,1,0")));
    }
    work.marker();
    assert_eq!(
        work.counters().0,
        Builds::default(),
        "before the line it may be the tool"
    );
    group(&mut work, 3, 10);
    take(&mut work, 3, &counted(11, "1,4,1,0"));
    let builds = work.counters().0;
    assert_eq!((builds.planned, builds.done, builds.running), (4, 1, 1));
    assert!(work.is_building());
    for sender in 1..=3 {
        work.gone(sender);
    }
    assert!(!work.is_building(), "whose stream has ended builds nothing");
    work.finish(false);
    assert_eq!(work.counters().0.interrupted, 3);
}

#[test]
fn a_call_of_nix_follows_another_and_nothing_falls() {
    let mut work = Work::default();
    work.marker();
    for call in 0..MAX_GROUPS as u64 + 9 {
        let first = 10 * (call + 1);
        group(&mut work, 1, first);
        take(&mut work, 1, &counted(first + 1, "0,1,1,0"));
        take(&mut work, 1, &counted(first + 1, "1,2,0,0"));
        let builds = work.counters().0;
        assert_eq!((builds.done, builds.planned), (call + 1, call + 1));
    }
    assert!(work.groups.len() <= MAX_GROUPS);
}

#[test]
fn what_belongs_to_nothing_or_is_not_known_is_counted_and_does_no_harm() {
    let mut work = Work::default();
    for json in [
        counted(1, "1,2,3,4"),
        start(2, 0, 105, r#""/nix/store/h-a.drv","",1,1"#),
        start(3, 0, 101, r#""https://cache.example.org""#),
        start(4, 0, 4711, ""),
        r#"{"action":"stop","id":9}"#.to_owned(),
        r#"{"action":"result","fields":[1],"id":9,"type":4711}"#.to_owned(),
    ] {
        take(&mut work, 1, &json);
    }
    assert!(!work.is_known());
    assert_eq!((work.counters(), work.unknown()), (Default::default(), 2));
    // Numbers that add up to more than there is.
    group(&mut work, 1, 10);
    work.marker();
    group(&mut work, 2, 10);
    for sender in [1, 2] {
        let max = u64::MAX;
        take(
            &mut work,
            sender,
            &counted(11, &format!("{max},{max},{max},{max}")),
        );
        take(&mut work, sender, &counted(11, "0,0,0,0"));
    }
    work.finish(true);
    assert_eq!(work.counters().0.done, u64::MAX);
}

#[test]
fn activities_beyond_the_limit_are_not_followed() {
    let mut work = Work::default();
    work.marker();
    group(&mut work, 1, 1);
    for id in 10..MAX_ACTIVITIES as u64 + 20 {
        take(&mut work, 1, &start(id, 0, 108, ""));
    }
    assert_eq!(work.activities.len(), MAX_ACTIVITIES);
    take(&mut work, 1, &counted(2, "0,1,1,0"));
    assert_eq!(
        work.counters().0.running,
        1,
        "what is followed still counts"
    );
}
