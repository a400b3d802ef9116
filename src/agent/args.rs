//! The command line of `nixfleet-agent`.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// The agent on one host: keeps a connection to the dashboard, starts runs there and ships what they print.
#[derive(Debug, Parser)]
#[command(name = "nixfleet-agent", version = crate::base::VERSION, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Configuration file (TOML); environment variables override it. Default: `NIXFLEET_CONFIG`, else none.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Connect, register, send one heartbeat, wait until it is acknowledged, push it to each `[[push]]` once, and exit.
    #[arg(long)]
    pub once: bool,
    /// Something else than running the agent.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// What the program can do instead of running the agent.
#[derive(Debug, Subcommand)]
pub enum Action {
    /// Check a configuration file: exit status 0, or 1 with file, line, key and what to write instead.
    CheckConfig {
        /// The file.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// It is the root helper's file, and not the agent's. Accounts and programs that it names need not be on this machine.
        #[arg(long)]
        helper: bool,
    },
    /// Ask the agent that runs here how it is. Exit status 0 when it is connected and its heartbeats are acknowledged, 1 when
    /// not, 2 when no agent answers.
    Status {
        /// Configuration file of that agent, for its `state_dir`. Default: `NIXFLEET_CONFIG`, else the usual places.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Print JSON, as `/agent/status` of the local API answers it.
        #[arg(long)]
        json: bool,
    },
    /// As root: start, stop and list runs for an agent that is not root, over a Unix socket.
    Helper {
        /// Configuration file (TOML), which nobody but root may write. Default: /etc/nixfleet/helper.toml.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Listen here; without it, on the socket that systemd hands over.
        #[arg(long, value_name = "PATH")]
        socket: Option<PathBuf>,
    },
    /// This host's key pair, with which it comes to the dashboard instead of the shared token.
    #[command(subcommand)]
    Key(Key),
    /// Own one run's terminal and journal. The agent starts this by itself.
    #[command(hide = true)]
    Supervise {
        /// The run's directory.
        run_dir: PathBuf,
    },
    /// Perform a command that has several steps, inside a run. The supervisor starts this.
    #[command(hide = true)]
    Steps {
        /// The steps as JSON.
        steps: String,
    },
    /// Feed a recorded terminal to the code that reads live runs; one JSON event per line, last the summary.
    Parse {
        /// Read standard input (or FILE) as it comes and pass it through unchanged; progress and a summary go to standard
        /// error. Exit status 1 if the texts say that it failed: `nixos-rebuild switch |& nixfleet-agent parse --follow`.
        #[arg(long, conflicts_with_all = ["exit", "structured"])]
        follow: bool,
        /// The exit status that the recorded program had; without it, the one that the recording names.
        #[arg(long, value_name = "N", allow_negative_numbers = true)]
        exit: Option<i32>,
        /// What the program wrote to its json-log-path.
        #[arg(long, value_name = "FILE")]
        structured: Option<PathBuf>,
        /// The recorded bytes.
        #[arg(required_unless_present = "follow")]
        file: Option<PathBuf>,
    },
}

/// What to do with a key file.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Make a key pair in a new file (mode 0600) and print its public half; `nixfleet-dashboard key add HOST` takes that.
    Create {
        /// The file; one that is there is not overwritten.
        file: PathBuf,
    },
    /// Print the public half of the key in a file.
    Show {
        /// The file.
        file: PathBuf,
    },
}
