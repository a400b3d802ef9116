use std::sync::Arc;

use super::*;
use crate::dashboard::alerts::rules::{Condition, Pattern, Severity};
use crate::wire::api::HostStatus;
use crate::wire::resources::{Amount, Disk, FailedUnits, Resources};
use crate::wire::to_dashboard::Heartbeat;

/// An engine, a clock and what happened so far.
struct Bench {
    engine: Engine,
    memory: Memory,
    start: Instant,
    seconds: u64,
    suppressed: bool,
    n: u64,
}

fn rule(name: &str, condition: Condition, hold: u64) -> Rule {
    Rule {
        name: name.into(),
        condition,
        hosts: Vec::new(),
        tags: Vec::new(),
        hold: Duration::from_secs(hold),
        severity: Severity::Warning,
        channels: None,
        quiet: None,
    }
}

fn disks(hold: u64) -> Rule {
    let condition = Condition::Disk {
        over: 90.0,
        mounts: Vec::new(),
    };
    rule("disk", condition, hold)
}

fn host(name: &str, status: HostStatus, percents: &[(&str, u64)]) -> Reading {
    let disk = |(mount, percent): &(&str, u64)| Disk {
        mount: (*mount).into(),
        amount: Amount {
            total: 100,
            available: 100 - percent,
        },
        store: false,
    };
    let resources = Resources {
        disks: percents.iter().map(disk).collect(),
        ..Resources::default()
    };
    let beat = Heartbeat {
        resources: Some(resources),
        ..Heartbeat::default()
    };
    Reading {
        heartbeat: Some(Arc::new(beat)),
        ..Reading::of(Some(name.parse().unwrap()), status)
    }
}

fn online(name: &str, percents: &[(&str, u64)]) -> Reading {
    host(name, HostStatus::Online, percents)
}

impl Bench {
    fn new(rules: Vec<Rule>) -> Self {
        Self {
            engine: Engine::new(rules),
            memory: Memory::default(),
            start: Instant::now(),
            seconds: 0,
            suppressed: false,
            n: 0,
        }
    }

    fn look(&mut self, at: u64, readings: &[Reading]) -> Vec<Change> {
        self.seconds = at;
        let now = Moment {
            instant: self.start + Duration::from_secs(at),
            wall: 1_000_000 + at * 1000,
        };
        let suppressed = self.suppressed;
        self.engine
            .look(readings, &self.memory, now, |_, _| suppressed)
    }

    /// Looks, takes what changes for stored, and holds it against `expected`: `+rule host object` and `-…`, with `@` for
    /// when it began.
    #[track_caller]
    fn check(&mut self, at: u64, readings: &[Reading], expected: &[&str]) {
        let changes = self.look(at, readings);
        let mut shown = Vec::new();
        for change in &changes {
            let name = &self.engine.rules()[change.rule].name;
            let host = change.host.as_ref().map_or("-", HostName::as_str);
            let what = match &change.what {
                What::Fire { started_at, .. } => {
                    format!(
                        "+{name} {host} {}@{}",
                        change.object,
                        started_at / 1000 - 1000
                    )
                }
                What::Renew { .. } => format!("={name} {host} {}", change.object),
                What::Recover { ended: None, .. } => format!("-{name} {host} {}", change.object),
                What::Recover {
                    ended: Some(why), ..
                } => {
                    format!("-{name} {host} {}: {why}", change.object)
                }
            };
            shown.push(what);
        }
        for change in &changes {
            self.n += 1;
            let id = self.n.to_string();
            self.engine.accept(change, &id);
        }
        assert_eq!(shown, expected, "at {at}");
    }
}

#[test]
fn it_fires_once_after_its_time_and_recovers_once_after_the_same() {
    let mut bench = Bench::new(vec![disks(300)]);
    let (full, well) = ([online("a", &[("/", 95)])], [online("a", &[("/", 50)])]);
    bench.check(0, &full, &[]);
    bench.check(299, &full, &[]);
    bench.check(300, &full, &["+disk a /@0"]);
    bench.check(301, &full, &[]);
    bench.check(9000, &full, &[]);
    bench.check(9001, &well, &[]);
    bench.check(9200, &full, &[]);
    bench.check(9300, &well, &[]);
    bench.check(9599, &well, &[]);
    bench.check(9600, &well, &["-disk a /"]);
    bench.check(9601, &well, &[]);
    // A short one is none.
    bench.check(9700, &full, &[]);
    bench.check(9800, &well, &[]);
    bench.check(9900, &full, &[]);
    bench.check(10_100, &full, &[]);
    bench.check(10_200, &full, &["+disk a /@9900"]);
}

#[test]
fn what_is_not_stored_is_said_again_and_what_is_stored_is_not() {
    let mut bench = Bench::new(vec![disks(0)]);
    let full = [online("a", &[("/", 95)])];
    assert_eq!(bench.look(0, &full).len(), 1);
    assert_eq!(bench.look(1, &full).len(), 1);
    bench.check(2, &full, &["+disk a /@0"]);
    assert!(bench.look(3, &full).is_empty());
    let well = [online("a", &[("/", 5)])];
    assert_eq!(bench.look(4, &well).len(), 1);
    bench.check(5, &well, &["-disk a /"]);
    assert_eq!(bench.engine.n_firing(), 0);
}

#[test]
fn each_object_is_an_alert_of_its_own() {
    let mut bench = Bench::new(vec![disks(0)]);
    bench.check(
        0,
        &[online("a", &[("/", 95), ("/nix", 96)])],
        &["+disk a /@0", "+disk a /nix@0"],
    );
    bench.check(
        1,
        &[online("a", &[("/", 95), ("/nix", 6)])],
        &["-disk a /nix"],
    );
    bench.check(
        2,
        &[online("a", &[("/", 95), ("/nix", 96)])],
        &["+disk a /nix@2"],
    );
}

#[test]
fn what_a_host_says_twice_is_one_alert() {
    let mut bench = Bench::new(vec![disks(0)]);
    let twice = [online("web1", &[("/", 95), ("/", 99)])];
    let changes = bench.look(0, &twice);
    assert_eq!(changes.len(), 1, "{changes:?}");
}

#[test]
fn disks_of_a_host_that_is_away_neither_fire_nor_recover() {
    let mut bench = Bench::new(vec![rule("offline", Condition::Offline, 0), disks(60)]);
    bench.check(0, &[online("a", &[("/", 95)])], &[]);
    bench.check(60, &[online("a", &[("/", 95)])], &["+disk a /@0"]);
    let away = [host("a", HostStatus::Offline, &[("/", 5)])];
    bench.check(61, &away, &["+offline a @61"]);
    bench.check(600, &away, &[]);
    let waits = [host("a", HostStatus::Reconnecting, &[("/", 5)])];
    bench.check(601, &waits, &[]);
    // Being well is counted from when it can be seen.
    bench.check(602, &[online("a", &[("/", 5)])], &["-offline a "]);
    bench.check(661, &[online("a", &[("/", 5)])], &[]);
    bench.check(662, &[online("a", &[("/", 5)])], &["-disk a /"]);
    // Nor does what was pending go on meanwhile.
    bench.check(700, &[online("a", &[("/", 95)])], &[]);
    bench.check(750, &waits, &[]);
    bench.check(770, &[online("a", &[("/", 95)])], &[]);
}

#[test]
fn units_without_a_name_keep_the_others_from_recovering() {
    let units = |count, names: &[&str]| {
        let mut reading = online("a", &[]);
        let failed = FailedUnits {
            count,
            names: names.iter().map(|name| (*name).into()).collect(),
        };
        let resources = Resources {
            failed_units: Some(failed),
            ..Resources::default()
        };
        reading.heartbeat = Some(Arc::new(Heartbeat {
            resources: Some(resources),
            ..Heartbeat::default()
        }));
        [reading]
    };
    let condition = Condition::FailedUnits { units: Vec::new() };
    let mut bench = Bench::new(vec![rule("units", condition, 0)]);
    bench.check(0, &units(2, &["a", "b"]), &["+units a a@0", "+units a b@0"]);
    bench.check(1, &units(9, &["a"]), &[]);
    bench.check(2, &units(1, &["a"]), &["-units a b"]);
}

#[test]
fn nothing_fires_of_a_host_that_somebody_works_on() {
    let mut bench = Bench::new(vec![disks(0)]);
    bench.check(0, &[online("a", &[("/", 95)])], &["+disk a /@0"]);
    bench.suppressed = true;
    let both = [online("a", &[("/", 95), ("/nix", 95)])];
    bench.check(1, &both, &[]);
    // What is over is over all the same.
    bench.check(2, &[online("a", &[("/", 5), ("/nix", 95)])], &["-disk a /"]);
    bench.suppressed = false;
    bench.check(3, &both, &["+disk a /@3", "+disk a /nix@3"]);
}

#[test]
fn hosts_that_are_removed_and_filters_that_change_end_alerts() {
    let mut rule = disks(0);
    rule.hosts = vec![Pattern("a*".into())];
    let mut bench = Bench::new(vec![rule]);
    let readings = [online("a1", &[("/", 95)]), online("b1", &[("/", 95)])];
    bench.check(0, &readings, &["+disk a1 /@0"]);
    bench.check(1, &readings[1..], &["-disk a1 /: the host was removed"]);
    bench.check(2, &readings[1..], &[]);
    let firing = Firing {
        id: "x".into(),
        started_at: 5,
        summary: String::new(),
        run: None,
    };
    let stranger = Some("b1".parse().unwrap());
    assert!(
        bench
            .engine
            .restore("disk", "disk", stranger, "/", firing.clone())
    );
    bench.check(
        3,
        &readings[1..],
        &["-disk b1 /: the rule is not about this host any more"],
    );
    let gone = Some("a1".parse().unwrap());
    assert!(
        !bench
            .engine
            .restore("disk", "memory", gone.clone(), "", firing.clone())
    );
    assert!(!bench.engine.restore("other", "disk", gone, "", firing));
}

#[test]
fn after_a_start_what_fired_fires_on_and_nothing_storms() {
    let mut bench = Bench::new(vec![rule("offline", Condition::Offline, 0)]);
    let firing = Firing {
        id: "x".into(),
        started_at: 5,
        summary: "is offline".into(),
        run: None,
    };
    let gone = Some("gone".parse().unwrap());
    assert!(bench.engine.restore("offline", "offline", gone, "", firing));
    let mut readings: Vec<Reading> = (0..1000)
        .map(|n| host(&format!("h{n}"), HostStatus::Reconnecting, &[]))
        .collect();
    readings.push(host("gone", HostStatus::Offline, &[]));
    bench.check(0, &readings, &[]);
    bench.check(30, &readings, &[]);
    readings.pop();
    readings.push(online("gone", &[]));
    bench.check(31, &readings, &["-offline gone "]);
}
