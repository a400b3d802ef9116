mod recorder;

use std::time::Duration;

use super::bucket::Bucket;
use super::ladder::{MAX_ROWS, RUNGS};
use super::recorder::{Closed, Recorder};
use super::series::{LOAD1, Sample};
use super::writer::{KEEP, ROWS, restore, round};
use crate::base::clock::Millis;
use crate::dashboard::store::sample::{change, store};
use crate::dashboard::store::{Store, check::Level};
use crate::run::id::HostName;

/// A whole hour.
const START: Millis = 1_769_846_400_000;

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

fn load(value: f32) -> Sample {
    let mut sample = Sample::default();
    sample.0[LOAD1] = Some(value);
    sample
}

/// One round of the writer.
async fn step(recorder: &Recorder, store: &Store, now: Millis, keep: Duration) {
    assert!(!round(recorder, store, now, keep, false).await);
}

async fn with_hosts(names: &[&str]) -> (tempfile::TempDir, Store) {
    let (dir, store) = store().await;
    for name in names {
        let sql =
            format!("INSERT OR IGNORE INTO hosts (hostname, created_at) VALUES ('{name}', 1)");
        change(&store, &sql).await;
    }
    (dir, store)
}

/// Number, mean, least and most of a host's buckets on a rung.
async fn stored(store: &Store, name: &str, rung: usize) -> Vec<(u64, f32, f32, f32, u32)> {
    let mut found = Vec::new();
    let take = |host: &HostName, bucket, stats: &Bucket| {
        let stat = stats.0[LOAD1];
        if host.as_str() == name {
            found.push((bucket, stat.avg().unwrap(), stat.min, stat.max, stat.n));
        }
    };
    store.each_metric(rung, 0, take).await.unwrap();
    found
}

async fn rows(store: &Store) -> u64 {
    let mut n = 0;
    for rung in 0..RUNGS.len() {
        store.each_metric(rung, 0, |_, _, _| n += 1).await.unwrap();
    }
    n
}

#[tokio::test]
async fn each_rung_adds_up_the_one_before_it() {
    let (_dir, store) = with_hosts(&["web1"]).await;
    let recorder = Recorder::default();
    for second in 0..3600 {
        let value = if second == 1234 { 50.0 } else { 1.0 };
        recorder.record(&host("web1"), START + second * 1000, &load(value));
    }
    let end = START + 3_600_000;
    step(&recorder, &store, end, KEEP).await;
    let hour = stored(&store, "web1", 3).await;
    let mean = (3599.0 + 50.0) / 3600.0;
    assert_eq!(hour.len(), 1);
    assert!((hour[0].1 - mean).abs() < 0.01, "{hour:?}");
    assert_eq!(
        (hour[0].0, hour[0].2, hour[0].3, hour[0].4),
        (RUNGS[3].bucket(START), 1.0, 50.0, 3600)
    );
    let lens = [
        stored(&store, "web1", 0).await.len(),
        stored(&store, "web1", 1).await.len(),
        stored(&store, "web1", 2).await.len(),
    ];
    // The oldest ten seconds have left the ladder as the newest began.
    assert_eq!(lens, [359, 60, 6]);
    let open = recorder.unwritten(&host("web1"), 0);
    assert_eq!(open, []);
}

#[tokio::test]
async fn what_is_open_is_told_on_every_rung() {
    let recorder = Recorder::default();
    let name = host("web1");
    for second in [0, 5, 15, 70] {
        recorder.record(&name, START + second * 1000, &load(second as f32));
    }
    let told = |rung| {
        let found = recorder.unwritten(&name, rung);
        let show = |(bucket, stats): &(u64, Bucket)| (*bucket, stats.0[LOAD1].n);
        found.iter().map(show).collect::<Vec<_>>()
    };
    let first = RUNGS.map(|rung| rung.bucket(START));
    assert_eq!(
        told(0),
        [(first[0], 2), (first[0] + 1, 1), (first[0] + 7, 1)]
    );
    assert_eq!(told(1), [(first[1], 3), (first[1] + 1, 1)]);
    assert_eq!(told(2), [(first[2], 4)]);
    assert_eq!(told(3), [(first[3], 4)]);
    recorder.forget(&name);
    assert_eq!(told(0), []);
}

/// A year of two hosts: one that beats every hour and in the last three days every ten seconds, and one that leaves half-way.
#[tokio::test]
async fn a_year_leaves_as_many_rows_as_the_ladder_has() {
    const DAY: u64 = 86_400_000;
    let (_dir, store) = with_hosts(&["web1", "gone"]).await;
    let recorder = Recorder::default();
    let (mut now, end) = (START, START + 400 * DAY);
    let (mut most, mut beats) = (0, 0_u64);
    while now < end {
        let dense = end - now <= 3 * DAY;
        recorder.record(&host("web1"), now, &load(1.0));
        if now < START + 150 * DAY {
            recorder.record(&host("gone"), now, &load(2.0));
        }
        now += if dense { 10_000 } else { 3_600_000 };
        beats += 1;
        if beats.is_multiple_of(if dense { 180 } else { 24 }) {
            step(&recorder, &store, now, KEEP).await;
            if beats.is_multiple_of(if dense { 1800 } else { 480 }) {
                most = most.max(rows(&store).await);
            }
        }
    }
    step(&recorder, &store, now, KEEP).await;
    let mut lens = Vec::new();
    for rung in 0..RUNGS.len() {
        lens.push(stored(&store, "web1", rung).await.len() as u64);
    }
    // The newest bucket of each has just begun, and two weeks of ten minutes were mostly hours apart.
    let dense = 3 * DAY / 600_000;
    let sparse = (RUNGS[2].buckets - dense) / 6;
    let expected = [359, 1439, dense + sparse, 8783];
    for (len, expected) in lens.iter().zip(expected) {
        assert!(len.abs_diff(expected) <= 1, "{lens:?}");
    }
    assert_eq!(stored(&store, "gone", 1).await, []);
    let left = stored(&store, "gone", 3).await.len() as u64;
    assert!(left.abs_diff((366 - 250) * 24) <= 1, "{left}");
    assert!(most <= lens.iter().sum::<u64>() + 150 * 24 + 600, "{most}");
    assert!(lens.iter().sum::<u64>() <= MAX_ROWS);
    let bytes = store.used().await.unwrap();
    println!("{lens:?} and {left} rows: {bytes} bytes of the database in use");
    // Only one of twelve series is in use here: these rows are small.
    assert!(bytes < 1024 * 1024, "{bytes}");
}

#[tokio::test]
async fn a_shorter_time_is_kept_where_it_is_asked_for() {
    let (_dir, store) = with_hosts(&["web1"]).await;
    let recorder = Recorder::default();
    let day = 86_400_000;
    for n in 0..(4 * 144) {
        let now = START + n * 600_000;
        recorder.record(&host("web1"), now, &load(1.0));
        step(&recorder, &store, now, Duration::from_secs(86_400)).await;
    }
    // A few at a time: what was there when the setting changed goes within some rounds.
    for _ in 0..20 {
        step(
            &recorder,
            &store,
            START + 4 * day,
            Duration::from_secs(86_400),
        )
        .await;
    }
    let found = stored(&store, "web1", 3).await;
    let oldest = RUNGS[3].bucket(START + 3 * day) + 1;
    assert_eq!((found[0].0, found.len()), (oldest, 23));
}

#[tokio::test]
async fn a_restart_goes_on_with_what_was_open() {
    let (_dir, store) = with_hosts(&["web1", "web2"]).await;
    let name = host("web1");
    // What a dashboard that never stops has, and one that stops in the middle of everything.
    let (whole, mut parts) = (Recorder::default(), Recorder::default());
    let (_other_dir, other) = with_hosts(&["web1", "web2"]).await;
    for second in 0..3 * 3600_u64 {
        let now = START + second * 1000;
        let sample = load((second % 97) as f32);
        for recorder in [&whole, &parts] {
            recorder.record(&name, now, &sample);
        }
        if second % 3 == 0 {
            step(&whole, &store, now, KEEP).await;
            step(&parts, &other, now, KEEP).await;
        }
        if [1803, 4005, 4011, 7199].contains(&second) {
            // SIGTERM: what is open is written, and memory is gone.
            parts.finish();
            step(&parts, &other, now, KEEP).await;
            parts = Recorder::default();
            restore(&parts, &other, now).await.unwrap();
        }
        if second == 9001 {
            // SIGKILL: the open ten seconds are lost, nothing else is.
            step(&parts, &other, now, KEEP).await;
            parts = Recorder::default();
            restore(&parts, &other, now).await.unwrap();
        }
    }
    let end = START + 3 * 3_600_000;
    step(&whole, &store, end, KEEP).await;
    step(&parts, &other, end, KEEP).await;
    for rung in 0..RUNGS.len() {
        let (expected, found) = (
            stored(&store, "web1", rung).await,
            stored(&other, "web1", rung).await,
        );
        assert_eq!(expected.len(), found.len(), "rung {rung}");
        for (expected, found) in expected.iter().zip(&found) {
            assert_eq!(expected.0, found.0);
            let lost = expected.4 - found.4;
            assert!(lost <= 2, "rung {rung}: {expected:?} {found:?}");
            let close = if lost > 0 { 2.0 } else { 0.02 };
            assert!(
                (expected.1 - found.1).abs() < close,
                "{expected:?} {found:?}"
            );
        }
    }
    let recent = parts.recent(RUNGS[1].bucket(end) - 1, |_| true);
    assert_eq!(recent.len(), 1);
    assert!(recent[0].1[0].iter().all(Option::is_some));
}

#[tokio::test]
async fn a_dashboard_that_was_away_finishes_the_hour_that_it_left() {
    let (_dir, store) = with_hosts(&["web1"]).await;
    let recorder = Recorder::default();
    for minute in 0..45_u64 {
        recorder.record(&host("web1"), START + minute * 60_000, &load(2.0));
    }
    step(&recorder, &store, START + 45 * 60_000, KEEP).await;
    assert_eq!(stored(&store, "web1", 3).await, []);
    let recorder = Recorder::default();
    let later = START + 5 * 3_600_000;
    restore(&recorder, &store, later).await.unwrap();
    step(&recorder, &store, later, KEEP).await;
    let hours = stored(&store, "web1", 3).await;
    assert_eq!(hours, [(RUNGS[3].bucket(START), 2.0, 2.0, 2.0, 45)]);
}

#[tokio::test]
async fn a_removed_host_takes_its_history_with_it() {
    let (_dir, store) = with_hosts(&["web1", "web2"]).await;
    let recorder = Recorder::default();
    for name in ["web1", "web2", "unknown"] {
        for n in 0..50 {
            recorder.record(&host(name), START + n * 60_000, &load(1.0));
        }
    }
    step(&recorder, &store, START + 3_600_000, KEEP).await;
    let both = rows(&store).await;
    assert!(store.delete_host(&host("web1")).await.unwrap());
    // One of the same name is another one, also before the rows are gone.
    change(
        &store,
        "INSERT INTO hosts (hostname, created_at) VALUES ('web1', 2)",
    )
    .await;
    let row = Closed {
        host: host("web1"),
        rung: 0,
        bucket: 7,
        packed: vec![0x10, 1, 2, 0, 0],
    };
    store.save_metrics(&[row]).await.unwrap();
    assert_eq!(stored(&store, "web1", 0).await.len(), 1);
    store.remove_orphaned_metrics().await.unwrap();
    assert_eq!(rows(&store).await, both / 2 + 1);
    assert_eq!(stored(&store, "web1", 1).await, []);
    let findings = store.doctor().await;
    let metrics = findings
        .iter()
        .find(|found| found.check == "metrics")
        .unwrap();
    assert_eq!(metrics.level, Level::Ok, "{metrics:?}");
    change(&store, "UPDATE metrics SET packed = x'00' WHERE rung = 3").await;
    let findings = store.doctor().await;
    let metrics = findings
        .iter()
        .find(|found| found.check == "metrics")
        .unwrap();
    assert_eq!(metrics.level, Level::Warning);
    assert_eq!(
        stored(&store, "web2", 3).await,
        [],
        "what is broken is a gap"
    );
}

/// Many rows: the writer is held for no longer than some hundreds of them need.
#[tokio::test]
async fn rows_of_one_transaction_are_few() {
    let (_dir, store) = with_hosts(&["web1"]).await;
    let rows: Vec<Closed> = (0..ROWS as u64)
        .map(|bucket| Closed {
            host: host("web1"),
            rung: 0,
            bucket,
            packed: vec![0x10, 1, 2, 0, 0],
        })
        .collect();
    let began = std::time::Instant::now();
    store.save_metrics(&rows).await.unwrap();
    let took = began.elapsed();
    println!("{ROWS} rows in {took:?}");
    assert!(took < Duration::from_millis(500), "{took:?}");
}
