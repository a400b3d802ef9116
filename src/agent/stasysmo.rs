//! Reading StaSysMo's files, both layouts. Never hangs and never trusts: regular files only, no symlinks, sizes limited.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::base::clock::Millis;
use crate::wire::to_dashboard::Metrics;

/// A snapshot record is shorter than this many bytes; one more is read to see that it is.
const MAX_SNAPSHOT: usize = 128;
/// No single-value file is longer.
const MAX_VALUE: usize = 64;
/// A snapshot is stale after three of StaSysMo's intervals of 2 s, but not before this many seconds.
const SNAPSHOT_FRESH: u64 = 15;
/// Single-value files are stale after this many seconds.
const FILES_FRESH: u64 = 30;
/// How far the time stamp of single-value files may be ahead, in seconds.
const FILES_AHEAD: u64 = 5;

/// Where StaSysMo writes by default, the newer layout first.
pub fn default_paths() -> Vec<PathBuf> {
    if cfg!(target_os = "macos") {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        home.map(|home| home.join("Library/Caches/stasysmo"))
            .into_iter()
            .chain([PathBuf::from("/tmp/stasysmo")])
            .collect()
    } else {
        vec![
            PathBuf::from("/run/stasysmo"),
            PathBuf::from("/dev/shm/stasysmo"),
        ]
    }
}

/// The freshest metrics that `paths` have at `now`; none when nothing there is fresh and well-formed. Each path is a
/// snapshot file or a directory of either layout; a snapshot is preferred.
pub fn read(paths: &[PathBuf], now: Millis) -> Option<Metrics> {
    let now = now / 1000;
    let snapshot = paths.iter().find_map(|path| {
        read_small(path, MAX_SNAPSHOT)
            .or_else(|| read_small(&path.join("snapshot"), MAX_SNAPSHOT))
            .and_then(|text| parse_snapshot(&text, now))
    });
    snapshot.or_else(|| paths.iter().find_map(|path| read_files(path, now)))
}

/// `v1 <epoch seconds> <cpu> <ram> <swap> <load1> <cpus>`
fn parse_snapshot(text: &str, now: u64) -> Option<Metrics> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let mut words = line.split(' ');
    if words.next()? != "v1" {
        return None;
    }
    let at: u64 = words.next()?.parse().ok()?;
    let mut percent = || -> Option<f64> {
        let value: u8 = words.next()?.parse().ok()?;
        (value <= 100).then_some(f64::from(value))
    };
    let (cpu, ram, swap) = (percent()?, percent()?, percent()?);
    let load = number(words.next()?, 10_000.0)?;
    let cpus: u32 = words.next()?.parse().ok()?;
    let fresh = at <= now && now - at <= SNAPSHOT_FRESH;
    (words.next().is_none() && (1..=9999).contains(&cpus) && fresh).then_some(Metrics {
        cpu,
        ram,
        swap,
        load,
    })
}

/// The older layout: one value per file.
fn read_files(dir: &Path, now: u64) -> Option<Metrics> {
    let value = |name: &str, max: f64| number(read_small(&dir.join(name), MAX_VALUE)?.trim(), max);
    let metrics = Metrics {
        cpu: value("cpu", 100.0)?,
        ram: value("ram", 100.0)?,
        swap: value("swap", 100.0)?,
        load: value("load", 10_000.0)?,
    };
    let stamp = dir.join("timestamp");
    let at = if stamp.symlink_metadata().is_ok() {
        read_small(&stamp, MAX_VALUE)?.trim().parse().ok()?
    } else {
        newest_change(dir)?
    };
    (at <= now + FILES_AHEAD && now.saturating_sub(at) < FILES_FRESH).then_some(metrics)
}

fn newest_change(dir: &Path) -> Option<u64> {
    ["cpu", "ram", "swap", "load"]
        .iter()
        .filter_map(|name| {
            let changed = dir.join(name).symlink_metadata().ok()?.modified().ok()?;
            let age = changed.duration_since(std::time::UNIX_EPOCH).ok()?;
            Some(age.as_secs())
        })
        .max()
}

fn number(text: &str, max: f64) -> Option<f64> {
    // Rust also reads "inf", "nan" and "1e3"; StaSysMo writes digits and a dot.
    if !text
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.')
    {
        return None;
    }
    text.parse().ok().filter(|value| *value <= max)
}

/// The text of a regular file of at most `max` bytes. A FIFO is opened without waiting for its writer, seen, and refused.
fn read_small(path: &Path, max: usize) -> Option<String> {
    let flags = nix::fcntl::OFlag::O_NONBLOCK | nix::fcntl::OFlag::O_NOFOLLOW;
    let file: File = File::options()
        .read(true)
        .custom_flags(flags.bits())
        .open(path)
        .ok()?;
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() <= max).then(|| String::from_utf8(bytes).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    #[track_caller]
    fn check_snapshot(text: &str, expected: Option<(f64, f64)>) {
        let metrics = parse_snapshot(text, NOW);
        assert_eq!(
            metrics.map(|metrics| (metrics.cpu, metrics.load)),
            expected,
            "{text}"
        );
    }

    #[test]
    fn snapshots() {
        check_snapshot("v1 1700000000 12 34 0 1.24 8\n", Some((12.0, 1.24)));
        check_snapshot("v1 1699999985 100 34 0 0.00 1", Some((100.0, 0.0)));
        for bad in [
            "v1 1699999984 12 34 0 1.24 8\n", // stale
            "v1 1700000001 12 34 0 1.24 8\n", // in the future
            "v2 1700000000 12 34 0 1.24 8\n",
            "v1 1700000000 101 34 0 1.24 8\n",
            "v1 1700000000 12 34 -1 1.24 8\n",
            "v1 1700000000 12 34 0 inf 8\n",
            "v1 1700000000 12 34 0 10000.5 8\n",
            "v1 1700000000 12 34 0 1.24 0\n",
            "v1 1700000000 12 34 0 1.24\n",
            "v1 1700000000 12 34 0 1.24 8 9\n",
            "",
        ] {
            check_snapshot(bad, None);
        }
    }

    fn files(dir: &Path, timestamp: Option<u64>) {
        for (name, value) in [
            ("cpu", "12.5\n"),
            ("ram", "40\n"),
            ("swap", "0\n"),
            ("load", "1.24\n"),
        ] {
            std::fs::write(dir.join(name), value).unwrap();
        }
        if let Some(at) = timestamp {
            std::fs::write(dir.join("timestamp"), format!("{at}\n")).unwrap();
        }
    }

    #[test]
    fn single_files_are_fresh_for_30_seconds() {
        let dir = tempfile::tempdir().unwrap();
        let paths = [dir.path().to_owned()];
        for (at, fresh) in [
            (NOW, true),
            (NOW - 29, true),
            (NOW - 30, false),
            (NOW + 4, true),
            (NOW + 60, false),
        ] {
            files(dir.path(), Some(at));
            assert_eq!(read(&paths, NOW * 1000).is_some(), fresh, "{at}");
        }
        std::fs::remove_file(dir.path().join("timestamp")).unwrap();
        assert!(
            read(&paths, crate::base::clock::now()).is_some(),
            "the newest change decides"
        );
        assert!(read(&paths, crate::base::clock::now() + 60_000).is_none());
    }

    #[test]
    fn a_snapshot_is_preferred_and_a_stale_one_is_not() {
        let (new, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        files(old.path(), Some(NOW));
        let paths = [old.path().to_owned(), new.path().to_owned()];
        let cpu = || read(&paths, NOW * 1000).map(|metrics| metrics.cpu);
        assert_eq!(cpu(), Some(12.5));
        std::fs::write(
            new.path().join("snapshot"),
            format!("v1 {NOW} 77 1 1 0.10 2\n"),
        )
        .unwrap();
        assert_eq!(cpu(), Some(77.0));
        std::fs::write(
            new.path().join("snapshot"),
            format!("v1 {} 77 1 1 0.10 2\n", NOW - 60),
        )
        .unwrap();
        assert_eq!(cpu(), Some(12.5));
    }

    #[test]
    fn fifos_symlinks_and_long_files_are_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        files(dir.path(), Some(NOW));
        let paths = [dir.path().to_owned()];
        assert!(read(&paths, NOW * 1000).is_some());
        let cpu = dir.path().join("cpu");
        std::fs::rename(&cpu, dir.path().join("real")).unwrap();
        std::os::unix::fs::symlink("real", &cpu).unwrap();
        assert!(read(&paths, NOW * 1000).is_none(), "a symlink");
        std::fs::remove_file(&cpu).unwrap();
        nix::unistd::mkfifo(&cpu, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(
            read(&paths, NOW * 1000).is_none(),
            "a FIFO that nobody writes"
        );
        std::fs::remove_file(&cpu).unwrap();
        std::fs::write(&cpu, "1".repeat(MAX_VALUE + 1)).unwrap();
        assert!(read(&paths, NOW * 1000).is_none(), "too long");
        std::fs::write(&cpu, [0xff, 0xfe]).unwrap();
        assert!(read(&paths, NOW * 1000).is_none(), "no text");
    }
}
