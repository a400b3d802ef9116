//! AMD's GPUs, by the files of the kernel's driver.

use super::Card;
use crate::agent::resources::memory::whole;
use crate::agent::resources::{file, temperature};
use crate::wire::resources::{Amount, Gpu};

/// One card; one that sleeps is not asked.
pub fn read(card: &Card) -> Gpu {
    let value = |name: &str| file::number::<u64>(&card.device.join(name));
    if card.asleep() {
        return Gpu::default();
    }
    let vram = value("mem_info_vram_total").zip(value("mem_info_vram_used"));
    Gpu {
        name: file::read(&card.device.join("product_name"), file::VALUE)
            .map_or_else(|_| String::new(), |name| name.trim().to_owned()),
        vram: vram.map(|(total, used)| Amount {
            total: whole(total),
            available: whole(total.saturating_sub(used)),
        }),
        percent: value("gpu_busy_percent")
            .filter(|percent| *percent <= 100)
            .map(|percent| percent as f64),
        temperature: temperature::of_device(&card.device),
    }
}
