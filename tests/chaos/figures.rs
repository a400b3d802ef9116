//! What a round came to, in numbers.

use std::fmt;
use std::time::Duration;

/// What a round came to.
pub struct Figures {
    pub seed: u64,
    /// All faults, also of the reader's link.
    pub faults: usize,
    /// Those of agent, dashboard and the open link between them.
    pub hits: usize,
    pub by_kind: String,
    pub lines: u64,
    pub bytes: u64,
    /// Of the agent.
    pub connections: usize,
    /// Of the reader.
    pub streams: u64,
    /// From the last fault to the last reconnection.
    pub reconnect: Duration,
    /// From the last reconnection to a line printed after it.
    pub live: Duration,
    /// The most memory of an agent's process.
    pub agent: u64,
    /// The most memory of a dashboard's process.
    pub dashboard: u64,
    pub took: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "seed {}: {} faults, {} of them on agent, dashboard and their link ({}), {} lines, {} bytes, {} connections, {} streams, back after {:.2} s, live after {:.2} s, \
             agent {} KiB, dashboard {} KiB, {:.0} s",
            self.seed,
            self.faults,
            self.hits,
            self.by_kind,
            self.lines,
            self.bytes,
            self.connections,
            self.streams,
            self.reconnect.as_secs_f64(),
            self.live.as_secs_f64(),
            self.agent / 1024,
            self.dashboard / 1024,
            self.took.as_secs_f64()
        )
    }
}
