//! Bringing the configuration's working copy up to date.
//!
//! With a URL the directory is the agent's own clone: made (0700) when it is missing, made anew when it is broken, and set
//! to the branch, whatever lies in it. Without one it is its user's, and is only fast-forwarded.

use std::os::unix::fs::DirBuilderExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::{StepError, succeed};

/// How to bring a working copy up to date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pull {
    /// The program.
    pub git: String,
    /// Where to clone from; none for a working copy that is its user's.
    pub url: Option<String>,
    /// The working copy.
    pub dir: PathBuf,
    /// The branch.
    pub branch: String,
    /// For `GIT_SSH_COMMAND`.
    pub ssh_command: Option<String>,
}

impl Pull {
    /// Does it.
    pub(crate) fn perform(&self) -> Result<(), StepError> {
        let Some(url) = &self.url else {
            return self.git(&["pull", "--ff-only"]).and_then(|()| self.show());
        };
        match self.origin() {
            Some(origin) if origin == *url => {}
            Some(origin) => {
                return Err(StepError::new(format!(
                    "{}: is a clone of {origin}, so it is left alone; set repo.dir to another directory, or repo.url to that",
                    self.dir.display()
                )));
            }
            None => self.clone_anew(url)?,
        }
        let update = || {
            self.git(&["fetch", "--prune", "origin", &self.branch])?;
            self.git(&["reset", "--hard", "FETCH_HEAD"])?;
            self.git(&["clean", "-ffd"])
        };
        if let Err(error) = update() {
            // A failed fetch of a sound clone is the network's or the branch's fault.
            if self.git(&["fsck", "--connectivity-only"]).is_ok() {
                return Err(error);
            }
            println!("the clone {} is broken; making it anew", self.dir.display());
            self.clone_anew(url)?;
            update()?;
        }
        self.show()
    }

    /// What the directory is a clone of; none when it is no clone, or a broken one.
    fn origin(&self) -> Option<String> {
        if !self.dir.join(".git").exists() {
            return None;
        }
        let mut command = self.command(&["remote", "get-url", "origin"]);
        let output = command
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()?;
        let origin = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| origin.trim().to_owned())
    }

    fn clone_anew(&self, url: &str) -> Result<(), StepError> {
        let failed = |what: &str, error: std::io::Error| {
            StepError::new(format!("{}: {what}: {error}", self.dir.display()))
        };
        match std::fs::read_dir(&self.dir).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) if self.dir.join(".git").exists() => {
                std::fs::remove_dir_all(&self.dir)
                    .map_err(|error| failed("cannot be removed", error))?;
            }
            Ok(false) => {
                return Err(StepError::new(format!(
                    "{}: is neither empty nor a clone, so it is left alone; set repo.dir to another directory",
                    self.dir.display()
                )));
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("cannot be read", error)),
        }
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|error| failed("cannot be made", error))?;
        self.git(&["clone", "--branch", &self.branch, "--", url, "."])
    }

    fn show(&self) -> Result<(), StepError> {
        self.git(&["log", "-1", "--no-decorate", "--format=%h %s"])
    }

    fn git(&self, args: &[&str]) -> Result<(), StepError> {
        succeed(&mut self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.git);
        // The owner may be another user than the agent's; that is the configuration's decision.
        command
            .arg("-c")
            .arg(format!("safe.directory={}", self.dir.display()));
        command.args(["-c", "advice.detachedHead=false"]);
        command.args(args).current_dir(&self.dir);
        // Nobody is there to answer a question.
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_PAGER", "cat")
            .env("SSH_ASKPASS_REQUIRE", "never");
        if let Some(ssh) = &self.ssh_command {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        command.env_remove(crate::agent::environment::TOKEN);
        command
    }
}

#[cfg(test)]
mod tests;
