//! The dashboard's command line: run it, check its configuration, and say who may come in.

mod backup;
mod doctor;
mod keys;
mod people;
mod push_keys;
mod start;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::dashboard::access::Role;
use crate::dashboard::alerts::settings::time::Length;
use crate::dashboard::config::Settings;
use crate::run::id::HostName;
use crate::wire::key::PublicKey;
use crate::wire::subject::Organization;

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
    /// Keys of hosts that push their heartbeats over HTTP.
    #[command(subcommand)]
    PushKey(PushKey),
    /// People with a login.
    #[command(subcommand)]
    User(User),
    /// Key pairs of agents: each lets one host in, and closes the shared token to it.
    #[command(subcommand)]
    Key(Key),
}

#[derive(Debug, Subcommand)]
enum Key {
    /// Let a host in by its key; `nixfleet-agent key create FILE` on the host prints it.
    Add {
        /// The host's name.
        host: HostName,
        /// The public key, 44 characters.
        public_key: PublicKey,
        /// In which organization it speaks; by default the one without a name.
        #[arg(long, value_name = "NAME", default_value = "")]
        organization: Organization,
    },
    /// List the keys.
    List,
    /// Remove a key; its connection is closed within seconds.
    Remove {
        /// The public key.
        public_key: PublicKey,
    },
}

#[derive(Debug, Subcommand)]
enum PushKey {
    /// Make a key of a host and print it, once. Those that it has stay valid.
    Create {
        /// The host's name; it may be new.
        host: HostName,
    },
    /// List the hosts that have keys; the keys themselves are not kept.
    List,
    /// Make all keys of a host invalid.
    Revoke {
        /// The host's name.
        host: HostName,
    },
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
        /// After which time it ends, such as 90d; without, never.
        #[arg(long, value_name = "TIME", value_parser = Length::parse)]
        expires: Option<Length>,
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
    /// Ask somebody for a one-time code too, from now on; prints the secret for an authenticator, once.
    Totp {
        /// Whom.
        name: String,
        /// A file with the secret in base32 in its first line, such as an earlier dashboard's, instead of a new one.
        #[arg(long, value_name = "FILE", conflicts_with = "off")]
        secret_file: Option<PathBuf>,
        /// Ask for none any more.
        #[arg(long)]
        off: bool,
    },
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
        Command::PushKey(command) => push_keys::push_key(&settings, command),
        Command::User(command) => people::user(&settings, command),
        Command::Key(command) => keys::key(&settings, command),
    }
}
