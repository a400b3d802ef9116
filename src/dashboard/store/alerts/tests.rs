mod clock;

use super::*;
use crate::dashboard::store::deliveries::{End, MAX_QUEUED, NO_CHANNEL, NO_ROOM, PASSED};
use crate::wire::to_dashboard::Register;

async fn store() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    (dir, store)
}

fn row(id: &str, object: &str) -> AlertRow {
    AlertRow {
        id: id.into(),
        rule: "disk".into(),
        kind: "disk".into(),
        host: Some("web1".parse().unwrap()),
        object: object.into(),
        severity: "warning".into(),
        summary: "full".into(),
        value: Some(95.0),
        run: None,
        started_at: 1,
        fired_at: 2,
        recovered_at: None,
        ended: None,
    }
}

fn told(id: &str, event: &'static str, channel: &str, not_before: Millis) -> NewDelivery {
    NewDelivery {
        delivery: format!("{id}-{event}-{channel}"),
        channel: channel.into(),
        event,
        message: "{}".into(),
        created_at: 5,
        not_before,
    }
}

fn fire(id: &str, deliveries: Vec<NewDelivery>) -> AlertCommit {
    AlertCommit {
        fired: vec![(row(id, id), deliveries)],
        cursor: 7,
        now: 5,
        ..AlertCommit::default()
    }
}

fn end(id: &str, now: Millis, deliveries: Vec<NewDelivery>) -> AlertCommit {
    AlertCommit {
        recovered: vec![Recovery {
            id: id.into(),
            ended: None,
            deliveries,
        }],
        cursor: 7,
        now,
        ..AlertCommit::default()
    }
}

/// What became of the deliveries of an alert: `event channel state`.
async fn fates(store: &Store, id: &str) -> Vec<String> {
    let rows = store.deliveries_of(&[id.to_owned()]).await.unwrap();
    rows.iter()
        .map(|row| format!("{} {} {}", row.event, row.channel, row.state))
        .collect()
}

#[tokio::test]
async fn an_alert_and_its_deliveries_are_there_together_or_not_at_all() {
    let (_dir, store) = store().await;
    let commit = fire("a1", vec![told("a1", "firing", "c", 5)]);
    store.commit_alerts(&commit).await.unwrap();
    assert_eq!(store.firing_alerts().await.unwrap(), [row("a1", "a1")]);
    assert_eq!(store.alert_cursor().await.unwrap(), 7);
    // The same rule, host and object cannot fire twice; nothing of that commit is written.
    let mut twice = fire("a2", vec![told("a2", "firing", "c", 5)]);
    twice.fired[0].0.object = "a1".into();
    twice.cursor = 99;
    assert!(store.commit_alerts(&twice).await.is_err());
    assert_eq!(store.alert_cursor().await.unwrap(), 7);
    assert_eq!(fates(&store, "a2").await, Vec::<String>::new());
    store
        .commit_alerts(&end("a1", 9, Vec::new()))
        .await
        .unwrap();
    assert!(store.firing_alerts().await.unwrap().is_empty());
    twice.cursor = 8;
    store.commit_alerts(&twice).await.unwrap();
    let newest = |firing, before: Option<&str>| AlertFilter {
        firing,
        before: before.map(str::to_owned),
        limit: 10,
        ..AlertFilter::default()
    };
    let ids = |rows: Vec<AlertRow>| rows.into_iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(
        ids(store.alerts(&newest(None, None)).await.unwrap()),
        ["a2", "a1"]
    );
    assert_eq!(
        ids(store.alerts(&newest(Some(false), None)).await.unwrap()),
        ["a1"]
    );
    assert_eq!(
        ids(store.alerts(&newest(None, Some("a2"))).await.unwrap()),
        ["a1"]
    );
    assert_eq!(
        store.count_firing().await.unwrap(),
        [("warning".to_owned(), 1)]
    );
}

#[tokio::test]
async fn a_recovery_is_told_where_the_beginning_was_and_in_quiet_hours_neither() {
    let (_dir, store) = store().await;
    let begins = vec![
        told("a1", "firing", "sent", 5),
        told("a1", "firing", "down", 5),
        told("a1", "firing", "quiet", 1000),
        told("a1", "firing", "refused", 5),
    ];
    store.commit_alerts(&fire("a1", begins)).await.unwrap();
    let next = |channel: &'static str, now| {
        let store = store.clone();
        async move { store.next_delivery(channel, now).await.unwrap().unwrap() }
    };
    let id = next("sent", 5).await.id;
    store.end_delivery(id, End::Sent, 6).await.unwrap();
    let id = next("down", 5).await.id;
    store.put_off_delivery(id, 100, "no").await.unwrap();
    let id = next("refused", 5).await.id;
    store.end_delivery(id, End::Failed("404"), 6).await.unwrap();
    let channels = ["sent", "down", "quiet", "refused", "new"];
    let ends = channels.map(|channel| told("a1", "recovered", channel, 10));
    store
        .commit_alerts(&end("a1", 10, ends.to_vec()))
        .await
        .unwrap();
    assert_eq!(
        fates(&store, "a1").await,
        [
            "firing sent sent",
            "firing down queued",
            "firing quiet dropped",
            "firing refused failed",
            "recovered sent queued",
            "recovered down queued",
        ]
    );
    let rows = store.deliveries_of(&["a1".to_owned()]).await.unwrap();
    assert_eq!(rows[2].error.as_deref(), Some(PASSED));
    // In order: the end of it after its beginning.
    let first = next("down", 10).await;
    assert_eq!(
        (first.delivery.as_str(), first.attempts, first.next_at),
        ("a1-firing-down", 1, 100)
    );
    let figures = store.channel_figures("down").await.unwrap();
    assert_eq!(
        (figures.queued, figures.last_error.as_deref()),
        (2, Some("no"))
    );
    let figures = store.channel_figures("refused").await.unwrap();
    assert_eq!(
        (figures.failed, figures.last_error.as_deref()),
        (1, Some("404"))
    );
    assert_eq!(
        store.channel_figures("sent").await.unwrap().last_sent_at,
        Some(6)
    );
}

#[tokio::test]
async fn what_is_held_back_does_not_hold_back_what_is_not() {
    let (_dir, store) = store().await;
    store
        .commit_alerts(&fire("a1", vec![told("a1", "firing", "c", 1000)]))
        .await
        .unwrap();
    store
        .commit_alerts(&fire("a2", vec![told("a2", "firing", "c", 6)]))
        .await
        .unwrap();
    let next = |now| {
        let store = store.clone();
        async move {
            store
                .next_delivery("c", now)
                .await
                .unwrap()
                .unwrap()
                .delivery
        }
    };
    assert_eq!(next(6).await, "a2-firing-c");
    assert_eq!(next(1000).await, "a1-firing-c");
}

#[tokio::test]
async fn the_queue_has_a_limit_and_what_is_over_goes_first() {
    let (_dir, store) = store().await;
    store
        .commit_alerts(&fire("old", vec![told("old", "firing", "c", 5)]))
        .await
        .unwrap();
    store
        .commit_alerts(&fire("pair", vec![told("pair", "firing", "c", 5)]))
        .await
        .unwrap();
    let ended = end("pair", 6, vec![told("pair", "recovered", "c", 6)]);
    store.commit_alerts(&ended).await.unwrap();
    let many = |from: i64, to: i64| AlertCommit {
        fired: (from..to)
            .map(|n| {
                let id = format!("m{n:06}");
                (row(&id, &id), vec![told(&id, "firing", "c", 5)])
            })
            .collect(),
        now: 7,
        ..AlertCommit::default()
    };
    store.commit_alerts(&many(3, MAX_QUEUED)).await.unwrap();
    assert_eq!(
        fates(&store, "pair").await,
        ["firing c queued", "recovered c queued"]
    );
    store
        .commit_alerts(&many(MAX_QUEUED, MAX_QUEUED + 1))
        .await
        .unwrap();
    assert_eq!(
        fates(&store, "pair").await,
        ["firing c dropped", "recovered c dropped"]
    );
    assert_eq!(fates(&store, "old").await, ["firing c queued"]);
    store
        .commit_alerts(&many(MAX_QUEUED + 1, MAX_QUEUED + 3))
        .await
        .unwrap();
    assert_eq!(fates(&store, "old").await, ["firing c dropped"]);
    let rows = store.deliveries_of(&["old".to_owned()]).await.unwrap();
    assert_eq!(rows[0].error.as_deref(), Some(NO_ROOM));
    assert_eq!(
        store.channel_figures("c").await.unwrap().queued,
        MAX_QUEUED as u64
    );
}

#[tokio::test]
async fn old_alerts_go_and_what_waits_for_a_channel_that_is_gone_is_given_up() {
    let (_dir, store) = store().await;
    for id in ["a1", "a2", "a3"] {
        let commit = fire(id, vec![told(id, "firing", "c", 5)]);
        store.commit_alerts(&commit).await.unwrap();
    }
    for (id, at) in [("a1", 100), ("a2", 200)] {
        store.commit_alerts(&end(id, at, Vec::new())).await.unwrap();
    }
    assert!(
        !store.bound_alerts(0).await.unwrap(),
        "they are still to be told"
    );
    assert_eq!(
        store.abandon_channels(&["c".to_owned()], 9).await.unwrap(),
        0
    );
    assert_eq!(
        store.abandon_channels(&["d".to_owned()], 9).await.unwrap(),
        3
    );
    let rows = store.deliveries_of(&["a1".to_owned()]).await.unwrap();
    assert_eq!(
        (rows[0].state.as_str(), rows[0].error.as_deref()),
        ("failed", Some(NO_CHANNEL))
    );
    while store.remove_alerts(200).await.unwrap() {}
    let left = |store: Store| async move {
        let filter = AlertFilter {
            limit: 9,
            ..AlertFilter::default()
        };
        let rows = store.alerts(&filter).await.unwrap();
        rows.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(left(store.clone()).await, ["a3", "a2"]);
    assert!(
        store
            .deliveries_of(&["a1".to_owned()])
            .await
            .unwrap()
            .is_empty()
    );
    assert!(!store.bound_alerts(1).await.unwrap());
    assert!(store.bound_alerts(0).await.unwrap());
    assert_eq!(left(store).await, ["a3"]);
}

#[tokio::test]
async fn what_is_usual_is_kept_for_hosts_that_are_there() {
    let (_dir, store) = store().await;
    let host: HostName = "web1".parse().unwrap();
    let commit = crate::dashboard::store::commit::Commit {
        hosts: vec![(host.clone(), Register::default())],
        ..Default::default()
    };
    store.commit(&commit).await.unwrap();
    let row = |name: &str, hours: &str| (name.parse().unwrap(), "cpu", hours.to_owned());
    let rows = [row("web1", "[1]"), row("gone", "[2]")];
    store.save_baselines(&rows).await.unwrap();
    store.save_baselines(&[row("web1", "[3]")]).await.unwrap();
    let known = store.baselines().await.unwrap();
    assert_eq!(known, [(host.clone(), "cpu".to_owned(), "[3]".to_owned())]);
    store.delete_host(&host).await.unwrap();
    assert!(store.baselines().await.unwrap().is_empty());
}
