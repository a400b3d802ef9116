mod absence;
mod contact;
mod registry;
mod unsaved;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::advance;

use super::Fleet;
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::live::{Change, Live};
use crate::dashboard::store::host_events::NewHostEvent;
use crate::dashboard::store::hosts::{Beat, HostRow};
use crate::run::id::{HostName, RunId};
use crate::run::phase::Phase;
use crate::wire::api::{HostActivity, HostStatus, Hosts};
use crate::wire::to_dashboard::{Activity, Heartbeat, Register};

fn name() -> HostName {
    "web1".parse().unwrap()
}

fn register() -> Register {
    Register {
        heartbeat_interval: 10,
        ..Register::default()
    }
}

fn joined(fleet: &Fleet, id: u64) -> Arc<Peer> {
    let peer = Arc::new(Peer::new(id, name(), 3));
    fleet.connect(&peer, &register());
    peer
}

#[track_caller]
fn check(fleet: &Fleet, expected: HostStatus) {
    fleet.sweep();
    assert_eq!(fleet.host(&name()).unwrap().status, expected);
}

async fn seconds(n: u64) {
    advance(Duration::from_secs(n)).await;
}

/// What has happened to the host since somebody asked.
fn happened(fleet: &Fleet) -> Vec<(&'static str, String)> {
    let (events, _) = fleet.take_events();
    let words = |event: NewHostEvent| (event.kind.name(), event.detail);
    events.into_iter().map(words).collect()
}

/// The same, kinds only.
fn kinds(fleet: &Fleet) -> Vec<&'static str> {
    happened(fleet).into_iter().map(|(kind, _)| kind).collect()
}

fn transitions(fleet: &Fleet) -> Vec<&'static str> {
    fleet
        .take_unsaved()
        .1
        .iter()
        .map(|event| event.what)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn offline_after_three_intervals_and_online_with_the_next_beat() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = joined(&fleet, 1);
    check(&fleet, HostStatus::NeverSeen);
    fleet.beat(&peer, Heartbeat::default());
    check(&fleet, HostStatus::Online);
    seconds(30).await;
    check(&fleet, HostStatus::Online);
    assert_eq!(
        fleet.host(&name()).unwrap().last_heartbeat_age_ms,
        Some(30_000)
    );
    seconds(1).await;
    check(&fleet, HostStatus::Offline);
    fleet.beat(&peer, Heartbeat::default());
    check(&fleet, HostStatus::Online);
    assert_eq!(transitions(&fleet), ["online", "offline", "online"]);
    let told: Hosts = serde_json::from_slice(&fleet.hosts_json().unwrap()).unwrap();
    assert_eq!(told, fleet.hosts());
    assert_eq!(transitions(&fleet), Vec::<&str>::new());
}

#[tokio::test(start_paused = true)]
async fn a_disconnect_in_an_activation_has_five_minutes() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = joined(&fleet, 1);
    let activity = |phase| Heartbeat {
        activity: Some(Activity {
            run: RunId::new(),
            command: "switch".parse().unwrap(),
            phase: Some(phase),
            progress: None,
            since: 1,
        }),
        ..Heartbeat::default()
    };
    fleet.beat(&peer, activity(Phase::Building));
    fleet.disconnect(&peer);
    check(&fleet, HostStatus::Reconnecting);
    seconds(31).await;
    check(&fleet, HostStatus::Offline);

    let peer = joined(&fleet, 2);
    fleet.beat(&peer, activity(Phase::Switching));
    fleet.disconnect(&peer);
    seconds(200).await;
    check(&fleet, HostStatus::Reconnecting);
    assert_eq!(
        fleet.host(&name()).unwrap().reconnect_deadline_ms,
        Some(100_000)
    );
    seconds(101).await;
    check(&fleet, HostStatus::Offline);
}

#[tokio::test(start_paused = true)]
async fn the_hub_knows_the_phase_before_the_next_heartbeat_does() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = joined(&fleet, 1);
    fleet.beat(&peer, Heartbeat::default());
    let run = RunId::new();
    let activity = HostActivity {
        run,
        command: "switch".into(),
        phase: Some(Phase::Activating),
        progress: None,
        since: String::new(),
        eta: None,
    };
    fleet.set_activity(&name(), run, Some(activity.clone()));
    assert_eq!(fleet.host(&name()).unwrap().activity, Some(activity));
    fleet.disconnect(&peer);
    seconds(100).await;
    check(&fleet, HostStatus::Reconnecting);
    // Its end takes the patience away, and no older heartbeat brings it back.
    fleet.set_activity(&name(), run, None);
    assert_eq!(fleet.host(&name()).unwrap().activity, None);
    check(&fleet, HostStatus::Offline);
}

#[tokio::test(start_paused = true)]
async fn a_restart_of_the_dashboard_gives_grace_to_those_that_were_there() {
    let row = |host: &str, status: Option<&str>| HostRow {
        host: host.parse().unwrap(),
        register: status.map(|_| register()),
        heartbeat: None,
        last_seen_at: Some(1),
        status: status.map(str::to_owned),
        comment: String::new(),
        tags: Vec::new(),
    };
    let rows = vec![
        row("web1", Some("online")),
        row("away", Some("offline")),
        row("named", None),
    ];
    let fleet = Fleet::new(rows, 3, Live::default());
    let status = |host: &str| fleet.host(&host.parse().unwrap()).unwrap().status;
    fleet.sweep();
    assert_eq!(status("web1"), HostStatus::Reconnecting);
    assert_eq!(status("away"), HostStatus::Offline);
    assert_eq!(status("named"), HostStatus::NeverSeen);
    assert_eq!(
        transitions(&fleet),
        Vec::<&str>::new(),
        "a start is no transition"
    );
    seconds(31).await;
    check(&fleet, HostStatus::Offline);
    assert_eq!(transitions(&fleet), ["offline"]);
}

#[tokio::test(start_paused = true)]
async fn a_replaced_connection_changes_nothing_any_more() {
    let live = Live::default();
    let mut changes = live.changes();
    let fleet = Fleet::new(Vec::new(), 3, live);
    let old = joined(&fleet, 1);
    let new = Arc::new(Peer::new(2, name(), 3));
    assert_eq!(fleet.connect(&new, &register()).unwrap().id, 1);
    fleet.beat(&old, Heartbeat::default());
    fleet.disconnect(&old);
    assert_eq!(fleet.host(&name()).unwrap().heartbeats, 0);
    assert_eq!(fleet.peer(&name()).unwrap().id, 2);
    assert_eq!(changes.try_recv().unwrap(), Change::Host(name()));
    fleet.forget(&name());
    assert!(fleet.host(&name()).is_none());
    assert_eq!(new.next_outgoing().unwrap().unwrap_err().code, 1000);
}

#[test]
fn a_large_fleet_is_copied_in_a_moment() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let offered = |n: usize| crate::wire::to_dashboard::OfferedCommand {
        name: format!("command{n}").parse().unwrap(),
        description: "does what its name says".into(),
        changes_host: true,
        takes_args: false,
    };
    let register = Register {
        commands: (0..10).map(offered).collect(),
        ..register()
    };
    for n in 0..3000 {
        let host = format!("host{n}.example.org").parse().unwrap();
        let peer = Arc::new(Peer::new(n, host, 3));
        fleet.connect(&peer, &register);
        fleet.beat(&peer, Heartbeat::default());
    }
    let copied = (0..10).map(|_| {
        let began = std::time::Instant::now();
        assert_eq!(fleet.entries().len(), 3000);
        began.elapsed()
    });
    let best = copied.min().unwrap();
    // The whole time under the lock; programs that people use are optimised.
    let limit = if cfg!(debug_assertions) { 50 } else { 5 };
    assert!(best < Duration::from_millis(limit), "{best:?}");
    assert_eq!(fleet.hosts().hosts.len(), 3000);
}
