//! Hosts that may be away.

use std::collections::HashMap;

use tokio::time::Instant;

use super::*;
use crate::base::clock;
use crate::dashboard::store::host_absence::{AbsenceRow, MaintenanceRow};
use crate::wire::api::Absence;

fn maintenance(minutes: u64) -> MaintenanceRow {
    let since = clock::now();
    MaintenanceRow {
        since,
        until: since + minutes * 60_000,
        reason: "new disk".into(),
        by: "ann".into(),
    }
}

fn there(fleet: &Fleet, device_type: &str) -> Arc<Peer> {
    let peer = Arc::new(Peer::new(1, name(), 3));
    let register = Register {
        device_type: device_type.into(),
        ..register()
    };
    fleet.connect(&peer, &register);
    fleet.beat(&peer, Heartbeat::default());
    peer
}

fn why(fleet: &Fleet) -> Option<Absence> {
    let found = fleet.suppressed(&name(), Instant::now());
    found.map(|suppressed| suppressed.why)
}

#[tokio::test(start_paused = true)]
async fn a_host_under_maintenance_is_away_without_alarm_until_that_ends() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = there(&fleet, "server");
    fleet.begin_maintenance(&name(), maintenance(60));
    assert_eq!(why(&fleet), Some(Absence::Maintenance));
    // It is there: nothing is said of an absence.
    let host = fleet.host(&name()).unwrap().liveness;
    assert_eq!(
        (host.absence, host.maintenance.unwrap().by),
        (None, "ann".into())
    );
    fleet.disconnect(&peer);
    seconds(1800).await;
    check(&fleet, HostStatus::Offline);
    let host = fleet.host(&name()).unwrap().liveness;
    assert_eq!((host.absence, host.flaps), (Some(Absence::Maintenance), 0));
    let reason = host.absence_reason.unwrap();
    assert!(reason.starts_with("maintenance by ann until "), "{reason}");
    assert!(reason.ends_with(": new disk"), "{reason}");
    seconds(1801).await;
    assert_eq!(why(&fleet), None, "over before anybody looked");
    assert_eq!(fleet.host(&name()).unwrap().liveness.absence, None);
    check(&fleet, HostStatus::Offline);
    let host = fleet.host(&name()).unwrap().liveness;
    assert_eq!((host.absence, host.maintenance), (None, None));
    assert_eq!(why(&fleet), None);
    let (events, ended) = fleet.take_events();
    let last = events.last().unwrap();
    assert_eq!(last.kind.name(), "maintenance_ended");
    assert_eq!((ended.len(), &ended[0].0), (1, &name()));
    fleet.sweep();
    assert!(happened(&fleet).is_empty(), "it ends once");
}

#[tokio::test(start_paused = true)]
async fn an_operator_ends_a_maintenance_and_nothing_else_is_said() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    there(&fleet, "server");
    assert!(!fleet.end_maintenance(&name(), "bob"));
    let _ = happened(&fleet);
    fleet.begin_maintenance(&name(), maintenance(60));
    assert!(fleet.end_maintenance(&name(), "bob"));
    assert_eq!(kinds(&fleet), ["maintenance_begun", "maintenance_ended"]);
    seconds(7200).await;
    fleet.sweep();
    assert_eq!(kinds(&fleet), ["offline"]);
}

#[tokio::test(start_paused = true)]
async fn laptops_come_and_go_unless_an_operator_says_otherwise() {
    for (device_type, said, expected) in [
        ("laptop", None, true),
        ("Laptop", None, true),
        ("server", None, false),
        ("laptop", Some(false), false),
        ("server", Some(true), true),
    ] {
        let fleet = Fleet::new(Vec::new(), 3, Live::default());
        let peer = there(&fleet, device_type);
        fleet.expect_absence(&name(), said);
        fleet.disconnect(&peer);
        seconds(31).await;
        check(&fleet, HostStatus::Offline);
        let host = fleet.host(&name()).unwrap().liveness;
        let absence = expected.then_some(Absence::Expected);
        assert_eq!(host.expected_absence, expected, "{device_type} {said:?}");
        assert_eq!((host.absence, why(&fleet)), (absence, absence));
    }
    let nobody = "nobody".parse().unwrap();
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    assert_eq!(fleet.suppressed(&nobody, Instant::now()), None);
}

#[tokio::test(start_paused = true)]
async fn a_restart_takes_up_what_goes_on_and_ends_what_is_over() {
    let row = HostRow {
        host: name(),
        register: Some(register()),
        heartbeat: None,
        last_seen_at: Some(1),
        status: Some("offline".into()),
        comment: String::new(),
        tags: Vec::new(),
    };
    let start = |row: HostRow, maintenance: MaintenanceRow, wall| {
        let fleet = Fleet::new(vec![row], 3, Live::default());
        let said = AbsenceRow {
            expected: None,
            maintenance: Some(maintenance),
        };
        let flaps = [(name(), wall - 3_000_000), (name(), wall - 1_000)];
        fleet.restore(HashMap::from([(name(), said)]), &flaps, wall);
        fleet
    };
    // Long enough after the clock's own beginning.
    seconds(7200).await;
    let fleet = start(row.clone(), maintenance(60), clock::now());
    assert_eq!(why(&fleet), Some(Absence::Maintenance));
    assert_eq!(fleet.host(&name()).unwrap().liveness.flaps, 2);
    seconds(601).await;
    assert_eq!(fleet.host(&name()).unwrap().liveness.flaps, 1);
    seconds(3000).await;
    fleet.sweep();
    assert_eq!(why(&fleet), None);

    let row_until = maintenance(60);
    let (until, later) = (row_until.until, row_until.until + 5);
    let fleet = start(row, row_until, later);
    assert_eq!(why(&fleet), None);
    let (events, ended) = fleet.take_events();
    assert_eq!((events.len(), events[0].at), (1, until));
    assert_eq!(ended, [(name(), until)]);
}
