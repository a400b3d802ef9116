//! Runs that go on while a test plays the dashboard: what waits, what does not, and what overtakes.

use std::time::Instant;

use super::kept::{finished, new_run};
use super::*;
use crate::agent::journal::{JournalReader, JournalWriter, Limits};
use crate::agent::run_dir::{RunDir, SupervisorLock};
use crate::run::event::RunEvent;
use crate::run::phase::{Phase, RunState};
use crate::wire::record;
use crate::wire::to_agent::FlushInterval;
use crate::wire::to_dashboard::RunStatus;
use crate::wire::{UNWATCHED_MS, WATCHED_MS};

/// A run whose supervisor is this test.
struct Live {
    dir: RunDir,
    writer: JournalWriter,
    offset: u64,
    _lock: SupervisorLock,
}

impl Live {
    fn start(state_dir: &Path, limits: Limits) -> Self {
        let dir = new_run(state_dir);
        let lock = dir.lock().unwrap();
        let mut writer = JournalWriter::limited(&dir.journal(), limits).unwrap();
        writer.append(
            &RunEvent::Started {
                at: 1,
                argv: vec!["x".into()],
                agent_version: "0".into(),
                boot_id: None,
                generation: None,
                system: None,
            },
            &[],
        );
        Self {
            dir,
            writer,
            offset: 0,
            _lock: lock,
        }
    }

    fn print(&mut self, raw: &[u8]) {
        let event = RunEvent::Output {
            at: 1,
            offset: self.offset,
            first_line: 1,
            lines: Vec::new(),
            tail_skip: 0,
        };
        self.writer.append(&event, raw);
        self.offset += raw.len() as u64;
    }

    fn phase(&mut self, phase: Phase) {
        let event = RunEvent::Phase {
            at: 1,
            phase,
            line: 1,
        };
        self.writer.append(&event, &[]);
    }

    fn finish(&mut self) {
        self.writer.append(&finished(self.offset), &[]);
    }
}

async fn acknowledge(peer: &mut Peer, run: RunId, seq: u64) {
    peer.say(ToAgent::RunAck(RunAck {
        run,
        seq: Seq(seq),
        rewind: false,
    }))
    .await;
}

async fn status(peer: &mut Peer) -> RunStatus {
    loop {
        if let Said::Message(ToDashboard::RunStatus(status)) = peer.next().await {
            return *status;
        }
    }
}

#[tokio::test]
async fn output_waits_for_more_and_phases_do_not() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut live = Live::start(state.path(), Limits::NONE);
    let run = live.dir.run_id().unwrap();
    let agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.registered(Vec::new()).await;
    assert_eq!(peer.records().await, [1]);
    // It has just sent something: this waits, and is then sent together.
    let began = Instant::now();
    live.print(b"a\n");
    live.print(b"b\n");
    assert_eq!(peer.records().await, [2, 3]);
    let waited = began.elapsed().as_millis();
    assert!(
        (u128::from(UNWATCHED_MS) / 2..3000).contains(&waited),
        "{waited} ms"
    );
    // A phase takes what waits with it.
    let began = Instant::now();
    live.print(b"c\n");
    live.phase(Phase::Building);
    let mut last = 3;
    while last < 5 {
        last = *peer.records().await.last().unwrap();
    }
    let waited = began.elapsed().as_millis();
    assert!(waited < u128::from(UNWATCHED_MS) / 2, "{waited} ms");
    // Somebody watches: ten lines, each after the one before it has come, take what is left of ten intervals and no more.
    let ms = WATCHED_MS;
    peer.say(ToAgent::FlushInterval(FlushInterval { run, ms }))
        .await;
    let began = Instant::now();
    for n in 0..10 {
        live.print(b"d\n");
        assert_eq!(peer.records().await, [6 + n]);
    }
    let waited = began.elapsed().as_millis();
    assert!((90..2000).contains(&waited), "{waited} ms for ten");
    // A full batch does not wait for the interval.
    let ms = u32::MAX;
    peer.say(ToAgent::FlushInterval(FlushInterval { run, ms }))
        .await;
    let began = Instant::now();
    let big = vec![b'x'; 60_000];
    for _ in 0..5 {
        live.print(&big);
    }
    let mut last = 15;
    while last < 16 {
        last = *peer.records().await.last().unwrap();
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    agent.shutdown.cancel();
}

#[tokio::test]
async fn a_status_is_told_at_once_or_once_a_second_and_its_sums_are_right() {
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let over = kept_run(state.path(), 3, 10).run_id().unwrap();
    let mut live = Live::start(state.path(), Limits::NONE);
    let run = live.dir.run_id().unwrap();
    let agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.registered(Vec::new()).await;
    // Every kept run at first, over or not.
    let first = [status(&mut peer).await, status(&mut peer).await];
    let of = |id| first.iter().find(|status| status.run == id).unwrap();
    assert_eq!(
        (of(over).view.state, of(over).view.bytes),
        (RunState::Succeeded, 30)
    );
    assert_eq!(of(run).view.state, RunState::Running);
    let began = Instant::now();
    live.phase(Phase::Building);
    assert_eq!(status(&mut peer).await.view.phase(), Some(Phase::Building));
    assert!(began.elapsed() < Duration::from_millis(500));
    // Output alone: in a second, and the sums of lines and bytes without the records having come.
    let raw = b"one\ntwo\nrest";
    let marks = [4, 4].map(|len| crate::run::event::LineMark {
        len,
        skip: 0,
        ago: 0,
    });
    for (offset, first_line) in [(0, 1), (12, 3)] {
        let event = RunEvent::Output {
            at: 1,
            offset,
            first_line,
            lines: marks.to_vec(),
            tail_skip: 0,
        };
        live.writer.append(&event, raw);
    }
    live.writer.append(
        &RunEvent::Gap {
            at: 1,
            offset: 24,
            bytes: 100,
            lines: 5,
            reason: "a full disk".into(),
        },
        &[],
    );
    let mut told = status(&mut peer).await;
    while told.last_seq < Seq(5) {
        told = status(&mut peer).await;
    }
    assert!(began.elapsed() >= Duration::from_millis(900), "not at once");
    assert_eq!(
        (told.view.lines, told.view.bytes, told.view.bytes_missing),
        (9, 124, 100)
    );
    agent.shutdown.cancel();
}

#[tokio::test]
async fn the_end_of_a_run_overtakes_its_output_on_a_slow_link() {
    const BYTES: u64 = 20_000_000;
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut live = Live::start(state.path(), Limits::NONE);
    let run = live.dir.run_id().unwrap();
    let agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.registered(Vec::new()).await;
    // A run that prints 20 MB in two seconds, from a thread, as a supervisor would.
    let printing = tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        while live.offset < BYTES {
            let due = Duration::from_micros(live.offset / 10);
            std::thread::sleep(due.saturating_sub(began.elapsed()));
            let raw: Vec<u8> = (0..50_000).map(|_| fastrand::u8(..)).collect();
            live.print(&raw);
        }
        live.finish();
        Instant::now()
    });
    let (mut shipped, mut end) = (0, None);
    while end.is_none() {
        match peer.next().await {
            Said::Records(records) => {
                let bytes: usize = records.iter().map(|(_, raw)| raw.len()).sum();
                shipped += bytes as u64;
                // A link of 1 MB/s.
                tokio::time::sleep(Duration::from_micros(bytes as u64)).await;
                acknowledge(&mut peer, run, records.last().unwrap().0.0).await;
            }
            Said::Message(ToDashboard::RunStatus(status)) if status.view.state.is_terminal() => {
                end = Some((Instant::now(), status));
            }
            Said::Message(_) => {}
            other @ Said::Closed(..) => panic!("{other:?}"),
        }
    }
    let (told_at, status) = end.unwrap();
    let ended_at = printing.await.unwrap();
    let late = told_at.saturating_duration_since(ended_at);
    println!("the end was told after {late:?}, with {shipped} of {BYTES} bytes shipped");
    assert!(late < Duration::from_secs(1), "{late:?}");
    assert!(shipped < BYTES / 2);
    assert_eq!(
        (status.view.bytes, status.view.state),
        (BYTES, RunState::Succeeded)
    );
    agent.shutdown.cancel();
}

/// Prints 64 MiB to a journal of 4 MiB and answers how long that took.
fn flood(live: &mut Live) -> Duration {
    let began = Instant::now();
    let raw = vec![b'x'; 1 << 16];
    for _ in 0..1024 {
        live.print(&raw);
    }
    live.finish();
    assert!(live.writer.drain(Duration::from_secs(10)));
    began.elapsed()
}

#[tokio::test]
async fn a_stalled_dashboard_slows_no_run_and_then_gets_head_and_tail() {
    let limits = Limits::of(4 << 20);
    let alone = flood(&mut Live::start(
        tempfile::tempdir().unwrap().path(),
        limits,
    ));
    let (listener, state) = (listener().await, tempfile::tempdir().unwrap());
    let mut live = Live::start(state.path(), limits);
    let run = live.dir.run_id().unwrap();
    let agent = Agent::start(&listener, state.path(), |_| {});
    let (mut peer, _) = Peer::accept(&listener).await;
    peer.register().await;
    peer.registered(Vec::new()).await;
    let (took, live) = tokio::task::spawn_blocking(move || (flood(&mut live), live))
        .await
        .unwrap();
    assert!(
        took < alone * 4 + Duration::from_secs(1),
        "{took:?}, alone {alone:?}"
    );
    // From now on it reads and acknowledges.
    let last = live.writer.last_seq();
    let (mut at, mut holes) = (Seq(0), Vec::new());
    while at < last {
        if let Said::Records(records) = peer.next().await {
            for (seq, _) in &records {
                if *seq != at.next() {
                    assert_eq!(*seq, records[0].0, "a hole inside a frame");
                    holes.push(*seq);
                }
                at = *seq;
            }
            acknowledge(&mut peer, run, at.0).await;
        }
    }
    let [hole] = holes[..] else {
        panic!("{holes:?}");
    };
    let mut reader = JournalReader::open(&live.dir.journal(), Seq(hole.0 - 1)).unwrap();
    let batch = reader.read_batch(0).unwrap().unwrap();
    let (checkpoint, _) = record::decode(&batch.bytes).unwrap().unwrap();
    assert!(matches!(checkpoint.event, RunEvent::Checkpoint { .. }));
    agent.shutdown.cancel();
}
