//! The numbers that are kept of a heartbeat.

use crate::wire::resources::{Amount, Resources};
use crate::wire::to_dashboard::{Heartbeat, Metrics};

/// How many there are.
pub const N_SERIES: usize = 12;

/// Their names, in the order in which they are stored: the list only ever grows at its end.
///
/// The first four are StaSysMo's, the others the agent's own: `swap` and `load` are what StaSysMo says, `swap_used` and
/// `load1` what the kernel says. All but loads and temperatures (°C) are percentages.
pub const SERIES: [&str; N_SERIES] = [
    "cpu",
    "ram",
    "swap",
    "load",
    "load1",
    "memory",
    "swap_used",
    "disk_root",
    "disk",
    "disk_store",
    "vram",
    "temperature",
];

/// The place of `load`.
pub const LOAD: usize = 3;
/// The place of `ram`.
pub const RAM: usize = 1;
/// The place of `load1`.
pub const LOAD1: usize = 4;
/// The place of `memory`.
pub const MEMORY: usize = 5;

/// Readings that are older than this when they arrive are not how the host is: they are left out.
pub const FRESH_MS: u64 = 120_000;

/// What one heartbeat says of each series; what it does not say is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sample(pub [Option<f32>; N_SERIES]);

impl Sample {
    /// The numbers of a heartbeat.
    pub fn of(heartbeat: &Heartbeat) -> Self {
        let mut values = [None; N_SERIES];
        if let Some(metrics) = &heartbeat.metrics {
            stasysmo(metrics, &mut values);
        }
        let fresh = |resources: &&Resources| resources.age_ms <= FRESH_MS;
        if let Some(resources) = heartbeat.resources.as_ref().filter(fresh) {
            own(resources, &mut values);
        }
        Self(values)
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }
}

fn stasysmo(metrics: &Metrics, values: &mut [Option<f32>; N_SERIES]) {
    values[0] = percent(metrics.cpu);
    values[RAM] = percent(metrics.ram);
    values[2] = percent(metrics.swap);
    values[LOAD] = load(metrics.load);
}

fn own(resources: &Resources, values: &mut [Option<f32>; N_SERIES]) {
    values[LOAD1] = resources.load.and_then(|[one, ..]| load(one));
    values[MEMORY] = resources.memory.and_then(used);
    values[6] = resources.swap.and_then(used);
    let disks = &resources.disks;
    let root = disks.iter().find(|disk| disk.mount == "/");
    values[7] = root.and_then(|disk| used(disk.amount));
    let fullest = disks.iter().filter_map(|disk| used(disk.amount));
    values[8] = fullest.max_by(f32::total_cmp);
    let store = disks.iter().find(|disk| disk.store);
    values[9] = store.and_then(|disk| used(disk.amount));
    let vram = resources.gpus.iter().filter_map(|gpu| gpu.vram);
    values[10] = vram.filter_map(used).max_by(f32::total_cmp);
    values[11] = resources
        .temperature
        .filter(|degrees| (-273.15..=10_000.0).contains(degrees))
        .map(|degrees| degrees as f32);
}

/// A percentage as it may be.
fn percent(number: f64) -> Option<f32> {
    number.is_finite().then(|| number.clamp(0.0, 100.0) as f32)
}

/// A load as it may be.
fn load(number: f64) -> Option<f32> {
    (number.is_finite() && number >= 0.0).then(|| number.min(1e6) as f32)
}

/// How much of a whole is in use; of nothing there is no share.
fn used(amount: Amount) -> Option<f32> {
    (amount.total > 0).then(|| amount.percent() as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::resources::{Disk, Gpu};

    #[test]
    fn a_heartbeat_becomes_numbers() {
        let amount = |total, available| Amount { total, available };
        let disk = |mount: &str, available, store| Disk {
            mount: mount.into(),
            amount: amount(100, available),
            store,
        };
        let heartbeat = Heartbeat {
            metrics: Some(Metrics {
                cpu: 12.5,
                ram: 140.0,
                swap: -1.0,
                load: 0.5,
            }),
            resources: Some(Resources {
                load: Some([1.5, 1.0, 0.5]),
                memory: Some(amount(1000, 250)),
                disks: vec![
                    disk("/", 50, false),
                    disk("/nix", 30, true),
                    disk("/srv", 1, false),
                ],
                gpus: vec![
                    Gpu {
                        vram: Some(amount(10, 5)),
                        ..Gpu::default()
                    },
                    Gpu::default(),
                ],
                temperature: Some(61.5),
                ..Resources::default()
            }),
            ..Heartbeat::default()
        };
        let sample = Sample::of(&heartbeat);
        let shown: Vec<String> = SERIES
            .iter()
            .zip(sample.0)
            .map(|(name, value)| format!("{name} {value:?}"))
            .collect();
        expect_test::expect![[r"
            cpu Some(12.5)
            ram Some(100.0)
            swap Some(0.0)
            load Some(0.5)
            load1 Some(1.5)
            memory Some(75.0)
            swap_used None
            disk_root Some(50.0)
            disk Some(99.0)
            disk_store Some(70.0)
            vram Some(50.0)
            temperature Some(61.5)
        "]]
        .assert_eq(&format!("{}\n", shown.join("\n")));
    }

    #[test]
    fn what_is_old_or_impossible_is_absent() {
        let mut heartbeat = Heartbeat {
            resources: Some(Resources {
                age_ms: FRESH_MS + 1,
                load: Some([1.0; 3]),
                ..Resources::default()
            }),
            ..Heartbeat::default()
        };
        assert!(Sample::of(&heartbeat).is_empty());
        heartbeat.resources = Some(Resources {
            load: Some([f64::NAN; 3]),
            memory: Some(Amount::default()),
            temperature: Some(f64::INFINITY),
            ..Resources::default()
        });
        assert!(Sample::of(&heartbeat).is_empty());
        assert!(Sample::of(&Heartbeat::default()).is_empty());
    }
}
