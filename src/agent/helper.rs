//! The root helper: what an agent that is nobody may have done as root, and nothing else.
//!
//! `nixfleet-agent helper` listens on a Unix socket that systemd hands over (or that it makes with `--socket`). Whoever
//! connects must be the user named in its own configuration, or root: the kernel says who it is. A connection carries one
//! request and one answer, each one line of JSON ([`Request`], [`Answer`]) of at most [`MAX_REQUEST`] and [`MAX_ANSWER`]
//! bytes, each within a deadline. Unknown requests, fields and kinds are refused, and every refusal is logged with the user and
//! process that asked.
//!
//! | request | what it does |
//! |---|---|
//! | `offer` | names the commands that its file allows |
//! | `start` | starts the supervisor of a run with one of those commands and checked arguments, if no other run goes on |
//! | `stop` | asks a run's supervisor to stop |
//! | `list` | names the runs that are kept, and whether their supervisors live |
//! | `conclude` | writes the last record of a run whose supervisor is gone |
//! | `release` | lets go of a run's journal that the dashboard has |
//!
//! Connections are served one after the other. Others than that user are told so before anything of theirs is read, so they
//! delay nobody; that user can keep the helper waiting, for the length of the deadlines, and so only itself.
//!
//! What is executed is in the helper's file alone, which only root may write; a request names a command, never a command line.
//! Runs and journals are root's, readable by the agent's group.

mod client;
mod config;
mod listen;
mod protocol;
mod server;
mod trust;

pub use client::Client;
pub use config::check as check_config;
pub use protocol::{Answer, MAX_ANSWER, MAX_REQUEST, Request, parse};
pub use server::run;

/// Where the helper's file is unless told otherwise.
pub const CONFIG: &str = "/etc/nixfleet/helper.toml";
/// Where it keeps the runs unless told otherwise.
pub const STATE_DIR: &str = "/var/lib/nixfleet";
