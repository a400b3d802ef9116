//! Flags and verbs.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::text;
use crate::run::id::{CommandName, HostName};
use crate::wire::subject::{Organization, Pattern, Subject};

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
    /// List hosts that are online and have room, the one with the most free cores first.
    Capacity(Needs),
    /// Replace a host's tags; without any, take all away.
    Tag {
        /// Which host.
        host: HostName,
        /// Words of letters, digits, `-`, `_`, `.` and `:`.
        tags: Vec<String>,
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
    /// Send a message to all agents and programs that listen to a subject. Live only: it is not kept.
    Publish {
        /// What it is about: tasks.web.new
        subject: Subject,
        /// The message as JSON, or `-` for standard input.
        payload: String,
        /// Whose subjects.
        #[arg(long, value_name = "NAME", default_value = "")]
        organization: Organization,
    },
    /// Print messages as they come: `*` stands for one token of a subject, `>` at the end for all the rest.
    Subscribe {
        /// To what: 'tasks.*.new' 'jobs.>'
        #[arg(required = true, value_name = "PATTERN")]
        patterns: Vec<Pattern>,
        /// Whose subjects.
        #[arg(long, value_name = "NAME", default_value = "")]
        organization: Organization,
    },
    /// Send a message and print the first answer to it.
    Request {
        /// What it is about.
        subject: Subject,
        /// The message as JSON, or `-` for standard input.
        payload: String,
        /// Seconds to wait for the answer, at most 25.
        #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
        timeout: f64,
        /// Whose subjects.
        #[arg(long, value_name = "NAME", default_value = "")]
        organization: Organization,
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
    /// Put hosts under maintenance: nobody is alarmed about them meanwhile.
    Maintenance {
        /// Which ones.
        #[arg(required = true)]
        hosts: Vec<HostName>,
        /// How long: 30m, 2h, 3d; at least a minute, at most 90 days.
        #[arg(long = "for", value_name = "TIME", required_unless_present = "end", conflicts_with = "end", value_parser = text::seconds)]
        time: Option<u64>,
        /// What for.
        #[arg(long, default_value = "", hide_default_value = true)]
        reason: String,
        /// End it now.
        #[arg(long)]
        end: bool,
    },
    /// Say whether hosts may be away without an alert.
    Absence {
        /// Which ones.
        #[arg(required = true)]
        hosts: Vec<HostName>,
        /// `expected`, `unexpected`, or `auto`: expected of laptops only.
        #[arg(long = "is", value_name = "WHAT")]
        what: AbsenceIs,
    },
}

/// Whether a host's absence is expected.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub enum AbsenceIs {
    /// It is.
    Expected,
    /// It is not.
    Unexpected,
    /// As its kind of device has it.
    Auto,
}

/// What a host must have free. What it does not tell, it does not have.
#[derive(Debug, Default, clap::Args)]
pub struct Needs {
    /// So many free cores: cores less the load of the last minute.
    #[arg(long, value_name = "N")]
    pub cores: Option<f64>,
    /// So many gigabytes of available memory.
    #[arg(long, value_name = "N")]
    pub memory_gb: Option<f64>,
    /// So many gigabytes of one GPU's free memory.
    #[arg(long, value_name = "N")]
    pub vram_gb: Option<f64>,
    /// This tag; given more than once, all of them.
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Where it stands.
    #[arg(long)]
    pub location: Option<String>,
    /// What kind of machine it is.
    #[arg(long)]
    pub device_type: Option<String>,
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
