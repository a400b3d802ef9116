//! Which collectors there are, and how often each one reads.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Collector, Reading, disks, gpu, load, macos, memory, reboot, temperature, units};

/// Between two readings of the memory: a heartbeat's interval, within these limits. The kernel adds it up anew for each reader.
const MEMORY: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(10)];
/// Of the load, which the kernel computes every 5 s, and the uptime.
const LOAD: [Duration; 2] = [Duration::from_secs(5), Duration::from_secs(10)];
/// Of what asks devices.
const DEVICES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];
/// Of what starts a program.
const PROGRAMS: [Duration; 2] = [Duration::from_secs(30), Duration::from_secs(60)];

type Read = fn(&Path) -> anyhow::Result<Option<Reading>>;

/// All that can read something on this operating system, below `root` (`/`).
pub fn all(root: PathBuf, interval: Duration) -> Vec<Collector> {
    let every = |[least, most]: [Duration; 2]| interval.clamp(least, most);
    if cfg!(target_os = "macos") {
        return vec![
            Collector::new("sysctl", every(DEVICES), macos::load),
            Collector::new("uptime", every(DEVICES), macos::uptime),
            Collector::new("memory", every(DEVICES), macos::memory),
            Collector::new("disks", every(DEVICES), move || macos::disks(&root)),
        ];
    }
    let mut cores = load::Cores::default();
    let of = |name, limits, read: Read| {
        let root = root.clone();
        Collector::new(name, every(limits), move || read(&root))
    };
    let mut all = vec![
        of("uptime", LOAD, load::uptime),
        of("memory", MEMORY, memory::read),
        of("disks", DEVICES, disks::read),
        of("temperature", DEVICES, temperature::read),
        of("reboot", DEVICES, reboot::read),
        of("units", PROGRAMS, units::read),
    ];
    let (of_gpu, mut answered) = (root.clone(), None);
    all.push(Collector::new("gpu", every(PROGRAMS), move || {
        gpu::read(&of_gpu, &mut answered)
    }));
    all.push(Collector::new("load", every(LOAD), move || {
        load::read(&root, &mut cores)
    }));
    all
}
