//! Journals over their limit: head and tail stay, and what is between is counted.

use proptest::prelude::*;

use super::*;
use crate::agent::journal::tally::Tally;
use crate::wire::record::Record;

pub(super) const SMALL: Limits = Limits {
    head: 4000,
    part: 1500,
    all: 8000,
};

/// Everything that was written, as one journal without a limit would have it.
#[derive(Default)]
pub(super) struct Truth {
    bytes: Vec<u8>,
    lines: u64,
}

impl Truth {
    /// The next output event, a whole line.
    pub(super) fn line(&mut self, text: &str) -> (RunEvent, Vec<u8>) {
        let raw = format!("{text}\n").into_bytes();
        let event = RunEvent::Output {
            at: 7,
            offset: self.bytes.len() as u64,
            first_line: self.lines + 1,
            lines: vec![LineMark {
                len: raw.len() as u64,
                skip: 0,
                ago: 0,
            }],
            tail_skip: 0,
        };
        self.bytes.extend_from_slice(&raw);
        self.lines += 1;
        (event, raw)
    }

    /// The records are the head and the tail of it, with checkpoints that count what is between. Returns the holes.
    #[track_caller]
    pub(super) fn check(&self, records: &[Record]) -> Vec<(u64, u64)> {
        let (mut at, mut lines, mut seq) = (0, 0, 0);
        let mut holes = Vec::new();
        for record in records {
            let follows = record.seq == Seq(seq + 1);
            match &record.event {
                RunEvent::Output {
                    offset, first_line, ..
                } => {
                    assert!(follows, "{} follows {seq}", record.seq);
                    assert_eq!((*offset, *first_line), (at, lines + 1));
                    let end = at as usize + record.raw.len();
                    assert_eq!(record.raw, self.bytes[at as usize..end]);
                    (at, lines) = (end as u64, lines + 1);
                }
                RunEvent::Checkpoint {
                    offset,
                    lines: before,
                    crc32c,
                    view,
                    ..
                } => {
                    assert_eq!((view.bytes, view.lines), (*offset, *before));
                    assert_eq!(*crc32c, crc32c::crc32c(&self.bytes[..*offset as usize]));
                    if follows {
                        assert_eq!((*offset, *before), (at, lines), "nothing is missing");
                    } else {
                        assert!(record.seq.0 > seq + 1 && *offset > at);
                        holes.push((at, *offset));
                    }
                    (at, lines) = (*offset, *before);
                }
                other => panic!("{other:?}"),
            }
            seq = record.seq.0;
        }
        assert_eq!(
            (at, lines),
            (self.bytes.len() as u64, self.lines),
            "the tail"
        );
        holes
    }
}

pub(super) fn read_all(path: &Path, after: Seq) -> Vec<Record> {
    let mut reader = JournalReader::open(path, after).unwrap();
    let mut all = Vec::new();
    while let Some(batch) = reader.read_batch(1000).unwrap() {
        let records: Vec<Record> = batch.records().collect();
        let numbers: Vec<u64> = records.iter().map(|record| record.seq.0).collect();
        let expected: Vec<u64> = (batch.first_seq.0..=batch.last_seq.0).collect();
        assert_eq!(numbers, expected, "no hole inside a batch");
        all.extend(records);
    }
    all
}

fn size(path: &Path) -> u64 {
    let parts = parts::list(path).unwrap().into_iter().chain([0]);
    parts
        .map(|number| {
            std::fs::metadata(parts::file_of(path, number))
                .unwrap()
                .len()
        })
        .sum()
}

#[test]
fn beyond_the_limit_the_head_and_the_newest_stay() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut truth, mut writer) = (
        Truth::default(),
        JournalWriter::limited(&path, SMALL).unwrap(),
    );
    let mut follower = JournalReader::open(&path, Seq(0)).unwrap();
    let mut followed = Vec::new();
    for n in 0..2000 {
        let (event, raw) = truth.line(&format!("line {n}"));
        writer.append(&event, &raw);
        assert!(size(&path) <= SMALL.all, "{} bytes", size(&path));
        assert_eq!(last_seq(&path).unwrap(), writer.last_seq());
        while let Some(batch) = follower.read_batch(100).unwrap() {
            followed.extend(batch.records());
        }
    }
    writer.append(&notice("the last one"), &[]);
    assert_eq!(last_event(&path).unwrap(), Some(notice("the last one")));
    let mut kept = read_all(&path, Seq(0));
    assert_eq!(kept.pop().unwrap().event, notice("the last one"));
    let holes = truth.check(&kept);
    assert_eq!(holes.len(), 1);
    // Of about 30 kB, the head and at least a quarter of the limit of the tail are there.
    assert!(
        holes[0].0 > 300 && truth.bytes.len() as u64 - holes[0].1 > 100,
        "{holes:?}"
    );
    assert!(size(&path) > SMALL.head + SMALL.part);

    // Who follows loses nothing, however often parts went behind it.
    while let Some(batch) = follower.read_batch(100).unwrap() {
        followed.extend(batch.records());
    }
    followed.pop();
    assert_eq!(truth.check(&followed), []);

    // Who asks for what is gone gets what comes after it; who asks for what never was is told so.
    let checkpoint = kept
        .windows(2)
        .find(|pair| pair[1].seq != pair[0].seq.next())
        .unwrap();
    let (before, after) = (checkpoint[0].seq, checkpoint[1].seq);
    for gone in [before, before.next(), Seq(after.0 - 1)] {
        assert_eq!(read_all(&path, gone)[0].seq, after, "after {gone}");
    }
    assert_eq!(read_all(&path, after)[0].seq, after.next());
    let last = writer.last_seq();
    let error = JournalReader::open(&path, last.next()).unwrap_err();
    let expected = format!("has no record {}; its last one is {last}", last.next());
    assert!(error.to_string().ends_with(&expected), "{error}");
}

#[test]
fn a_reader_in_a_part_that_goes_reads_it_to_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut truth, mut writer) = (
        Truth::default(),
        JournalWriter::limited(&path, SMALL).unwrap(),
    );
    let write = |writer: &mut JournalWriter, truth: &mut Truth, n: usize| {
        for n in 0..n {
            let (event, raw) = truth.line(&format!("{n}"));
            writer.append(&event, &raw);
        }
    };
    while parts::list(&path).unwrap().is_empty() {
        write(&mut writer, &mut truth, 1);
    }
    write(&mut writer, &mut truth, 1);
    let mut reader = JournalReader::open(&path, Seq(writer.last_seq().0 - 1)).unwrap();
    let mut read = vec![reader.read_batch(0).unwrap().unwrap().last_seq];
    while parts::list(&path).unwrap()[0] == 1 {
        write(&mut writer, &mut truth, 1);
    }
    write(&mut writer, &mut truth, 1000);
    let mut holes = 0;
    while let Some(batch) = reader.read_batch(0).unwrap() {
        let last = *read.last().unwrap();
        if batch.first_seq != last.next() {
            assert!(last.0 > read[0].0 + 1, "the part was read to its end");
            assert!(matches!(
                batch.events().next(),
                Some(RunEvent::Checkpoint { .. })
            ));
            holes += 1;
        }
        read.push(batch.last_seq);
    }
    assert_eq!(holes, 1);
    assert_eq!(*read.last().unwrap(), writer.last_seq());
}

#[test]
fn a_concluded_run_counts_what_is_gone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut truth, mut writer) = (
        Truth::default(),
        JournalWriter::limited(&path, SMALL).unwrap(),
    );
    for n in 0..1000 {
        let (event, raw) = truth.line(&format!("line {n}"));
        writer.append(&event, &raw);
    }
    drop(writer);
    conclude(&path, 9, "killed").unwrap();
    let Some(RunEvent::Finished {
        lines,
        bytes,
        crc32c,
        ..
    }) = last_event(&path).unwrap()
    else {
        panic!("no end");
    };
    assert_eq!((lines, bytes), (1000, truth.bytes.len() as u64));
    assert_eq!(crc32c, crc32c::crc32c(&truth.bytes));
}

#[test]
fn a_gap_and_a_checkpoint_after_it_agree() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut truth, mut writer) = (
        Truth::default(),
        JournalWriter::limited(&path, SMALL).unwrap(),
    );
    let (event, raw) = truth.line("first");
    writer.append(&event, &raw);
    let good = writer.replace_file(File::open(&path).unwrap());
    for n in 0..3 {
        let (event, raw) = truth.line(&format!("lost {n}"));
        writer.append(&event, &raw);
    }
    writer.replace_file(good);
    assert!(writer.drain(Duration::from_secs(5)));
    while parts::list(&path).unwrap().is_empty() {
        let (event, raw) = truth.line("more");
        writer.append(&event, &raw);
    }
    let checkpoint = read_all(&path, Seq(0))
        .into_iter()
        .find_map(|record| match record.event {
            RunEvent::Checkpoint {
                offset,
                lines,
                crc32c,
                view,
                ..
            } => Some((offset, lines, crc32c, view.bytes_missing)),
            _ => None,
        });
    let (offset, lines, crc32c, missing) = checkpoint.unwrap();
    // The last line stands behind the checkpoint.
    let before = truth.bytes.len() - "more\n".len();
    assert_eq!(
        (offset, lines, missing),
        (before as u64, truth.lines - 1, 21)
    );
    assert_eq!(crc32c, crc32c::crc32c(&truth.bytes[..before]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_appends_with_any_limit_read_back_as_head_and_tail(
        head in 0_u64..5000,
        part in 0_u64..3000,
        more in 0_u64..5000,
        lines in proptest::collection::vec((0_usize..400, 0_u8..20), 1..120),
    ) {
        let limits = Limits { head, part, all: head + part + more };
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let mut truth = Truth::default();
        let mut writer = JournalWriter::limited(&path, limits).unwrap();
        let mut follower = JournalReader::open(&path, Seq(0)).unwrap();
        let mut followed = Vec::new();
        // A checkpoint and the longest line of these.
        let one = 1300;
        for (len, what) in lines {
            let (event, raw) = truth.line(&"x".repeat(len));
            writer.append(&event, &raw);
            match what {
                0 => {
                    drop(writer);
                    writer = JournalWriter::limited(&path, limits).unwrap();
                }
                1..=3 => followed.extend(
                    follower.read_batch(len * 10).unwrap().iter().flat_map(|batch| batch.records().collect::<Vec<_>>()),
                ),
                4 => {
                    let at = follower.position();
                    follower = JournalReader::open(&path, at).unwrap();
                }
                _ => {}
            }
            let most = limits.all.max(limits.head.max(one) + one);
            prop_assert!(size(&path) <= most, "{} of {most} bytes", size(&path));
        }
        prop_assert_eq!(last_seq(&path).unwrap(), writer.last_seq());
        let holes = truth.check(&read_all(&path, Seq(0)));
        prop_assert!(holes.len() <= 1, "{holes:?}");
        while let Some(batch) = follower.read_batch(500).unwrap() {
            followed.extend(batch.records());
        }
        truth.check(&followed);
        prop_assert_eq!(&Tally::read(&path).unwrap().crc32c, &crc32c::crc32c(&truth.bytes));
    }
}
