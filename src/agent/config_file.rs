//! The agent's TOML file as it is written, before it is checked as a whole.
//!
//! Values that can be wrong by themselves have types of their own, so that an error points at the line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::run::id::{CommandName, HostName};

/// The longest description, location and the like, in characters.
pub const MAX_LABEL: usize = 200;
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
    /// PEM file with certificates that are trusted beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// The name to register under; the system's by default.
    pub hostname: Option<HostName>,
    /// Seconds between heartbeats; 30 by default.
    pub interval: Option<Interval>,
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
    /// How the host is rebuilt.
    #[serde(default)]
    pub rebuild: Rebuild,
    /// The configuration's repository.
    #[serde(default)]
    pub repo: Repo,
    /// Further commands, by name.
    #[serde(default)]
    pub commands: BTreeMap<CommandName, DeclaredCommand>,
    /// Where metrics come from.
    #[serde(default)]
    pub metrics: MetricsPaths,
    /// When to give up.
    #[serde(default)]
    pub reconnect: Reconnect,
    /// The host's own test scripts.
    #[serde(default)]
    pub tests: Tests,
    /// How a run is stopped.
    #[serde(default)]
    pub stop: Stop,
}

/// `[rebuild]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// Which tool; by default the one of the operating system.
    pub tool: Option<Tool>,
    /// The program, a path or a name on PATH; by default the tool's name.
    pub program: Option<PathBuf>,
    /// The flake reference for `--flake`; the repository's directory by default.
    pub flake: Option<String>,
    /// Further arguments for every action.
    #[serde(default)]
    pub args: Vec<String>,
}

/// A program that rebuilds a system or a home.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tool {
    /// NixOS.
    NixosRebuild,
    /// macOS with nix-darwin.
    DarwinRebuild,
    /// A home without its system.
    HomeManager,
}

/// `[repo]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Repo {
    /// Where to clone from. With it the directory is the agent's own clone: `pull` makes it equal to the branch.
    pub url: Option<String>,
    /// The working copy; without `url` it is its user's, and `pull` only fast-forwards it.
    pub dir: Option<PathBuf>,
    /// The branch; `main` by default.
    pub branch: Option<String>,
    /// Private key for ssh.
    pub ssh_key_file: Option<PathBuf>,
}

/// `[commands.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredCommand {
    /// Program and arguments; no shell reads them.
    pub argv: Argv,
    /// What it does, in a sentence.
    pub description: Option<Label>,
    /// Seconds after which it is stopped; none by default.
    pub timeout: Option<Seconds>,
    /// Whether the operator may add arguments.
    #[serde(default)]
    pub allow_args: bool,
}

/// `[metrics]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsPaths {
    /// StaSysMo's files: a `snapshot` file, or a directory of either layout.
    pub stasysmo_paths: Option<Vec<PathBuf>>,
}

/// `[reconnect]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconnect {
    /// Failed attempts in a row after which the agent exits with an error; without it, never.
    pub max_attempts: Option<std::num::NonZeroU32>,
}

/// `[tests]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tests {
    /// Directory whose executable files the command `test` runs.
    pub dir: Option<PathBuf>,
}

/// `[stop]`
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Seconds between SIGTERM and SIGKILL; 10 by default.
    pub grace: Option<Seconds>,
}

macro_rules! checked {
    ($(#[$doc:meta])* $name:ident($inner:ty) from $raw:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(try_from = $raw)]
        pub struct $name($inner);

        impl $name {
            /// The value.
            pub fn get(self) -> $inner {
                self.0
            }
        }
    };
}

checked!(
    /// The dashboard's WebSocket address, ending in `/ws`.
    Url(String) from "String"
);
checked!(
    /// Seconds between heartbeats, 1 to 3600.
    Interval(u32) from "i64"
);
checked!(
    /// Seconds, 1 to a week.
    Seconds(u32) from "i64"
);
checked!(
    /// A level of `base::logging`.
    LogLevel(String) from "String"
);
checked!(
    /// A short text without control characters.
    Label(String) from "String"
);
checked!(
    /// A colour as `#rrggbb`.
    Color(String) from "String"
);
checked!(
    /// A program and its arguments.
    Argv(Vec<String>) from "Vec<String>"
);

impl TryFrom<String> for Url {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let rest_of = |schemes: [&str; 2]| {
            schemes
                .iter()
                .find_map(|scheme| text.strip_prefix(scheme))
                .map(str::to_owned)
        };
        let (scheme, rest) = if let Some(rest) = rest_of(["wss://", "https://"]) {
            ("wss", rest)
        } else if let Some(rest) = rest_of(["ws://", "http://"]) {
            ("ws", rest)
        } else {
            return Err(format!(
                "`url` = \"{}\" has no scheme; write wss://HOST or ws://HOST:PORT",
                shown(&text)
            ));
        };
        let rest = rest.trim_end_matches('/');
        let rest = rest.strip_suffix("/ws").unwrap_or(rest);
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.is_empty()
            || rest.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '@')
            })
        {
            return Err(format!(
                "`url` = \"{}\" is no address of a dashboard; write wss://HOST or ws://HOST:PORT, without user, query or fragment",
                shown(&text)
            ));
        }
        Ok(Self(format!("{scheme}://{rest}/ws")))
    }
}

impl TryFrom<i64> for Interval {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        match u32::try_from(value) {
            Ok(seconds @ 1..=3600) => Ok(Self(seconds)),
            _ => Err(format!(
                "`interval` = {value} is not possible; write the seconds between heartbeats, 1 to 3600 (30 is usual)"
            )),
        }
    }
}

impl TryFrom<i64> for Seconds {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        match u32::try_from(value) {
            Ok(seconds @ 1..=604_800) => Ok(Self(seconds)),
            _ => Err(format!(
                "{value} is not possible here; write seconds, 1 to 604800"
            )),
        }
    }
}

impl TryFrom<String> for LogLevel {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let known = ["error", "warn", "info", "debug", "trace"];
        let lower = text.to_ascii_lowercase();
        // A filter such as `nixfleet=debug` is for those who look for a fault.
        if known.contains(&lower.as_str()) || text.contains('=') {
            return Ok(Self(lower));
        }
        Err(format!(
            "`log_level` = \"{}\" is not known; write {}",
            shown(&text),
            known.join(", ")
        ))
    }
}

impl TryFrom<String> for Label {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().count() > MAX_LABEL || text.contains(char::is_control) {
            return Err(format!(
                "\"{}\" is too long or has control characters; write at most {MAX_LABEL} visible characters",
                shown(&text)
            ));
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Color {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text));
        }
        Err(format!(
            "`theme_color` = \"{}\" is no colour; write #rrggbb, for example #7aa2f7",
            shown(&text)
        ))
    }
}

impl TryFrom<Vec<String>> for Argv {
    type Error = String;
    fn try_from(argv: Vec<String>) -> Result<Self, String> {
        if argv.first().is_none_or(String::is_empty) || argv.iter().any(|part| part.contains('\0'))
        {
            return Err(
                "`argv` names no program; write argv = [\"/path/to/program\", \"argument\"]".into(),
            );
        }
        Ok(Self(argv))
    }
}

/// What an error shows of a bad text: escaped, and not all of it.
fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
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
        check("[reconnect]\nmax_attempts = 0", 2, "nonzero");
        check("[stop]\ngrace = -1", 2, "write seconds");
        check("[local_api]\nlisten = \"x\"", 1, "unknown key `local_api`");
    }

    #[test]
    fn urls_are_completed() {
        for (text, expected) in [
            ("ws://localhost:8000/ws", "ws://localhost:8000/ws"),
            ("ws://localhost:8000", "ws://localhost:8000/ws"),
            ("http://[::1]:80/", "ws://[::1]:80/ws"),
            ("https://dash.lan/fleet", "wss://dash.lan/fleet/ws"),
            ("wss://dash.lan/fleet/ws/", "wss://dash.lan/fleet/ws"),
        ] {
            assert_eq!(Url::try_from(text.to_owned()).unwrap().get(), expected);
        }
    }
}
