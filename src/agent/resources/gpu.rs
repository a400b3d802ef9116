//! Which GPU a host has, and how much of its memory is left. NVIDIA answers through its own program, AMD through files of the kernel's;
//! Intel's use main memory.

mod amd;
mod nvidia;

use std::path::{Path, PathBuf};
use std::time::Instant;

use super::{Reading, file};
use crate::wire::resources::{GpuKind, MAX_GPUS};

/// Looks for cards. A program is started only where NVIDIA's driver is loaded; `answered` is when it answered last.
pub fn read(root: &Path, answered: &mut Option<Instant>) -> anyhow::Result<Option<Reading>> {
    let cards = cards(root);
    let of = |kind| cards.iter().filter(move |card| card.kind == Some(kind));
    let (kind, mut gpus) = if nvidia::driver(root) || of(GpuKind::Nvidia).next().is_some() {
        let asleep = of(GpuKind::Nvidia).next().is_some() && of(GpuKind::Nvidia).all(Card::asleep);
        (GpuKind::Nvidia, nvidia::read(root, asleep, answered)?)
    } else if of(GpuKind::Amd).next().is_some() {
        (GpuKind::Amd, of(GpuKind::Amd).map(amd::read).collect())
    } else if of(GpuKind::Intel).next().is_some() {
        (GpuKind::Intel, Vec::new())
    } else {
        (GpuKind::None, Vec::new())
    };
    gpus.truncate(MAX_GPUS);
    Ok(Some(Reading::Gpu(kind, gpus)))
}

/// A card that the kernel knows.
struct Card {
    kind: Option<GpuKind>,
    device: PathBuf,
}

impl Card {
    /// Whether it has powered itself off. Whoever asks it wakes it up, and a laptop's battery pays.
    fn asleep(&self) -> bool {
        file::read(&self.device.join("power/runtime_status"), file::VALUE)
            .is_ok_and(|status| status.trim() == "suspended")
    }
}

/// `card0`, but not its connectors `card0-HDMI-A-1`.
fn cards(root: &Path) -> Vec<Card> {
    file::entries(&root.join("sys/class/drm"))
        .into_iter()
        .filter(|(name, _)| {
            name.strip_prefix("card").is_some_and(|rest| {
                !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit())
            })
        })
        .map(|(_, path)| {
            let device = path.join("device");
            let vendor = file::read(&device.join("vendor"), file::VALUE).unwrap_or_default();
            let kind = match vendor.trim() {
                "0x10de" => Some(GpuKind::Nvidia),
                "0x1002" => Some(GpuKind::Amd),
                "0x8086" => Some(GpuKind::Intel),
                _ => None,
            };
            Card { kind, device }
        })
        .collect()
}

#[cfg(test)]
mod tests;
