//! How heartbeats write [`Resources`]: shorter than elsewhere, because each host sends one every interval. Whoever writes by hand may
//! write everything at length, as the types say; both are read.
//!
//! - Amounts of whole MiB are `[total, available]` in MiB.
//! - A file system with such an amount is `[mount, total, available]`, with a further `1` where the Nix store is.
//! - A GPU is `[name, total, available, percent, temperature]`, `null` where it does not say.
//! - Failed units that are not named, as when there are none, are their count.
//! - `cores_available` is left out where it is `cores` less the load of the last minute.
//! - Whole numbers have no `.0`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Amount, Disk, FailedUnits, Gpu, GpuKind, Resources};
use crate::wire::to_dashboard::readable;

const MEBIBYTE: u64 = 1 << 20;

/// Writes the short form.
///
/// # Errors
/// The serializer's own.
pub fn serialize<S: Serializer>(
    resources: &Option<Resources>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    resources.as_ref().map(Short::from).serialize(serializer)
}

/// Reads either form. What is neither is none: it must not cost the sign of life that it came with.
///
/// # Errors
/// It is no JSON.
pub fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Resources>, D::Error> {
    let short: Option<Short> = readable(deserializer)?;
    Ok(short.map(Resources::from))
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Short {
    age_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    load: Option<[Number; 3]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cores: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cores_available: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<ShortAmount>,
    #[serde(skip_serializing_if = "Option::is_none")]
    swap: Option<ShortAmount>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    disks: Vec<ShortDisk>,
    #[serde(skip_serializing_if = "Option::is_none")]
    uptime_s: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<GpuKind>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    gpus: Vec<ShortGpu>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed_units: Option<ShortUnits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reboot_for: Option<Vec<String>>,
}

/// A number that is written without a fraction where it has none.
#[derive(Clone, Copy, Deserialize)]
#[serde(transparent)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.fract() == 0.0 && self.0.abs() < 1e15 {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ShortAmount {
    Mebibytes(u64, u64),
    Bytes(Amount),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ShortDisk {
    Disk(String, u64, u64),
    Store(String, u64, u64, u8),
    Long(Disk),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ShortGpu {
    Gpu(
        String,
        Option<u64>,
        Option<u64>,
        Option<Number>,
        Option<Number>,
    ),
    Long(Gpu),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ShortUnits {
    Count(u32),
    Named(FailedUnits),
}

/// Total and available in MiB, where nothing is lost by that.
fn mebibytes(amount: Amount) -> Option<(u64, u64)> {
    let whole = amount.total.is_multiple_of(MEBIBYTE) && amount.available.is_multiple_of(MEBIBYTE);
    whole.then_some((amount.total / MEBIBYTE, amount.available / MEBIBYTE))
}

fn bytes(total: u64, available: u64) -> Amount {
    Amount {
        total: total.saturating_mul(MEBIBYTE),
        available: available.saturating_mul(MEBIBYTE),
    }
}

impl From<Amount> for ShortAmount {
    fn from(amount: Amount) -> Self {
        mebibytes(amount).map_or(Self::Bytes(amount), |(total, available)| {
            Self::Mebibytes(total, available)
        })
    }
}

impl From<ShortAmount> for Amount {
    fn from(short: ShortAmount) -> Self {
        match short {
            ShortAmount::Mebibytes(total, available) => bytes(total, available),
            ShortAmount::Bytes(amount) => amount,
        }
    }
}

impl From<&Disk> for ShortDisk {
    fn from(disk: &Disk) -> Self {
        let mount = disk.mount.clone();
        match mebibytes(disk.amount) {
            Some((total, available)) if disk.store => Self::Store(mount, total, available, 1),
            Some((total, available)) => Self::Disk(mount, total, available),
            None => Self::Long(disk.clone()),
        }
    }
}

impl From<ShortDisk> for Disk {
    fn from(short: ShortDisk) -> Self {
        let (mount, amount, store) = match short {
            ShortDisk::Disk(mount, total, available) => (mount, bytes(total, available), false),
            ShortDisk::Store(mount, total, available, store) => {
                (mount, bytes(total, available), store != 0)
            }
            ShortDisk::Long(disk) => return disk,
        };
        Self {
            mount,
            amount,
            store,
        }
    }
}

impl From<&Gpu> for ShortGpu {
    fn from(gpu: &Gpu) -> Self {
        let vram = match gpu.vram.map(mebibytes) {
            Some(None) => return Self::Long(gpu.clone()),
            Some(Some(vram)) => Some(vram),
            None => None,
        };
        Self::Gpu(
            gpu.name.clone(),
            vram.map(|(total, _)| total),
            vram.map(|(_, available)| available),
            gpu.percent.map(Number),
            gpu.temperature.map(Number),
        )
    }
}

impl From<ShortGpu> for Gpu {
    fn from(short: ShortGpu) -> Self {
        match short {
            ShortGpu::Gpu(name, total, available, percent, temperature) => Self {
                name,
                vram: total
                    .zip(available)
                    .map(|(total, available)| bytes(total, available)),
                percent: percent.map(|number| number.0),
                temperature: temperature.map(|number| number.0),
            },
            ShortGpu::Long(gpu) => gpu,
        }
    }
}

impl From<&FailedUnits> for ShortUnits {
    fn from(units: &FailedUnits) -> Self {
        if units.names.is_empty() {
            Self::Count(units.count)
        } else {
            Self::Named(units.clone())
        }
    }
}

impl From<ShortUnits> for FailedUnits {
    fn from(short: ShortUnits) -> Self {
        match short {
            ShortUnits::Count(count) => Self {
                count,
                names: Vec::new(),
            },
            ShortUnits::Named(units) => units,
        }
    }
}

/// What `cores_available` is where nothing else is said.
fn derived(cores: Option<u32>, load: Option<[f64; 3]>) -> Option<f64> {
    cores
        .zip(load)
        .map(|(cores, [minute, ..])| Resources::cores_left(cores, minute))
}

impl From<&Resources> for Short {
    fn from(resources: &Resources) -> Self {
        let derived = derived(resources.cores, resources.load);
        Self {
            age_ms: resources.age_ms,
            load: resources.load.map(|load| load.map(Number)),
            cores: resources.cores,
            cores_available: resources
                .cores_available
                .filter(|_| resources.cores_available != derived)
                .map(Number),
            memory: resources.memory.map(ShortAmount::from),
            swap: resources.swap.map(ShortAmount::from),
            disks: resources.disks.iter().map(ShortDisk::from).collect(),
            uptime_s: resources.uptime_s,
            gpu: resources.gpu,
            gpus: resources.gpus.iter().map(ShortGpu::from).collect(),
            temperature: resources.temperature.map(Number),
            failed_units: resources.failed_units.as_ref().map(ShortUnits::from),
            reboot_for: resources.reboot_for.clone(),
        }
    }
}

impl From<Short> for Resources {
    fn from(short: Short) -> Self {
        let load = short.load.map(|load| load.map(|number| number.0));
        let said = short.cores_available.map(|number| number.0);
        Self {
            age_ms: short.age_ms,
            load,
            cores: short.cores,
            cores_available: said.or_else(|| derived(short.cores, load)),
            memory: short.memory.map(Amount::from),
            swap: short.swap.map(Amount::from),
            disks: short.disks.into_iter().map(Disk::from).collect(),
            uptime_s: short.uptime_s,
            gpu: short.gpu,
            gpus: short.gpus.into_iter().map(Gpu::from).collect(),
            temperature: short.temperature.map(|number| number.0),
            failed_units: short.failed_units.map(FailedUnits::from),
            reboot_for: short.reboot_for,
        }
    }
}

#[cfg(test)]
mod tests;
