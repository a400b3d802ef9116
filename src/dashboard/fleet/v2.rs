//! What only agents of the earlier protocol say, or cannot say, of their hosts.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Fleet;
use super::entry::Entry;
use crate::dashboard::agents::peer::Peer;
use crate::run::id::HostName;
use crate::wire::api::UpdateLamps;
use crate::wire::v2::UpdateStatus;

/// After a switch such an agent exits and comes back as the new program. If it has not gone by then, it did not.
const LEAVES: Duration = Duration::from_secs(60);

/// What is kept of it. Gone with a restart of the dashboard: the next heartbeat brings it again.
#[derive(Debug, Clone, Default)]
pub(super) struct Extra {
    lamps: Option<(Arc<UpdateStatus>, Instant)>,
    /// Until when its going away is part of a switch.
    leaves_until: Option<Instant>,
}

impl Extra {
    /// Whether its going away now is expected.
    pub fn is_leaving(&self, now: Instant) -> bool {
        self.leaves_until.is_some_and(|until| now < until)
    }

    /// It is back.
    pub fn returned(&mut self) {
        self.leaves_until = None;
    }

    /// The lamps as the API shows them.
    pub fn show(&self, now: Instant) -> Option<UpdateLamps> {
        let (status, at) = self.lamps.as_ref()?;
        Some(UpdateLamps {
            age_ms: now.duration_since(*at).as_millis() as u64,
            status: UpdateStatus::clone(status),
        })
    }
}

impl Fleet {
    /// The lamps of a heartbeat. None leaves the ones before, which grow older.
    pub fn lamps(&self, peer: &Peer, lamps: Option<UpdateStatus>) {
        let Some(lamps) = lamps else { return };
        self.change(&peer.host, false, |entry, now| {
            if entry.is_current(peer) {
                entry.extra.lamps = Some((Arc::new(lamps), now));
            }
        });
    }

    /// `nixos` or `macos`, as the host said it last.
    pub fn host_type(&self, host: &HostName) -> String {
        let state = super::lock(&self.state);
        let register = state
            .hosts
            .get(host)
            .and_then(|entry| entry.register.as_ref());
        register.map_or_else(String::new, |register| register.host_type.clone())
    }

    /// What the end of a command says of the host, before its next heartbeat does: its commit, and that nothing runs.
    pub fn command_ended(&self, host: &HostName, generation: &str) {
        self.change(host, false, |entry, _| entry.command_ended(generation));
    }

    /// A switch ended well: the agent will go away for a moment, and come back as the new program.
    pub fn expect_return(&self, host: &HostName) {
        self.change(host, false, |entry: &mut Entry, now| {
            entry.extra.leaves_until = Some(now + LEAVES);
            entry.look_at_phase(now);
        });
    }
}
