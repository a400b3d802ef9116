use proptest::prelude::*;

use super::commit::{Commit, OutputStep, RunUpdate};
use super::hosts::Beat;
use super::output::Sizes;
use super::output::chunk::{Chunk, Gap, LineEnd};
use super::output::lines::{MAX_READ, StoredLines};
use super::runs::{Notes, RunFilter, RunRow};
use super::*;
use crate::run::id::{HostName, RunId, Seq};
use crate::run::phase::RunState;
use crate::run::view::RunView;
use crate::wire::to_dashboard::{Heartbeat, Register};

fn host() -> HostName {
    "web1".parse().unwrap()
}

fn row(state: RunState) -> RunRow {
    RunRow {
        id: RunId::new(),
        host: host(),
        command: "switch".into(),
        args: vec!["--fast".into()],
        requested_by: "ann".into(),
        created_at: 5,
        view: RunView {
            state,
            ..RunView::default()
        },
        last_seq: Seq(0),
        notes: Notes::new(),
    }
}

async fn with_runs(store: &Store, runs: Vec<RunRow>) {
    let commit = Commit {
        hosts: vec![(host(), Register::default())],
        runs,
        ..Commit::default()
    };
    store.commit(&commit).await.unwrap();
}

async fn write(store: &Store, run: RunId, output: Vec<OutputStep>) {
    let update = RunUpdate {
        row: RunRow {
            id: run,
            last_seq: Seq(1),
            ..row(RunState::Queued)
        },
        output,
    };
    let commit = Commit {
        updates: vec![update],
        ..Commit::default()
    };
    store.commit(&commit).await.unwrap();
}

/// Chunks of `pieces` with their lines, as the hub makes them, small ones merged.
async fn write_pieces(store: &Store, run: RunId, pieces: &[Vec<u8>]) {
    let mut sizes = Sizes::default();
    let mut chunk = Chunk {
        first_line: 1,
        ..Chunk::default()
    };
    for piece in pieces {
        chunk.bytes.clone_from(piece);
        chunk.lines.clear();
        let mut start = chunk.line_start;
        for (at, byte) in piece.iter().enumerate() {
            if *byte == b'\n' {
                let end = chunk.offset + at as u64 + 1;
                chunk.lines.push(LineEnd {
                    end,
                    visible: start,
                    at: end,
                });
                start = end;
            }
        }
        chunk.tail_visible = start;
        let mut steps = vec![OutputStep::Add(chunk.clone())];
        if !piece.is_empty() {
            steps.extend(sizes.push(&chunk).map(OutputStep::Merge));
        }
        write(store, run, steps).await;
        chunk.offset += piece.len() as u64;
        chunk.first_line += chunk.lines.len() as u64;
        chunk.line_start = start;
    }
    if let Some(offset) = sizes.finish() {
        write(store, run, vec![OutputStep::Merge(offset)]).await;
    }
}

async fn whole(store: &Store, run: RunId) -> Vec<u8> {
    let (mut all, mut at) = (Vec::new(), 0);
    while let Some((bytes, next)) = store.output_from(run, at).await.unwrap() {
        assert!(next > at);
        all.extend_from_slice(&bytes);
        at = next;
    }
    all
}

fn texts(lines: &StoredLines) -> Vec<(u64, String)> {
    let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
    lines
        .lines
        .iter()
        .map(|line| (line.n, text(&line.raw)))
        .collect()
}

#[tokio::test]
async fn what_was_committed_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let run = row(RunState::Queued);
    let over = row(RunState::Succeeded);
    with_runs(&store, vec![run.clone(), over.clone()]).await;
    write_pieces(&store, run.id, &[b"one\ntw".to_vec(), b"o\nthr".to_vec()]).await;
    let beat = Beat {
        host: host(),
        heartbeat: Some(Arc::new(Heartbeat {
            n: 7,
            ..Heartbeat::default()
        })),
        last_seen_at: Some(77),
        status: "online",
    };
    let event = super::events::NewEvent {
        at: 1,
        host: host(),
        run: None,
        what: "online",
    };
    assert_eq!(store.save_beats(&[beat], &[event]).await.unwrap(), 1);
    store.comment_host(&host(), "a note", 1).await.unwrap();
    store.close().await;

    let store = Store::open(dir.path()).await.unwrap();
    let hosts = store.hosts().await.unwrap();
    assert_eq!(hosts.len(), 1);
    assert_eq!(hosts[0].heartbeat.as_ref().unwrap().n, 7);
    assert_eq!(
        (hosts[0].last_seen_at, hosts[0].comment.as_str()),
        (Some(77), "a note")
    );
    assert_eq!(hosts[0].status.as_deref(), Some("online"));
    let live = store.live_runs().await.unwrap();
    assert_eq!(
        (live.len(), live[0].id, live[0].last_seq),
        (1, run.id, Seq(1))
    );
    let end = store.output_end(run.id).await.unwrap();
    assert_eq!((end.bytes, end.lines, end.line_start), (11, 2, 8));
    assert_eq!(end.tail, b"thr");
    let limit = RunFilter {
        limit: 10,
        ..RunFilter::default()
    };
    let before = RunFilter {
        before: Some(over.id),
        ..limit.clone()
    };
    let state = RunFilter {
        state: Some(RunState::Succeeded),
        ..limit.clone()
    };
    for (filter, expected) in [
        (limit, vec![over.id, run.id]),
        (before, vec![run.id]),
        (state, vec![over.id]),
    ] {
        let found: Vec<RunId> = store
            .runs(&filter)
            .await
            .unwrap()
            .iter()
            .map(|row| row.id)
            .collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    assert!(store.remove_old(6).await.unwrap(), "what is over is old");
    assert!(!store.remove_old(6).await.unwrap(), "and nothing else");
    assert!(store.delete_host(&host()).await.unwrap());
    assert!(store.run(run.id).await.unwrap().is_none());
    assert!(whole(&store, run.id).await.is_empty());
}

#[tokio::test]
async fn lines_over_chunks_are_whole_and_a_gap_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let run = row(RunState::Running);
    with_runs(&store, vec![run.clone()]).await;
    let long = vec![b'x'; 70_000];
    write_pieces(
        &store,
        run.id,
        &[b"a\nb".to_vec(), long.clone(), b"c\nd\n".to_vec()],
    )
    .await;
    let found = store.read_lines(run.id, 2, 10).await.unwrap();
    assert_eq!(found.lines[0].raw.len(), 70_003);
    assert_eq!(
        (found.lines[1].raw.as_slice(), found.next),
        (b"d\n".as_slice(), 4)
    );
    let gap = Chunk {
        offset: 70_007,
        first_line: 4,
        line_start: 70_007,
        tail_visible: 70_107,
        gap: Some(Gap {
            bytes: 100,
            lines: 3,
            reason: "no space".into(),
        }),
        ..Chunk::default()
    };
    let after = Chunk {
        offset: 70_107,
        first_line: 7,
        line_start: 70_107,
        tail_visible: 70_109,
        lines: vec![LineEnd {
            end: 70_109,
            visible: 70_107,
            at: 0,
        }],
        bytes: b"e\n".to_vec(),
        ..Chunk::default()
    };
    // A chunk without bytes ends a line of the one before it.
    write(
        &store,
        run.id,
        vec![OutputStep::Add(gap), OutputStep::Add(after)],
    )
    .await;
    let found = texts(&store.read_lines(run.id, 3, 10).await.unwrap());
    let missing = "[3 lines, 100 bytes of output are missing: no space]\n";
    assert_eq!(
        found,
        [(3, "d\n".into()), (4, missing.into()), (7, "e\n".into())]
    );
    let found = store.read_lines(run.id, 8, 10).await.unwrap();
    assert_eq!((found.lines.len(), found.next), (0, 8));
    let gaps = store.gaps(run.id, 10).await.unwrap();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].line, 4);
    assert_eq!((gaps[0].gap.lines, gaps[0].gap.bytes), (3, 100));
    assert_eq!(gaps[0].gap.reason, "no space");
    assert!(store.gaps(run.id, 0).await.unwrap().is_empty());
    assert_eq!(whole(&store, run.id).await.len(), 70_009);
}

#[tokio::test]
async fn a_line_that_ends_without_bytes_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let run = row(RunState::Running);
    with_runs(&store, vec![run.clone()]).await;
    write_pieces(&store, run.id, &[b"prompt".to_vec()]).await;
    let end = Chunk {
        offset: 6,
        first_line: 1,
        tail_visible: 6,
        lines: vec![LineEnd {
            end: 6,
            visible: 0,
            at: 3,
        }],
        ..Chunk::default()
    };
    write(&store, run.id, vec![OutputStep::Add(end)]).await;
    let found = texts(&store.read_lines(run.id, 1, 10).await.unwrap());
    assert_eq!(found, [(1, "prompt".into())]);
    assert_eq!(store.output_end(run.id).await.unwrap().lines, 1);
}

#[tokio::test]
async fn many_small_chunks_become_few_and_long_reads_are_cut() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let run = row(RunState::Running);
    with_runs(&store, vec![run.clone()]).await;
    let pieces: Vec<Vec<u8>> = (0..600)
        .map(|n| format!("line {n}\n").into_bytes())
        .collect();
    write_pieces(&store, run.id, &pieces).await;
    let n: i64 = sqlx::query("SELECT count(*) AS n FROM output")
        .fetch_one(&store.readers)
        .await
        .unwrap()
        .get("n");
    assert!(n <= 8, "{n} chunks");
    assert_eq!(whole(&store, run.id).await, pieces.concat());

    let run = row(RunState::Running);
    with_runs(&store, vec![run.clone()]).await;
    let line = [vec![b'y'; 60_000], b"\n".to_vec()].concat();
    write_pieces(&store, run.id, &vec![line.clone(); 100]).await;
    let found = store.read_lines(run.id, 1, 100).await.unwrap();
    assert!(found.cut && found.lines.len() < 100);
    assert!(found.lines.len() * line.len() < MAX_READ + 2 * line.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn every_byte_and_every_line_is_read_back(
        pieces in proptest::collection::vec(
            proptest::collection::vec(prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 0..60), 1..40),
        from in 1_u64..30,
        limit in 1_usize..20,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).await.unwrap();
            let run = row(RunState::Running);
            with_runs(&store, vec![run.clone()]).await;
            write_pieces(&store, run.id, &pieces).await;
            let all = pieces.concat();
            prop_assert_eq!(whole(&store, run.id).await, all.clone());
            let lines: Vec<&[u8]> = all.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")).collect();
            let expected: Vec<(u64, Vec<u8>)> = (1..).zip(lines.iter().map(|line| line.to_vec()))
                .skip(from as usize - 1).take(limit).collect();
            let found = store.read_lines(run.id, from, limit).await.unwrap();
            let found: Vec<(u64, Vec<u8>)> = found.lines.into_iter().map(|line| (line.n, line.raw)).collect();
            prop_assert_eq!(found, expected);
            let end = store.output_end(run.id).await.unwrap();
            let rest = all.rsplit(|byte| *byte == b'\n').next().unwrap();
            prop_assert_eq!((end.bytes, end.lines), (all.len() as u64, lines.len() as u64));
            prop_assert_eq!(end.tail.as_slice(), rest);
            Ok(())
        })?;
    }
}
