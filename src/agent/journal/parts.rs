//! The files of one journal: the head, which always stays, and numbered parts after it, of which the oldest go.
//!
//! `journal` is the head, `journal.1`, `journal.2`, … are the parts. Records are numbered through. Each part begins with
//! a [`Checkpoint`](crate::run::event::RunEvent::Checkpoint), so whoever finds that parts before it are gone knows what
//! they had added up to.

use std::io;
use std::path::{Path, PathBuf};

/// No journal is limited to less: below it, the largest record that a supervisor writes (64 KiB of output in which every
/// byte ends a line) would not fit beside the head.
pub const MIN_JOURNAL_MAX: u64 = 4 * 1024 * 1024;

/// How large the files of a journal may get, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The head.
    pub head: u64,
    /// Each part after it; one with a single record behind its checkpoint may be larger.
    pub part: u64,
    /// All of them.
    pub all: u64,
}

impl Limits {
    /// A journal of one file that grows for ever.
    pub const NONE: Self = Self {
        head: u64::MAX,
        part: u64::MAX,
        all: u64::MAX,
    };

    /// For a journal of at most `journal_max` bytes, or [`MIN_JOURNAL_MAX`] if that is more: half of it for the head,
    /// and the newest output in parts of an eighth, so that at least three eighths of the limit are tail.
    pub fn of(journal_max: u64) -> Self {
        let all = journal_max.max(MIN_JOURNAL_MAX);
        Self {
            head: all / 2,
            part: all / 8,
            all,
        }
    }
}

/// The file of a part; number 0 is the head.
pub(super) fn file_of(path: &Path, number: u64) -> PathBuf {
    if number == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

/// The numbers of the parts after the head, oldest first.
pub(super) fn list(path: &Path) -> io::Result<Vec<u64>> {
    let (Some(dir), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(Vec::new());
    };
    let dir = if dir.as_os_str().is_empty() {
        Path::new(".")
    } else {
        dir
    };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut numbers = Vec::new();
    for entry in entries {
        let found = entry?.file_name();
        let number: Option<u64> = found
            .as_encoded_bytes()
            .strip_prefix(name.as_encoded_bytes())
            .and_then(|rest| rest.strip_prefix(b"."))
            .filter(|digits| digits.first().is_some_and(|first| *first != b'0'))
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_leave_room_for_head_and_tail() {
        for (asked, all) in [
            (0, MIN_JOURNAL_MAX),
            (MIN_JOURNAL_MAX + 1, MIN_JOURNAL_MAX + 1),
            (256 << 20, 256 << 20),
            (u64::MAX, u64::MAX),
        ] {
            let limits = Limits::of(asked);
            assert_eq!(limits.all, all);
            assert_eq!((limits.head, limits.part), (all / 2, all / 8));
        }
    }

    #[test]
    fn parts_are_found_in_order_and_nothing_else_is_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        assert_eq!(list(&dir.path().join("none/journal")).unwrap(), [0; 0]);
        for name in [
            "journal",
            "journal.10",
            "journal.9",
            "journal.01",
            "journal.0",
            "journal.+3",
            "journal.x",
            "journal.3.new",
            "journal.99999999999999999999",
            "other.4",
        ] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        assert_eq!(list(&path).unwrap(), [9, 10]);
        assert_eq!(file_of(&path, 0), path);
        assert_eq!(file_of(&path, 10), dir.path().join("journal.10"));
    }
}
