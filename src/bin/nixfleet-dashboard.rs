//! The dashboard.

fn main() -> std::process::ExitCode {
    nixfleet::dashboard::args::main()
}
