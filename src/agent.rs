//! The program on each host.

pub mod journal;
pub mod run_dir;
