//! What is known of a host when rules are looked at.

use std::sync::Arc;

use crate::base::clock::Millis;
use crate::run::id::HostName;
use crate::wire::api::HostStatus;
use crate::wire::to_dashboard::{Heartbeat, Register};

/// A host, or the dashboard itself. Cheap to make: what is large is shared.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Which host; none for the dashboard itself.
    pub host: Option<HostName>,
    /// Whether it is there.
    pub status: HostStatus,
    /// An operator's words for it.
    pub tags: Arc<[String]>,
    /// What it says of itself.
    pub register: Option<Arc<Register>>,
    /// Its last heartbeat, however old: only one of a host that is online says how it is.
    pub heartbeat: Option<Arc<Heartbeat>>,
    /// Its certificates: what each is, and when it ends.
    pub certificates: Vec<(String, Millis)>,
    /// Its tokens that end, likewise; none where they were not read.
    pub tokens: Option<Vec<(String, Millis)>>,
}

impl Reading {
    /// A host of which nothing is known.
    pub fn of(host: Option<HostName>, status: HostStatus) -> Self {
        Self {
            host,
            status,
            tags: Arc::from([]),
            register: None,
            heartbeat: None,
            certificates: Vec::new(),
            tokens: None,
        }
    }

    /// What rules may choose it by: an operator's words, its kind of machine, its place, its system.
    pub fn tags(&self) -> impl Iterator<Item = &str> {
        let own = self.register.as_deref().into_iter();
        let own = own.flat_map(|own| [&own.device_type, &own.location, &own.host_type]);
        let all = self.tags.iter().chain(own);
        all.map(String::as_str).filter(|tag| !tag.is_empty())
    }

    /// What it says of itself now; none while it is not online.
    pub fn fresh(&self) -> Option<&Heartbeat> {
        self.heartbeat
            .as_deref()
            .filter(|_| self.status == HostStatus::Online)
    }
}
