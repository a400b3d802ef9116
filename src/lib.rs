//! NixFleet: every NixOS and macOS host on one page, every rebuild watched live, nothing lost.
//!
//! ```text
//!  host                                                                     dashboard
//!  agent::pty --bytes--> run::lines --Line--> run::tracker --RunEvent--> agent::journal (disk)
//!                                                                    |  wire: WebSocket, resumed by Seq
//!  StaSysMo, /proc --> agent::metrics --heartbeat--> agent::uplink --+--> dashboard::agents -> hub -> store (commit) -> ack
//!                                                                                                  |-> live -> browser, CLI
//! ```
//!
//! Layers, in the order data flows: `base` and `run` know nobody; `wire` knows `run`; `agent`, `dashboard` and `cli`
//! know those three and never each other. `demo` is the one room that may know all three programs.
//! `tests/it/architecture.rs` enforces it.

pub mod base;

pub mod run;

pub mod wire;

#[cfg(feature = "agent")]
pub mod agent;

#[cfg(feature = "dashboard")]
pub mod dashboard;

#[cfg(feature = "cli")]
pub mod cli;

#[cfg(all(feature = "agent", feature = "dashboard", feature = "cli"))]
pub mod demo;
