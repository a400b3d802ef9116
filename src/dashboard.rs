//! The one central program.

pub mod access;
pub mod agents;
pub mod alerts;
pub mod app;
pub mod args;
pub mod config;
pub mod eta;
pub mod fleet;
pub mod history;
pub mod http;
pub mod hub;
pub mod live;
pub mod liveness;
pub mod metrics;
pub mod store;
pub mod subjects;
pub mod tags;
#[cfg(test)]
mod testing;
pub mod tls;
mod upkeep;

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use access::Access;
use access::keys::AgentKeys;
use agents::Connections;
use alerts::Alerts;
use alerts::settings::AlertSettings;
use app::AppState;
use fleet::Fleet;
use hub::Hub;
use live::Live;
use store::Store;
use store::lock::DirLock;
use subjects::Subjects;
pub use upkeep::Keep;

/// How long open connections may take to end after the signal to stop.
pub const DRAIN: Duration = Duration::from_secs(5);

/// What the dashboard's core needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the database is.
    pub data_dir: PathBuf,
    /// A host is offline after so many of its own intervals without a heartbeat; 3 unless an operator knows better.
    pub offline_after: u32,
    /// How often deadlines are looked at.
    pub sweep: Duration,
    /// What is kept of finished runs, and how long.
    pub keep: Keep,
    /// How long the hosts' metrics are kept.
    pub keep_metrics: Duration,
    /// Who may come in.
    pub access: Access,
    /// The hosts by which agents reach the dashboard, in lower case and without a port: the proof of a key names one of
    /// them. Empty for whichever the agent's request names.
    pub agent_hosts: Vec<String>,
    /// With a certificate, everything is spoken over TLS.
    pub tls: Option<tls::Tls>,
    /// The page's files are read from this folder instead of the ones built in.
    pub ui_dir: Option<PathBuf>,
    /// Where people reach the dashboard. With it, the start prints the address, and before that, where nobody can log in
    /// yet, a link under it that sets the first password. Without it, nothing is printed.
    pub link_base: Option<String>,
    /// What is not as it should be, and whom that is told to.
    pub alerts: AlertSettings,
}

impl Settings {
    /// The usual ones.
    pub fn new(data_dir: PathBuf, access: Access) -> Self {
        Self {
            data_dir,
            offline_after: 3,
            sweep: Duration::from_secs(1),
            keep: Keep::default(),
            keep_metrics: metrics::writer::KEEP,
            access,
            agent_hosts: Vec::new(),
            tls: None,
            ui_dir: None,
            link_base: None,
            alerts: AlertSettings::default(),
        }
    }
}

/// A started dashboard: its parts, and the tasks behind them.
#[derive(Debug)]
pub struct Dashboard {
    /// What request handlers use.
    pub app: AppState,
    tasks: JoinSet<()>,
    /// Stops the hub and the upkeep, after the connections are gone.
    stop: CancellationToken,
    /// The data directory, for this dashboard alone.
    lock: DirLock,
}

impl Dashboard {
    /// Takes the data directory, opens the store and starts the hub and the upkeep. Nothing listens yet.
    ///
    /// # Errors
    /// Another dashboard has the directory, or the store cannot be opened or read.
    pub async fn start(settings: &Settings, shutdown: CancellationToken) -> anyhow::Result<Self> {
        let alerts = Alerts::open(&settings.alerts, settings.link_base.as_deref())?;
        let mut lock = DirLock::take(&settings.data_dir)?;
        if !lock.clean {
            store::file::warn_of_missing_log(&settings.data_dir);
        }
        let store = Store::open(&settings.data_dir)
            .await
            .with_context(|| format!("opening the store in {}", settings.data_dir.display()))?;
        lock.begin();
        let live = Live::default();
        let hosts = store.hosts().await.context("reading the hosts")?;
        let fleet = Fleet::new(hosts, settings.offline_after, live.clone());
        let recorder = fleet.metrics().clone();
        if let Err(error) = metrics::writer::restore(&recorder, &store, clock::now()).await {
            tracing::error!("the history of metrics has a gap at this start: {error}");
        }
        restore(&fleet, &store)
            .await
            .context("reading what happened to the hosts")?;
        let (hub, handle) = Hub::open(store.clone(), fleet.clone(), live.clone())
            .await
            .context("reading the runs that are not over")?;
        let app = AppState {
            hub: handle,
            fleet,
            live,
            alerts,
            access: settings.access.clone(),
            keys: AgentKeys::read(&store)
                .await
                .context("reading agents' keys")?,
            agent_hosts: settings.agent_hosts.clone().into(),
            subjects: Subjects::default(),
            store,
            ui_dir: settings.ui_dir.clone(),
            connections: Connections::default(),
            shutdown,
        };
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(metrics::writer::run(
            recorder,
            app.store.clone(),
            settings.keep_metrics,
            stop.clone(),
        ));
        tasks.spawn(hub.run(stop.clone()));
        tasks.spawn(access::keys::watch(
            app.keys.clone(),
            app.store.clone(),
            app.fleet.clone(),
            stop.clone(),
        ));
        let parts = (app.store.clone(), app.fleet.clone(), app.live.clone());
        let certificate = settings.tls.as_ref().map(tls::Tls::end);
        app.alerts
            .start(&settings.alerts, parts, certificate, &stop, &mut tasks)
            .await
            .context("reading the alerts")?;
        tasks.spawn(upkeep::run(
            app.clone(),
            settings.sweep,
            settings.keep,
            stop.clone(),
        ));
        Ok(Self {
            app,
            tasks,
            stop,
            lock,
        })
    }

    /// Waits for the agents' connections to end, commits what they sent, and closes the store.
    pub async fn finish(mut self) {
        self.app.shutdown.cancel();
        self.app.connections.tasks.close();
        if tokio::time::timeout(DRAIN, self.app.connections.tasks.wait())
            .await
            .is_err()
        {
            tracing::warn!("some agents' connections did not end in time");
        }
        self.stop.cancel();
        while let Some(done) = self.tasks.join_next().await {
            if let Err(error) = done {
                tracing::error!("a task of the dashboard failed: {error}");
            }
        }
        self.app.store.close().await;
        self.lock.end();
    }
}

/// What operators said of hosts' being away, and who went away lately.
async fn restore(fleet: &Fleet, store: &Store) -> Result<(), store::StoreError> {
    let now = clock::now();
    let since = now.saturating_sub(fleet::FLAPS_WITHIN.as_millis() as u64);
    let (absences, flaps) = (store.absences().await?, store.flaps(since).await?);
    fleet.restore(absences, &flaps, now);
    Ok(())
}

/// Runs the dashboard on `listener` until `shutdown`.
///
/// # Errors
/// The store cannot be opened, or the listener does not work.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let dashboard = Dashboard::start(&settings, shutdown.clone()).await?;
    if let Some(base) = &settings.link_base {
        match dashboard.app.new_setup_link(base).await {
            Ok(Some(link)) => say(&format!(
                "nobody can log in yet; set the administrator's password within 24 hours: {link}"
            )),
            Ok(None) => {}
            // On a full disk what is stored can still be read.
            Err(error) => tracing::error!(
                "nobody can log in yet, and there is no link to set a password until the next start: {error:#}"
            ),
        }
        let scheme = if settings.tls.is_some() {
            "https"
        } else {
            "http"
        };
        let bound = listener.local_addr().context("asking for the address")?;
        say(&format!("listening on {scheme}://{bound}"));
    }
    let router = http::router(dashboard.app.clone());
    let served = tls::serve(listener, settings.tls, router, shutdown).await;
    dashboard.finish().await;
    served
}

/// Says something where a person looks, on standard output.
fn say(text: &str) {
    use std::io::Write as _;
    // A closed standard output is no reason not to run.
    let _ = writeln!(std::io::stdout(), "{text}");
}
