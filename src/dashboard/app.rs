//! What every request handler may use.

use tokio_util::sync::CancellationToken;

use crate::dashboard::access::Access;
use crate::dashboard::agents::Connections;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::hub::HubHandle;
use crate::dashboard::live::Live;
use crate::dashboard::store::Store;

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
    /// Who may.
    pub access: Access,
    /// Agents' connections.
    pub connections: Connections,
    /// Cancelled when the dashboard stops.
    pub shutdown: CancellationToken,
}
