//! From a configuration to a running agent.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio_util::task::TaskTracker;

use crate::agent::config::{self, Config};
use crate::agent::environment::Environment;
use crate::agent::identity::Identity;
use crate::agent::launch::SelfCommand;
use crate::agent::launcher::{Direct, Launcher};
use crate::agent::runs::{self, Runs};
use crate::agent::shipper::v2::Sent;
use crate::agent::uplink::{Health, Tls, Uplink};
use crate::agent::{facts, helper, metrics, replace, stasysmo, state_dir};
use crate::base::{logging, shutdown};

/// Checks a file as `check-config` does: without the environment's token or state directory being looked at on disk.
pub fn check_config(path: &Path) -> ExitCode {
    match config::load(Some(path), Environment::of_process()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Runs the agent until a signal, or with `once` until a heartbeat is acknowledged.
///
/// # Errors
/// The configuration, the state directory or the token cannot be used; the attempts are used up.
pub fn run(file: Option<&Path>, once: bool, self_command: SelfCommand) -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let file = file
        .map(Path::to_owned)
        .or_else(|| environment.config.clone());
    let config = config::load(file.as_deref(), environment)?;
    logging::start(&config.log_level)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(4)
        .thread_stack_size(512 * 1024)
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(serve(config, once, self_command));
    // A thread that still reads a file from a dead disk shall not keep the process.
    runtime.shutdown_background();
    ended
}

/// Who starts runs here. Says what an agent without root and without a helper cannot do.
fn launcher(config: &mut Config, state_dir: &Path, self_command: SelfCommand) -> Launcher {
    if let Some(socket) = &config.helper {
        tracing::info!(
            "runs are started by the root helper at {}",
            socket.display()
        );
        let client = helper::Client::new(socket.clone(), config.helper_state_dir.clone());
        return Launcher::Helper(client);
    }
    let execution = std::mem::take(&mut config.execution);
    let direct = Direct::new(state_dir, self_command, execution, None);
    tracing::info!("{}", direct.manner());
    if !nix::unistd::geteuid().is_root() {
        tracing::info!(
            "not root and without a root helper: commands run with this user's rights; switching a system, reboot and the like fail unless the rebuild tool asks for root by itself"
        );
    }
    Launcher::Direct(Box::new(direct))
}

async fn serve(mut config: Config, once: bool, self_command: SelfCommand) -> anyhow::Result<()> {
    let hostname = match config.hostname.clone() {
        Some(name) => name,
        None => facts::hostname()?,
    };
    config.token.read()?;
    let tls = Tls::for_url(&config.url, config.ca_file.as_deref())?;
    let state_dir = state_dir::prepare(config.state_dir.as_deref())?;
    // Once is only a look: it may happen beside the agent that runs here.
    let _lock = if once {
        None
    } else {
        Some(state_dir::lock(&state_dir)?)
    };
    let tasks = TaskTracker::new();
    let token = shutdown::on_signals(&tasks)?;
    let launcher = launcher(&mut config, &state_dir, self_command);
    let runs = Runs::open(launcher, token.clone())?;
    let paths = config
        .stasysmo_paths
        .clone()
        .unwrap_or_else(stasysmo::default_paths);
    let service_manager = config.service_manager;
    let uplink = Uplink {
        identity: Identity {
            url: config.url,
            token: config.token,
            hostname,
            interval: config.interval,
            labels: config.labels,
            host: facts::host(Path::new("/")),
        },
        tls,
        runs: runs.clone(),
        sent: std::sync::Arc::new(Sent::open(&state_dir)),
        sample: metrics::sample(paths, config.interval)?,
        max_attempts: config.max_attempts,
        once,
        health: tokio::sync::watch::channel(Health::default()).0,
    };
    if service_manager && !once {
        let (runs, health) = (uplink.runs.clone(), uplink.health.subscribe());
        // What a run has said last shall be heard before the agent goes, if anybody listens.
        let idle = move || runs.is_idle() && (runs.kept().is_empty() || !health.borrow().connected);
        let service = replace::Service::of_process(Path::new("/"));
        tasks.spawn(replace::watch(
            service,
            state_dir.clone(),
            idle,
            token.clone(),
        ));
    }
    if !once {
        let stop = token.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = runs::watch(runs.clone()) => {}
                () = runs.prune_regularly() => {}
            }
        });
    }
    let ended = uplink.run(&token).await;
    token.cancel();
    tasks.close();
    tasks.wait().await;
    ended
}
