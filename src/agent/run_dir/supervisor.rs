//! The supervisor behind a run's directory: whether it lives, who it is, how it is asked to stop, and its last words.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{LOG, RunDir, StopRequest};

/// How often the supervisor asks for its lock, [`LOCK_PAUSE`] apart: somebody may be looking whether it lives.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);
/// The most of it that is quoted, in characters.
const MAX_LAST_WORDS: usize = 300;
/// Where in its log the last line is looked for: so many bytes before the end.
const MAX_LOG_TAIL: usize = 8192;

/// Proof that this process is the run's only supervisor. The lock ends when this is dropped.
#[derive(Debug)]
pub struct SupervisorLock(#[expect(dead_code, reason = "held, not read")] Flock<File>);

impl RunDir {
    /// Asks the supervisor to stop the run. Returns false when there is no supervisor to ask.
    ///
    /// # Errors
    /// The request cannot be written, or the supervisor may not be signalled.
    pub fn request_stop(&self, by: &str, force: bool) -> anyhow::Result<bool> {
        let request = StopRequest {
            force,
            requested_by: by.to_owned(),
        };
        self.write_json("stop.json", &request)?;
        if !self.is_alive() {
            return Ok(false);
        }
        let Some(pid) = self.pid() else {
            // It has just begun; it reads stop.json when it is ready for signals.
            return Ok(true);
        };
        if !self.is_supervisor(pid) {
            return Ok(false);
        }
        match kill(Pid::from_raw(pid), Signal::SIGUSR1) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("supervisor {pid}: cannot be signalled"))
            }
        }
    }

    /// Whether that process is the run's supervisor. Whoever may read the lock's file can lock it, so the lock alone does
    /// not tell that an old number in `pid` is not another program's by now.
    fn is_supervisor(&self, pid: i32) -> bool {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let Ok(command) = fs::read(process.join("cmdline")) else {
            // Without /proc (macOS) there are no other users here either: only the helper shares, and it needs Linux.
            return !Path::new("/proc/self/cmdline").exists();
        };
        let path = self.path.as_os_str().as_encoded_bytes();
        let named = command.split(|byte| *byte == 0).any(|arg| arg == path);
        // Another program in the supervisor's role has other arguments, but the lock's file open.
        named
            || fs::metadata(self.file("lock")).is_ok_and(|lock| {
                let open = fs::read_dir(process.join("fd"));
                open.into_iter().flatten().flatten().any(|file| {
                    fs::metadata(file.path())
                        .is_ok_and(|file| (file.dev(), file.ino()) == (lock.dev(), lock.ino()))
                })
            })
    }

    /// The supervisor's process, once it has written it; meaningful while [`is_alive`](Self::is_alive).
    pub fn pid(&self) -> Option<i32> {
        let pid = fs::read_to_string(self.file("pid")).ok()?;
        pid.trim().parse().ok().filter(|pid| *pid > 1)
    }

    /// Whether a supervisor holds the lock.
    pub fn is_alive(&self) -> bool {
        File::open(self.file("lock"))
            .is_ok_and(|file| Flock::lock(file, FlockArg::LockSharedNonblock).is_err())
    }

    /// Makes this process the run's supervisor: takes the lock and writes `pid`.
    ///
    /// # Errors
    /// Another supervisor has the lock, or the files cannot be written.
    pub fn lock(&self) -> anyhow::Result<SupervisorLock> {
        let lock = self.lock_only()?;
        self.write_file("pid", format!("{}\n", std::process::id()).as_bytes())?;
        Ok(lock)
    }

    /// Takes the lock without becoming the supervisor, to conclude a run whose supervisor is gone.
    ///
    /// # Errors
    /// As [`lock`](Self::lock).
    pub fn lock_only(&self) -> anyhow::Result<SupervisorLock> {
        let path = self.file("lock");
        let mut file = self
            .open_to_write(&path, OpenOptions::new().create(true).truncate(false))
            .with_context(|| format!("{}: cannot be written", path.display()))?;
        for _ in 0..LOCK_TRIES {
            match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
                Ok(lock) => {
                    // An earlier holder's number may be another program's by now; nobody shall signal it.
                    let _ = fs::remove_file(self.file("pid"));
                    return Ok(SupervisorLock(lock));
                }
                Err((back, Errno::EWOULDBLOCK)) => {
                    file = back;
                    thread::sleep(LOCK_PAUSE);
                }
                Err((_, error)) => {
                    return Err(error)
                        .with_context(|| format!("{}: cannot be locked", path.display()));
                }
            }
        }
        bail!("{}: another supervisor has this run", self.path.display())
    }

    /// The last line that a supervisor wrote on its standard error.
    pub fn last_words(&self) -> Option<String> {
        let file = File::open(self.file(LOG)).ok()?;
        let mut text = [0; MAX_LOG_TAIL];
        let begin = file
            .metadata()
            .ok()?
            .len()
            .saturating_sub(text.len() as u64);
        let len = file.read_at(&mut text, begin).ok()?;
        let text = String::from_utf8_lossy(&text[..len]);
        let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
        Some(
            line.chars()
                .filter(|c| !c.is_control())
                .take(MAX_LAST_WORDS)
                .collect(),
        )
    }
}
