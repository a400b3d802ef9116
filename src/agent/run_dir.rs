//! A run's directory, the only thing that agent and supervisor share: `STATE_DIR/runs/<run id>/`, mode 0700.
//!
//! | file | written by | what |
//! |---|---|---|
//! | `request.json` | the agent, before it starts the supervisor | [`SupervisorRequest`] |
//! | `journal` | the supervisor | records, see [`crate::wire::record`] |
//! | `lock` | the supervisor | locked for its whole life; the lock ends with the process, however it dies |
//! | `pid` | the supervisor | its process, in decimal |
//! | `stop.json` | the agent, before it signals the supervisor | [`StopRequest`] |
//!
//! Files that the agent writes appear whole (written beside, synced, renamed).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::run::id::{CommandName, RunId};
use crate::run::kind::RunKind;

/// Seconds between the steps of a stop when nobody says otherwise.
pub const DEFAULT_GRACE_S: u64 = 10;
/// The largest `request.json` or `stop.json`, in bytes.
pub const MAX_JSON: u64 = 1024 * 1024;
/// How often the supervisor asks for its lock, [`LOCK_PAUSE`] apart: somebody may be looking whether it lives.
const LOCK_TRIES: u32 = 40;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// What the supervisor shall do. Everything in it was decided by the agent on this host; nothing is given to a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SupervisorRequest {
    /// The run.
    pub run: RunId,
    /// The command's name.
    pub command: CommandName,
    /// What kind of command it is.
    pub kind: RunKind,
    /// The program (an absolute path, or a name that is looked up in `PATH`) and its arguments.
    pub argv: Vec<String>,
    /// Variables that are set in the program's environment, after everything else.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// The program sees the supervisor's own environment, without its secrets; else an empty one.
    #[serde(default = "yes")]
    pub inherit_env: bool,
    /// Where the program starts.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Seconds until the program is stopped and the run has timed out.
    #[serde(default)]
    pub timeout_s: Option<u64>,
    /// Seconds between the steps of a stop.
    #[serde(default = "default_grace")]
    pub grace_s: u64,
    /// Who asked.
    #[serde(default)]
    pub requested_by: String,
}

fn yes() -> bool {
    true
}

fn default_grace() -> u64 {
    DEFAULT_GRACE_S
}

/// Asks a supervisor to stop its run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopRequest {
    /// Also in the middle of an activation.
    #[serde(default)]
    pub force: bool,
    /// Who asked.
    #[serde(default)]
    pub requested_by: String,
}

/// One run's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

/// Proof that this process is the run's only supervisor. The lock ends when this is dropped.
#[derive(Debug)]
pub struct SupervisorLock(#[expect(dead_code, reason = "held, not read")] Flock<File>);

impl RunDir {
    /// Makes the directory of a new run.
    ///
    /// # Errors
    /// The directory is there already (the run was started before), or cannot be written.
    pub fn create(state_dir: &Path, request: &SupervisorRequest) -> anyhow::Result<Self> {
        let runs = state_dir.join("runs");
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&runs)
            .with_context(|| {
                format!(
                    "{}: cannot be made; set `state_dir` to a writable directory",
                    runs.display()
                )
            })?;
        let path = runs.join(request.run.to_string());
        DirBuilder::new()
            .mode(0o700)
            .create(&path)
            .with_context(|| format!("{}: cannot be made for a new run", path.display()))?;
        let dir = Self { path };
        if let Err(error) = dir.write_json("request.json", request) {
            dir.remove().ok();
            return Err(error);
        }
        Ok(dir)
    }

    /// The directory at `path`, which must hold a request.
    ///
    /// # Errors
    /// It does not.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let dir = Self {
            path: path.to_owned(),
        };
        if !dir.file("request.json").is_file() {
            bail!(
                "{}: no run directory (it has no request.json)",
                path.display()
            );
        }
        Ok(dir)
    }

    /// The directories of all runs, oldest first. Half-made ones and foreign names are left out.
    ///
    /// # Errors
    /// `runs` cannot be read; that it is not there means no runs.
    pub fn list(state_dir: &Path) -> anyhow::Result<Vec<Self>> {
        let runs = state_dir.join("runs");
        let entries = match fs::read_dir(&runs) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                return Err(error).with_context(|| format!("{}: cannot be read", runs.display()));
            }
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.with_context(|| format!("{}: cannot be read", runs.display()))?;
            let id = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            if let (Some(id), Ok(dir)) = (id, Self::open(&entry.path())) {
                let id: RunId = id;
                found.push((id, dir));
            }
        }
        found.sort_by_key(|(id, _)| *id);
        Ok(found.into_iter().map(|(_, dir)| dir).collect())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's id, from the directory's name.
    pub fn run_id(&self) -> Option<RunId> {
        self.path.file_name()?.to_str()?.parse().ok()
    }

    /// The journal's file; it exists once the supervisor has started.
    pub fn journal(&self) -> PathBuf {
        self.file("journal")
    }

    /// What the supervisor was asked to do.
    ///
    /// # Errors
    /// The file is missing, too large or no request.
    pub fn request(&self) -> anyhow::Result<SupervisorRequest> {
        self.read_json("request.json")
    }

    /// The stop that was asked for, if any.
    ///
    /// # Errors
    /// The file is there and cannot be read.
    pub fn stop_request(&self) -> anyhow::Result<Option<StopRequest>> {
        if !self.file("stop.json").exists() {
            return Ok(None);
        }
        self.read_json("stop.json").map(Some)
    }

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
        // The lock is held by exactly the process that wrote `pid`, so the number cannot be another program's.
        if !self.is_alive() {
            return Ok(false);
        }
        let Some(pid) = self.pid() else {
            // It has just begun; it reads stop.json when it is ready for signals.
            return Ok(true);
        };
        match kill(Pid::from_raw(pid), Signal::SIGUSR1) {
            Ok(()) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => {
                Err(error).with_context(|| format!("supervisor {pid}: cannot be signalled"))
            }
        }
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
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
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

    /// Deletes the directory. The run must be over and acknowledged.
    ///
    /// # Errors
    /// It cannot be deleted.
    pub fn remove(&self) -> anyhow::Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("{}: cannot be deleted", self.path.display()))
            }
            _ => Ok(()),
        }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> anyhow::Result<()> {
        let text =
            serde_json::to_vec(value).with_context(|| format!("{name}: cannot be written"))?;
        self.write_file(name, &text)
    }

    fn write_file(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let (path, beside) = (self.file(name), self.file(&format!("{name}.new")));
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new()
                .create(true)
                .truncate(true)
                .write(true)
                .mode(0o600)
                .open(&beside)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().with_context(|| format!("{}: cannot be written", path.display()))
    }

    fn read_json<T: DeserializeOwned>(&self, name: &str) -> anyhow::Result<T> {
        let path = self.file(name);
        let read = || -> anyhow::Result<T> {
            let size = fs::metadata(&path)?.len();
            if size > MAX_JSON {
                bail!("it has {size} bytes, more than {MAX_JSON}");
            }
            Ok(serde_json::from_slice(&fs::read(&path)?)?)
        };
        read().with_context(|| format!("{}: cannot be read", path.display()))
    }
}

#[cfg(test)]
mod tests;
