//! The agent's settings, checked once at start: the file first, then the environment over it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::config_file::{
    Color, ConfigFile, Interval, Label, LogLevel, OfflineAfter, Sections, Url,
};
use crate::agent::credential::Credential;
use crate::agent::environment::Environment;
use crate::base::config_file;
use crate::base::secret::Secret;
use crate::run::id::HostName;
use crate::wire::subject::Organization;

mod execution;
mod tell;

pub use execution::{Execution, Limits, Rebuild, Repo};
pub use tell::{Compression, Listen, LocalApi, Log, MAX_PUSHES, Push, Tell};

/// All that the agent needs to know.
#[derive(Debug)]
pub struct Config {
    /// The dashboard's WebSocket address, `ws://` or `wss://`, ending in `/ws`.
    pub url: String,
    /// With what it comes: the shared token, or its own key.
    pub credential: Credential,
    /// Whose messages it speaks and hears.
    pub organization: Organization,
    /// Certificates trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// The name to register under.
    pub hostname: Option<HostName>,
    /// Between heartbeats; whole seconds.
    pub interval: Duration,
    /// After how many intervals of silence the host counts as offline; none leaves it to the dashboard.
    pub offline_after: Option<u32>,
    /// Where journals of runs are kept.
    pub state_dir: Option<PathBuf>,
    /// For `base::logging`.
    pub log_level: String,
    /// What to report of the host.
    pub labels: Labels,
    /// Whether `restart` is offered.
    pub service_manager: bool,
    /// The root helper's socket; with it, `execution` is empty.
    pub helper: Option<PathBuf>,
    /// Where the helper keeps the runs.
    pub helper_state_dir: PathBuf,
    /// What is executed here.
    pub execution: Execution,
    /// Where StaSysMo's files may be; none for the usual places.
    pub stasysmo_paths: Option<Vec<PathBuf>>,
    /// Below which directory the host's resources are read; none where they are not.
    pub resources: Option<PathBuf>,
    /// Failed attempts in a row after which to give up.
    pub max_attempts: Option<u32>,
    /// Whom to tell besides the dashboard.
    pub tell: Tell,
}

/// Where the agent's token comes from.
#[derive(Debug, Clone)]
pub enum TokenSource {
    /// A file; read before every connection, so that a new token needs no restart.
    File(PathBuf),
    /// The variable `NIXFLEET_TOKEN`.
    Environment(Secret),
}

impl TokenSource {
    /// Reads the token.
    ///
    /// # Errors
    /// The file cannot be read or holds none.
    pub fn read(&self) -> anyhow::Result<Secret> {
        match self {
            Self::File(path) => Secret::read(path),
            Self::Environment(secret) => Ok(secret.clone()),
        }
    }

    /// Where it comes from, for messages.
    pub fn place(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Environment(_) => "NIXFLEET_TOKEN".to_owned(),
        }
    }
}

/// What is reported of the host as configured.
#[derive(Debug, Clone)]
pub struct Labels {
    /// Where the host stands.
    pub location: String,
    /// What kind of machine it is.
    pub device_type: String,
    /// A colour, `#rrggbb`.
    pub theme_color: String,
    /// Reported where the system does not say its own.
    pub nixpkgs_version: String,
}

/// Reads and checks the file (if any) and the environment over it. Touches nothing else.
///
/// # Errors
/// What is wrong, with file and line or variable, and what to write instead.
pub fn load(file: Option<&Path>, environment: Environment) -> anyhow::Result<Config> {
    let raw = match file {
        Some(path) => config_file::read::<ConfigFile>(path)?,
        None => ConfigFile::default(),
    };
    let place = file.map_or_else(
        || "no configuration file".to_owned(),
        |path| path.display().to_string(),
    );
    check(raw, environment).map_err(|error| match error {
        CheckError::Key(message) => anyhow::anyhow!("{place}: {message}"),
        CheckError::Variable(name, message) => anyhow::anyhow!("{name}: {message}"),
    })
}

/// What is wrong with values that are fine one by one.
enum CheckError {
    Key(String),
    Variable(&'static str, String),
}

/// Parses an environment variable as the type of the key that it overrides.
fn variable<R, T: TryFrom<R, Error: ToString>>(
    name: &'static str,
    value: Option<R>,
) -> Result<Option<T>, CheckError> {
    value
        .map(|value| {
            T::try_from(value).map_err(|error| CheckError::Variable(name, error.to_string()))
        })
        .transpose()
}

fn check(raw: ConfigFile, environment: Environment) -> Result<Config, CheckError> {
    let interval = environment
        .interval
        .map(|text| {
            text.trim().parse::<i64>().map_err(|_| {
                CheckError::Variable(
                    "NIXFLEET_INTERVAL",
                    format!(
                        "\"{}\" is no number; write seconds, for example 30",
                        text.escape_debug()
                    ),
                )
            })
        })
        .transpose()?;
    let interval: Option<Interval> = variable("NIXFLEET_INTERVAL", interval)?;
    let url: Option<Url> = variable("NIXFLEET_URL", environment.url)?;
    let hostname: Option<HostName> = variable("NIXFLEET_HOSTNAME", environment.hostname)?;
    let log_level: Option<LogLevel> = variable("NIXFLEET_LOG_LEVEL", environment.log_level)?;
    let location: Option<Label> = variable("NIXFLEET_LOCATION", environment.location)?;
    let device_type: Option<Label> = variable("NIXFLEET_DEVICE_TYPE", environment.device_type)?;
    let theme_color: Option<Color> = variable("NIXFLEET_THEME_COLOR", environment.theme_color)?;
    let nixpkgs_version: Option<Label> =
        variable("NIXFLEET_NIXPKGS_VERSION", environment.nixpkgs_version)?;

    let url = url.or(raw.url).ok_or_else(|| {
        CheckError::Key(
            "the key `url` is missing; write url = \"wss://DASHBOARD\" or set NIXFLEET_URL".into(),
        )
    })?;
    let token = match (environment.token_file, environment.token, raw.token_file) {
        (Some(path), _, _) | (None, None, Some(path)) => Some(TokenSource::File(path)),
        (None, Some(token), _) => Some(TokenSource::Environment(token)),
        (None, None, None) => None,
    };
    let credential = match (token, raw.key_file) {
        (Some(token), None) => Credential::Token(token),
        (None, Some(path)) => Credential::KeyFile(path),
        (Some(token), Some(_)) => {
            return Err(CheckError::Key(format!(
                "`key_file` stands beside a token ({}); a host with a key comes in by that alone: remove the token",
                token.place()
            )));
        }
        (None, None) => {
            return Err(CheckError::Key(
                "the key `token_file` is missing; write the agent token into a file and name it: token_file = \"/path\" \
                 (or set NIXFLEET_TOKEN_FILE, or NIXFLEET_TOKEN for ad-hoc use), or give the host its own key with `key_file`"
                    .into(),
            ));
        }
    };
    let sections = Sections {
        allowed_commands: raw.allowed_commands,
        rebuild: raw.rebuild,
        repo: raw.repo,
        commands: raw.commands,
        tests: raw.tests,
        stop: raw.stop,
        limits: raw.limits,
    };
    let of_repo = environment.repo;
    let execution = match &raw.helper {
        None => {
            let mut sections = sections;
            of_repo.override_in(&mut sections.repo);
            Execution::check(sections, raw.service_manager).map_err(CheckError::Key)?
        }
        Some(helper) => {
            if !helper.is_absolute() {
                return Err(CheckError::Key(format!(
                    "`helper` = \"{}\" is relative; write the absolute path of the helper's socket",
                    helper.display()
                )));
            }
            if let Some(key) = sections.any() {
                return Err(CheckError::Key(format!(
                    "`{key}` stands beside `helper`; with a root helper, what is executed is the helper's to say: move `{key}` to {}",
                    crate::agent::helper::CONFIG
                )));
            }
            if let Some(name) = of_repo.any() {
                return Err(CheckError::Variable(
                    name,
                    format!(
                        "is set beside `helper`; write it as [repo] in {}",
                        crate::agent::helper::CONFIG
                    ),
                ));
            }
            Execution::default()
        }
    };
    let interval = Duration::from_secs(u64::from(
        interval.or(raw.interval).map_or(30, Interval::get),
    ));
    let tell = Tell::check(raw.local_api, raw.push, raw.heartbeat_log, interval)
        .map_err(CheckError::Key)?;
    let root = raw.metrics.root.unwrap_or_else(|| "/".into());
    if !root.is_absolute() {
        return Err(CheckError::Key(format!(
            "`metrics.root` = \"{}\" is relative; write the absolute path where the host's root directory is mounted",
            root.display()
        )));
    }
    Ok(Config {
        url: url.get(),
        credential,
        organization: raw.organization.unwrap_or_default(),
        ca_file: raw.ca_file,
        hostname: hostname.or(raw.hostname),
        interval,
        offline_after: raw.offline_after.map(OfflineAfter::get),
        state_dir: environment.state_dir.or(raw.state_dir),
        log_level: log_level
            .or(raw.log_level)
            .map_or_else(|| "info".into(), LogLevel::get),
        labels: Labels {
            location: location
                .or(raw.location)
                .map_or_else(|| "home".into(), Label::get),
            device_type: device_type
                .or(raw.device_type)
                .map_or_else(|| "desktop".into(), Label::get),
            theme_color: theme_color
                .or(raw.theme_color)
                .map_or_else(String::new, Color::get),
            nixpkgs_version: nixpkgs_version.map_or_else(String::new, Label::get),
        },
        service_manager: raw.service_manager,
        helper: raw.helper,
        helper_state_dir: raw
            .helper_state_dir
            .unwrap_or_else(|| crate::agent::helper::STATE_DIR.into()),
        execution,
        stasysmo_paths: raw.metrics.stasysmo_paths,
        resources: raw.metrics.resources.unwrap_or(true).then_some(root),
        max_attempts: raw
            .reconnect
            .max_attempts
            .map(crate::agent::config_file::Attempts::get),
        tell,
    })
}

#[cfg(test)]
mod tests;
