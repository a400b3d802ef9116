use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::dashboard::alerts::memory::Memory;
use crate::run::id::HostName;
use crate::wire::resources::{Amount, Disk, FailedUnits, Resources};
use crate::wire::to_dashboard::Heartbeat;

const NOW: Millis = 1_000_000_000_000;

fn host() -> HostName {
    "web1".parse().unwrap()
}

fn reading(status: HostStatus, resources: Option<Resources>) -> Reading {
    let beat = Heartbeat {
        resources,
        ..Heartbeat::default()
    };
    Reading {
        heartbeat: Some(Arc::new(beat)),
        ..Reading::of(Some(host()), status)
    }
}

fn disk(mount: &str, available: u64) -> Disk {
    Disk {
        mount: mount.into(),
        amount: Amount {
            total: 100,
            available,
        },
        store: false,
    }
}

/// What is bad, a line each; `?` where nobody knows, `…` where of the rest nobody does.
fn shown(judged: &Judged) -> String {
    let (found, rest) = match judged {
        Judged::Unknown => return String::from("?"),
        Judged::Known(found) => (found, ""),
        Judged::Partly(found) => (found, "…"),
    };
    let lines = found
        .iter()
        .map(|found| format!("{}|{}", found.object, found.summary));
    lines.collect::<Vec<_>>().join("\n") + rest
}

#[track_caller]
fn check(condition: &Condition, reading: &Reading, memory: &Memory, expected: &str) {
    let judged = judge(condition, reading, memory.of(&host()), NOW);
    assert_eq!(shown(&judged), expected);
}

#[track_caller]
fn resources(condition: &Condition, resources: Resources, expected: &str) {
    let memory = Memory::default();
    let online = reading(HostStatus::Online, Some(resources.clone()));
    check(condition, &online, &memory, expected);
    for status in [
        HostStatus::Offline,
        HostStatus::Reconnecting,
        HostStatus::NeverSeen,
    ] {
        check(
            condition,
            &reading(status, Some(resources.clone())),
            &memory,
            "?",
        );
    }
    check(condition, &reading(HostStatus::Online, None), &memory, "?");
}

#[test]
fn a_host_is_offline_only_after_its_grace() {
    for (status, expected) in [
        (HostStatus::Online, ""),
        (HostStatus::Offline, "|is offline"),
        (HostStatus::Reconnecting, "?"),
        (HostStatus::NeverSeen, "?"),
    ] {
        check(
            &Condition::Offline,
            &reading(status, None),
            &Memory::default(),
            expected,
        );
    }
}

#[test]
fn disks_memory_units_and_reboots_of_hosts_that_are_there() {
    let full = Resources {
        disks: vec![disk("/", 5), disk("/nix", 20), disk("/boot", 1)],
        memory: Some(Amount {
            total: 200,
            available: 10,
        }),
        failed_units: Some(FailedUnits {
            count: 2,
            names: vec!["a.service".into(), "b.timer".into()],
        }),
        reboot_for: Some(vec!["kernel".into(), "modules".into()]),
        ..Resources::default()
    };
    let patterns = |text: &str| vec![Pattern(text.into())];
    let disks = |over, mounts| Condition::Disk { over, mounts };
    let both = "/|the disk / is 95 % full\n/boot|the disk /boot is 99 % full";
    resources(&disks(90.0, Vec::new()), full.clone(), both);
    resources(
        &disks(95.0, Vec::new()),
        full.clone(),
        "/boot|the disk /boot is 99 % full",
    );
    resources(
        &disks(90.0, patterns("/b*")),
        full.clone(),
        "/boot|the disk /boot is 99 % full",
    );
    resources(&disks(99.5, Vec::new()), full.clone(), "");
    let memory = |over| Condition::Memory { over };
    resources(&memory(94.9), full.clone(), "|95 % of the memory is in use");
    resources(&memory(95.0), full.clone(), "");
    let units = |units| Condition::FailedUnits { units };
    let failed = "a.service|the unit a.service has failed\nb.timer|the unit b.timer has failed";
    resources(&units(Vec::new()), full.clone(), failed);
    resources(
        &units(patterns("*.timer")),
        full.clone(),
        "b.timer|the unit b.timer has failed",
    );
    resources(
        &Condition::RebootNeeded,
        full.clone(),
        "|needs a reboot for a new kernel, modules",
    );
    // Only some of the failed units have a name.
    let mut many = full;
    many.failed_units = Some(FailedUnits {
        count: 9,
        names: vec!["a.service".into()],
    });
    resources(
        &units(Vec::new()),
        many,
        "a.service|the unit a.service has failed…",
    );
    let well = Resources {
        failed_units: Some(FailedUnits::default()),
        reboot_for: Some(Vec::new()),
        disks: vec![disk("/", 50)],
        ..Resources::default()
    };
    for condition in [
        units(Vec::new()),
        Condition::RebootNeeded,
        disks(90.0, Vec::new()),
    ] {
        resources(&condition, well.clone(), "");
    }
    for condition in [
        memory(1.0),
        units(Vec::new()),
        Condition::RebootNeeded,
        disks(0.0, Vec::new()),
    ] {
        resources(&condition, Resources::default(), "?");
    }
}

#[test]
fn metrics_over_and_under_a_limit() {
    let hot = Resources {
        temperature: Some(91.26),
        ..Resources::default()
    };
    let metric = |bound| Condition::Metric {
        metric: Metric::Temperature,
        bound,
    };
    resources(
        &metric(Bound::Over(90.0)),
        hot.clone(),
        "|temperature is 91.3 °C, over 90 °C",
    );
    resources(&metric(Bound::Over(91.26)), hot.clone(), "");
    resources(
        &metric(Bound::Under(91.27)),
        hot.clone(),
        "|temperature is 91.3 °C, under 91.27 °C",
    );
    resources(&metric(Bound::Over(0.0)), Resources::default(), "?");
}

#[test]
fn the_newest_run_of_each_command_counts() {
    let failed = Condition::RunFailed {
        commands: Vec::new(),
    };
    let degraded = Condition::RunDegraded {
        commands: Vec::new(),
    };
    let online = reading(HostStatus::Online, None);
    let mut memory = Memory::default();
    let ids: Vec<RunId> = (0..4).map(|_| RunId::new()).collect();
    let end = |n: usize, state, reason: &str| RunEnd::new(ids[n], state, reason);
    check(&failed, &online, &memory, "");
    memory.ran(
        &host(),
        "switch",
        end(1, RunState::Failed, "building: hello failed\nmore"),
    );
    check(
        &failed,
        &online,
        &memory,
        "switch|switch failed: building: hello failed",
    );
    check(&degraded, &online, &memory, "");
    // Another command's success, an older run, and one that was stopped say nothing.
    memory.ran(&host(), "pull", end(2, RunState::Succeeded, ""));
    memory.ran(&host(), "switch", end(0, RunState::Succeeded, ""));
    memory.ran(&host(), "switch", end(2, RunState::Stopped, ""));
    check(
        &failed,
        &online,
        &memory,
        "switch|switch failed: building: hello failed",
    );
    let only_boot = Condition::RunFailed {
        commands: vec![Pattern("boot".into())],
    };
    check(&only_boot, &online, &memory, "");
    memory.ran(&host(), "switch", end(2, RunState::Degraded, ""));
    check(&failed, &online, &memory, "");
    check(
        &degraded,
        &online,
        &memory,
        "switch|switch left failed units",
    );
    memory.ran(&host(), "switch", end(3, RunState::RebootRequired, ""));
    check(&degraded, &online, &memory, "");
    for (state, words) in [
        (RunState::Lost, "was lost"),
        (RunState::TimedOut, "took too long"),
        (RunState::RolledBack, "was rolled back"),
    ] {
        memory.ran(&host(), "switch", end(3, state, ""));
        check(&failed, &online, &memory, &format!("switch|switch {words}"));
    }
}

#[test]
fn a_host_flaps_when_it_goes_away_too_often() {
    let flapping = Condition::Flapping {
        times: 3,
        within: Duration::from_secs(600),
    };
    let online = reading(HostStatus::Online, None);
    let mut memory = Memory::default();
    let minute = |n: u64| NOW - n * 60_000;
    // A departure is one, whether it passes through `reconnecting` or not.
    for (at, status) in [
        (20, "offline"),
        (19, "online"),
        (9, "reconnecting"),
        (8, "offline"),
        (7, "online"),
        (6, "reconnecting"),
        (5, "online"),
    ] {
        memory.became(&host(), status, minute(at));
    }
    check(&flapping, &online, &memory, "");
    memory.became(&host(), "offline", minute(1));
    check(
        &flapping,
        &online,
        &memory,
        "|went away 3 times within 10 min",
    );
}

#[test]
fn certificates_and_tokens_that_end_soon() {
    let day = 86_400_000;
    let mut own = Reading::of(None, HostStatus::Online);
    let within = Duration::from_secs(14 * 86_400);
    let certificate = Condition::Certificate { within };
    let shown = |own: &Reading, condition: &Condition| shown(&judge(condition, own, None, NOW));
    assert_eq!(shown(&own, &certificate), "?");
    own.certificates = vec![
        ("fleet".into(), NOW + 13 * day + 3_600_000),
        ("old".into(), NOW),
        ("new".into(), NOW + 15 * day),
    ];
    assert_eq!(
        shown(&own, &certificate),
        "fleet|the certificate fleet ends in 13 d 1 h\nold|the certificate old has expired"
    );
    own.tokens = vec![("ci".into(), NOW + day)];
    assert_eq!(
        shown(&own, &Condition::Token { within }),
        "ci|the token ci ends in 1 d"
    );
    assert_eq!(shown(&own, &Condition::Offline), "?");
}

#[test]
fn what_is_unusual_at_this_hour() {
    let unusual = Condition::Unusual {
        metric: Metric::Temperature,
        deviations: 4.0,
        least: 10.0,
    };
    let mut memory = Memory::default();
    let at = |value| {
        let own = Resources {
            temperature: Some(value),
            ..Resources::default()
        };
        reading(HostStatus::Online, Some(own))
    };
    check(&unusual, &at(90.0), &memory, "?");
    // Four weeks of this hour at 50, give or take 3.
    for week in (1..=4).rev() {
        for minute in 0..30 {
            let then = NOW - week * 7 * 86_400_000 - NOW % 3_600_000 + minute * 60_000;
            let value = if minute % 2 == 0 { 47.0 } else { 53.0 };
            memory.learn(&[at(value)], &[Metric::Temperature], then);
        }
    }
    memory.learn(&[at(50.0)], &[Metric::Temperature], NOW);
    check(&unusual, &at(61.0), &memory, "");
    check(
        &unusual,
        &at(63.0),
        &memory,
        "|temperature is 63.0 °C, and usually 50.0 °C at this hour",
    );
    check(
        &unusual,
        &at(37.0),
        &memory,
        "|temperature is 37.0 °C, and usually 50.0 °C at this hour",
    );
    assert_eq!(memory.unsaved().len(), 1);
    memory.keep(|_| false);
    check(&unusual, &at(90.0), &memory, "?");
}
