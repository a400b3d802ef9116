//! What an agent reads of its host, as it is kept: a host may be anybody's. Numbers that nobody can mean are taken for
//! unknown, texts are short and have no control characters, lists are no longer than the wire says.

use crate::wire::resources::{
    FailedUnits, Gpu, HostFacts, MAX_DISKS, MAX_FAILED_UNITS, MAX_GPUS, Resources,
};

/// The longest name of a mount, a unit or a GPU, in characters.
const MAX_NAME: usize = 120;
/// The most reasons for a reboot; there are three.
const MAX_REASONS: usize = 8;
/// The most cores that are believed.
const MAX_CORES: u32 = 1 << 16;
/// The most of anything that is counted in bytes.
const MAX_BYTES: u64 = 1 << 60;

/// Facts as they are kept.
pub(super) fn facts(facts: &mut HostFacts) {
    for text in [&mut facts.os, &mut facts.kernel, &mut facts.architecture] {
        name(text);
    }
    facts.boot_id.iter_mut().for_each(name);
}

/// Readings as they are kept.
pub(super) fn resources(resources: &mut Resources) {
    let load = |load: &[f64; 3]| load.iter().all(|value| (0.0..=1e6).contains(value));
    resources.load = resources.load.filter(load);
    resources.cores = resources
        .cores
        .filter(|cores| (1..=MAX_CORES).contains(cores));
    let most = f64::from(resources.cores.unwrap_or(MAX_CORES));
    resources.cores_available = resources
        .cores_available
        .filter(|free| free.is_finite())
        .map(|free| free.clamp(0.0, most));
    for amount in [&mut resources.memory, &mut resources.swap] {
        *amount = amount.filter(|amount| amount.total <= MAX_BYTES);
        if let Some(amount) = amount {
            amount.available = amount.available.min(amount.total);
        }
    }
    resources.disks.truncate(MAX_DISKS);
    resources
        .disks
        .retain(|disk| !disk.mount.is_empty() && disk.amount.total <= MAX_BYTES);
    for disk in &mut resources.disks {
        name(&mut disk.mount);
        disk.amount.available = disk.amount.available.min(disk.amount.total);
    }
    resources.gpus.truncate(MAX_GPUS);
    resources.gpus.iter_mut().for_each(gpu);
    resources.temperature = resources.temperature.filter(|it| is_temperature(*it));
    resources.failed_units.iter_mut().for_each(units);
    if let Some(reasons) = &mut resources.reboot_for {
        reasons.truncate(MAX_REASONS);
        reasons.iter_mut().for_each(name);
    }
}

fn gpu(gpu: &mut Gpu) {
    name(&mut gpu.name);
    gpu.vram = gpu.vram.filter(|vram| vram.total <= MAX_BYTES);
    if let Some(vram) = &mut gpu.vram {
        vram.available = vram.available.min(vram.total);
    }
    gpu.percent = gpu.percent.filter(|busy| (0.0..=100.0).contains(busy));
    gpu.temperature = gpu.temperature.filter(|it| is_temperature(*it));
}

fn units(units: &mut FailedUnits) {
    units.names.truncate(MAX_FAILED_UNITS);
    units.names.retain(|unit| !unit.is_empty());
    units.names.iter_mut().for_each(name);
    units.count = units.count.max(units.names.len() as u32);
}

fn is_temperature(degrees: f64) -> bool {
    (-273.15..=10_000.0).contains(&degrees)
}

/// Short, and with nothing in it that a terminal obeys.
fn name(text: &mut String) {
    if text.chars().count() <= MAX_NAME && !text.chars().any(char::is_control) {
        return;
    }
    let plain = |letter: char| if letter.is_control() { '�' } else { letter };
    *text = text.chars().take(MAX_NAME).map(plain).collect();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::resources::{Amount, Disk, GpuKind};

    #[test]
    fn what_nobody_can_mean_is_unknown() {
        let amount = |total, available| Amount { total, available };
        let mut wild = Resources {
            load: Some([1.0, -1.0, 0.0]),
            cores: Some(u32::MAX),
            cores_available: Some(1e300),
            memory: Some(amount(u64::MAX, 1)),
            swap: Some(amount(10, 20)),
            disks: (0..100)
                .map(|n| Disk {
                    mount: format!("/mnt/{n}\u{1b}[2J"),
                    amount: amount(5, 6),
                    store: false,
                })
                .collect(),
            gpu: Some(GpuKind::Nvidia),
            gpus: vec![
                Gpu {
                    name: "x".repeat(5000),
                    vram: Some(amount(5, 50)),
                    percent: Some(101.0),
                    temperature: Some(f64::NAN),
                };
                40
            ],
            temperature: Some(1e9),
            failed_units: Some(FailedUnits {
                count: 1,
                names: vec!["a.service".into(); 30],
            }),
            reboot_for: Some(vec!["kernel".into(); 1000]),
            ..Resources::default()
        };
        resources(&mut wild);
        assert_eq!((wild.load, wild.cores, wild.memory), (None, None, None));
        assert_eq!(wild.cores_available, Some(65_536.0));
        assert_eq!(wild.swap, Some(amount(10, 10)));
        assert_eq!(wild.disks.len(), MAX_DISKS);
        assert_eq!(wild.disks[1].mount, "/mnt/1�[2J");
        assert_eq!(wild.gpus.len(), MAX_GPUS);
        let gpu = &wild.gpus[0];
        assert_eq!(
            (gpu.name.len(), gpu.percent, gpu.temperature),
            (120, None, None)
        );
        assert_eq!(gpu.vram, Some(amount(5, 5)));
        assert_eq!(wild.temperature, None);
        let units = wild.failed_units.unwrap();
        assert_eq!((units.count, units.names.len()), (8, 8));
        assert_eq!(wild.reboot_for.unwrap().len(), MAX_REASONS);
        let mut said = HostFacts {
            os: "a\nb".into(),
            boot_id: Some("y".repeat(1000)),
            ..HostFacts::default()
        };
        facts(&mut said);
        assert_eq!(said.os, "a�b");
        assert_eq!(said.boot_id.map(|id| id.len()), Some(MAX_NAME));
    }
}
