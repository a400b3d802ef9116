//! The agent's TOML file as it is written, before it is checked as a whole.
//!
//! Values that can be wrong by themselves have types of their own, so that an error points at the line.

mod sections;
mod tell;
mod values;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::run::id::{CommandName, HostName};
use crate::wire::subject::Organization;
pub use sections::{DeclaredCommand, LimitsTable, Rebuild, Repo, Sections, Stop, Tests, Tool};
pub use tell::{Compression, HeartbeatLogTable, Listen, LocalApiTable, PushTable};
pub use values::{
    Argv, Attempts, Color, Interval, Label, LogLevel, Memory, Nice, OfflineAfter, Seconds,
    TasksMax, Url, Weight,
};

/// The most commands that a file may declare.
pub const MAX_COMMANDS: usize = 100;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigFile {
    /// The dashboard, with or without `/ws`; `http(s)://` is read as `ws(s)://`.
    pub url: Option<Url>,
    /// File with the agent's token in its first line.
    pub token_file: Option<PathBuf>,
    /// File with the host's own private key, instead of `token_file`; `nixfleet-agent key create` makes it.
    pub key_file: Option<PathBuf>,
    /// Whose messages by subject the agent speaks and hears; those of the organization without a name by default.
    pub organization: Option<Organization>,
    /// PEM file with certificates that are trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// The name to register under; the system's by default.
    pub hostname: Option<HostName>,
    /// Seconds between heartbeats; 30 by default.
    pub interval: Option<Interval>,
    /// After how many intervals of silence the host counts as offline; the dashboard's own setting by default.
    pub offline_after: Option<OfflineAfter>,
    /// Where journals of runs are kept.
    pub state_dir: Option<PathBuf>,
    /// `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: Option<LogLevel>,
    /// Where the host stands; `home` by default.
    pub location: Option<Label>,
    /// What kind of machine it is; `desktop` by default.
    pub device_type: Option<Label>,
    /// A colour for the host's name, `#rrggbb`.
    pub theme_color: Option<Color>,
    /// A service manager starts the agent again whenever it exits: the command `restart` is offered.
    #[serde(default)]
    pub service_manager: bool,
    /// The root helper's socket; with it, what is executed stands in the helper's own file and not here.
    pub helper: Option<PathBuf>,
    /// Where the helper keeps the runs: its own `state_dir`.
    pub helper_state_dir: Option<PathBuf>,
    /// The only commands that are offered; without it, all that can work here.
    pub allowed_commands: Option<Vec<CommandName>>,
    /// How the host is rebuilt.
    pub rebuild: Option<Rebuild>,
    /// The configuration's repository.
    pub repo: Option<Repo>,
    /// Further commands, by name.
    pub commands: Option<BTreeMap<CommandName, DeclaredCommand>>,
    /// Where metrics come from.
    #[serde(default)]
    pub metrics: MetricsPaths,
    /// When to give up.
    #[serde(default)]
    pub reconnect: Reconnect,
    /// The host's own test scripts.
    pub tests: Option<Tests>,
    /// How a run is stopped.
    pub stop: Option<Stop>,
    /// What a run may use.
    pub limits: Option<LimitsTable>,
    /// Where programs of this host may ask.
    pub local_api: Option<LocalApiTable>,
    /// Back-ends that get heartbeats as well.
    #[serde(default)]
    pub push: Vec<PushTable>,
    /// A log of heartbeats on this host.
    pub heartbeat_log: Option<HeartbeatLogTable>,
}

/// `[metrics]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsPaths {
    /// StaSysMo's files: a `snapshot` file, or a directory of either layout.
    pub stasysmo_paths: Option<Vec<PathBuf>>,
    /// Whether the agent reads the host's resources by itself; it does by default.
    pub resources: Option<bool>,
    /// The host's root directory, for an agent in a container that has it mounted; `/` by default.
    pub root: Option<PathBuf>,
}

/// `[reconnect]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconnect {
    /// Failed attempts in a row after which the agent exits with an error; without it, never.
    pub max_attempts: Option<Attempts>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config_file::parse;

    #[track_caller]
    fn check(text: &str, line: usize, part: &str) {
        let (at, message) = parse::<ConfigFile>(text).unwrap_err();
        assert_eq!(at, line, "{message}");
        assert!(message.contains(part), "{message}");
        assert!(!message.contains('\n'), "{message}");
    }

    #[test]
    fn errors_name_line_key_and_fix() {
        check(
            "\ninterval = 0",
            2,
            "`interval` = 0 is not possible; write the seconds",
        );
        check("interval = 4000", 1, "1 to 3600");
        for times in [1, 101] {
            let text = format!("offline_after = {times}");
            check(&text, 1, "is not possible; write how many heartbeats");
        }
        check(
            "\n\nurl = \"dash.lan\"",
            3,
            "`url` = \"dash.lan\" has no scheme; write wss://HOST",
        );
        check("url = \"ws://\"", 1, "is no address of a dashboard");
        check("url = \"wss://user@dash\"", 1, "without user");
        check("hostname = \"<b>\"", 1, "host name `<b>` has a character");
        check(
            "log_level = \"loud\"",
            1,
            "write error, warn, info, debug, trace",
        );
        check("theme_color = \"red\"", 1, "write #rrggbb");
        check("intervall = 3", 1, "did you mean `interval`?");
        check("[rebuild]\ntool = \"nixos\"", 2, "nixos-rebuild");
        check("[rebuild]\nflakes = \"x\"", 2, "did you mean `flake`?");
        check("[commands.hello]\nargv = []", 2, "names no program");
        check(
            "[commands.Hello]\nargv = [\"a\"]",
            1,
            "command name `Hello` is not valid",
        );
        check(
            "[commands.hello]\ndescription = \"no argv\"",
            1,
            "missing field `argv`",
        );
        check("[reconnect]\nmax_attempts = 0", 2, "write 1 or more");
        check("[stop]\ngrace = -1", 2, "write seconds");
        check("[limits]\nmemory_max = \"much\"", 2, "`memory_max`");
        check("[limits]\ncpu_weight = 0", 2, "1 to 10000");
        check("[limits]\njournal_max = 0", 2, "mebibytes");
        check("[limits]\nnice = -5", 2, "0 to 19");
        check(
            "[commands.x]\nargv = [\"a\"]\nargs = [\"path\"]",
            3,
            "generation",
        );
        check("[local_api]\nlisten = \"x\"", 2, "is no address; write");
        check("[local_api]\nport = 1", 2, "known keys here: listen");
        check("[[push]]\nurl = \"ftp://x\"", 2, "write https://HOST");
        check("[[push]]\napi_key_file = \"/k\"", 1, "missing field `url`");
        check(
            "[[push]]\nurl = \"http://x\"\ncompression = \"gzip\"",
            3,
            "zstd",
        );
        check(
            "[heartbeat_log]\ndir = \"/l\"\nkeep_days = 0",
            3,
            "days, 1 to 3650",
        );
        check("[locl_api]\nlisten = \"x\"", 1, "did you mean `local_api`?");
    }
}
