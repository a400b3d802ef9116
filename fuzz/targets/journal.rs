//! A journal of several parts that was damaged: whatever is read is what was written, in order; nothing panics, and what is
//! appended afterwards is the last record.
#![no_main]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use nixfleet::agent::journal::{self, JournalReader, JournalWriter, Limits};
use nixfleet::run::event::RunEvent;
use nixfleet::run::id::Seq;
use nixfleet::wire::record::Record;
use nixfleet_fuzz::{events, records, seed};

/// A journal over its limit, and a place for its damaged copies.
struct Template {
    dir: tempfile::TempDir,
    /// Its files by name, and their bytes.
    files: BTreeMap<PathBuf, Vec<u8>>,
    /// All records that are in it.
    written: BTreeMap<Seq, Record>,
}

static TEMPLATE: OnceLock<Template> = OnceLock::new();

impl Template {
    fn make() -> Self {
        // Memory, where there is such a directory: the disk is not what is tested.
        let dir = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .expect("a temporary directory");
        let path = dir.path().join("journal");
        let limits = Limits {
            head: 1500,
            part: 1200,
            all: 4200,
        };
        let mut writer = JournalWriter::limited(&path, limits).expect("a journal");
        let all = events();
        let (last, others) = all.split_last().expect("events");
        for n in 0..60 {
            let (event, raw) = &others[n % others.len()];
            if !matches!(event, RunEvent::Checkpoint { .. }) {
                writer.append(event, raw);
            }
        }
        writer.append(&last.0, &last.1);
        drop(writer);
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(dir.path()).expect("its directory") {
            let path = entry.expect("an entry").path();
            files.insert(path.clone(), fs::read(&path).expect("a file"));
        }
        assert!(files.len() > 2, "a journal of several parts");
        let written = read(&path, Seq(0), 500)
            .into_iter()
            .map(|record| (record.seq, record))
            .collect();
        Self {
            dir,
            files,
            written,
        }
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    /// Puts the files there, with these bytes.
    fn place(&self, files: &BTreeMap<PathBuf, Vec<u8>>) {
        for entry in fs::read_dir(self.dir.path()).expect("its directory") {
            let _ = fs::remove_file(entry.expect("an entry").path());
        }
        for (path, bytes) in files {
            fs::write(path, bytes).expect("a file");
        }
    }
}

/// The records up to the end or the damage.
fn read(path: &Path, after: Seq, at_once: usize) -> Vec<Record> {
    let mut found = Vec::new();
    let Ok(mut reader) = JournalReader::open(path, after) else {
        return found;
    };
    while let Ok(Some(batch)) = reader.read_batch(at_once) {
        let before = found.len();
        found.extend(batch.records());
        // What is verified may still be no event; then it is a record that nobody has written.
        if found.len() > before {
            assert_eq!(found[before].seq, batch.first_seq);
        }
        assert_eq!(reader.position(), batch.last_seq);
    }
    found
}

/// Damages files as `data` says, four bytes at a time.
fn damage(files: &mut BTreeMap<PathBuf, Vec<u8>>, data: &[u8]) {
    for what in data.chunks_exact(4) {
        let [kind, at, more, value] = *what else {
            return;
        };
        let index = usize::from(kind >> 3) % files.len().max(1);
        let Some(path) = files.keys().nth(index).cloned() else {
            return;
        };
        let Some(bytes) = files.get_mut(&path) else {
            return;
        };
        let at = usize::from(u16::from_le_bytes([at, more])) % (bytes.len() + 1);
        match kind & 7 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, value),
            2 => bytes.extend(std::iter::repeat_n(value, at)),
            3 => {
                files.remove(&path);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= value;
                }
            }
        }
    }
}

fn check(template: &Template, data: &[u8]) {
    let Some((how, rest)) = data.split_first() else {
        return;
    };
    let path = template.journal();
    let mut files = template.files.clone();
    if how & 1 == 0 {
        damage(&mut files, rest);
    } else {
        // The bytes themselves, as the head or as a part.
        let part = if how & 2 == 0 {
            path.clone()
        } else {
            path.with_extension("1")
        };
        files.insert(part, rest.to_vec());
    }
    template.place(&files);
    let after = Seq(u64::from(*how >> 2));
    for (after, at_once) in [(Seq(0), 0), (Seq(0), 700), (after, 100_000)] {
        let found = read(&path, after, at_once);
        assert!(found.is_sorted_by(|a, b| a.seq < b.seq));
        for record in found {
            assert!(record.seq > after);
            if how & 1 == 0 {
                assert_eq!(template.written.get(&record.seq), Some(&record));
            }
        }
    }
    let last = journal::last_seq(&path);
    let _ = journal::last_event(&path);
    // Files that cannot be read at all are not in question here.
    let event = RunEvent::StopRequested {
        at: 1,
        by: "fuzz".into(),
        force: false,
        refused: None,
    };
    if let Ok(mut writer) = JournalWriter::open(&path) {
        writer.append(&event, &[]);
        assert!(!writer.is_waiting());
        assert!(last.is_ok_and(|last| writer.last_seq() == last.next()));
        assert_eq!(journal::last_seq(&path).ok(), Some(writer.last_seq()));
        if let Ok(found) = journal::last_event(&path) {
            assert_eq!(found, Some(event));
        }
    }
    let _ = journal::conclude(&path, 1, "fuzz");
}

fuzz_target!(
    init: {
        TEMPLATE.get_or_init(Template::make);
        let raw = |how: u8| [vec![how], records()].concat();
        seed([vec![0], vec![0, 4, 9, 0, 255], vec![40, 0, 200, 0, 0], raw(1), raw(3)]);
    },
    |data: &[u8]| check(TEMPLATE.get_or_init(Template::make), data)
);
