//! How hosts come and go, what is said of it, and clocks that are wrong.

use tokio::time::Instant;

use super::*;
use crate::base::clock;
use crate::dashboard::live::lock;
use crate::wire::resources::HostFacts;

/// The default of agents.
const INTERVAL: u32 = 30;
/// An hour in milliseconds.
const HOUR: i64 = 3_600_000;

fn usual() -> Register {
    Register {
        heartbeat_interval: INTERVAL,
        ..Register::default()
    }
}

fn come(fleet: &Fleet, id: u64, register: &Register) -> Arc<Peer> {
    let peer = Arc::new(Peer::new(id, name(), 3));
    fleet.connect(&peer, register);
    peer
}

/// A heartbeat by a clock that differs by so many milliseconds.
fn beat_at(skew: i64) -> Heartbeat {
    Heartbeat {
        at: Some(clock::now().saturating_add_signed(skew)),
        ..Heartbeat::default()
    }
}

#[tokio::test(start_paused = true)]
async fn agent_marked_offline_after_90s_no_heartbeat() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = come(&fleet, 1, &usual());
    fleet.beat(&peer, Heartbeat::default());
    seconds(90).await;
    check(&fleet, HostStatus::Online);
    advance(Duration::from_millis(1)).await;
    check(&fleet, HostStatus::Offline);
}

#[tokio::test(start_paused = true)]
async fn agent_offline_check_uses_last_heartbeat_at() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = come(&fleet, 1, &usual());
    fleet.beat(&peer, Heartbeat::default());
    seconds(60).await;
    fleet.beat(&peer, Heartbeat::default());
    // 120 s after the first one, 60 s after the last one.
    seconds(60).await;
    check(&fleet, HostStatus::Online);
    // A new connection is no heartbeat.
    come(&fleet, 2, &usual());
    seconds(31).await;
    check(&fleet, HostStatus::Offline);
    let age = fleet.host(&name()).unwrap().last_heartbeat_age_ms;
    assert_eq!(age, Some(91_000));
}

#[tokio::test(start_paused = true)]
async fn agent_comes_back_online_on_next_heartbeat() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = come(&fleet, 1, &usual());
    fleet.beat(&peer, Heartbeat::default());
    seconds(3600).await;
    check(&fleet, HostStatus::Offline);
    fleet.beat(&peer, Heartbeat::default());
    // At once, not with the next sweep.
    assert_eq!(fleet.host(&name()).unwrap().status, HostStatus::Online);
    assert_eq!(kinds(&fleet), ["registered", "online", "offline", "online"]);
}

#[tokio::test(start_paused = true)]
async fn offline_detection_tolerates_minor_clock_skew() {
    for skew in [0, 2_500, -2_500, HOUR, -HOUR] {
        let fleet = Fleet::new(Vec::new(), 3, Live::default());
        let peer = come(&fleet, 1, &usual());
        for _ in 0..4 {
            fleet.beat(&peer, beat_at(skew));
            seconds(90).await;
            check(&fleet, HostStatus::Online);
        }
        seconds(1).await;
        check(&fleet, HostStatus::Offline);
        let host = fleet.host(&name()).unwrap();
        assert_eq!(host.last_heartbeat_age_ms, Some(91_000), "{skew}");
        let found = host.liveness.clock_skew_ms.unwrap();
        assert!((skew - 1000..=skew).contains(&found), "{skew}: {found}");
        let told = kinds(&fleet).contains(&"clock_skew");
        assert_eq!(told, skew != 0, "{skew}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_host_names_its_own_number_of_intervals() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let patient = Register {
        offline_after: Some(10),
        ..usual()
    };
    let peer = come(&fleet, 1, &patient);
    fleet.beat(&peer, Heartbeat::default());
    seconds(300).await;
    check(&fleet, HostStatus::Online);
    assert_eq!(fleet.host(&name()).unwrap().liveness.offline_after, 10);
    seconds(1).await;
    check(&fleet, HostStatus::Offline);
}

#[tokio::test(start_paused = true)]
async fn what_a_host_says_anew_is_said_once() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let says = |boot: &str, generation: &str| Register {
        agent_version: "1".into(),
        generation: generation.into(),
        facts: Some(HostFacts {
            boot_id: Some(boot.into()),
            kernel: "6.1".into(),
            ..HostFacts::default()
        }),
        ..usual()
    };
    let beat = |generation: &str| Heartbeat {
        generation: generation.into(),
        ..Heartbeat::default()
    };
    let peer = come(&fleet, 1, &says("a", "old"));
    fleet.beat(&peer, beat("old"));
    let _ = happened(&fleet);
    // A switch: heartbeats tell first, the next register says the same again.
    fleet.beat(&peer, beat("new"));
    fleet.beat(&peer, beat("new"));
    let peer = come(&fleet, 2, &says("a", "new"));
    let switched = ("generation", "old -> new".to_owned());
    assert_eq!(happened(&fleet), [switched]);
    // A boot, into the old system: the register tells, an agent that has not looked yet does not deny it.
    fleet.disconnect(&peer);
    let _ = happened(&fleet);
    let peer = come(&fleet, 3, &says("b", "old"));
    fleet.beat(&peer, beat(""));
    fleet.beat(&peer, beat("old"));
    let found = happened(&fleet);
    let expected = [("reboot", "kernel 6.1"), ("generation", "new -> old")];
    let said: Vec<_> = found
        .iter()
        .map(|(kind, detail)| (*kind, &**detail))
        .collect();
    assert_eq!(said[..2], expected);
    assert_eq!((said.len(), said[2].0), (3, "online"));
}

#[tokio::test(start_paused = true)]
async fn going_away_is_counted_for_an_hour_and_activations_are_not() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let mut peer = come(&fleet, 1, &usual());
    let flaps = || fleet.host(&name()).unwrap().liveness.flaps;
    for id in 2..6 {
        fleet.beat(&peer, Heartbeat::default());
        fleet.disconnect(&peer);
        peer = come(&fleet, id, &usual());
        seconds(60).await;
    }
    assert_eq!(flaps(), 4, "a disconnect each");
    // One silence is one, however it is found.
    fleet.beat(&peer, Heartbeat::default());
    fleet.disconnect(&peer);
    seconds(91).await;
    check(&fleet, HostStatus::Offline);
    assert_eq!(flaps(), 5);
    let peer = come(&fleet, 9, &usual());
    let run = RunId::new();
    let activity = HostActivity {
        run,
        command: "switch".into(),
        phase: Some(Phase::Switching),
        progress: None,
        since: String::new(),
        eta: None,
    };
    fleet.beat(&peer, Heartbeat::default());
    fleet.set_activity(&name(), run, Some(activity));
    fleet.disconnect(&peer);
    check(&fleet, HostStatus::Reconnecting);
    assert_eq!(flaps(), 5, "a switch may take it away");
    seconds(3600).await;
    assert_eq!(flaps(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_restart_within_grace_is_nothing_and_a_silence_across_it_is_one_event() {
    let row = || HostRow {
        host: name(),
        register: Some(usual()),
        heartbeat: Some(Heartbeat::default()),
        last_seen_at: Some(1_700_000_000_000),
        status: Some("online".into()),
        comment: String::new(),
        tags: Vec::new(),
    };
    let fleet = Fleet::new(vec![row()], 3, Live::default());
    let peer = come(&fleet, 1, &usual());
    fleet.beat(&peer, Heartbeat::default());
    check(&fleet, HostStatus::Online);
    assert!(happened(&fleet).is_empty());
    assert_eq!(transitions(&fleet), Vec::<&str>::new());

    let fleet = Fleet::new(vec![row()], 3, Live::default());
    seconds(91).await;
    check(&fleet, HostStatus::Offline);
    seconds(91).await;
    check(&fleet, HostStatus::Offline);
    let (events, _) = fleet.take_events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind.name(), "offline");
    assert_eq!(events[0].last_seen, Some(1_700_000_000_000));
    assert!(events[0].flap);
    let peer = come(&fleet, 1, &usual());
    fleet.beat(&peer, Heartbeat::default());
    let found = happened(&fleet);
    assert!(found[0].1.starts_with("away for "), "{found:?}");
}

#[tokio::test(start_paused = true)]
async fn a_sweep_looks_when_the_first_deadline_has_come_and_a_nearer_one_is_never_missed() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let slow: HostName = "slow".parse().unwrap();
    let peer = Arc::new(Peer::new(1, slow.clone(), 3));
    let register = |interval| Register {
        heartbeat_interval: interval,
        ..Register::default()
    };
    fleet.connect(&peer, &register(1000));
    fleet.beat(&peer, Heartbeat::default());
    fleet.sweep();
    let due = |fleet: &Fleet| {
        lock(&fleet.state)
            .due
            .unwrap()
            .duration_since(Instant::now())
    };
    assert_eq!(due(&fleet), Duration::from_secs(3000));
    // One that beats more often has its own deadline, and each beat moves it.
    let quick = Arc::new(Peer::new(2, name(), 3));
    fleet.connect(&quick, &register(1));
    for _ in 0..5 {
        fleet.beat(&quick, Heartbeat::default());
        seconds(1).await;
        check(&fleet, HostStatus::Online);
    }
    seconds(3).await;
    transitions(&fleet);
    check(&fleet, HostStatus::Offline);
    assert_eq!(transitions(&fleet), ["offline"]);
    assert_eq!(due(&fleet), Duration::from_secs(3000 - 8));
    // So has a maintenance.
    let until = crate::base::clock::now() + 60_000;
    fleet.begin_maintenance(
        &slow,
        crate::dashboard::store::host_absence::MaintenanceRow {
            since: until - 60_000,
            until,
            reason: String::new(),
            by: "ann".into(),
        },
    );
    seconds(61).await;
    happened(&fleet);
    fleet.sweep();
    assert_eq!(kinds(&fleet), ["maintenance_ended"]);
}
