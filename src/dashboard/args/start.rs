//! `run`: everything that can fail at the start, each with one line that says what to do.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use tokio_util::task::TaskTracker;

use crate::base::secret::Secret;
use crate::base::shutdown;
use crate::dashboard;
use crate::dashboard::access::{Access, AccessSettings};
use crate::dashboard::config::{AgentToken, Settings};
use crate::dashboard::store::Store;
use crate::dashboard::store::lock::DirLock;
use crate::dashboard::tls::TlsFiles;

/// Makes the data directory, for its owner only.
pub(super) fn make_data_dir(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
        .with_context(|| {
            format!(
                "data_dir {}: cannot make this directory; make it writable for this user or write another data_dir",
                dir.display()
            )
        })
}

/// Opens the store in the data directory.
pub(super) async fn open_store(dir: &Path) -> anyhow::Result<Store> {
    Store::open(dir)
        .await
        .with_context(|| format!("opening the store in {}", dir.display()))
}

/// The agents' token, read where the settings say.
pub(super) fn agent_token(settings: &Settings) -> anyhow::Result<Secret> {
    match &settings.agent_token {
        Some(AgentToken::File(path)) => Secret::read(path).context("agent_token_file"),
        Some(AgentToken::Given(token)) => Ok(token.clone()),
        None => anyhow::bail!(
            "no token for the agents: write agent_token_file = \"/some/file\" into the configuration; `openssl rand -hex 32` makes a good token"
        ),
    }
}

/// Takes the address. Where a machine has no IPv6, "all addresses" means all of IPv4.
pub(super) fn bind(listen: SocketAddr) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(listen).or_else(|error| {
        if listen.is_ipv6()
            && listen.ip().is_unspecified()
            && error.kind() != std::io::ErrorKind::AddrInUse
        {
            TcpListener::bind((Ipv4Addr::UNSPECIFIED, listen.port()))
        } else {
            Err(error)
        }
    });
    bound.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => anyhow::anyhow!(
            "listen {listen}: another program has this port (`ss -ltnp sport = :{}` names it); stop it or listen on another port",
            listen.port()
        ),
        std::io::ErrorKind::PermissionDenied => anyhow::anyhow!(
            "listen {listen}: this user may not take this port; listen on one above 1023, behind a proxy"
        ),
        _ => anyhow::anyhow!("listen {listen}: {error}; write an address that this machine has"),
    })
}

/// Everything that the settings name, opened; then the dashboard, until SIGTERM or SIGINT.
pub(super) fn run(settings: &Settings, ui_dir: Option<PathBuf>) -> anyhow::Result<()> {
    crate::base::logging::start(&settings.log_level)?;
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    for said in super::variables::of_earlier(is_set)? {
        tracing::warn!("{said}");
    }
    let agent_token = agent_token(settings)?;
    let tls = settings.tls.as_ref().map(TlsFiles::load).transpose()?;
    make_data_dir(&settings.data_dir)?;
    // Before the address, which the other dashboard has too.
    drop(DirLock::take(&settings.data_dir)?);
    let listener = bind(settings.listen)?;
    let bound = listener.local_addr().context("asking for the address")?;
    let access = Access::new(AccessSettings {
        agent_token,
        session: settings.session,
        https: settings.https(),
        trusted_proxies: settings.trusted_proxies.clone(),
    });
    let mut core = dashboard::Settings::new(settings.data_dir.clone(), access);
    core.agent_hosts.clone_from(&settings.agent_hosts);
    core.offline_after = settings.offline_after;
    core.keep = settings.keep;
    core.keep_metrics = settings.keep_metrics;
    core.tls = tls;
    core.ui_dir = ui_dir;
    core.alerts = settings.alerts.clone();
    core.link_base = Some(settings.link_base(bound));
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the runtime")?
        .block_on(async {
            let tasks = TaskTracker::new();
            let shutdown = shutdown::on_signals(&tasks)?;
            let ran = dashboard::run(core, listener, shutdown.clone()).await;
            shutdown.cancel();
            tasks.close();
            tasks.wait().await;
            ran
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_in_use_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let error = bind(listener.local_addr().unwrap())
            .unwrap_err()
            .to_string();
        assert!(error.contains("another program has this port"), "{error}");
    }

    #[tokio::test]
    async fn an_unusable_data_dir_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = make_data_dir(&file.join("data")).unwrap_err().to_string();
        assert!(
            error.contains("data_dir") && error.contains("write another data_dir"),
            "{error}"
        );
        std::fs::write(
            dir.path().join("nixfleet.db"),
            "no database, but long enough to be looked at",
        )
        .unwrap();
        let error = open_store(dir.path()).await.unwrap_err();
        let error = format!("{error:#}");
        assert!(
            error.contains("nixfleet.db: this is no SQLite database"),
            "{error}"
        );
    }

    #[test]
    fn a_missing_agent_token_says_what_to_write() {
        let settings =
            Settings::load(None, |name| (name == "HOME").then(|| "/home/u".into())).unwrap();
        let error = agent_token(&settings).unwrap_err().to_string();
        assert!(error.contains("agent_token_file ="), "{error}");
    }
}
