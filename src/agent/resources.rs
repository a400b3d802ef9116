//! What the agent reads of its host by itself: load, memory, disks, GPUs, temperatures, failed units.
//!
//! Each collector has a thread of its own, which reads, leaves what it read in a cell, and rests. So one that hangs (a dead disk, a
//! program that cannot be killed) holds up nobody, and is never started a second time. Heartbeats gather what the cells hold.
//! A collector that fails or takes over [`program::LIMIT`] leaves its last reading where it was; the reading ages, is told with its
//! age, and is dropped after [`KEEP`] or three of the collector's intervals, whichever is longer.

mod collectors;
mod disks;
mod file;
mod gpu;
mod load;
mod macos;
mod memory;
mod program;
mod reboot;
mod temperature;
mod units;
pub mod usage;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::wire::resources::{Amount, Disk, FailedUnits, Gpu, GpuKind, Resources};

pub use macos::boot_id;

/// Readings are kept this long, and those of rare collectors longer.
pub const KEEP: Duration = Duration::from_secs(60);
/// Stack of a collector's thread; most of it is never touched.
const STACK: usize = 128 * 1024;

/// What a collector has read.
#[derive(Debug, Clone, PartialEq)]
enum Reading {
    Load {
        load: [f64; 3],
        cores: u32,
    },
    Uptime(u64),
    Memory {
        memory: Amount,
        swap: Option<Amount>,
    },
    Disks(Vec<Disk>),
    Gpu(GpuKind, Vec<Gpu>),
    Temperature(f64),
    Units(FailedUnits),
    Reboot(Vec<String>),
}

impl Reading {
    fn put(&self, into: &mut Resources) {
        match self {
            Self::Load { load, cores } => {
                into.load = Some(*load);
                into.cores = Some(*cores);
                into.cores_available = Some(Resources::cores_left(*cores, load[0]));
            }
            Self::Uptime(seconds) => into.uptime_s = Some(*seconds),
            Self::Memory { memory, swap } => {
                into.memory = Some(*memory);
                into.swap = *swap;
            }
            Self::Disks(disks) => into.disks.clone_from(disks),
            Self::Gpu(kind, gpus) => {
                into.gpu = Some(*kind);
                into.gpus.clone_from(gpus);
            }
            Self::Temperature(degrees) => into.temperature = Some(*degrees),
            Self::Units(units) => into.failed_units = Some(units.clone()),
            Self::Reboot(parts) => into.reboot_for = Some(parts.clone()),
        }
    }
}

/// Reads one thing. `None` where the host has no such thing, which is no error.
type Collect = Box<dyn FnMut() -> anyhow::Result<Option<Reading>> + Send>;

/// One thing to read, and how often.
struct Collector {
    name: &'static str,
    every: Duration,
    collect: Collect,
}

impl Collector {
    fn new(
        name: &'static str,
        every: Duration,
        collect: impl FnMut() -> anyhow::Result<Option<Reading>> + Send + 'static,
    ) -> Self {
        Self {
            name,
            every,
            collect: Box::new(collect),
        }
    }
}

/// What one collector has left, and what it is at.
#[derive(Debug)]
struct Cell {
    name: &'static str,
    keep: Duration,
    reading: Option<(Reading, Instant)>,
    /// Since when it collects.
    at_it: Option<Instant>,
    /// Whether was said that it takes long.
    said: bool,
    /// Whether it has ended once, well or not.
    once: bool,
}

#[derive(Debug)]
struct Cells(Mutex<Vec<Cell>>);

impl Cells {
    fn lock(&self) -> MutexGuard<'_, Vec<Cell>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, index: usize, now: Instant) {
        let mut slow = Vec::new();
        let mut cells = self.lock();
        if let Some(cell) = cells.get_mut(index) {
            cell.at_it = Some(now);
            cell.said = false;
        }
        // Who hangs cannot say so: the others do.
        for cell in cells.iter_mut().filter(|cell| !cell.said) {
            if cell.at_it.is_some_and(|since| now - since > program::LIMIT) {
                cell.said = true;
                slow.push(cell.name);
            }
        }
        drop(cells);
        for name in slow {
            tracing::debug!(
                "{name}: not read within {} s; the last value stays until it is too old",
                program::LIMIT.as_secs()
            );
        }
    }

    fn end(&self, index: usize, began: Instant, read: anyhow::Result<Option<Reading>>) {
        let mut cells = self.lock();
        let Some(cell) = cells.get_mut(index) else {
            return;
        };
        cell.at_it = None;
        cell.once = true;
        let name = cell.name;
        match read {
            Ok(reading) => cell.reading = reading.map(|reading| (reading, began)),
            Err(error) => {
                drop(cells);
                tracing::debug!("{name}: {error:#}");
            }
        }
    }
}

/// Where heartbeats read what the collectors have left. The collectors' threads end once nobody has one any more.
#[derive(Debug, Clone)]
pub struct Reader(Option<Arc<Cells>>);

impl Reader {
    /// Nothing is read.
    pub fn off() -> Self {
        Self(None)
    }

    /// What is known by now; none where nothing is. Waits for nothing.
    pub fn read(&self) -> Option<Resources> {
        self.read_at(Instant::now())
    }

    fn read_at(&self, now: Instant) -> Option<Resources> {
        let cells = self.0.as_ref()?.lock();
        let mut found = None;
        for cell in cells.iter() {
            let Some((reading, at)) = &cell.reading else {
                continue;
            };
            let age = now.saturating_duration_since(*at);
            if age > cell.keep {
                continue;
            }
            let resources = found.get_or_insert_with(Resources::default);
            reading.put(resources);
            resources.age_ms = resources.age_ms.max(age.as_millis() as u64);
        }
        found
    }

    /// Waits until each collector has ended once, at most a little longer than one may take.
    pub async fn complete(&self) {
        let Some(cells) = &self.0 else { return };
        let deadline = Instant::now() + program::LIMIT + Duration::from_millis(500);
        while Instant::now() < deadline && !cells.lock().iter().all(|cell| cell.once) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// Starts a thread for each collector of a host whose root directory is `root` and whose heartbeats are `interval` apart.
///
/// # Errors
/// A thread cannot be started.
pub fn start(root: PathBuf, interval: Duration) -> anyhow::Result<Reader> {
    run(collectors::all(root, interval))
}

fn run(collectors: Vec<Collector>) -> anyhow::Result<Reader> {
    let cells = collectors.iter().map(|collector| Cell {
        name: collector.name,
        keep: KEEP.max(collector.every * 3),
        reading: None,
        at_it: None,
        said: false,
        once: false,
    });
    let cells = Arc::new(Cells(Mutex::new(cells.collect())));
    for (index, collector) in collectors.into_iter().enumerate() {
        let cells = Arc::downgrade(&cells);
        std::thread::Builder::new()
            .name(collector.name.into())
            .stack_size(STACK)
            .spawn(move || work(index, collector, &cells))?;
    }
    Ok(Reader(Some(cells)))
}

fn work(index: usize, mut collector: Collector, weak: &Weak<Cells>) {
    loop {
        let began = Instant::now();
        let Some(cells) = weak.upgrade() else { return };
        cells.begin(index, began);
        // Not held while collecting: a collector that hangs keeps nothing alive.
        drop(cells);
        let read = (collector.collect)();
        let Some(cells) = weak.upgrade() else { return };
        cells.end(index, began, read);
        drop(cells);
        std::thread::sleep(collector.every.saturating_sub(began.elapsed()));
    }
}

/// Two decimals are enough of everything.
fn rounded(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests;
