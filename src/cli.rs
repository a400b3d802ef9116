//! The operator's command line: a client of the dashboard's HTTP API and nothing else.

mod alerts;
mod args;
mod build_logs;
mod capacity;
pub mod client;
mod exit;
mod follow;
mod hosts;
mod last_words;
mod logs;
mod maintenance;
mod output;
mod progress;
mod resources;
mod runs;
pub mod sse;
mod subjects;
mod text;

use std::process::ExitCode;

use self::args::{AlertsCommand, Args, Command};
use self::client::Client;
use self::exit::Exit;
use self::output::Output;

/// The command line's flags and verbs, for a program that adds verbs of its own.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// The whole program, for arguments that [`command`] matched.
pub fn main_with(matches: &clap::ArgMatches) -> ExitCode {
    let args = match <Args as clap::FromArgMatches>::from_arg_matches(matches) {
        Ok(args) => args,
        Err(error) => error.exit(),
    };
    let exit = match perform(&args) {
        Ok(exit) => exit,
        Err(error) => {
            let exit = Exit::of_error(&error);
            if exit != Exit::Success {
                // What the dashboard says may quote a host.
                eprintln!("nixfleet: {}", text::plain(&format!("{error:#}")));
            }
            exit
        }
    };
    ExitCode::from(exit)
}

fn perform(args: &Args) -> anyhow::Result<Exit> {
    let client = Client::new(args)?;
    let out = Output::new(args.json);
    match &args.command {
        Command::Hosts => hosts::list(&client, &out),
        Command::Host { host } => hosts::show(&client, &out, host),
        Command::Capacity(needs) => capacity::list(&client, &out, needs),
        Command::Tag { host, tags } => hosts::tag(&client, &out, host, tags),
        Command::Switch { hosts, follow } => {
            follow::start(&client, &out, hosts, "switch", &[], follow)
        }
        Command::Run {
            host,
            command,
            args,
            follow,
        } => {
            let hosts = std::slice::from_ref(host);
            follow::start(&client, &out, hosts, command.as_str(), args, follow)
        }
        Command::Runs { host, limit } => runs::list(&client, &out, host.as_ref(), *limit),
        Command::Logs {
            run,
            build: Some(build),
            ..
        } => build_logs::show(&client, &out, run, build),
        Command::Logs { run, follow, .. } => logs::show(&client, &out, run, *follow),
        Command::Stop { run, force } => runs::stop(&client, &out, run, *force),
        Command::Publish {
            subject,
            payload,
            organization,
        } => subjects::publish(&client, &out, subject, payload, organization),
        Command::Subscribe {
            patterns,
            organization,
        } => subjects::subscribe(&client, &out, patterns, organization),
        Command::Request {
            subject,
            payload,
            timeout,
            organization,
        } => subjects::request(&client, &out, (subject, payload), *timeout, organization),
        Command::Alerts {
            what: None,
            all,
            limit,
        } => alerts::list(&client, &out, *all, *limit),
        Command::Alerts {
            what: Some(AlertsCommand::Channels),
            ..
        } => alerts::channels(&client, &out),
        Command::Alerts {
            what: Some(AlertsCommand::Test { channel }),
            ..
        } => alerts::test(&client, &out, channel),
        Command::Open => hosts::open(&client, &out),
        Command::Maintenance {
            hosts,
            time: Some(time),
            reason,
            ..
        } => maintenance::begin(&client, &out, hosts, *time, reason),
        Command::Maintenance { hosts, .. } => maintenance::end(&client, &out, hosts),
        Command::Absence { hosts, what } => maintenance::expect(&client, &out, hosts, *what),
    }
}
