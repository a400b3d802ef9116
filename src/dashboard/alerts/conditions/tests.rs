mod past;

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
fn resources(condition: &Condition, resources: &Resources, expected: &str) {
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
    resources(&disks(90.0, Vec::new()), &full, both);
    resources(
        &disks(95.0, Vec::new()),
        &full,
        "/boot|the disk /boot is 99 % full",
    );
    resources(
        &disks(90.0, patterns("/b*")),
        &full,
        "/boot|the disk /boot is 99 % full",
    );
    resources(&disks(99.5, Vec::new()), &full, "");
    let memory = |over| Condition::Memory { over };
    resources(&memory(94.9), &full, "|95 % of the memory is in use");
    resources(&memory(95.0), &full, "");
    let units = |units| Condition::FailedUnits { units };
    let failed = "a.service|the unit a.service has failed\nb.timer|the unit b.timer has failed";
    resources(&units(Vec::new()), &full, failed);
    resources(
        &units(patterns("*.timer")),
        &full,
        "b.timer|the unit b.timer has failed",
    );
    resources(
        &Condition::RebootNeeded,
        &full,
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
        &many,
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
        resources(&condition, &well, "");
    }
    for condition in [
        memory(1.0),
        units(Vec::new()),
        Condition::RebootNeeded,
        disks(0.0, Vec::new()),
    ] {
        resources(&condition, &Resources::default(), "?");
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
        &hot,
        "|temperature is 91.3 °C, over 90 °C",
    );
    resources(&metric(Bound::Over(91.26)), &hot, "");
    resources(
        &metric(Bound::Under(91.27)),
        &hot,
        "|temperature is 91.3 °C, under 91.27 °C",
    );
    resources(&metric(Bound::Over(0.0)), &Resources::default(), "?");
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
    let token = Condition::Token { within };
    assert_eq!(shown(&own, &token), "?");
    own.tokens = Some(vec![("ci".into(), NOW + day)]);
    assert_eq!(shown(&own, &token), "ci|the token ci ends in 1 d");
    // The last one was revoked: that is known, and an alert of it is over.
    own.tokens = Some(Vec::new());
    assert_eq!(shown(&own, &token), "");
    assert_eq!(shown(&own, &Condition::Offline), "?");
}
