use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use super::*;

const DEADLINE: Duration = Duration::from_secs(10);

fn until<T>(mut what: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = what() {
            return found;
        }
        assert!(began.elapsed() < DEADLINE, "it does not happen");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn soon(
    name: &'static str,
    collect: impl FnMut() -> anyhow::Result<Option<Reading>> + Send + 'static,
) -> Collector {
    Collector::new(name, Duration::from_millis(5), collect)
}

#[test]
fn one_that_hangs_holds_up_nobody_and_is_not_started_again() {
    let (release, hangs) = mpsc::channel::<()>();
    let started = Arc::new(AtomicU32::new(0));
    let (count, mut beats) = (started.clone(), 0);
    let reader = run(vec![
        soon("hangs", move || {
            count.fetch_add(1, Ordering::Relaxed);
            let _ = hangs.recv();
            Ok(Some(Reading::Temperature(40.0)))
        }),
        soon("works", move || {
            beats += 1;
            Ok(Some(Reading::Uptime(beats)))
        }),
    ])
    .unwrap();
    let resources = until(|| {
        reader
            .read()
            .filter(|resources| resources.uptime_s > Some(20))
    });
    assert_eq!(resources.temperature, None);
    assert_eq!(started.load(Ordering::Relaxed), 1);
    release.send(()).unwrap();
    until(|| reader.read()?.temperature);
    until(|| (started.load(Ordering::Relaxed) == 2).then_some(()));
    // It hangs again: its reading stays, and ages.
    let age = until(|| reader.read().filter(|resources| resources.age_ms >= 50));
    assert_eq!(age.temperature, Some(40.0));
}

#[test]
fn metrics_collection_error_handled() {
    let mut works = true;
    let reader = run(vec![
        soon("fails", || anyhow::bail!("no such thing")),
        soon("fails later", move || {
            anyhow::ensure!(std::mem::take(&mut works), "not any more");
            Ok(Some(Reading::Temperature(40.0)))
        }),
        soon("has nothing", || Ok(None)),
        soon("works", || Ok(Some(Reading::Uptime(7)))),
    ])
    .unwrap();
    let resources = until(|| reader.read().filter(|resources| resources.age_ms >= 50));
    assert_eq!(
        (resources.temperature, resources.uptime_s),
        (Some(40.0), Some(7))
    );
    assert_eq!(resources.load, None);
}

fn one(reading: Reading, at: Instant, keep: Duration) -> Cell {
    Cell {
        name: "a test",
        keep,
        reading: Some((reading, at)),
        at_it: None,
        said: false,
        once: true,
    }
}

#[test]
fn readings_age_and_are_dropped_when_too_old() {
    let began = Instant::now();
    let later = began + Duration::from_secs(5);
    let reader = Reader(Some(Arc::new(Cells(Mutex::new(vec![
        one(Reading::Uptime(1), began, KEEP),
        one(Reading::Temperature(40.0), later, KEEP * 2),
    ])))));
    let at = |seconds| reader.read_at(began + Duration::from_secs(seconds));
    let found = at(10).unwrap();
    assert_eq!(
        (found.age_ms, found.uptime_s, found.temperature),
        (10_000, Some(1), Some(40.0))
    );
    assert_eq!(at(60).unwrap().age_ms, 60_000);
    let found = at(61).unwrap();
    assert_eq!(
        (found.age_ms, found.uptime_s, found.temperature),
        (56_000, None, Some(40.0))
    );
    assert_eq!(at(126), None);
    assert_eq!(Reader::off().read(), None);
}

#[test]
fn who_hangs_is_named_by_the_others_once() {
    let began = Instant::now();
    let mut cell = one(Reading::Uptime(1), began, KEEP);
    cell.at_it = Some(began);
    let cells = Cells(Mutex::new(vec![cell, one(Reading::Uptime(1), began, KEEP)]));
    cells.begin(1, began + program::LIMIT);
    assert!(!cells.lock()[0].said);
    cells.begin(1, began + program::LIMIT + Duration::from_millis(1));
    assert!(cells.lock()[0].said);
    cells.end(0, began, Ok(None));
    let ended = &cells.lock()[0];
    assert_eq!((ended.at_it, &ended.reading), (None, &None));
}

#[test]
fn threads_end_when_nobody_reads() {
    let (sender, ended) = mpsc::channel::<()>();
    let reader = run(vec![soon("works", move || {
        let _ = &sender;
        Ok(None)
    })])
    .unwrap();
    drop(reader);
    assert_eq!(
        ended.recv_timeout(DEADLINE),
        Err(mpsc::RecvTimeoutError::Disconnected)
    );
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn this_host_is_complete_at_once() {
    let reader = start(PathBuf::from("/"), Duration::from_secs(1)).unwrap();
    reader.complete().await;
    let found = reader.read().unwrap();
    assert!(
        found.load.is_some() && found.cores > Some(0) && found.uptime_s.is_some(),
        "{found:?}"
    );
    assert!(found.memory.unwrap().available > 0, "{found:?}");
    assert!(found.gpu.is_some(), "{found:?}");
    Reader::off().complete().await;
}

/// Nothing of a host is there: every collector fails or has nothing, and none breaks.
#[tokio::test]
async fn a_host_without_anything() {
    let reader = start(Path::new("/nowhere").into(), Duration::from_secs(1)).unwrap();
    reader.complete().await;
    let found = reader.read().unwrap_or_default();
    assert_eq!(
        (found.load, found.memory, found.disks.len()),
        (None, None, 0)
    );
}
