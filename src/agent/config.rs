//! The agent's settings, checked once at start: the file first, then the environment over it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::agent::config_file::{
    Color, ConfigFile, DeclaredCommand, Interval, Label, LogLevel, MAX_COMMANDS, Tool, Url,
};
use crate::agent::environment::Environment;
use crate::base::config_file;
use crate::base::secret::Secret;
use crate::run::id::{CommandName, HostName};

/// All that the agent needs to know.
#[derive(Debug)]
pub struct Config {
    /// The dashboard's WebSocket address, `ws://` or `wss://`, ending in `/ws`.
    pub url: String,
    /// Where the token comes from.
    pub token: TokenSource,
    /// Certificates trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// The name to register under.
    pub hostname: Option<HostName>,
    /// Between heartbeats; whole seconds.
    pub interval: Duration,
    /// Where journals of runs are kept.
    pub state_dir: Option<PathBuf>,
    /// For `base::logging`.
    pub log_level: String,
    /// What to report of the host.
    pub labels: Labels,
    /// Whether `restart` is offered.
    pub service_manager: bool,
    /// How the host is rebuilt.
    pub rebuild: Rebuild,
    /// The configuration's repository, when there is one.
    pub repo: Option<Repo>,
    /// The only commands that may be offered; none for all that can work here.
    pub allowed_commands: Option<Vec<CommandName>>,
    /// Declared commands.
    pub commands: Vec<(CommandName, DeclaredCommand)>,
    /// Where StaSysMo's files may be; none for the usual places.
    pub stasysmo_paths: Option<Vec<PathBuf>>,
    /// Failed attempts in a row after which to give up.
    pub max_attempts: Option<u32>,
    /// Directory of the host's test scripts.
    pub tests_dir: Option<PathBuf>,
    /// Between SIGTERM and SIGKILL when a run is stopped.
    pub stop_grace: Duration,
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

/// How the host is rebuilt.
#[derive(Debug, Clone, Default)]
pub struct Rebuild {
    /// Which tool; none for the operating system's.
    pub tool: Option<Tool>,
    /// The program; none for the tool's name on PATH.
    pub program: Option<PathBuf>,
    /// For `--flake`.
    pub flake: Option<String>,
    /// Further arguments for every action.
    pub args: Vec<String>,
}

/// The configuration's repository.
#[derive(Debug, Clone)]
pub struct Repo {
    /// Where to clone from; none when the working copy is its user's.
    pub url: Option<String>,
    /// The working copy; none for a clone in the state directory.
    pub dir: Option<PathBuf>,
    /// The branch.
    pub branch: String,
    /// Private key for ssh.
    pub ssh_key_file: Option<PathBuf>,
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
        (Some(path), _, _) | (None, None, Some(path)) => TokenSource::File(path),
        (None, Some(token), _) => TokenSource::Environment(token),
        (None, None, None) => {
            return Err(CheckError::Key(
                "the key `token_file` is missing; write the agent token into a file and name it: token_file = \"/path\" \
                 (or set NIXFLEET_TOKEN_FILE, or NIXFLEET_TOKEN for ad-hoc use)"
                    .into(),
            ));
        }
    };
    let repo_url = environment.repo_url.or(raw.repo.url);
    let repo_dir = environment.repo_dir.or(raw.repo.dir);
    for (key, text) in [("url", &repo_url), ("branch", &raw.repo.branch)] {
        // git would take it for an option.
        if text.as_deref().is_some_and(|text| text.starts_with('-')) {
            return Err(CheckError::Key(format!(
                "`repo.{key}` begins with `-`; write it without"
            )));
        }
    }
    if let Some(dir) = repo_dir.as_ref().filter(|dir| !dir.is_absolute()) {
        return Err(CheckError::Key(format!(
            "`repo.dir` = \"{}\" is relative; write an absolute path",
            dir.display()
        )));
    }
    if raw.commands.len() > MAX_COMMANDS {
        return Err(CheckError::Key(format!(
            "`commands` has {} entries; at most {MAX_COMMANDS} are possible",
            raw.commands.len()
        )));
    }
    if let Some(name) = raw
        .commands
        .keys()
        .find(|name| crate::agent::commands::is_built_in(name))
    {
        return Err(CheckError::Key(format!(
            "`commands.{name}` has the name of a built-in command; choose another name"
        )));
    }
    let unknown = raw.allowed_commands.iter().flatten().find(|name| {
        !crate::agent::commands::is_built_in(name) && !raw.commands.contains_key(name)
    });
    if let Some(name) = unknown {
        return Err(CheckError::Key(format!(
            "`allowed_commands` names `{name}`, which is neither built in nor declared; correct the name or declare [commands.{name}]"
        )));
    }
    Ok(Config {
        url: url.get(),
        allowed_commands: raw.allowed_commands,
        token,
        ca_file: raw.ca_file,
        hostname: hostname.or(raw.hostname),
        interval: Duration::from_secs(u64::from(
            interval.or(raw.interval).map_or(30, Interval::get),
        )),
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
        rebuild: Rebuild {
            tool: raw.rebuild.tool,
            program: raw.rebuild.program,
            flake: raw.rebuild.flake,
            args: raw.rebuild.args,
        },
        repo: (repo_url.is_some() || repo_dir.is_some()).then(|| Repo {
            url: repo_url,
            dir: repo_dir,
            branch: environment
                .branch
                .or(raw.repo.branch)
                .unwrap_or_else(|| "main".into()),
            ssh_key_file: environment.ssh_key.or(raw.repo.ssh_key_file),
        }),
        commands: raw.commands.into_iter().collect(),
        stasysmo_paths: raw.metrics.stasysmo_paths,
        max_attempts: raw
            .reconnect
            .max_attempts
            .map(crate::agent::config_file::Attempts::get),
        tests_dir: raw.tests.dir,
        stop_grace: Duration::from_secs(u64::from(
            raw.stop
                .grace
                .map_or(10, crate::agent::config_file::Seconds::get),
        )),
    })
}

#[cfg(test)]
mod tests;
