//! From a configuration to a running agent.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use tokio_util::task::TaskTracker;

use crate::agent::config::{self, Config};
use crate::agent::environment::Environment;
use crate::agent::health::Health;
use crate::agent::identity::Identity;
use crate::agent::launch::SelfCommand;
use crate::agent::launcher::{Direct, Launcher};
use crate::agent::runs::{self, Runs};
use crate::agent::shipper::v2::Sent;
use crate::agent::statement::Statement;
use crate::agent::subjects::Subjects;
use crate::agent::tell::Tell;
use crate::agent::uplink::{Reconnect, Tls, Uplink};
use crate::agent::{facts, helper, metrics, replace, resources, stasysmo, state_dir};
use crate::base::{logging, shutdown};

/// Checks a file as `check-config` does: without the environment's token or state directory being looked at on disk. With
/// `of_helper` it is the root helper's.
pub fn check_config(path: &Path, of_helper: bool) -> ExitCode {
    let checked = if of_helper {
        helper::check_config(path)
    } else {
        config::load(Some(path), Environment::of_process()).map(drop)
    };
    match checked {
        Ok(()) => ExitCode::SUCCESS,
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
        // Names of back-ends are looked up there, and a lookup may take longer than its try; the log has one for its disk.
        .max_blocking_threads(
            4 + 3 * config.tell.pushes.len() + usize::from(config.tell.log.is_some()),
        )
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
    config.credential.show()?;
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
    let tell = std::mem::take(&mut config.tell);
    let ca_file = config.ca_file.take();
    let resources = match config.resources {
        Some(root) => resources::start(root, config.interval)?,
        None => resources::Reader::off(),
    };
    if once {
        // There is no second heartbeat that could have what the first one has not.
        resources.complete().await;
    }
    let uplink = Uplink {
        identity: Identity {
            url: config.url,
            credential: config.credential,
            hostname,
            organization: config.organization,
            interval: config.interval,
            offline_after: config.offline_after,
            labels: config.labels,
            host: facts::host(Path::new("/")),
        },
        tls,
        runs: Some(runs.clone()),
        sent: Some(std::sync::Arc::new(Sent::open(&state_dir))),
        sample: metrics::sample(paths, config.interval, resources)?,
        statement: tokio::sync::watch::channel(Statement::default()).1,
        subjects: Subjects::silent(),
        reconnect: Reconnect {
            max_attempts: config.max_attempts,
            ..Reconnect::default()
        },
        once,
        health: tokio::sync::watch::channel(Health::default()).0,
    };
    let tell = Tell::new(tell, ca_file.as_deref(), &uplink)?;
    if once {
        let push = async {
            tokio::select! {
                () = token.cancelled() => Ok(()),
                pushed = tell.once() => pushed,
            }
        };
        let (beat, pushed) = tokio::join!(uplink.run(&token), push);
        token.cancel();
        tasks.close();
        tasks.wait().await;
        return match (beat, pushed) {
            (Err(beat), Err(pushed)) => Err(anyhow::anyhow!("{beat:#}; {pushed:#}")),
            (beat, pushed) => beat.and(pushed),
        };
    }
    tell.start(&tasks, &state_dir, &uplink, &token);
    if service_manager {
        let (runs, health) = (runs.clone(), uplink.health.subscribe());
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
    let stop = token.clone();
    tasks.spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = runs::watch(runs.clone()) => {}
            () = runs.prune_regularly() => {}
        }
    });
    let ended = uplink.run(&token).await;
    token.cancel();
    tasks.close();
    tasks.wait().await;
    ended
}
