//! macOS, by its own programs: `sysctl` and `vm_stat`, asked rarely and with a deadline. The readers of what they print are the same on
//! every system, so that they are tested everywhere.

use std::path::Path;

use anyhow::Context as _;

use super::load::averages;
use super::memory::whole;
use super::{Reading, disks, program};
use crate::base::clock;
use crate::wire::resources::{Amount, Disk};

/// Load averages and processors.
pub fn load() -> anyhow::Result<Option<Reading>> {
    let text = sysctl("vm.loadavg")?;
    let load = parse_load(&text).context("vm.loadavg has no three averages")?;
    let cores = std::thread::available_parallelism()?.get();
    Ok(Some(Reading::Load {
        load,
        cores: u32::try_from(cores).unwrap_or(u32::MAX),
    }))
}

/// Since the boot.
pub fn uptime() -> anyhow::Result<Option<Reading>> {
    let text = sysctl("kern.boottime")?;
    let booted = parse_boot(&text).context("kern.boottime has no seconds")?;
    Ok(Some(Reading::Uptime(
        (clock::now() / 1000).saturating_sub(booted),
    )))
}

/// Main memory and swap.
pub fn memory() -> anyhow::Result<Option<Reading>> {
    let total = sysctl("hw.memsize")?
        .trim()
        .parse()
        .context("hw.memsize is no number")?;
    let pages = program::output(Path::new("/usr/bin/vm_stat"), &[], program::LIMIT)?;
    let available = parse_pages(&pages).context("vm_stat does not tell its pages")?;
    Ok(Some(Reading::Memory {
        memory: Amount {
            total: whole(total),
            available: whole(available.min(total)),
        },
        swap: parse_swap(&sysctl("vm.swapusage")?),
    }))
}

/// The root, and the volume of the store where it has one.
pub fn disks(root: &Path) -> anyhow::Result<Option<Reading>> {
    use std::os::unix::fs::MetadataExt as _;
    let device = |path: &Path| std::fs::metadata(path).map(|data| data.dev()).ok();
    let nix = root.join("nix");
    let own = device(&nix).is_some_and(|nix| Some(nix) != device(root));
    let disk = |mount: &str, path: &Path, store| {
        disks::amount(path).map(|amount| Disk {
            mount: mount.into(),
            amount,
            store,
        })
    };
    let mut all = vec![disk("/", root, nix.exists() && !own)?];
    if own {
        all.push(disk("/nix", &nix, true)?);
    }
    Ok(Some(Reading::Disks(all)))
}

/// Which boot this is.
pub fn boot_id() -> Option<String> {
    let id = sysctl("kern.bootsessionuuid").ok()?;
    let id = id.trim();
    (!id.is_empty()).then(|| id.to_owned())
}

fn sysctl(name: &str) -> anyhow::Result<String> {
    program::output(Path::new("/usr/sbin/sysctl"), &["-n", name], program::LIMIT)
}

/// `{ 1.92 2.03 2.11 }`
fn parse_load(text: &str) -> Option<[f64; 3]> {
    averages(text.trim().strip_prefix('{')?.split_whitespace())
}

/// `{ sec = 1700000000, usec = 42 } Tue Nov 14 22:13:20 2023`
fn parse_boot(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("sec = ")?;
    rest.split(',').next()?.parse().ok()
}

/// What programs could still have: free pages, those that only wait for use, and those that their owners can do without.
fn parse_pages(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once("page size of ")?;
    let size: u64 = rest.split(' ').next()?.parse().ok()?;
    let pages = |name: &str| -> Option<u64> {
        let rest = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        rest.trim().trim_end_matches('.').parse().ok()
    };
    let free = pages("Pages free")?;
    let more = ["Pages inactive", "Pages speculative", "Pages purgeable"];
    let more: u64 = more.iter().filter_map(|name| pages(name)).sum();
    (free + more).checked_mul(size)
}

/// `total = 2048.00M  used = 1011.75M  free = 1036.25M  (encrypted)`; none where there is no swap.
fn parse_swap(text: &str) -> Option<Amount> {
    let value = |key: &str| -> Option<u64> {
        let (_, rest) = text.split_once(key)?;
        let mebibytes: f64 = rest.split('M').next()?.trim().parse().ok()?;
        Some((mebibytes as u64) << 20)
    };
    let (total, free) = (value("total =")?, value("free =")?);
    (total > 0).then_some(Amount {
        total,
        available: free.min(total),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sysctl_and_vm_stat_print() {
        assert_eq!(parse_load("{ 1.92 2.03 2.11 }\n"), Some([1.92, 2.03, 2.11]));
        assert_eq!(parse_load("1,92 2,03 2,11"), None);
        let boot = "{ sec = 1700000000, usec = 42 } Tue Nov 14 22:13:20 2023\n";
        assert_eq!(parse_boot(boot), Some(1_700_000_000));
        assert_eq!(parse_boot("long ago"), None);
        let pages = "Mach Virtual Memory Statistics: (page size of 16384 bytes)\nPages free:            5000.\n\
                     Pages active:       262144.\nPages inactive:        1000.\nPages speculative:    200.\nPages purgeable:   36.\n";
        assert_eq!(parse_pages(pages), Some(6236 * 16384));
        assert_eq!(parse_pages("Pages free: 5000."), None);
        let swap = "total = 2048.00M  used = 1011.75M  free = 1036.25M  (encrypted)\n";
        assert_eq!(
            parse_swap(swap),
            Some(Amount {
                total: 2048 << 20,
                available: 1036 << 20
            })
        );
        assert_eq!(
            parse_swap("total = 0.00M  used = 0.00M  free = 0.00M  (encrypted)"),
            None
        );
    }
}
