//! The log's files: `heartbeat_YYYYMMDD.jsonl`, days by UTC.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use crate::base::clock::{Millis, rfc3339};

/// The most bytes of one day: a heartbeat a second needs less. What comes after it is lost.
pub(super) const MAX_DAY: u64 = 128 * 1024 * 1024;
/// Who may read: the user and its group.
const MODE: u32 = 0o640;
const DIR_MODE: u32 = 0o750;
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// The files of one directory.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    keep_days: u32,
    max_day: u64,
    today: Option<Today>,
}

/// The file that is written.
#[derive(Debug)]
struct Today {
    day: String,
    path: PathBuf,
    file: File,
    len: u64,
}

/// The day of a moment, as files are named: `20260131`.
fn day(at: Millis) -> String {
    rfc3339(at).chars().take(10).filter(|c| *c != '-').collect()
}

/// The day of a file of this log.
fn day_of(path: &Path) -> Option<&str> {
    let name = path.file_name()?.to_str()?;
    let day = name.strip_prefix("heartbeat_")?.strip_suffix(".jsonl")?;
    (day.len() == 8 && day.bytes().all(|byte| byte.is_ascii_digit())).then_some(day)
}

impl Files {
    pub(super) fn new(dir: PathBuf, keep_days: u32) -> Self {
        Self {
            dir,
            keep_days,
            max_day: MAX_DAY,
            today: None,
        }
    }

    /// Writes a line of that moment, whole or not at all.
    pub(super) fn write(&mut self, at: Millis, line: &[u8]) -> io::Result<()> {
        let day = day(at);
        // A file that somebody has moved away is not written any more.
        let current = self.today.as_ref();
        if current.is_none_or(|today| today.day != day || !today.path.exists()) {
            self.today = None;
            self.today = Some(self.open(day)?);
            self.prune(at);
        }
        let Some(today) = &mut self.today else {
            return Ok(());
        };
        if today.len + line.len() as u64 > self.max_day {
            return Err(io::Error::other("the day's file has reached its limit"));
        }
        if let Err(error) = today.file.write_all(line) {
            // Half a line would spoil the next one. Should this fail as well, the next opening ends it.
            if today.file.set_len(today.len).is_err() {
                self.today = None;
            }
            return Err(error);
        }
        today.len += line.len() as u64;
        Ok(())
    }

    fn open(&self, day: String) -> io::Result<Today> {
        DirBuilder::new()
            .recursive(true)
            .mode(DIR_MODE)
            .create(&self.dir)?;
        let path = self.dir.join(format!("heartbeat_{day}.jsonl"));
        let mut file = File::options()
            .create(true)
            .append(true)
            .read(true)
            .mode(MODE)
            .open(&path)?;
        file.set_permissions(Permissions::from_mode(MODE))?;
        let mut len = file.metadata()?.len();
        let mut last = [b'\n'];
        if len > 0 {
            file.seek(SeekFrom::End(-1))?;
            file.read_exact(&mut last)?;
        }
        if last != [b'\n'] {
            file.write_all(b"\n")?;
            len += 1;
        }
        Ok(Today {
            day,
            path,
            file,
            len,
        })
    }

    /// Deletes files that are too old. What is not of this log stays.
    fn prune(&self, now: Millis) {
        let oldest = day(now.saturating_sub(u64::from(self.keep_days) * DAY_MS));
        let Ok(entries) = fs::read_dir(&self.dir) else {
            return;
        };
        for path in entries.flatten().map(|entry| entry.path()) {
            if day_of(&path).is_some_and(|day| day < oldest.as_str())
                && let Err(error) = fs::remove_file(&path)
            {
                tracing::debug!("{}: cannot be deleted: {error}", path.display());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::parse_rfc3339;

    fn at(text: &str) -> Millis {
        parse_rfc3339(text).unwrap()
    }

    fn names(dir: &Path) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_a_day_by_utc_and_old_ones_go() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("a/log");
        let mut files = Files::new(dir.clone(), 2);
        files
            .write(at("2026-01-30T23:59:59.999Z"), b"{\"n\":1}\n")
            .unwrap();
        files
            .write(at("2026-01-31T00:00:00Z"), b"{\"n\":2}\n")
            .unwrap();
        files
            .write(at("2026-01-31T00:00:01Z"), b"{\"n\":3}\n")
            .unwrap();
        assert_eq!(
            names(&dir),
            ["heartbeat_20260130.jsonl", "heartbeat_20260131.jsonl"]
        );
        let today = dir.join("heartbeat_20260131.jsonl");
        assert_eq!(
            fs::read_to_string(&today).unwrap(),
            "{\"n\":2}\n{\"n\":3}\n"
        );
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&today), mode(&dir)), (0o640, 0o750));
        fs::write(dir.join("heartbeat_2026.jsonl"), "").unwrap();
        fs::write(dir.join("notes_20200101.jsonl"), "").unwrap();
        // A month's end, and two days without the agent.
        files.write(at("2026-02-02T12:00:00Z"), b"{}\n").unwrap();
        assert_eq!(
            names(&dir),
            [
                "heartbeat_2026.jsonl",
                "heartbeat_20260131.jsonl",
                "heartbeat_20260202.jsonl",
                "notes_20200101.jsonl"
            ]
        );
    }

    #[test]
    fn a_day_has_a_limit_and_the_next_one_begins_anew() {
        let root = tempfile::tempdir().unwrap();
        let mut files = Files::new(root.path().to_owned(), 7);
        files.max_day = 10;
        files
            .write(at("2026-01-30T00:00:00Z"), b"1234567\n")
            .unwrap();
        let error = files
            .write(at("2026-01-30T00:00:01Z"), b"12\n")
            .unwrap_err();
        assert!(error.to_string().contains("limit"), "{error}");
        files.write(at("2026-01-30T00:00:02Z"), b"1\n").unwrap();
        files
            .write(at("2026-01-31T00:00:00Z"), b"1234567\n")
            .unwrap();
    }

    #[test]
    fn a_half_line_of_before_and_a_directory_that_went_spoil_nothing() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("log");
        fs::create_dir(&dir).unwrap();
        let path = dir.join("heartbeat_20260130.jsonl");
        fs::write(&path, "{\"n\":1}\n{\"n\"").unwrap();
        let mut files = Files::new(dir.clone(), 7);
        let noon = at("2026-01-30T12:00:00Z");
        files.write(noon, b"{\"n\":2}\n").unwrap();
        assert_eq!(
            fs::read_to_string(&path).unwrap(),
            "{\"n\":1}\n{\"n\"\n{\"n\":2}\n"
        );
        fs::remove_dir_all(&dir).unwrap();
        files.write(noon, b"{\"n\":3}\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"n\":3}\n");
        fs::remove_dir_all(&dir).unwrap();
        fs::write(&dir, "").unwrap();
        assert!(files.write(noon, b"{}\n").is_err(), "a file is in the way");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_full_disk_is_an_error_and_nothing_more() {
        let mut files = Files::new("/tmp".into(), 7);
        let noon = at("2026-01-30T12:00:00Z");
        let file = File::options().append(true).open("/dev/full").unwrap();
        files.today = Some(Today {
            day: day(noon),
            path: "/dev/full".into(),
            file,
            len: 0,
        });
        let error = files.write(noon, b"{}\n").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(nix::libc::ENOSPC), "{error}");
        assert!(files.today.is_none(), "the next line opens it again");
    }
}
