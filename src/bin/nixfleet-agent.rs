//! The agent's own binary.

use std::process::ExitCode;

use nixfleet::agent::{self, launch::SelfCommand};

fn main() -> ExitCode {
    match SelfCommand::of_process(&[]) {
        Ok(self_command) => agent::main_with(std::env::args_os(), self_command),
        Err(error) => {
            eprintln!("nixfleet-agent: {error:#}");
            ExitCode::FAILURE
        }
    }
}
