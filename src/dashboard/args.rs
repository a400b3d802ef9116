//! The dashboard's command line: run it, check its configuration, and say who may come in.

mod backup;
mod doctor;
mod people;
mod start;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::dashboard::access::Role;
use crate::dashboard::config::Settings;

/// What the program is told.
#[derive(Debug, Parser)]
#[command(
    name = "nixfleet-dashboard",
    version,
    about = "The dashboard of a fleet of NixOS and macOS hosts"
)]
struct Args {
    /// The configuration, a TOML file. Without it: defaults and the environment.
    #[arg(
        long,
        value_name = "FILE",
        global = true,
        env = "NIXFLEET_DASHBOARD_CONFIG"
    )]
    config: Option<PathBuf>,
    /// Serve the page's files from this folder instead of the ones built in.
    #[arg(long, value_name = "DIR")]
    ui_dir: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the dashboard; this is the default.
    Run,
    /// Say whether the configuration is valid. Needs no secret and no network.
    CheckConfig,
    /// Look whether the store is whole, also while the dashboard runs. Changes nothing.
    ///
    /// Exits with 0 when all is well or only warnings are found, and with 1 when something is broken.
    Doctor {
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Copy the store to a file, also while the dashboard runs.
    #[command(after_help = backup::RESTORE, after_long_help = backup::RESTORE)]
    Backup {
        /// Where to; the file is there only when the copy is whole and checked.
        file: PathBuf,
        /// Replace a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// API tokens, for scripts and for the `nixfleet` command.
    #[command(subcommand)]
    Token(Token),
    /// People with a login.
    #[command(subcommand)]
    User(User),
}

#[derive(Debug, Subcommand)]
enum Token {
    /// Make a token and print it, once.
    Create {
        /// What to call it.
        name: String,
        /// What it may do.
        #[arg(long, value_enum)]
        role: Role,
    },
    /// List the tokens; they themselves are not kept.
    List,
    /// Make a token invalid.
    Revoke {
        /// Which one.
        name: String,
    },
}

#[derive(Debug, Subcommand)]
enum User {
    /// Add somebody.
    Create {
        /// The name to log in with.
        name: String,
        /// What they may do.
        #[arg(long, value_enum)]
        role: Role,
        /// A file with the password in its first line.
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
    },
    /// List who has a login.
    List,
    /// Remove somebody and end their sessions.
    Delete {
        /// Whom.
        name: String,
    },
}

/// The whole program, for the process's own arguments.
pub fn main() -> ExitCode {
    main_with(std::env::args_os())
}

/// The whole program, for arguments that begin with the program's name. Errors are one line on standard error.
pub fn main_with(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(error.exit_code() as u8);
        }
    };
    match perform(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nixfleet-dashboard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(args: Args) -> anyhow::Result<()> {
    let settings = Settings::load(args.config.as_deref(), |name| std::env::var(name).ok())?;
    match args.command.unwrap_or(Command::Run) {
        Command::Run => start::run(&settings, args.ui_dir),
        Command::CheckConfig => {
            println!("the configuration is valid");
            Ok(())
        }
        Command::Doctor { json } => doctor::run(&settings, json),
        Command::Backup { file, force } => backup::run(&settings, &file, force),
        Command::Token(command) => people::token(&settings, command),
        Command::User(command) => people::user(&settings, command),
    }
}
