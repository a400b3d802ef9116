//! Hosts as figures are made of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Fleet;
use crate::base::clock;
use crate::wire::api::{Host, HostStatus};
use crate::wire::to_dashboard::Heartbeat;

/// One host at one moment.
#[derive(Debug, Clone)]
pub struct HostSample {
    /// As the API shows it.
    pub shown: Host,
    /// Its last heartbeat, unless it is away: numbers of a host that is away are not its numbers now.
    pub heartbeat: Option<Arc<Heartbeat>>,
    /// How long ago that came, also from before the dashboard's start.
    pub age: Option<Duration>,
    /// Whether nobody is to be alarmed when it is away.
    pub suppressed: bool,
}

impl Fleet {
    /// All hosts, by name.
    pub fn samples(&self) -> Vec<HostSample> {
        let (now, wall) = (Instant::now(), clock::now());
        let entries = self.entries();
        let sample = entries.iter().map(|(host, entry)| {
            let shown = entry.show(host, self.multiplier, now);
            let since = |at| Duration::from_millis(wall.saturating_sub(at));
            HostSample {
                heartbeat: entry
                    .heartbeat()
                    .filter(|_| shown.status == HostStatus::Online),
                age: match entry.signs.last_beat {
                    Some(at) => Some(now.duration_since(at)),
                    None => entry.last_seen().map(since),
                },
                suppressed: entry.suppressed(now).is_some(),
                shown,
            }
        });
        sample.collect()
    }
}
