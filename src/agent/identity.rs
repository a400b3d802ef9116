//! Who this agent is, as far as it does not change while it runs.

use std::time::Duration;

use crate::agent::config::Labels;
use crate::agent::credential::Credential;
use crate::agent::facts;
use crate::run::id::HostName;
use crate::wire::subject::Organization;

/// Intervals of silence after which a host counts as offline, unless somebody says otherwise.
const OFFLINE_AFTER: u32 = 3;

/// What every connection says of the host.
#[derive(Debug)]
pub struct Identity {
    /// The dashboard's WebSocket address.
    pub url: String,
    /// With what it comes.
    pub credential: Credential,
    /// The name to register under.
    pub hostname: HostName,
    /// Whose messages it speaks and hears.
    pub organization: Organization,
    /// Between heartbeats.
    pub interval: Duration,
    /// After how many intervals of silence the host counts as offline; none leaves it to the dashboard.
    pub offline_after: Option<u32>,
    /// As configured.
    pub labels: Labels,
    /// As the system says.
    pub host: facts::Host,
}

impl Identity {
    /// How long the host may be silent before it counts as offline.
    pub fn silence_limit(&self) -> Duration {
        self.interval * self.offline_after.unwrap_or(OFFLINE_AFTER)
    }
}
