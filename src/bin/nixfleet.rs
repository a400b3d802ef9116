//! The operator's command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // The roles of the other two programs and the demo are told apart here, before the command line's own verbs.
    nixfleet::cli::main_with(std::env::args_os())
}
