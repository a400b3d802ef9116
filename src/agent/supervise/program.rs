//! The program that a run executes.

use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus};

use crate::agent::pty::Pty;
use crate::agent::run_dir::SupervisorRequest;
use crate::agent::supervise::environment;
use crate::run::kind::RunKind;
use crate::run::summary::Ended;

/// Starts the program; `records` is the socket where Nix is to write its records. The error says what is missing and what
/// to do.
pub(super) fn spawn(request: &SupervisorRequest, records: Option<&Path>) -> Result<Pty, String> {
    let Some((program, arguments)) = request.argv.split_first() else {
        return Err("the request names no program".to_owned());
    };
    let mut command = Command::new(program);
    command.args(arguments);
    environment::apply(&mut command, request, std::env::vars_os());
    if matches!(request.kind, RunKind::Rebuild { .. }) {
        environment::set_nix_config(&mut command, records);
    }
    if let Some(cwd) = &request.cwd {
        if !cwd.is_dir() {
            return Err(format!(
                "its working directory {} is not there; make it or change the configuration",
                cwd.display()
            ));
        }
        command.current_dir(cwd);
    }
    Pty::spawn(command).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let setting = match &request.kind {
                RunKind::Rebuild { .. } => "`program` in `[rebuild]`",
                RunKind::Plain => "`argv` of the command",
            };
            format!("the program {program} is not there; install it, or set {setting} to its path")
        }
        io::ErrorKind::PermissionDenied => {
            format!("the program {program} may not be executed: {error}")
        }
        _ => format!("the program {program} does not start: {error}"),
    })
}

/// The outcome of the process.
pub(super) fn ended(status: ExitStatus) -> Ended {
    match (status.code(), status.signal()) {
        (Some(code), _) => Ended::Exited(code),
        (None, Some(signal)) => Ended::Signaled(signal),
        (None, None) => Ended::Unknown,
    }
}
