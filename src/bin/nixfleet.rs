//! The operator's command line. With all features it also brings the demo, and takes the other two programs' roles there.

use std::process::ExitCode;

use nixfleet::cli;

#[cfg(not(all(feature = "agent", feature = "dashboard")))]
fn main() -> ExitCode {
    cli::main_with(&cli::command().get_matches())
}

#[cfg(all(feature = "agent", feature = "dashboard"))]
fn main() -> ExitCode {
    if let Some(exit) = nixfleet::demo::take_role() {
        return exit;
    }
    let matches = cli::command()
        .subcommand(nixfleet::demo::command())
        .get_matches();
    match matches.subcommand_matches("demo") {
        Some(matches) => nixfleet::demo::main_with(matches),
        None => cli::main_with(&matches),
    }
}
