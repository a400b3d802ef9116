//! How runs are started, stopped and cleaned up on this host: by this process itself, or by the root helper. The helper is a
//! socket in front of the very same [`Direct`]. All methods may block for as long as a disk or the helper takes.

mod direct;
mod gc_root;
mod unit;

use std::path::{Path, PathBuf};
use std::process::Child;

use serde::{Deserialize, Serialize};

use crate::agent::helper::Client;
use crate::agent::run_dir::RunDir;
use crate::run::id::{CommandName, RunId};
use crate::wire::to_agent::RunRequest;
use crate::wire::to_dashboard::OfferedCommand;

pub use direct::{Direct, RunCommand};
pub use gc_root::remove as remove_gc_root;

/// The longest name of an operator that is written down, in characters.
const MAX_OPERATOR: usize = 200;

/// What can be executed here, for `register`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The commands.
    pub commands: Vec<OfferedCommand>,
    /// The configuration's repository, without any password; empty without one.
    pub repo_url: String,
    /// Its working copy; empty without one.
    pub repo_dir: String,
}

/// A run that was started.
#[derive(Debug)]
pub struct Started {
    /// Its directory.
    pub dir: RunDir,
    /// Its command.
    pub command: CommandName,
    /// The supervisor, when it is a child of this process.
    pub child: Option<Child>,
}

/// Who starts runs here.
#[derive(Debug)]
pub enum Launcher {
    /// This process, with what this user may do.
    Direct(Box<Direct>),
    /// The root helper.
    Helper(Client),
}

impl Launcher {
    /// What can be executed here.
    ///
    /// # Errors
    /// The helper does not answer.
    pub fn offer(&self) -> anyhow::Result<Offer> {
        match self {
            Self::Direct(direct) => Ok(direct.offer()),
            Self::Helper(client) => client.offer(),
        }
    }

    /// Where the directories of the runs are, in `runs`.
    pub fn state_dir(&self) -> &Path {
        match self {
            Self::Direct(direct) => direct.state_dir(),
            Self::Helper(client) => client.state_dir(),
        }
    }

    /// Starts a run.
    ///
    /// # Errors
    /// In words: the command is not offered, its arguments are not allowed, or the supervisor cannot be started.
    pub fn start(&self, request: &RunRequest) -> anyhow::Result<Started> {
        match self {
            Self::Direct(direct) => direct.start(&RunCommand::from(request)),
            Self::Helper(client) => client.start(&RunCommand::from(request)),
        }
    }

    /// Asks the supervisor of a run to stop it. Answers false when there is none.
    ///
    /// # Errors
    /// It cannot be asked.
    pub fn stop(&self, run: RunId, by: &str, force: bool) -> anyhow::Result<bool> {
        match self {
            Self::Direct(direct) => direct.stop(run, by, force),
            Self::Helper(client) => client.stop(run, by, force),
        }
    }

    /// Writes the end of a journal whose supervisor is gone.
    ///
    /// # Errors
    /// There is a supervisor after all, or the journal cannot be written.
    pub fn conclude(&self, run: RunId) -> anyhow::Result<()> {
        match self {
            Self::Direct(direct) => direct.conclude(run),
            Self::Helper(client) => client.conclude(run),
        }
    }

    /// The dashboard has all of a run: its directory is deleted in time.
    ///
    /// # Errors
    /// It cannot be marked or deleted.
    pub fn release(&self, run: RunId) -> anyhow::Result<()> {
        match self {
            Self::Direct(direct) => direct.release(run),
            Self::Helper(client) => client.release(run),
        }
    }

    /// Deletes journals that have become old. The helper does so by itself.
    ///
    /// # Errors
    /// The directory of the runs cannot be read.
    pub fn prune(&self) -> anyhow::Result<()> {
        match self {
            Self::Direct(direct) => direct.prune(),
            Self::Helper(_) => Ok(()),
        }
    }
}

/// The directory of a run that is kept below `state_dir`.
///
/// # Errors
/// There is none.
fn run_dir(state_dir: &Path, run: RunId) -> anyhow::Result<RunDir> {
    let path: PathBuf = state_dir.join("runs").join(run.to_string());
    RunDir::open(&path)
}

/// An operator's name as it is written down: short, and without control characters.
pub fn operator(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(MAX_OPERATOR)
        .collect()
}
