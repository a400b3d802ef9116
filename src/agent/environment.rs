//! The agent's environment variables: the names of the earlier NixFleet, for use without a configuration file.

use std::path::PathBuf;

use crate::agent::config_file::Repo;
use crate::base::secret::Secret;

/// The variable that may hold the token itself. No child process gets it.
pub const TOKEN: &str = "NIXFLEET_TOKEN";

/// The variables that are read, with what each means. A set variable overrides the file's key.
pub const VARIABLES: [(&str, &str); 16] = [
    (
        "NIXFLEET_CONFIG",
        "the configuration file, unless --config names one",
    ),
    ("NIXFLEET_URL", "url"),
    (TOKEN, "the token itself; for ad-hoc use, a file is better"),
    ("NIXFLEET_TOKEN_FILE", "token_file"),
    ("NIXFLEET_REPO_URL", "[repo] url"),
    ("NIXFLEET_REPO_DIR", "[repo] dir"),
    ("NIXFLEET_BRANCH", "[repo] branch"),
    ("NIXFLEET_SSH_KEY", "[repo] ssh_key_file"),
    ("NIXFLEET_INTERVAL", "interval"),
    ("NIXFLEET_LOG_LEVEL", "log_level"),
    ("NIXFLEET_HOSTNAME", "hostname"),
    (
        "NIXFLEET_NIXPKGS_VERSION",
        "what to report where the system does not say",
    ),
    ("NIXFLEET_THEME_COLOR", "theme_color"),
    ("NIXFLEET_LOCATION", "location"),
    ("NIXFLEET_DEVICE_TYPE", "device_type"),
    ("NIXFLEET_STATE_DIR", "state_dir"),
];

/// The values of [`VARIABLES`]. An empty variable counts as unset.
#[derive(Debug, Default)]
pub struct Environment {
    /// `NIXFLEET_CONFIG`.
    pub config: Option<PathBuf>,
    /// `NIXFLEET_URL`.
    pub url: Option<String>,
    /// `NIXFLEET_TOKEN`.
    pub token: Option<Secret>,
    /// `NIXFLEET_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// The variables of `[repo]`.
    pub repo: RepoVariables,
    /// `NIXFLEET_INTERVAL`, not yet a number.
    pub interval: Option<String>,
    /// `NIXFLEET_LOG_LEVEL`.
    pub log_level: Option<String>,
    /// `NIXFLEET_HOSTNAME`.
    pub hostname: Option<String>,
    /// `NIXFLEET_NIXPKGS_VERSION`.
    pub nixpkgs_version: Option<String>,
    /// `NIXFLEET_THEME_COLOR`.
    pub theme_color: Option<String>,
    /// `NIXFLEET_LOCATION`.
    pub location: Option<String>,
    /// `NIXFLEET_DEVICE_TYPE`.
    pub device_type: Option<String>,
    /// `NIXFLEET_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
}

/// What the environment says of the configuration's repository.
#[derive(Debug, Default)]
pub struct RepoVariables {
    /// `NIXFLEET_REPO_URL`.
    pub url: Option<String>,
    /// `NIXFLEET_REPO_DIR`.
    pub dir: Option<PathBuf>,
    /// `NIXFLEET_BRANCH`.
    pub branch: Option<String>,
    /// `NIXFLEET_SSH_KEY`.
    pub ssh_key: Option<PathBuf>,
}

impl RepoVariables {
    /// The name of one that is set, if any is.
    pub fn any(&self) -> Option<&'static str> {
        let set = [
            (self.url.is_some(), "NIXFLEET_REPO_URL"),
            (self.dir.is_some(), "NIXFLEET_REPO_DIR"),
            (self.branch.is_some(), "NIXFLEET_BRANCH"),
            (self.ssh_key.is_some(), "NIXFLEET_SSH_KEY"),
        ];
        set.into_iter().find(|(is, _)| *is).map(|(_, name)| name)
    }

    /// Puts what is set over the file's section.
    pub fn override_in(self, section: &mut Option<Repo>) {
        if self.any().is_none() {
            return;
        }
        let repo = section.get_or_insert_default();
        repo.url = self.url.or(repo.url.take());
        repo.dir = self.dir.or(repo.dir.take());
        repo.branch = self.branch.or(repo.branch.take());
        repo.ssh_key_file = self.ssh_key.or(repo.ssh_key_file.take());
    }
}

impl Environment {
    /// Reads the process's environment.
    pub fn of_process() -> Self {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables through `get`.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Self {
        let text = |name: &str| get(name).filter(|value| !value.is_empty());
        let path = |name: &str| text(name).map(PathBuf::from);
        Self {
            config: path("NIXFLEET_CONFIG"),
            url: text("NIXFLEET_URL"),
            token: text(TOKEN).map(|token| Secret::new(token.trim())),
            token_file: path("NIXFLEET_TOKEN_FILE"),
            repo: RepoVariables {
                url: text("NIXFLEET_REPO_URL"),
                dir: path("NIXFLEET_REPO_DIR"),
                branch: text("NIXFLEET_BRANCH"),
                ssh_key: path("NIXFLEET_SSH_KEY"),
            },
            interval: text("NIXFLEET_INTERVAL"),
            log_level: text("NIXFLEET_LOG_LEVEL"),
            hostname: text("NIXFLEET_HOSTNAME"),
            nixpkgs_version: text("NIXFLEET_NIXPKGS_VERSION"),
            theme_color: text("NIXFLEET_THEME_COLOR"),
            location: text("NIXFLEET_LOCATION"),
            device_type: text("NIXFLEET_DEVICE_TYPE"),
            state_dir: path("NIXFLEET_STATE_DIR"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variable_of_the_list_is_read_and_no_other() {
        let asked = std::cell::RefCell::new(Vec::new());
        let environment = Environment::read(|name| {
            asked.borrow_mut().push(name.to_owned());
            Some(format!("value of {name}"))
        });
        let mut asked = asked.into_inner();
        asked.sort_unstable();
        let mut listed: Vec<&str> = VARIABLES.iter().map(|(name, _)| *name).collect();
        listed.sort_unstable();
        assert_eq!(asked, listed);
        assert_eq!(environment.url.as_deref(), Some("value of NIXFLEET_URL"));
        assert!(!format!("{environment:?}").contains("value of NIXFLEET_TOKEN\""));
    }

    #[test]
    fn an_empty_variable_is_unset() {
        assert!(Environment::read(|_| Some(String::new())).url.is_none());
    }
}
