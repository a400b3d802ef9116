//! The program on each host.

pub mod journal;
pub mod parse;
pub mod pty;
pub mod run_dir;
pub mod supervise;
