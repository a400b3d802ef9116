//! The environment of a run's program: colours, no pager, no question, no secret.

use std::ffi::OsString;
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
