//! Main memory and swap, from `/proc/meminfo`.

use std::path::Path;

use anyhow::Context as _;

use super::{Reading, file};
use crate::wire::resources::Amount;

/// The file has some 60 lines.
const MAX_MEMINFO: usize = 16 * 1024;

/// What of memory and swap is left.
pub fn read(root: &Path) -> anyhow::Result<Option<Reading>> {
    let text = file::read(&root.join("proc/meminfo"), MAX_MEMINFO)?;
    parse(&text)
        .context("/proc/meminfo does not tell its memory")
        .map(Some)
}

fn parse(text: &str) -> Option<Reading> {
    let bytes = |key: &str| -> Option<u64> {
        let rest = text
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))?;
        let kib: u64 = rest.trim().strip_suffix(" kB")?.parse().ok()?;
        kib.checked_mul(1024)
    };
    let total = bytes("MemTotal").filter(|total| *total > 0)?;
    // Kernels before 3.14 do not estimate what programs could still have.
    let available = bytes("MemAvailable")
        .or_else(|| Some(bytes("MemFree")? + bytes("Buffers")? + bytes("Cached")?))?
        .min(total);
    let swap = bytes("SwapTotal").filter(|total| *total > 0);
    let swap = swap.zip(bytes("SwapFree")).map(|(total, free)| Amount {
        total: whole(total),
        available: whole(free.min(total)),
    });
    let memory = Amount {
        total: whole(total),
        available: whole(available),
    };
    Some(Reading::Memory { memory, swap })
}

/// Whole MiB, which heartbeats write in few digits.
pub fn whole(bytes: u64) -> u64 {
    bytes & !0xf_ffff
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEMINFO: &str = "MemTotal:       16384000 kB\nMemFree:         1000000 kB\nMemAvailable:   12288000 kB\n\
                           Buffers:          100000 kB\nCached:          2000000 kB\nSwapCached: 0 kB\n\
                           SwapTotal:       8388608 kB\nSwapFree:        8388604 kB\n";

    fn amounts(text: &str) -> Option<(Amount, Option<Amount>)> {
        match parse(text)? {
            Reading::Memory { memory, swap } => Some((memory, swap)),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn memory_and_swap_in_whole_mebibytes() {
        let (memory, swap) = amounts(MEMINFO).unwrap();
        assert_eq!((memory.total, memory.available), (16000 << 20, 12000 << 20));
        let swap = swap.unwrap();
        assert_eq!((swap.total, swap.available), (8192 << 20, 8191 << 20));
    }

    #[test]
    fn memory_percent_in_range() {
        let more = MEMINFO.replace("12288000", "99999999");
        let none = MEMINFO.replace("12288000", "0");
        for (text, expected) in [(MEMINFO, 25.0), (&more, 0.0), (&none, 100.0)] {
            let percent = amounts(text).unwrap().0.percent();
            assert!((0.0..=100.0).contains(&percent));
            let memory = amounts(text).unwrap().0;
            assert!(memory.available <= memory.total, "{memory:?}");
            assert!((percent - expected).abs() < 0.01, "{percent}");
        }
    }

    #[test]
    fn memory_available_gb_positive() {
        let here = Path::new("/");
        if cfg!(target_os = "linux") {
            let Ok(Some(Reading::Memory { memory, .. })) = read(here) else {
                panic!("this machine does not tell its memory");
            };
            assert!(memory.available > 0 && memory.available <= memory.total);
        }
        let old = MEMINFO.replace("MemAvailable:", "Other:");
        assert_eq!(amounts(&old).unwrap().0.available, whole(3_100_000 * 1024));
    }

    #[test]
    fn no_swap_and_what_is_no_meminfo() {
        let without = MEMINFO.replace("8388608", "0");
        assert_eq!(amounts(&without).unwrap().1, None);
        for text in [
            "",
            "MemTotal: 0 kB\n",
            "MemTotal: many kB\n",
            "MemTotal: 5\n",
            "MemTotal: 99999999999999999999 kB\n",
        ] {
            assert!(parse(text).is_none(), "{text}");
        }
    }
}
