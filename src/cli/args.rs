//! Flags and verbs.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::text;
use crate::run::id::{CommandName, HostName};

/// What the program is told.
#[derive(Debug, Parser)]
#[command(
    name = "nixfleet",
    version,
    about = "Every NixOS and macOS host, every rebuild watched live",
    after_help = "Exit status of switch and run: 0 succeeded, the program's own when it failed, 4 degraded, 75 lost, \
                  100 reboot required, 124 timed out, 130 stopped. 69: the dashboard cannot be reached."
)]
pub struct Args {
    /// Where the dashboard is.
    #[arg(
        long,
        global = true,
        env = "NIXFLEET_URL",
        default_value = "http://127.0.0.1:8000"
    )]
    pub url: String,
    /// A file with an API token in its first line; `nixfleet-dashboard token create NAME --role operator` makes one.
    #[arg(long, global = true, env = "NIXFLEET_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Certificates in PEM to trust instead of the public ones.
    #[arg(long, global = true, env = "NIXFLEET_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Print JSON: one document, or one object a line where something is followed.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all hosts.
    Hosts,
    /// Show one host and its newest runs.
    Host {
        /// Which one.
        host: HostName,
    },
    /// Rebuild hosts, activate the result, and watch.
    Switch {
        /// Which ones.
        #[arg(required = true)]
        hosts: Vec<HostName>,
        #[command(flatten)]
        follow: Follow,
    },
    /// Run a command that the host offers (`nixfleet host H` lists them), and watch.
    Run {
        #[command(flatten)]
        follow: Follow,
        /// Where.
        host: HostName,
        /// What: boot, try, build, rollback, pull, test, ...
        command: CommandName,
        /// With which arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// List runs, newest first.
    Runs {
        /// Only this host's.
        host: Option<HostName>,
        /// How many.
        #[arg(long, default_value_t = 20)]
        limit: u32,
    },
    /// Print a run's output.
    Logs {
        /// A run's id, or a host for its newest run.
        run: String,
        /// Go on until the run ends.
        #[arg(short, long)]
        follow: bool,
        /// Print the log of one build instead: its name (hello-2.12), or its .drv path.
        #[arg(long, value_name = "NAME", conflicts_with = "follow")]
        build: Option<String>,
    },
    /// Stop a run.
    Stop {
        /// A run's id, or a host for what it is running.
        run: String,
        /// Also in the middle of an activation.
        #[arg(long)]
        force: bool,
    },
    /// List what is not as it should be.
    #[command(args_conflicts_with_subcommands = true)]
    Alerts {
        #[command(subcommand)]
        what: Option<AlertsCommand>,
        /// Also what is over.
        #[arg(long)]
        all: bool,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Open the dashboard in a browser.
    Open,
}

/// What to do with alerts.
#[derive(Debug, Subcommand)]
pub enum AlertsCommand {
    /// List where alerts are told, and how that goes.
    Channels,
    /// Tell a test on a channel. Fails when it does not arrive.
    Test {
        /// Which one.
        channel: String,
    },
}

/// How to watch.
#[derive(Debug, clap::Args)]
pub struct Follow {
    /// Print the run's id and do not watch.
    #[arg(long)]
    pub no_wait: bool,
    /// Wait for a host that is offline or busy, instead of failing; `nixfleet stop RUN` cancels.
    #[arg(long)]
    pub queue: bool,
    /// How long it may wait: 90m, 2h, 3d; a day without, at least a minute, at most 7 days.
    #[arg(long, value_name = "TIME", requires = "queue", value_parser = text::seconds)]
    pub expires: Option<u64>,
}
