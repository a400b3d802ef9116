mod damage;
mod limits;

use std::fs::File;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::time::Duration;

use super::*;
use crate::run::event::{LineMark, NoticeKind, Progress};
use crate::run::phase::RunState;

fn output(offset: u64, raw: &[u8]) -> RunEvent {
    RunEvent::Output {
        at: 7,
        offset,
        first_line: 1,
        lines: vec![LineMark {
            len: raw.len() as u64,
            skip: 0,
            ago: 0,
        }],
        tail_skip: 0,
    }
}

fn notice(text: &str) -> RunEvent {
    RunEvent::Notice {
        at: 1,
        kind: NoticeKind::Warning,
        line: 1,
        text: text.into(),
    }
}

fn filled(path: &Path, records: u64) -> JournalWriter {
    let mut writer = JournalWriter::open(path).unwrap();
    for n in 0..records {
        writer.append(&output(n * 2, b"a\n"), b"a\n");
    }
    writer
}

#[test]
fn what_is_written_is_read_in_batches() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut reader = JournalReader::open(&path, Seq(0)).unwrap();
    assert_eq!(reader.read_batch(1000).unwrap(), None);
    let mut writer = filled(&path, 100);
    let mut all = Vec::new();
    while let Some(batch) = reader.read_batch(1000).unwrap() {
        assert_eq!(batch.first_seq.0 as usize, all.len() + 1);
        assert!(batch.bytes.len() <= 1000);
        all.extend(batch.records());
        assert_eq!(batch.last_seq.0 as usize, all.len());
    }
    assert_eq!(all.len(), 100);
    writer.append(&notice("later"), &[]);
    // At least one record comes, whatever the limit.
    let batch = reader.read_batch(0).unwrap().unwrap();
    assert_eq!(batch.events().collect::<Vec<_>>(), [notice("later")]);
    reader.rewind(Seq(99)).unwrap();
    assert_eq!(
        reader.read_batch(100_000).unwrap().unwrap().first_seq,
        Seq(100)
    );
    assert_eq!(last_seq(&path).unwrap(), Seq(101));
    let error = JournalReader::open(&path, Seq(102)).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("has no record 102; its last one is 101")
    );
}

#[test]
fn an_incomplete_record_is_nothing_yet_and_is_cut_off_by_the_next_writer() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(filled(&path, 3));
    let whole = std::fs::read(&path).unwrap();
    for cut in 1..whole.len() / 3 {
        std::fs::write(&path, &whole[..whole.len() - cut]).unwrap();
        let mut reader = JournalReader::open(&path, Seq(2)).unwrap();
        assert_eq!(reader.read_batch(1000).unwrap(), None, "cut {cut}");
    }
    let mut writer = JournalWriter::open(&path).unwrap();
    assert_eq!(writer.last_seq(), Seq(2));
    writer.append(&notice("third"), &[]);
    assert_eq!(last_event(&path).unwrap(), Some(notice("third")));
}

#[test]
fn damage_is_named_and_what_stands_before_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(filled(&path, 3));
    let third = walk::walk(&path, 0, &File::open(&path).unwrap(), Seq(3)).unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
    file.seek(SeekFrom::Start(third.end - 1)).unwrap();
    file.write_all(b"x").unwrap();
    let mut reader = JournalReader::open(&path, Seq(0)).unwrap();
    assert_eq!(reader.read_batch(10_000).unwrap().unwrap().last_seq, Seq(2));
    let error = reader.read_batch(10_000).unwrap_err().to_string();
    let expected = format!(
        "damaged at byte {}, after record 2: its checksum",
        third.start
    );
    assert!(error.contains(&expected), "{error}");

    // A foreign record where the next one should begin.
    file.seek(SeekFrom::Start(third.start + 8)).unwrap();
    file.write_all(&9_u64.to_le_bytes()).unwrap();
    let error = last_seq(&path).unwrap_err().to_string();
    assert!(error.contains("record 9 stands here"), "{error}");
}

#[test]
fn a_run_without_supervisor_is_concluded_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(filled(&path, 3));
    conclude(&path, 9, "the supervisor was killed").unwrap();
    conclude(&path, 10, "again").unwrap();
    let Some(RunEvent::Finished {
        at,
        outcome,
        lines,
        bytes,
        crc32c,
        ..
    }) = last_event(&path).unwrap()
    else {
        panic!("no end");
    };
    assert_eq!((at, lines, bytes), (9, 3, 6));
    assert_eq!(crc32c, crc32c::crc32c(b"a\na\na\n"));
    assert_eq!(outcome.state, RunState::Lost);
    assert_eq!(last_seq(&path).unwrap(), Seq(4));
}

#[test]
fn a_run_lost_in_a_reboot_says_what_runs_now() {
    use crate::run::phase::Phase;
    use crate::run::system::SystemState;
    let state = |boot: &str, path: &str, generation| SystemState {
        boot_id: Some(boot.into()),
        current: Some(path.into()),
        profile: Some(path.into()),
        generation: Some(generation),
        ..SystemState::default()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut writer = JournalWriter::open(&path).unwrap();
    let started = RunEvent::Started {
        at: 1,
        argv: vec!["nixos-rebuild".into(), "switch".into()],
        agent_version: "0".into(),
        boot_id: Some("a".into()),
        generation: None,
        system: Some(Box::new(state("a", "/nix/store/old", 41))),
    };
    let phase = RunEvent::Phase {
        at: 2,
        phase: Phase::Switching,
        line: 1,
    };
    writer.append(&started, &[]);
    writer.append(&phase, &[]);
    writer.sync().unwrap();
    drop(writer);
    let now = state("b", "/nix/store/new", 42);
    conclude_with(&path, 9, "its supervisor ended", now.clone()).unwrap();
    let Some(RunEvent::Finished {
        outcome, system, ..
    }) = last_event(&path).unwrap()
    else {
        panic!("no end");
    };
    assert_eq!(system.as_deref(), Some(&now));
    assert_eq!(
        outcome.reason.as_deref(),
        Some(
            "lost while switching: the host was rebooted (its supervisor ended); it had printed nothing; \
             the host runs generation 42, the one that was being activated; look at `systemctl --failed`, then switch again"
        )
    );
}

/// The file cannot be written through this writer; as on a full disk, each write fails.
fn broken(path: &Path) -> JournalWriter {
    let mut writer = JournalWriter::open(path).unwrap();
    writer.replace_file(File::open(path).unwrap());
    writer
}

#[test]
fn what_cannot_be_written_becomes_a_gap_and_events_wait() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut writer = filled(&path, 2);
    let good = writer.replace_file(File::open(&path).unwrap());
    writer.append(&output(4, b"bb\n"), b"bb\n");
    writer.append(&output(7, b"c\n"), b"c\n");
    for done in 0..3 {
        let progress = Progress {
            done,
            ..Progress::default()
        };
        writer.append(&RunEvent::Progress { at: 1, progress }, &[]);
    }
    for _ in 0..2 * MAX_HELD_EVENTS {
        writer.append(&notice("x"), &[]);
    }
    assert!(writer.is_waiting());
    assert!(!writer.drain(Duration::ZERO));
    writer.replace_file(good);
    assert!(writer.drain(Duration::from_secs(5)));
    writer.append(&output(9, b"d\n"), b"d\n");

    let mut reader = JournalReader::open(&path, Seq(2)).unwrap();
    let events: Vec<_> = reader
        .read_batch(1 << 20)
        .unwrap()
        .unwrap()
        .events()
        .collect();
    let RunEvent::Gap {
        offset,
        bytes,
        lines,
        reason,
        ..
    } = &events[0]
    else {
        panic!("{:?}", events[0]);
    };
    assert_eq!((*offset, *bytes, *lines), (4, 5, 2));
    assert!(
        reason.starts_with("the journal could not be written: "),
        "{reason}"
    );
    let progress: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            RunEvent::Progress { progress, .. } => Some(progress.done),
            _ => None,
        })
        .collect();
    assert_eq!(progress, [2], "only the newest");
    assert_eq!(events.len(), 1 + MAX_HELD_EVENTS + 1);
    assert_eq!(events.last(), Some(&output(9, b"d\n")));
}

#[test]
fn a_journal_that_never_works_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut writer = broken(&path);
    writer.append(&output(0, b"a\n"), b"a\n");
    assert!(!writer.drain(Duration::from_millis(1)));
    assert_eq!(last_seq(&path).unwrap(), Seq(0));
}

#[test]
fn logs_of_builds_do_not_fill_the_memory_while_the_disk_is_full() {
    let log = |drv: &str, first, lines: &[&str]| RunEvent::BuildLog {
        at: 1,
        name: "a".into(),
        drv: drv.into(),
        first,
        lines: lines.iter().map(ToString::to_string).collect(),
        rest_dropped: false,
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let mut writer = JournalWriter::open(&path).unwrap();
    writer.append(&log("a.drv", 1, &["one"]), &[]);
    let good = writer.replace_file(File::open(&path).unwrap());
    writer.append(&log("b.drv", 1, &["one"]), &[]);
    for n in 0..1000 {
        writer.append(&log("a.drv", 2 + 2 * n, &["two", "three"]), &[]);
    }
    for n in 0..2 * MAX_HELD_EVENTS {
        writer.append(&log(&format!("{n}.drv"), 1, &["one"]), &[]);
    }
    writer.replace_file(good);
    assert!(writer.drain(Duration::from_secs(5)));
    let mut reader = JournalReader::open(&path, Seq(1)).unwrap();
    let batch = reader.read_batch(1 << 20).unwrap().unwrap();
    let events: Vec<_> = batch.events().collect();
    assert_eq!(events.len(), MAX_HELD_EVENTS);
    // How many there were is known, and what they were is not.
    assert_eq!(events[..2], [log("b.drv", 2, &[]), log("a.drv", 2002, &[])]);
}
