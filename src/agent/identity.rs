//! Who this agent is, as far as it does not change while it runs.

use std::time::Duration;

use crate::agent::config::{Labels, TokenSource};
use crate::agent::facts;
use crate::run::id::HostName;

/// What every connection says of the host.
#[derive(Debug)]
pub struct Identity {
    /// The dashboard's WebSocket address.
    pub url: String,
    /// Where the token comes from.
    pub token: TokenSource,
    /// The name to register under.
    pub hostname: HostName,
    /// Between heartbeats.
    pub interval: Duration,
    /// After how many intervals of silence the host counts as offline; none leaves it to the dashboard.
    pub offline_after: Option<u32>,
    /// As configured.
    pub labels: Labels,
    /// As the system says.
    pub host: facts::Host,
}
