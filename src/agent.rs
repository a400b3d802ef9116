//! The program on each host.
//!
//! A run has a process of its own (`supervise`), which owns the terminal and writes the journal. The agent starts it, follows the journal
//! and ships it; either may die. Nothing here evaluates Nix unasked.

pub mod args;
pub mod commands;
pub mod config;
pub mod config_file;
pub mod environment;
pub mod facts;
pub mod heartbeat;
pub mod identity;
pub mod journal;
pub mod launch;
pub mod metrics;
pub mod register;
pub mod run_dir;
pub mod runs;
pub mod shipper;
pub mod start;
pub mod stasysmo;
pub mod state_dir;
pub mod steps;
pub mod uplink;

use std::ffi::OsString;
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
        None => start::run(args.config.as_deref(), args.once, self_command),
        Some(Action::CheckConfig { config }) => return start::check_config(&config),
        Some(Action::Steps { steps }) => return steps::perform(&steps),
        Some(Action::Supervise { run_dir }) => supervise_placeholder(&run_dir),
        Some(Action::Parse { .. }) => Ok(()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nixfleet-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn supervise_placeholder(_: &std::path::Path) -> anyhow::Result<()> {
    Ok(())
}
