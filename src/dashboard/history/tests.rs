use super::*;

mod rebuilds;

fn machine(host: &str) -> Machine {
    Machine::new(host, None)
}

fn built(host: &str, name: &str, ms: u64) -> Built {
    Built {
        machine: machine(host),
        name: name.into(),
        ms,
    }
}

fn learn(history: &mut History, built: &[Built], now: Millis) -> Learnt {
    let learnt = history.learn(built, now);
    history.accept(learnt.clone());
    learnt
}

/// Times of hosts: a host, what it built, and the seconds.
fn history(times: &[(&str, &str, &[u64])]) -> History {
    let mut history = History::default();
    for (host, name, seconds) in times {
        let times = seconds.iter().map(|s| built(host, name, s * 1000));
        learn(&mut history, &times.collect::<Vec<_>>(), 1);
    }
    history
}

#[test]
fn the_newest_times_are_kept_and_come_back_from_the_store() {
    let mut history = History::default();
    let mut last = Learnt::default();
    for n in 1..=50 {
        last = learn(&mut history, &[built("web1", "hello", n)], n);
    }
    let expected: Vec<u64> = (41..=50).collect();
    assert_eq!((last.rows.len(), last.rows[0].at), (1, 50));
    assert_eq!(last.rows[0].ms, expected);
    assert_eq!(history.len(), 1);
    let again = History::new(last.rows);
    let told = |history: &History| history.build(&machine("web1"), 1.0, "hello");
    let expect = Expect { ms: 45, most: 49 };
    assert_eq!((told(&history), told(&again)), (Some(expect), Some(expect)));
    assert!(history.learn(&[], 9).is_empty());
}

/// Seconds that `web1` is told for `name`.
#[track_caller]
fn check(times: &[(&str, &str, &[u64])], name: &str, expected: Option<u64>) {
    let history = history(times);
    let machine = machine("web1");
    let speed = history.speed(&machine);
    let found = history.build(&machine, speed, name);
    assert_eq!(found.map(|expect| expect.ms / 1000), expected, "{times:?}");
}

#[test]
fn a_build_is_told_by_its_machine_then_by_others() {
    check(&[], "a", None);
    check(&[("web1", "a", &[5, 7, 6])], "a", Some(6));
    check(&[("web1", "a", &[5])], "b", None);
    // Two are few, and better than nothing.
    check(&[("web1", "a", &[5, 9])], "a", Some(7));
    check(
        &[("web1", "a", &[5, 9]), ("web2", "a", &[30])],
        "a",
        Some(30),
    );
    check(
        &[("web1", "a", &[5, 5, 5]), ("web2", "a", &[30])],
        "a",
        Some(5),
    );
    check(&[("web2", "a", &[10]), ("web3", "a", &[20])], "a", Some(15));
}

#[test]
fn a_slow_machine_is_slow_at_what_it_has_never_built() {
    let with = |x: u64| {
        vec![
            ("web1", "x", vec![20]),
            ("web1", "y", vec![40 * x]),
            ("web1", "z", vec![60 * x]),
            ("web2", "x", vec![10]),
            ("web2", "y", vec![20]),
            ("web2", "z", vec![30]),
            ("web2", "a", vec![100]),
        ]
    };
    let told = |times: Vec<(&'static str, &'static str, Vec<u64>)>, expected| {
        let times: Vec<_> = times
            .iter()
            .map(|(h, n, t)| (*h, *n, t.as_slice()))
            .collect();
        check(&times, "a", Some(expected));
    };
    told(with(1), 200);
    told(with(9), 400); // No more than four times.
    told(with(1)[1..].to_vec(), 100); // Two names are too few to compare by.
}

#[test]
fn any_build_is_told_by_the_machine_then_by_the_fleet() {
    let any = |times: &[(&str, &str, &[u64])]| {
        let any = history(times).any(&machine("web1"));
        any.map(|expect| expect.ms / 1000)
    };
    assert_eq!(any(&[]), None);
    assert_eq!(any(&[("web2", "a", &[1]), ("web2", "b", &[9])]), None);
    let fleet: [(&str, &str, &[u64]); 3] = [
        ("web2", "a", &[1]),
        ("web2", "b", &[9]),
        ("web3", "b", &[30]),
    ];
    assert_eq!(any(&fleet), Some(9));
    let own: [(&str, &str, &[u64]); 3] = [
        ("web1", "a", &[3]),
        ("web1", "b", &[4]),
        ("web1", "c", &[5]),
    ];
    assert_eq!(any(&[&fleet[..], &own[..]].concat()), Some(4));
}

#[test]
fn builders_of_a_host_are_machines_of_their_own() {
    let times = [
        BuildTime {
            name: "hello-2.12".into(),
            ms: 9000,
            host: Some("ssh://big".into()),
        },
        BuildTime {
            name: "hello-2.13".into(),
            ms: 90_000,
            host: None,
        },
    ];
    let built: Vec<Built> = Built::all("web1", &times).collect();
    let mut history = History::default();
    learn(&mut history, &[&built[..], &built, &built].concat(), 1);
    let told = |builder| history.build(&Machine::new("web1", builder), 1.0, "hello");
    assert_eq!(told(Some("ssh://big")).map(|told| told.ms), Some(9000));
    assert_eq!(told(None).map(|told| told.ms), Some(90_000));
}

#[test]
fn what_was_built_last_comes_first_and_what_the_run_itself_built_does_not() {
    let mut history = History::default();
    for (at, name) in [(1, "a"), (3, "b"), (2, "c"), (9, "d")] {
        learn(&mut history, &[built("web1", name, 5)], at);
    }
    let pool = history.pool(&machine("web1"), 9);
    let names: Vec<&str> = pool.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["b", "c", "a"]);
}

#[test]
fn a_run_is_taken_to_build_no_more_than_so_many_derivations_again() {
    let mut history = History::default();
    let many = (0..=expect::MAX_POOL).map(|n| built("web1", &format!("n{n}"), 5));
    learn(&mut history, &many.collect::<Vec<_>>(), 1);
    assert_eq!(history.pool(&machine("web1"), 9).len(), expect::MAX_POOL);
}

#[test]
fn a_host_crowds_out_only_itself() {
    let mut history = History::default();
    learn(&mut history, &[built("web2", "precious", 5)], 1);
    for n in 0..MAX_OF_HOST as u64 {
        learn(&mut history, &[built("web1", &format!("n{n}"), 5)], 2 + n);
    }
    assert_eq!(history.len(), MAX_OF_HOST + 1);
    let learnt = learn(&mut history, &[built("web1", "more", 5)], 100_000);
    let gone: Vec<&str> = learnt.gone.iter().map(|(_, name)| &**name).collect();
    assert!(gone.contains(&"n0") && !gone.contains(&"more") && !gone.contains(&"precious"));
    assert_eq!(history.len(), MAX_OF_HOST + 2 - gone.len());
    assert!(history.len() <= MAX_OF_HOST + 1);
    // All at once is no more.
    let flood = (0..2 * MAX_OF_HOST).map(|n| built("web1", &format!("f{n}"), 5));
    learn(&mut history, &flood.collect::<Vec<_>>(), 200_000);
    assert!(history.len() <= MAX_OF_HOST + 1);
    assert!(history.build(&machine("web2"), 1.0, "precious").is_some());
    history.forget("web1");
    assert_eq!(history.len(), 1);
}

#[test]
fn the_oldest_of_the_fleet_goes() {
    let mut history = History::default();
    for host in 0..MAX_ROWS / MAX_OF_HOST {
        let own = (0..MAX_OF_HOST).map(|n| built(&format!("web{host}"), &format!("n{n}"), 5));
        learn(&mut history, &own.collect::<Vec<_>>(), 10 + host as u64);
    }
    assert_eq!(history.len(), MAX_ROWS);
    let learnt = learn(&mut history, &[built("another", "a", 5)], 99);
    assert!(history.len() <= MAX_ROWS && !learnt.gone.is_empty());
    let oldest = learnt
        .gone
        .iter()
        .all(|(machine, _)| &*machine.host == "web0");
    assert!(oldest && history.build(&machine("another"), 1.0, "a").is_some());
}
