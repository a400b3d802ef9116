//! What is sampled beside everything else: StaSysMo's metrics, the running generation, and what the agent itself needs. What the agent
//! reads of its host by itself has threads of its own ([`resources`]).
//!
//! A thread of its own reads files and writes the newest sample into a cell. Heartbeats read the cell and never wait for a
//! file; should the thread hang, its last sample ages and is no longer shown.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::agent::{facts, resources, stasysmo};
use crate::base::clock;
use crate::wire::resources::{AgentUsage, Resources};
use crate::wire::to_dashboard::Metrics;

/// Metrics older than this are not reported.
const FRESH: Duration = Duration::from_secs(30);
/// The longest time between two samples.
const SLOWEST: Duration = Duration::from_secs(10);

/// The newest sample.
#[derive(Debug, Clone)]
pub struct Sample {
    metrics: Option<Metrics>,
    usage: Option<AgentUsage>,
    resources: resources::Reader,
    /// The running generation.
    pub generation: facts::Generation,
    at: Instant,
}

impl Sample {
    /// Reads everything now, the host's resources excepted: `resources` has them.
    pub fn take(paths: &[PathBuf], root: &Path, resources: resources::Reader) -> Self {
        Self {
            metrics: stasysmo::read(paths, clock::now()),
            usage: resources::usage::read(root),
            resources,
            generation: facts::generation(root),
            at: Instant::now(),
        }
    }

    /// Nothing at all, for a program that says what it has to say by itself.
    pub fn none() -> Self {
        Self {
            metrics: None,
            usage: None,
            resources: resources::Reader::off(),
            generation: facts::Generation::default(),
            at: Instant::now(),
        }
    }

    /// The metrics, unless they are stale by now.
    pub fn metrics(&self) -> Option<Metrics> {
        self.metrics.filter(|_| self.at.elapsed() < FRESH)
    }

    /// What the agent needs, likewise.
    pub fn usage(&self) -> Option<AgentUsage> {
        self.usage.filter(|_| self.at.elapsed() < FRESH)
    }

    /// What is known of the host's resources by now.
    pub fn resources(&self) -> Option<Resources> {
        self.resources.read()
    }
}

#[cfg(test)]
impl Sample {
    /// A sample of now with these metrics, for tests that need any.
    pub fn for_test(metrics: Option<Metrics>) -> Self {
        Self {
            metrics,
            usage: None,
            resources: resources::Reader::off(),
            generation: facts::Generation::default(),
            at: Instant::now(),
        }
    }
}

/// Takes a sample at once and then one every `interval`, on a thread that ends when nobody reads any more. `resources` goes with
/// each sample.
///
/// # Errors
/// The thread cannot be started.
pub fn sample(
    paths: Vec<PathBuf>,
    interval: Duration,
    resources: resources::Reader,
) -> anyhow::Result<watch::Receiver<Sample>> {
    let root = PathBuf::from("/");
    let (sender, receiver) = watch::channel(Sample::take(&paths, &root, resources.clone()));
    let pause = interval.min(SLOWEST);
    std::thread::Builder::new()
        .name("sampler".into())
        .stack_size(128 * 1024)
        .spawn(move || {
            while !sender.is_closed() {
                std::thread::sleep(pause);
                sender.send_replace(Sample::take(&paths, &root, resources.clone()));
            }
        })?;
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_sample_that_is_not_renewed_ages() {
        let sample = Sample {
            metrics: Some(Metrics::default()),
            usage: Some(AgentUsage::default()),
            resources: resources::Reader::off(),
            generation: facts::Generation::default(),
            at: Instant::now(),
        };
        assert!(sample.metrics().is_some());
        tokio::time::advance(Duration::from_secs(29)).await;
        assert!(sample.metrics().is_some() && sample.usage().is_some());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(sample.metrics().is_none() && sample.usage().is_none());
    }
}
