//! Parts that are damaged, or only just begun.

use super::limits::{SMALL, Truth, read_all};
use super::*;

#[test]
fn a_part_that_was_only_just_begun_is_nothing_yet() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    drop(filled(&path, 3));
    for rest in [0, 10, 30] {
        std::fs::write(parts::file_of(&path, 1), vec![b'x'; rest]).unwrap();
        if rest < 16 {
            assert_eq!(last_seq(&path).unwrap(), Seq(3));
            assert_eq!(read_all(&path, Seq(0)).len(), 3);
        }
    }
    // 30 bytes that say they are more than any record: damage, for whoever looks.
    let error = last_seq(&path).unwrap_err().to_string();
    assert!(error.contains("journal.1: damaged at byte 0"), "{error}");
    assert!(JournalWriter::open(&path).is_err());
    std::fs::write(parts::file_of(&path, 1), "").unwrap();
    let writer = JournalWriter::open(&path).unwrap();
    assert_eq!(writer.last_seq(), Seq(3));
    assert_eq!(parts::list(&path).unwrap(), [0; 0]);
}

#[test]
fn damage_in_a_part_is_named_and_once_cut_off_the_next_part_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal");
    let (mut truth, mut writer) = (
        Truth::default(),
        JournalWriter::limited(&path, SMALL).unwrap(),
    );
    while parts::list(&path).unwrap().len() < 2 {
        let (event, raw) = truth.line("x");
        writer.append(&event, &raw);
    }
    let (event, raw) = truth.line("x");
    writer.append(&event, &raw);
    let part = parts::file_of(&path, 1);
    let mut bytes = std::fs::read(&part).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    std::fs::write(&part, &bytes).unwrap();
    let mut reader = JournalReader::open(&path, Seq(0)).unwrap();
    let error = loop {
        match reader.read_batch(1000) {
            Ok(batch) => assert!(batch.is_some(), "the damage is named"),
            Err(error) => break error,
        }
    };
    let JournalError::Damaged {
        path: at, offset, ..
    } = error
    else {
        panic!("{error}");
    };
    assert_eq!(at, part);
    std::fs::File::options()
        .write(true)
        .open(at)
        .unwrap()
        .set_len(offset)
        .unwrap();
    assert_eq!(truth.check(&read_all(&path, Seq(0))).len(), 1);
}
