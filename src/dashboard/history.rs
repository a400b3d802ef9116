//! How long derivations took to build, on every host of the fleet: what estimates are told from.
//!
//! All of it is in memory; the store has the same, written in the transaction of the records that told it. What hosts say is
//! not trusted: times and names have limits. A host crowds out what it told itself first; in a fleet that is near the limit of
//! all rows, it can also crowd out the oldest ones of others, which costs estimates.

mod expect;
pub mod forecast;
mod learn;
pub mod names;
#[cfg(test)]
mod tests;
pub mod usual;

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::clock::Millis;
use crate::dashboard::eta::Expect;
use crate::run::event::{BuildTime, MAX_BUILT};

/// The newest times that are kept of one derivation on one machine.
pub const KEPT: usize = 10;
/// The most derivations on machines that are kept in all; the oldest go.
pub const MAX_ROWS: usize = 50_000;
/// The most of them that one host may have told of; its own oldest go.
pub const MAX_OF_HOST: usize = 5_000;
/// The longest time that a build is taken to have lasted, in milliseconds: seven days.
pub const LONGEST: u64 = 7 * 24 * 3600 * 1000;

/// What builds: a host, or a remote builder as that host knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Machine {
    /// The host that told of it.
    pub host: Arc<str>,
    /// The remote builder; empty for the host itself.
    pub builder: Arc<str>,
}

impl Machine {
    /// The host itself, or a builder of it.
    pub fn new(host: &str, builder: Option<&str>) -> Self {
        Self {
            host: host.into(),
            builder: names::short(builder.unwrap_or_default()).into(),
        }
    }
}

/// A build that a host tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Where it was built.
    pub machine: Machine,
    /// The derivation's name without its version.
    pub name: Arc<str>,
    /// Milliseconds, at least 1 and at most [`LONGEST`].
    pub ms: u64,
}

impl Built {
    /// The builds of one event of `host`, put right.
    pub fn all<'a>(host: &'a str, builds: &'a [BuildTime]) -> impl Iterator<Item = Self> + 'a {
        builds.iter().take(MAX_BUILT).filter_map(move |build| {
            let name = names::without_version(&build.name);
            (!name.is_empty()).then(|| Self {
                machine: Machine::new(host, build.host.as_deref()),
                name: name.into(),
                ms: build.ms.clamp(1, LONGEST),
            })
        })
    }
}

/// The newest times of one derivation on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    /// Where it was built.
    pub machine: Machine,
    /// The derivation's name without its version.
    pub name: Arc<str>,
    /// When the newest came, by the dashboard's clock.
    pub at: Millis,
    /// Milliseconds, the newest last; at most [`KEPT`].
    pub ms: Vec<u64>,
}

/// What a transaction changes in the history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learnt {
    /// What is new, or replaces what there was.
    pub rows: Vec<Times>,
    /// What goes, because there is too much.
    pub gone: Vec<(Machine, Arc<str>)>,
}

impl Learnt {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.gone.is_empty()
    }
}

/// What is kept of one derivation on one machine.
#[derive(Debug)]
struct Kept {
    at: Millis,
    ms: Vec<u64>,
    expect: Expect,
}

/// All times.
#[derive(Debug, Default)]
pub struct History {
    machines: HashMap<Machine, HashMap<Arc<str>, Kept>>,
    /// Which machines have built a name.
    builders: HashMap<Arc<str>, Vec<Machine>>,
    n_rows: usize,
}
