//! What every request handler may use.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::dashboard::access::Access;
use crate::dashboard::access::keys::AgentKeys;
use crate::dashboard::agents::Connections;
use crate::dashboard::alerts::Alerts;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::hub::HubHandle;
use crate::dashboard::live::Live;
use crate::dashboard::store::Store;
use crate::dashboard::subjects::Subjects;

/// The dashboard's parts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct AppState {
    /// What outlives the process.
    pub store: Store,
    /// Runs.
    pub hub: HubHandle,
    /// Hosts.
    pub fleet: Fleet,
    /// What is new.
    pub live: Live,
    /// What is not as it should be.
    pub alerts: Alerts,
    /// Who may.
    pub access: Access,
    /// Agents' keys.
    pub keys: AgentKeys,
    /// Under which names agents reach the dashboard; empty for whichever the request names.
    pub agent_hosts: Arc<[String]>,
    /// Messages by subject.
    pub subjects: Subjects,
    /// Agents' connections.
    pub connections: Connections,
    /// The page's files are read from here instead of the ones built in.
    pub ui_dir: Option<PathBuf>,
    /// Cancelled when the dashboard stops.
    pub shutdown: CancellationToken,
}

impl AppState {
    /// Where nobody can log in yet, a link under `base` that sets the administrator's password, once; it replaces the one
    /// before.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn new_setup_link(&self, base: &str) -> anyhow::Result<Option<String>> {
        let token = self.access.new_setup_link(&self.store).await;
        let token = token.context("making the setup link")?;
        Ok(token.map(|token| format!("{base}/setup?token={}", token.expose())))
    }
}
