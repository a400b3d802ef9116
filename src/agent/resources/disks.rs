//! File systems on disks, each once, however often it is mounted.

mod mounts;

use std::path::Path;

use nix::sys::statvfs::statvfs;

use super::memory::whole;
use super::{Reading, file};
use crate::wire::resources::{Amount, Disk, MAX_DISKS};
use mounts::Mount;

/// A host full of containers has thousands of mounts.
const MAX_MOUNTINFO: usize = 1024 * 1024;

/// How full the file systems are: the root first, then the one with the Nix store, then the others by their mounts.
pub fn read(root: &Path) -> anyhow::Result<Option<Reading>> {
    let text = mountinfo(root)?;
    let here = |mount: &Mount| below(root, &mount.point).is_dir();
    let has_store = root.join("nix/store").is_dir();
    let mut disks = Vec::new();
    let mut failed = None;
    for (mount, store) in mounts::disks(&text, here) {
        let path = below(root, &mount.point);
        match amount(&path) {
            Ok(amount) if amount.total > 0 => disks.push(Disk {
                mount: mount.point,
                amount,
                store: store && has_store,
            }),
            Ok(_) => {}
            Err(error) => failed = Some(anyhow::anyhow!("{}: {error}", path.display())),
        }
        if disks.len() == MAX_DISKS {
            break;
        }
    }
    match failed {
        // One that cannot be asked hides no other.
        Some(error) if disks.is_empty() => Err(error),
        failed => {
            if let Some(error) = failed {
                tracing::debug!("disks: {error}");
            }
            Ok(Some(Reading::Disks(disks)))
        }
    }
}

/// The host's mounts. Seen from a container, `self` has the container's own, whose paths are not those of the host.
fn mountinfo(root: &Path) -> anyhow::Result<String> {
    let of = |process: &str| {
        let path = root.join("proc").join(process).join("mountinfo");
        file::read(&path, MAX_MOUNTINFO)
    };
    if root == Path::new("/") {
        return of("self");
    }
    of("1").or_else(|_| of("self"))
}

/// What an ordinary user could still write, of the whole.
pub fn amount(path: &Path) -> nix::Result<Amount> {
    let stat = statvfs(path)?;
    let bytes = |blocks: u64| whole(blocks.saturating_mul(stat.fragment_size() as u64));
    let total = bytes(stat.blocks() as u64);
    Ok(Amount {
        total,
        available: bytes(stat.blocks_available() as u64).min(total),
    })
}

fn below(root: &Path, mount: &str) -> std::path::PathBuf {
    root.join(mount.trim_start_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_system_with_its_measures() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["proc/self", "nix/store", "data"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let mountinfo = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data rw - xfs /dev/sda2 rw\n\
                         3 1 8:3 / /gone rw - xfs /dev/sda3 rw\n";
        std::fs::write(root.path().join("proc/self/mountinfo"), mountinfo).unwrap();
        let Some(Reading::Disks(disks)) = read(root.path()).unwrap() else {
            panic!("no disks");
        };
        let names: Vec<_> = disks
            .iter()
            .map(|disk| (disk.mount.as_str(), disk.store))
            .collect();
        assert_eq!(names, [("/", true), ("/data", false)]);
        let amount = disks[0].amount;
        assert!(
            amount.total > 0 && amount.available <= amount.total,
            "{amount:?}"
        );
        assert!((0.0..=100.0).contains(&amount.percent()));
        std::fs::remove_dir(root.path().join("nix/store")).unwrap();
        let Some(Reading::Disks(disks)) = read(root.path()).unwrap() else {
            panic!("no disks");
        };
        assert!(!disks[0].store, "there is no store");
    }

    #[test]
    fn no_more_than_may_be_told() {
        use std::fmt::Write as _;
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("proc/self")).unwrap();
        let mut mountinfo = String::new();
        for n in 0..40 {
            std::fs::create_dir(root.path().join(format!("m{n}"))).unwrap();
            writeln!(mountinfo, "{n} 0 8:{n} / /m{n} rw - ext4 /dev/sd rw").unwrap();
        }
        std::fs::write(root.path().join("proc/self/mountinfo"), mountinfo).unwrap();
        let Some(Reading::Disks(disks)) = read(root.path()).unwrap() else {
            panic!("no disks");
        };
        assert_eq!(disks.len(), MAX_DISKS);
    }

    #[test]
    fn a_host_without_mounts_is_an_error_and_one_without_disks_is_not() {
        let root = tempfile::tempdir().unwrap();
        assert!(read(root.path()).is_err());
        std::fs::create_dir_all(root.path().join("proc/self")).unwrap();
        std::fs::write(
            root.path().join("proc/self/mountinfo"),
            "1 0 0:1 / / rw - tmpfs none rw\n",
        )
        .unwrap();
        assert_eq!(read(root.path()).unwrap(), Some(Reading::Disks(Vec::new())));
    }
}
