//! One dashboard per data directory: a lock on a file in it, which the system gives back however the dashboard ends.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

use super::file::{FileError, not_writable};

/// The lock's name in the data directory.
pub const NAME: &str = "nixfleet.lock";

/// How often, and how far apart, a lock that is taken is tried again: [`DirLock::look`] holds it for a moment.
const LOOKS: u32 = 4;
const LOOK: Duration = Duration::from_millis(50);

/// Why the directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another dashboard has it.
    #[error("data_dir {}: another dashboard{} works on it; stop that one, or write another data_dir", dir.display(), pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Taken {
        /// The data directory.
        dir: PathBuf,
        /// The other one's process id, if it has written it yet.
        pid: Option<u32>,
    },
    /// The lock's file cannot be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file system has no locks.
    #[error("{}: cannot lock it: {why}; write a data_dir on a local disk", path.display())]
    NoLocks {
        /// The lock's file.
        path: PathBuf,
        /// What the system said.
        why: Errno,
    },
}

/// A data directory that belongs to this dashboard until it is dropped. The file holds the process id while a dashboard
/// works, and nothing after one that ended in order.
#[derive(Debug)]
pub struct DirLock {
    file: Flock<File>,
    /// Whether the dashboard before this one ended in order.
    pub clean: bool,
}

impl DirLock {
    /// Takes `dir`, or says who has it.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn take(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(NAME);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|why| {
                let at = if path.exists() { path.as_path() } else { dir };
                not_writable(at, why)
            })?;
        let mut tries = 0;
        loop {
            let copy = file.try_clone().map_err(|why| not_writable(&path, why))?;
            match Self::lock(dir, copy, FlockArg::LockExclusiveNonblock) {
                // Perhaps somebody only looks.
                Err(LockError::Taken { .. }) if tries < LOOKS => {
                    tries += 1;
                    std::thread::sleep(LOOK);
                }
                done => return done,
            }
        }
    }

    /// Says whether a dashboard works in `dir`, without changing anything. To be dropped at once: while it is held, no
    /// dashboard can start.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn look(dir: &Path) -> Result<Self, LockError> {
        let path = dir.join(NAME);
        let file = File::open(&path).map_err(|why| FileError::Unreadable { path, why })?;
        Self::lock(dir, file, FlockArg::LockSharedNonblock)
    }

    fn lock(dir: &Path, mut file: File, how: FlockArg) -> Result<Self, LockError> {
        let mut held = String::new();
        // What is no text was not written by a dashboard.
        let _ = file.rewind();
        let _ = std::io::Read::by_ref(&mut file)
            .take(32)
            .read_to_string(&mut held);
        match Flock::lock(file, how) {
            Ok(file) => Ok(Self {
                file,
                clean: held.is_empty(),
            }),
            Err((_, Errno::EWOULDBLOCK)) => Err(LockError::Taken {
                dir: dir.to_owned(),
                pid: held.trim().parse().ok(),
            }),
            Err((_, why)) => Err(LockError::NoLocks {
                path: dir.join(NAME),
                why,
            }),
        }
    }

    /// Writes down that this process works here.
    pub fn begin(&mut self) {
        self.write(&format!("{}\n", std::process::id()));
    }

    /// Writes down that all is committed and closed.
    pub fn end(mut self) {
        self.write("");
    }

    fn write(&mut self, text: &str) {
        // Only words for people depend on it; the lock itself holds without.
        let done = self
            .file
            .set_len(0)
            .and_then(|()| self.file.rewind())
            .and_then(|()| self.file.write_all(text.as_bytes()));
        if let Err(error) = done {
            tracing::warn!("{NAME} cannot be written: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_one_is_told_who_is_first_and_an_end_in_order_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = DirLock::take(dir.path()).unwrap();
        assert!(first.clean);
        first.begin();
        let error = DirLock::take(dir.path()).unwrap_err().to_string();
        let me = format!("another dashboard (process {})", std::process::id());
        assert!(error.contains(&me), "{error}");
        drop(first);
        let mut second = DirLock::take(dir.path()).unwrap();
        assert!(!second.clean, "the first one did not end in order");
        second.begin();
        second.end();
        assert!(DirLock::take(dir.path()).unwrap().clean);
        let error = DirLock::take(&dir.path().join("none")).unwrap_err();
        assert!(matches!(error, LockError::File(_)), "{error}");
    }
}
