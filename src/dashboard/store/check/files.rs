//! What lies around the database: permissions, the log, room on the disk, the files that the configuration names.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::Report;
use crate::base::secret::Secret;
use crate::dashboard::store::file::{NAME, companion};
use crate::dashboard::store::lock::{self, DirLock, LockError};
use crate::dashboard::store::space::{Space, shown};

/// A log that is larger is not brought into the database as it should be.
const LARGE_WAL: u64 = 256 * 1024 * 1024;

/// Looks at the data directory.
pub fn data_dir(dir: &Path, report: &mut Report<'_>) {
    const CHECK: &str = "data_dir";
    let shown_dir = dir.display();
    let metadata = match std::fs::metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) => {
            return report.error(
                CHECK,
                format!("{shown_dir}: {error}"),
                "write the dashboard's data_dir, or run this as the dashboard's user",
            );
        }
    };
    if !metadata.is_dir() {
        return report.error(
            CHECK,
            format!("{shown_dir}: this is no directory"),
            "write the dashboard's data_dir",
        );
    }
    if metadata.mode() & 0o022 == 0 {
        report.ok(CHECK, format!("{shown_dir}, of user {}", metadata.uid()));
    } else {
        report.warn(
            CHECK,
            format!(
                "{shown_dir}: others may write there (mode {:03o})",
                metadata.mode() & 0o777
            ),
            format!("chmod go-w {shown_dir}"),
        );
    }
    let path = dir.join(NAME);
    let mut well = true;
    for file in [
        path.clone(),
        companion(&path, "-wal"),
        companion(&path, "-shm"),
    ] {
        let Ok(found) = std::fs::metadata(&file) else {
            continue;
        };
        well &= database_file(&file, &found, &metadata, report);
    }
    if well {
        report.ok(
            "permissions",
            "only the dashboard's user may read the database",
        );
    }
    running(dir, report);
    room(dir, report);
}

/// Whether one of the database's files is as private as it should be.
fn database_file(path: &Path, file: &Metadata, dir: &Metadata, report: &mut Report<'_>) -> bool {
    const CHECK: &str = "permissions";
    let shown_path = path.display();
    if file.mode() & 0o077 != 0 {
        report.warn(
            CHECK,
            format!(
                "{shown_path}: others may read it (mode {:03o}), and it holds password hashes",
                file.mode() & 0o777
            ),
            format!("chmod 600 {shown_path}"),
        );
        return false;
    }
    if file.uid() != dir.uid() {
        report.warn(
            CHECK,
            format!(
                "{shown_path}: it belongs to user {}, and its directory to user {}",
                file.uid(),
                dir.uid()
            ),
            format!(
                "chown {} {shown_path}, if that is the dashboard's user",
                dir.uid()
            ),
        );
        return false;
    }
    true
}

fn running(dir: &Path, report: &mut Report<'_>) {
    const CHECK: &str = "dashboard";
    // Looking must not make the file.
    if !dir.join(lock::NAME).exists() {
        return report.ok(CHECK, "none has run here yet");
    }
    match DirLock::look(dir) {
        Ok(lock) if lock.clean => report.ok(CHECK, "none runs; the last one ended in order"),
        Ok(_) => report.warn(
            CHECK,
            "none runs, and the last one was killed",
            "start it; what was committed is there",
        ),
        Err(LockError::Taken { pid, .. }) => {
            let pid = pid.map(|pid| format!(" (process {pid})"));
            report.ok(CHECK, format!("one runs{}", pid.unwrap_or_default()));
        }
        Err(error) => report.warn(CHECK, error.to_string(), "run this as the dashboard's user"),
    }
}

fn room(dir: &Path, report: &mut Report<'_>) {
    let space = Space::of(dir);
    let wal = format!(
        "{} beside a database of {}",
        shown(space.wal),
        shown(space.file)
    );
    if space.wal > LARGE_WAL {
        report.warn(
            "log",
            format!("the log is large: {wal}"),
            "a program that reads for long keeps it from being brought in (`fuser nixfleet.db` names it); end that one, or restart the dashboard",
        );
    } else {
        report.ok("log", wal);
    }
    let free = format!("{} of {} are free", shown(space.free), shown(space.disk));
    if space.is_short() {
        report.warn(
            "disk",
            free,
            "free some space, or set retention_days or max_store_gb; on a full disk nothing is stored, and agents keep what they have",
        );
    } else {
        report.ok("disk", free);
    }
}

/// A file with a secret that the configuration names.
pub fn secret(key: &'static str, path: &Path, report: &mut Report<'_>) {
    if let Err(error) = Secret::read(path) {
        return report.error(
            key,
            format!("{error:#}"),
            "write the secret into its first line, readable for the dashboard's user only",
        );
    }
    readable_by_others(key, path, report);
}

/// Whether a file that only the dashboard should read is open to others.
pub fn readable_by_others(key: &'static str, path: &Path, report: &mut Report<'_>) {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.mode() & 0o004 != 0 => report.warn(
            key,
            format!(
                "{}: everybody may read it (mode {:03o})",
                path.display(),
                metadata.mode() & 0o777
            ),
            format!("chmod o-r {}", path.display()),
        ),
        Ok(_) => report.ok(key, path.display().to_string()),
        Err(error) => report.error(
            key,
            format!("{}: {error}", path.display()),
            "write the path of a file that the dashboard's user may read",
        ),
    }
}
