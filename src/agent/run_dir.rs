//! A run's directory, the only thing that agent and supervisor share: `STATE_DIR/runs/<run id>/`.
//!
//! | file | written by | what |
//! |---|---|---|
//! | `request.json` | who starts the supervisor, before | [`SupervisorRequest`] |
//! | `journal` | the supervisor | records, see [`crate::wire::record`] |
//! | `lock` | the supervisor | locked for its whole life; the lock ends with the process, however it dies |
//! | `pid` | the supervisor | its process, in decimal |
//! | `stop.json` | who signals the supervisor, before | [`StopRequest`] |
//! | `supervisor.log` | the supervisor's standard error | for people, and for the reason when it dies |
//! | `acknowledged` | who was told so | when the dashboard had all of it |
//!
//! An agent that starts its supervisors itself keeps these to itself: directories 0700, files 0600. Where the root helper
//! starts them, they belong to root and are readable by the agent's group: directories 02750, files 0640.
//!
//! All but journal and log appear whole (written beside, synced, renamed).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::run::id::RunId;

mod request;
mod supervisor;

pub use request::{DEFAULT_GRACE_S, DEFAULT_JOURNAL_MAX, StopRequest, SupervisorRequest};
pub use supervisor::SupervisorLock;

/// The largest `request.json` or `stop.json`, in bytes.
pub const MAX_JSON: u64 = 1024 * 1024;
/// What a supervisor says on its standard error, in its run's directory; the last words when it dies.
const LOG: &str = "supervisor.log";
/// The dashboard has all records to the last. It holds the time, in milliseconds since the epoch.
const ACKNOWLEDGED: &str = "acknowledged";

/// One run's directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// Makes the directory of a new run, for this user alone.
    ///
    /// # Errors
    /// The directory is there already (the run was started before), or cannot be written.
    pub fn create(state_dir: &Path, request: &SupervisorRequest) -> anyhow::Result<Self> {
        Self::create_for(state_dir, request, None)
    }

    /// Makes the directory of a new run, readable by `group` if there is one.
    ///
    /// # Errors
    /// As [`create`](Self::create), or the group cannot be given to it.
    pub fn create_for(
        state_dir: &Path,
        request: &SupervisorRequest,
        group: Option<u32>,
    ) -> anyhow::Result<Self> {
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
        let written = group
            .map_or(Ok(()), |group| dir.share(group))
            .and_then(|()| dir.write_json("request.json", request));
        if let Err(error) = written {
            dir.remove().ok();
            return Err(error);
        }
        Ok(dir)
    }

    /// Lets a group read what is there and what comes: new files inherit the directory's group.
    fn share(&self, group: u32) -> anyhow::Result<()> {
        share_dir(&self.path, group, 0o2750)?;
        // The journal's writer keeps the mode of a file that is there.
        self.open_to_write(&self.journal(), OpenOptions::new().create_new(true))
            .with_context(|| format!("{}: cannot be written", self.journal().display()))?;
        Ok(())
    }

    /// The mode of the files in here, from the directory's own.
    fn file_mode(&self) -> u32 {
        let mode = fs::metadata(&self.path).map_or(0, |data| data.permissions().mode());
        if mode & 0o040 == 0 { 0o600 } else { 0o640 }
    }

    fn open_to_write(&self, path: &Path, options: &mut OpenOptions) -> io::Result<File> {
        let mode = self.file_mode();
        let file = options.write(true).mode(mode).open(path)?;
        if mode != 0o600 && file.metadata()?.permissions().mode() & 0o777 != mode {
            // Whatever the umask.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
        }
        Ok(file)
    }

    /// The file for a supervisor's standard error, empty or as it was.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn log(&self) -> anyhow::Result<File> {
        let path = self.file(LOG);
        self.open_to_write(&path, OpenOptions::new().create(true).append(true))
            .with_context(|| format!("{}: cannot be written", path.display()))
    }

    /// Where a supervisor's standard error goes.
    pub fn log_path(&self) -> PathBuf {
        self.file(LOG)
    }

    /// Whether a supervisor ever came as far as taking the lock, or wrote anything.
    pub fn was_begun(&self) -> bool {
        self.file("lock").exists()
            || fs::metadata(self.journal()).is_ok_and(|journal| journal.len() > 0)
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

    /// Marks that the dashboard has all of the run, since `at` (milliseconds since the epoch).
    ///
    /// # Errors
    /// The marker cannot be written.
    pub fn acknowledge(&self, at: u64) -> anyhow::Result<()> {
        self.write_file(ACKNOWLEDGED, format!("{at}\n").as_bytes())
    }

    /// When the dashboard had all of the run, as it was marked; none while it has not. A marker that cannot be read is old: 0.
    pub fn acknowledged(&self) -> Option<u64> {
        let path = self.file(ACKNOWLEDGED);
        path.exists().then(|| {
            let time = fs::read_to_string(path).unwrap_or_default();
            time.trim().parse().unwrap_or(0)
        })
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
            let mut file =
                self.open_to_write(&beside, OpenOptions::new().create(true).truncate(true))?;
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

/// Gives a directory to a group, with that mode.
///
/// # Errors
/// Neither can be done; it names the directory.
pub fn share_dir(path: &Path, group: u32, mode: u32) -> anyhow::Result<()> {
    chown(path, None, Some(group))
        .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(mode)))
        .with_context(|| {
            format!(
                "{}: cannot be made readable for group {group}",
                path.display()
            )
        })
}

#[cfg(test)]
mod tests;
