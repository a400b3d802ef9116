//! Hosts that push their heartbeats over HTTP: there by their interval, without a connection.

use super::Fleet;
use super::entry::Entry;
use crate::base::clock;
use crate::dashboard::live::lock;
use crate::run::id::HostName;
use crate::wire::to_dashboard::{Heartbeat, Register};

/// The protocol of a host that has no connection and never had one.
pub const PUSHES_ONLY: u32 = 0;

impl Fleet {
    /// Whether a push says something of its host that is not known yet.
    pub fn is_news(&self, host: &HostName, register: &Register) -> bool {
        let state = lock(&self.state);
        let entry = state.hosts.get(host);
        entry.is_none_or(|entry| entry.is_news(register))
    }

    /// A heartbeat was pushed. While the host has a connection, that alone counts.
    pub fn push(&self, host: &HostName, register: Register, heartbeat: Heartbeat) {
        self.change(host, true, |entry, now| {
            if entry.peer.is_none() {
                entry.push(register);
                entry.beat(heartbeat, now, clock::now());
            }
        });
    }

    /// Whether the host is known by pushes alone: no agent there takes commands.
    pub fn only_pushes(&self, host: &HostName) -> bool {
        self.protocol(host) == Some(PUSHES_ONLY)
    }
}

impl Entry {
    /// What an agent has registered is worth more than what a push says.
    fn is_news(&self, register: &Register) -> bool {
        let known = self.register.as_deref();
        known.is_none_or(|known| known.protocol == Some(PUSHES_ONLY) && known != register)
    }

    fn push(&mut self, register: Register) {
        self.pushed = Some(register.heartbeat_interval);
        self.signs.pushes = true;
        if self.is_news(&register) {
            self.protocol = PUSHES_ONLY;
            self.register = Some(register.into());
        }
    }
}
