//! The environment of a run's program: colours, no pager, no question, no secret.

use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use crate::agent::run_dir::SupervisorRequest;

/// What is set for every program; the request may set other values.
const SET: &[(&str, &str)] = &[
    ("TERM", "xterm-256color"),
    ("LC_ALL", "C.UTF-8"),
    ("NIX_PAGER", "cat"),
    ("PAGER", "cat"),
    ("GIT_PAGER", "cat"),
    ("SYSTEMD_PAGER", ""),
    ("SYSTEMD_COLORS", "1"),
    ("GIT_TERMINAL_PROMPT", "0"),
    ("SUDO_ASKPASS", "/bin/false"),
    ("NONINTERACTIVE", "1"),
    ("HOMEBREW_NO_ENV_HINTS", "1"),
];

/// What is set unless it is there: an administrator may need another value.
const DEFAULTS: &[(&str, &str)] = &[
    ("GIT_SSH_COMMAND", "ssh -oBatchMode=yes"),
    ("NIX_SSHOPTS", "-oBatchMode=yes"),
];

/// What no program sees: this service's own, and what would change the output's form.
const HIDDEN: &[&str] = &[
    "IN_SYSTEMD",
    "NO_COLOR",
    "COLUMNS",
    "LINES",
    "CREDENTIALS_DIRECTORY",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "NOTIFY_SOCKET",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "MAINPID",
    "SYSTEMD_EXEC_PID",
];

/// Gives `command` its environment.
pub(super) fn apply(
    command: &mut Command,
    request: &SupervisorRequest,
    own: impl Iterator<Item = (OsString, OsString)>,
) {
    command.env_clear();
    for (name, value) in own {
        let text = name.to_string_lossy();
        let hidden = text.starts_with("NIXFLEET_") || HIDDEN.contains(&text.as_ref());
        if !hidden && (request.inherit_env || text == "PATH") {
            command.env(&name, value);
        }
    }
    for (name, value) in DEFAULTS {
        let there = command.get_envs().any(|(known, _)| known == *name);
        if !there {
            command.env(name, value);
        }
    }
    command.envs(SET.iter().copied());
    command.envs(request.env.iter().map(|(name, value)| (name, value)));
}

/// Settings of Nix for a rebuild, beside those that are in the environment already: how much of a failed build's log it
/// prints, and where it writes its records. `NIX_CONFIG` reaches every Nix that the rebuild starts, and no builder.
pub(super) fn set_nix_config(command: &mut Command, records: Option<&Path>) {
    let there = command
        .get_envs()
        .find(|(name, _)| *name == "NIX_CONFIG")
        .and_then(|(_, value)| value)
        .map(OsStr::to_owned);
    let mut config = there.unwrap_or_default();
    let known = config.to_string_lossy().into_owned();
    let mut add = |name: &str, value: &OsStr| {
        if !known
            .lines()
            .any(|line| line.trim_start().starts_with(name))
        {
            if !config.is_empty() {
                config.push("\n");
            }
            config.push(name);
            config.push(" = ");
            config.push(value);
        }
    };
    add("log-lines", OsStr::new("25"));
    if let Some(records) = records {
        add("json-log-path", records.as_os_str());
    }
    command.env("NIX_CONFIG", config);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(there: Option<&str>, records: Option<&str>, expected: &str) {
        let mut command = Command::new("true");
        command.env_clear();
        command.envs(there.map(|config| ("NIX_CONFIG", config)));
        set_nix_config(&mut command, records.map(Path::new));
        let (_, value) = command.get_envs().next().unwrap();
        assert_eq!(value.unwrap().to_str().unwrap(), expected);
    }

    #[test]
    fn settings_of_nix_are_added_and_never_replaced() {
        check(None, None, "log-lines = 25");
        check(
            None,
            Some("/r/records"),
            "log-lines = 25\njson-log-path = /r/records",
        );
        check(
            Some("cores = 2\nlog-lines = 50"),
            Some("/r/records"),
            "cores = 2\nlog-lines = 50\njson-log-path = /r/records",
        );
        check(
            Some("json-log-path = /mine"),
            Some("/r"),
            "json-log-path = /mine\nlog-lines = 25",
        );
    }
}
