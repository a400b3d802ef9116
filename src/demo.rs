//! One whole fleet on one machine: a dashboard, an agent and a rebuild watched live. The one room that knows all programs.

mod configuration;
mod data_dir;
mod headless;
mod heartbeats;
mod host;
mod programs;
mod rebuild;
mod replay;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args as _, FromArgMatches as _};

use self::configuration::Configuration;
use self::data_dir::DataDir;
use self::host::{DemoHost, HOST};
use self::programs::Program;
use self::rebuild::Rebuild;
use crate::agent::{self, launch::SelfCommand};
use crate::base::secret::Secret;
use crate::cli::client::Client;
use crate::dashboard;

/// What the dashboard prints before its address.
const LISTENING: &str = "listening on ";

/// First argument that makes this binary the agent.
const ROLE_AGENT: &str = "role-agent";
/// First argument that makes this binary the dashboard.
const ROLE_DASHBOARD: &str = "role-dashboard";
/// First argument that makes this binary replay the recorded rebuild.
const ROLE_REPLAY: &str = "role-replay";

/// Run a dashboard, an agent and a demo host on this machine.
#[derive(Debug, clap::Args)]
struct DemoArgs {
    /// Do one rebuild, print a report as JSON, and end
    #[arg(long)]
    headless: bool,
    /// Keep everything in this directory instead of a temporary one
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Address of the page; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    listen: std::net::SocketAddr,
}

/// Where the first argument names a role, takes it.
pub fn take_role() -> Option<ExitCode> {
    let mut args = std::env::args_os();
    let program = args.next()?;
    let role = args.next()?;
    let rest = std::iter::once(program).chain(args);
    if role == ROLE_AGENT {
        return Some(match SelfCommand::of_process(&[ROLE_AGENT]) {
            Ok(self_command) => agent::main_with(rest, self_command),
            Err(error) => failed(&error),
        });
    }
    if role == ROLE_DASHBOARD {
        return Some(dashboard::args::main_with(rest));
    }
    (role == ROLE_REPLAY).then(|| {
        exit(replay::run(
            &mut std::io::stdout().lock(),
            std::thread::sleep,
        ))
    })
}

/// The `demo` verb.
pub fn command() -> clap::Command {
    DemoArgs::augment_args(clap::Command::new("demo"))
}

/// The demo, for arguments that [`command`] matched.
pub fn main_with(matches: &clap::ArgMatches) -> ExitCode {
    match DemoArgs::from_arg_matches(matches) {
        Ok(args) => exit(run(args)),
        Err(error) => error.exit(),
    }
}

fn exit(done: anyhow::Result<()>) -> ExitCode {
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("nixfleet: {error:#}");
    ExitCode::FAILURE
}

/// Runs the demo until it is interrupted; headless, until its one rebuild has ended.
///
/// # Errors
/// A program does not start, or does not do what it should.
fn run(args: DemoArgs) -> anyhow::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let rebuild = Rebuild::find()?;
    let data_dir = DataDir::new(args.data_dir)?;
    let dir = data_dir.path();
    let host = DemoHost::create(&dir.join("host"), &rebuild)?;
    let configuration = Configuration::write(dir, args.listen)?;

    let mut dashboard = Program::start(
        "dashboard",
        ROLE_DASHBOARD,
        &configuration.dashboard(),
        &dir.join("dashboard.log"),
    )?;
    // A dashboard without users prints its one-time link first.
    let printed = dashboard.lines_until(LISTENING)?;
    let base = printed
        .last()
        .and_then(|line| line.split(LISTENING).nth(1))
        .context("the dashboard names no address")?
        .trim();
    configuration.write_agent(base, &host)?;
    let mut agent = Program::start(
        "agent",
        ROLE_AGENT,
        &configuration.agent(),
        &dir.join("agent.log"),
    )?;
    let client = Client::connect(base, Secret::new(configuration.api_token()?));
    headless::wait_online(&client)?;
    if args.headless {
        let report = headless::rebuild(&client, rebuild.name())?;
        println!("{}", serde_json::to_string_pretty(&report)?);
        return Ok(());
    }

    println!(
        "NixFleet demo: host `{HOST}` rebuilds with {}",
        rebuild.name()
    );
    if rebuild == Rebuild::Recording {
        println!("             (no Nix on PATH: a recorded rebuild is replayed with its timing)");
    }
    println!("page:        {base}/");
    match printed.iter().find_map(|line| {
        line.split_whitespace()
            .find(|word| word.contains("/setup?"))
    }) {
        Some(link) => println!("log in:      {link}"),
        None => println!("log in:      with the password that you have set"),
    }
    println!(
        "in a shell:  nixfleet --url {base} --token-file {} switch {HOST}",
        configuration.path("api-token").display()
    );
    println!("Ctrl-C ends it.");
    while !interrupted.load(Ordering::Relaxed) {
        for (program, log) in [(&mut dashboard, "dashboard.log"), (&mut agent, "agent.log")] {
            anyhow::ensure!(
                program.is_running(),
                "a program of the demo ended; see {}",
                dir.join(log).display()
            );
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}
