use super::*;

fn beat(fleet: &Fleet, peer: &Peer, n: u64) {
    let heartbeat = Heartbeat {
        n,
        ..Heartbeat::default()
    };
    fleet.beat(peer, heartbeat);
}

/// The numbers of the heartbeats that wait for the store.
fn waiting(fleet: &Fleet) -> Vec<u64> {
    let (beats, _) = fleet.take_unsaved();
    let n = |beat: &Beat| beat.heartbeat.as_ref().unwrap().n;
    beats.iter().map(n).collect()
}

#[tokio::test(start_paused = true)]
async fn of_each_host_the_newest_state_is_saved_once() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = joined(&fleet, 1);
    beat(&fleet, &peer, 1);
    beat(&fleet, &peer, 2);
    assert_eq!(waiting(&fleet), [2]);
    assert_eq!(waiting(&fleet), [0; 0]);
    beat(&fleet, &peer, 3);
    assert_eq!(waiting(&fleet), [3]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_saved_is_saved_the_next_time_in_its_newest_state() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = joined(&fleet, 1);
    beat(&fleet, &peer, 1);
    let (beats, events) = fleet.take_unsaved();
    fleet.return_unsaved(&beats, events);
    assert_eq!(
        waiting(&fleet),
        [1],
        "also of a host that says nothing more"
    );
    beat(&fleet, &peer, 2);
    fleet.return_unsaved(&beats, Vec::new());
    assert_eq!(waiting(&fleet), [2]);
    assert_eq!(waiting(&fleet), [0; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_host_that_went_offline_unheard_is_saved_too() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = joined(&fleet, 1);
    beat(&fleet, &peer, 1);
    let _ = fleet.take_unsaved();
    seconds(3600).await;
    fleet.sweep();
    let (beats, events) = fleet.take_unsaved();
    assert_eq!((beats.len(), beats[0].status), (1, "offline"));
    assert_eq!(events.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_removed_host_is_not_saved_and_its_successor_is_once() {
    let fleet = Fleet::new(Vec::new(), 3, Live::default());
    let peer = joined(&fleet, 1);
    beat(&fleet, &peer, 1);
    fleet.forget(&name());
    assert_eq!(waiting(&fleet), [0; 0]);
    beat(&fleet, &peer, 2);
    let peer = joined(&fleet, 2);
    beat(&fleet, &peer, 3);
    fleet.forget(&name());
    let peer = joined(&fleet, 3);
    beat(&fleet, &peer, 4);
    assert_eq!(waiting(&fleet), [4]);
}
