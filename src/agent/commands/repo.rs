//! The configuration's working copy: whose it is, and how `git` is called for it.

use std::path::{Path, PathBuf};

use crate::agent::config::Repo;
use crate::agent::steps::pull::Pull;

/// Where the working copy is and how it is brought up to date.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// The working copy.
    pub dir: PathBuf,
    url: Option<String>,
    branch: String,
    ssh_key_file: Option<PathBuf>,
}

impl Checkout {
    /// A repository without a directory is cloned into the state directory.
    pub fn new(repo: &Repo, state_dir: &Path) -> Self {
        Self {
            dir: repo.dir.clone().unwrap_or_else(|| state_dir.join("repo")),
            url: repo.url.clone(),
            branch: repo.branch.clone(),
            ssh_key_file: repo.ssh_key_file.clone(),
        }
    }

    /// The step that brings it up to date with the program `git`.
    pub fn pull(&self, git: String) -> Pull {
        Pull {
            git,
            url: self.url.clone(),
            dir: self.dir.clone(),
            branch: self.branch.clone(),
            ssh_command: self.ssh_key_file.as_deref().map(ssh_command),
        }
    }
}

/// For `GIT_SSH_COMMAND`, which git gives to a shell: the path is quoted.
fn ssh_command(key: &Path) -> String {
    let quoted = key.display().to_string().replace('\'', r"'\''");
    format!(
        "ssh -i '{quoted}' -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=accept-new"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_path_stays_one_word_for_the_shell() {
        assert_eq!(
            ssh_command(Path::new("/k'; rm -rf x")),
            r"ssh -i '/k'\''; rm -rf x' -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=accept-new"
        );
    }
}
