//! Commands that are more than one program: executed by a hidden subcommand of the agent, inside the run's terminal.
//!
//! The steps travel as one JSON argument that the agent itself wrote; they hold no secret. Each program inherits the
//! terminal, so its output is the run's output. The first step that fails ends it with that step's exit status.

pub mod pull;
pub mod tests_dir;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use serde::{Deserialize, Serialize};

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// One program.
    Run {
        /// The program and its arguments.
        argv: Vec<String>,
        /// Where it starts.
        cwd: Option<PathBuf>,
    },
    /// Bring a working copy up to date.
    Pull(pull::Pull),
    /// Run a directory's test scripts.
    Tests {
        /// The directory.
        dir: PathBuf,
    },
    /// Print a sentence.
    Say {
        /// The sentence.
        text: String,
    },
}

/// Why a step failed: what to print, if the program did not say it itself, and the exit status.
#[derive(Debug)]
pub struct StepError {
    /// In words.
    pub message: Option<String>,
    /// For the whole run.
    pub exit: u8,
}

impl StepError {
    /// A failure with a message and exit status 1.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: Some(message.into()),
            exit: 1,
        }
    }
}

/// Performs the steps that `json` names; the answer is the process's exit status.
pub fn perform(json: &str) -> ExitCode {
    let steps: Vec<Step> = match serde_json::from_str(json) {
        Ok(steps) => steps,
        Err(error) => {
            eprintln!(
                "nixfleet-agent steps: not a list of steps: {error}; only the agent itself calls this"
            );
            return ExitCode::from(2);
        }
    };
    for step in &steps {
        if let Err(error) = step.perform() {
            if let Some(message) = error.message {
                eprintln!("error: {message}");
            }
            return ExitCode::from(error.exit);
        }
    }
    ExitCode::SUCCESS
}

impl Step {
    fn perform(&self) -> Result<(), StepError> {
        match self {
            Self::Run { argv, cwd } => {
                let Some((program, args)) = argv.split_first() else {
                    return Err(StepError::new("a step without a program"));
                };
                let mut command = Command::new(program);
                command.args(args);
                if let Some(cwd) = cwd {
                    command.current_dir(cwd);
                }
                succeed(&mut command)
            }
            Self::Pull(pull) => pull.perform(),
            Self::Tests { dir } => tests_dir::run(dir),
            Self::Say { text } => {
                println!("{text}");
                Ok(())
            }
        }
    }
}

/// Runs a program on the terminal and answers how it ended.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus, StepError> {
    let program = Path::new(command.get_program()).display().to_string();
    command
        .stdin(Stdio::null())
        .env_remove(crate::agent::environment::TOKEN)
        .status()
        .map_err(|error| StepError::new(format!("{program}: cannot be started: {error}")))
}

/// As [`status`]; anything but success is an error with the program's own exit status, 128 and the signal when it was killed.
pub(crate) fn succeed(command: &mut Command) -> Result<(), StepError> {
    use std::os::unix::process::ExitStatusExt as _;
    let status = status(command)?;
    if status.success() {
        return Ok(());
    }
    let exit = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    Err(StepError {
        message: None,
        exit: exit.and_then(|exit| u8::try_from(exit).ok()).unwrap_or(1),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(argv: &[&str]) -> Step {
        Step::Run {
            argv: argv.iter().map(|part| (*part).to_owned()).collect(),
            cwd: None,
        }
    }

    #[test]
    fn a_program_fails_with_its_own_exit_status() {
        assert!(run(&["true"]).perform().is_ok());
        assert_eq!(run(&["sh", "-c", "exit 4"]).perform().unwrap_err().exit, 4);
        assert_eq!(
            run(&["sh", "-c", "kill -TERM $$"])
                .perform()
                .unwrap_err()
                .exit,
            143
        );
        let error = run(&["/nowhere/tool"]).perform().unwrap_err();
        assert!(
            error
                .message
                .unwrap()
                .starts_with("/nowhere/tool: cannot be started")
        );
    }
}
