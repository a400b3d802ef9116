//! How each host's load, memory, disks and the like were: kept in a ladder of resolutions whose size never depends on how
//! long a host has been there.
//!
//! A heartbeat's numbers go into the host's open bucket of ten seconds, in memory. A bucket that is over is merged into the
//! open one of the next rung (a minute, ten minutes, an hour) and waits for the store; [`writer`] writes what waits, many
//! hosts in one transaction. So nothing here waits for the store, and a store that does not answer costs history alone.
//! After a restart the open buckets are made again from the finer ones that are stored: a crash loses a few seconds.
//!
//! What a host did not say is a gap. Nothing stands in for it, and nothing is drawn across it.

pub mod bucket;
pub mod history;
pub mod ladder;
pub mod packed;
pub mod recent;
pub mod recorder;
pub mod series;
#[cfg(test)]
mod tests;
pub mod writer;

pub use recorder::Recorder;
