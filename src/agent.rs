//! The program on each host.
//!
//! A run has a process of its own (`supervise`), which owns the terminal and writes the journal. The agent starts it, follows the journal
//! and ships it; either may die. Nothing here evaluates Nix unasked.
//!
//! For other programs, [`HeartbeatAgent`] is the same connection without runs: heartbeats, and messages by subject.

pub mod args;
pub mod ask;
pub mod commands;
pub mod config;
pub mod config_file;
pub mod credential;
pub mod environment;
pub mod facts;
pub mod ground_truth;
pub mod health;
pub mod heartbeat;
pub mod heartbeat_agent;
pub mod heartbeat_log;
pub mod helper;
pub mod identity;
pub mod journal;
pub mod key_file;
pub mod launch;
pub mod launcher;
pub mod local_api;
pub mod metrics;
pub mod notify;
pub mod parse;
pub mod pty;
pub mod push;
pub mod register;
pub mod replace;
pub mod resources;
pub mod run_dir;
pub mod runs;
pub mod shipper;
pub mod start;
pub mod stasysmo;
pub mod state_dir;
pub mod statement;
pub mod status;
pub mod steps;
pub mod subjects;
pub mod supervise;
pub mod tell;
pub mod uplink;

pub use heartbeat_agent::{
    BuildError, Builder, Client, ConnectionHealth, HeartbeatAgent, Message, MessageError,
    Reconnect, RunningAgent,
};

use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Action, Args};
use launch::SelfCommand;

/// The whole program, for its own binary and for one that takes its role. `args` begins with the program's name;
/// `self_command` is how to execute the program in this role again.
pub fn main_with(args: impl IntoIterator<Item = OsString>, self_command: SelfCommand) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = match args.action {
        None => start::run(args.config.as_deref(), args.once, self_command).map(|()| 0),
        Some(Action::CheckConfig { config, helper }) => {
            return start::check_config(&config, helper);
        }
        Some(Action::Key(command)) => key(&command).map(|()| 0),
        Some(Action::Status { config, json }) => return ask::run(config.as_deref(), json),
        Some(Action::Steps { steps }) => return steps::perform(&steps),
        Some(Action::Helper { config, socket }) => {
            helper::run(config.as_deref(), socket.as_deref(), self_command).map(|()| 0)
        }
        Some(Action::Supervise { run_dir }) => supervise(&run_dir),
        Some(Action::Parse {
            follow: false,
            exit,
            structured,
            file: Some(file),
        }) => {
            let mut out = std::io::BufWriter::new(std::io::stdout().lock());
            parse::run(&file, exit, structured.as_deref(), &mut out)
                .and_then(|()| Ok(std::io::Write::flush(&mut out)?))
                .map(|()| 0)
        }
        // Without a file it was asked to follow: the command line sees to that.
        Some(Action::Parse { file, .. }) => parse::follow::run(file.as_deref()),
    };
    match done {
        Ok(exit) => ExitCode::from(u8::try_from(exit).unwrap_or(1)),
        Err(error) => {
            eprintln!("nixfleet-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// A supervisor in a session of its own: what happens to the agent's terminal or process group is nothing to it.
fn supervise(run_dir: &Path) -> anyhow::Result<i32> {
    if let Err(error) = nix::unistd::setsid() {
        // It leads a group already, which somebody who starts it by hand at a terminal sees.
        tracing::debug!("no session of its own: {error}");
    }
    supervise::run(run_dir)
}

/// `key create` and `key show`: both print the public half alone.
fn key(command: &args::Key) -> anyhow::Result<()> {
    let key = match command {
        args::Key::Create { file } => key_file::KeyPair::create(file)?,
        args::Key::Show { file } => key_file::KeyPair::read(file)?,
    };
    println!("{}", key.public());
    Ok(())
}
