//! Which mounts are disks, by `/proc/self/mountinfo`.

use std::collections::BTreeMap;

/// File systems on disks. Not those of the network, whose server may hang, nor images, which are always full.
const ON_DISK: [&str; 19] = [
    "apfs", "bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk", "hfsplus",
    "jfs", "msdos", "nilfs2", "ntfs", "ntfs3", "reiserfs", "vfat", "xfs", "zfs",
];
/// In memory: they are no disk, not even as the root.
const IN_MEMORY: [&str; 3] = ["tmpfs", "ramfs", "rootfs"];
/// Below these, mounts are copies that container engines make.
const CONTAINERS: [&str; 4] = [
    "/var/lib/containers/",
    "/var/lib/docker/",
    "/var/lib/kubelet/",
    "/run/containerd/",
];

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Where.
    pub point: String,
    /// Its file system's device, which is the same for all mounts of it.
    device: String,
    /// Which directory of the file system stands there.
    root: String,
    kind: String,
}

/// One mount of each file system on a disk that is `there`, and whether it holds the Nix store: the root first, then the store's, then
/// the others, those with short names before long ones.
pub fn disks(mountinfo: &str, there: impl Fn(&Mount) -> bool) -> Vec<(Mount, bool)> {
    // What is mounted over something else hides it.
    let mut visible = BTreeMap::new();
    for mount in mountinfo.lines().filter_map(parse) {
        visible.insert(mount.point.clone(), mount);
    }
    let store = ["/nix/store", "/nix", "/"]
        .iter()
        .find_map(|point| visible.get(*point))
        .map(|mount| mount.device.clone());
    let mut by_device: BTreeMap<String, Mount> = BTreeMap::new();
    for mount in visible.into_values().filter(is_disk).filter(there) {
        match by_device.get_mut(&mount.device) {
            Some(best) if rank(best) <= rank(&mount) => {}
            Some(best) => *best = mount,
            None => {
                by_device.insert(mount.device.clone(), mount);
            }
        }
    }
    let mut disks: Vec<_> = by_device
        .into_values()
        .map(|mount| {
            let holds = store.as_ref() == Some(&mount.device);
            (mount, holds)
        })
        .collect();
    disks.sort_by(|(a, a_store), (b, b_store)| {
        let key = |mount: &Mount, store: bool| (mount.point != "/", !store, mount.point.len());
        key(a, *a_store)
            .cmp(&key(b, *b_store))
            .then_with(|| a.point.cmp(&b.point))
    });
    disks
}

/// The lower, the better a mount stands for its file system: the root, then the mount of the whole, then a short name.
fn rank(mount: &Mount) -> (bool, usize, usize) {
    (mount.point != "/", mount.root.len(), mount.point.len())
}

fn is_disk(mount: &Mount) -> bool {
    let kind = mount.kind.as_str();
    // The root counts whatever it is: in a container it is an overlay.
    (ON_DISK.contains(&kind) || (mount.point == "/" && !IN_MEMORY.contains(&kind)))
        && !CONTAINERS.iter().any(|dir| mount.point.starts_with(dir))
}

/// `36 35 98:0 /root /mount rw,noatime master:1 - ext4 /dev/sda1 rw`
fn parse(line: &str) -> Option<Mount> {
    let (mount, source) = line.split_once(" - ")?;
    let mut words = mount.split(' ').skip(2);
    let (device, root, point) = (words.next()?, words.next()?, words.next()?);
    Some(Mount {
        point: unescaped(point),
        device: device.to_owned(),
        root: root.to_owned(),
        kind: source.split(' ').next()?.to_owned(),
    })
}

/// Blanks and the like are written as `\040`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let code = match after {
            [a, b, c, ..] if *first == b'\\' => std::str::from_utf8(&[*a, *b, *c])
                .ok()
                .and_then(|digits| u8::from_str_radix(digits, 8).ok()),
            _ => None,
        };
        bytes.push(code.unwrap_or(*first));
        rest = if code.is_some() {
            after.get(3..).unwrap_or_default()
        } else {
            after
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mountinfo: &str, expected: &[(&str, bool)]) {
        let found = disks(mountinfo, |mount| !mount.point.starts_with("/etc/"));
        let found: Vec<_> = found
            .iter()
            .map(|(mount, store)| (mount.point.as_str(), *store))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_usual_nixos_host() {
        check(
            "22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/disk/by-label/nixos rw\n\
             23 22 0:5 / /dev rw shared:2 - devtmpfs devtmpfs rw\n\
             24 22 0:21 / /proc rw shared:3 - proc proc rw\n\
             25 22 0:24 / /run rw - tmpfs tmpfs rw\n\
             26 22 8:2 /nix/store /nix/store ro,relatime shared:1 - ext4 /dev/disk/by-label/nixos rw\n\
             27 22 8:1 / /boot rw - vfat /dev/sda1 rw\n\
             28 22 8:2 /home/ann /srv/my\\040files rw - ext4 /dev/sda2 rw\n\
             29 22 8:17 / /srv/my\\040disk\\134x rw - xfs /dev/sdb1 rw\n\
             30 22 0:40 / /mnt/nas rw - nfs4 nas:/x rw\n\
             31 22 7:0 / /snap/core/1 ro - squashfs /dev/loop0 ro\n",
            &[("/", true), ("/boot", false), ("/srv/my disk\\x", false)],
        );
    }

    #[test]
    fn a_root_in_memory_with_a_store_of_its_own() {
        check(
            "1 0 0:20 / / rw - tmpfs none rw\n\
             2 1 0:30 /@nix /nix rw - btrfs /dev/nvme0n1p2 rw\n\
             3 1 0:30 /@persist /persist rw - btrfs /dev/nvme0n1p2 rw\n\
             4 1 8:1 / /b rw - vfat /dev/sda1 rw\n\
             5 2 0:30 /@nix/store /nix/store ro - btrfs /dev/nvme0n1p2 rw\n",
            &[("/nix", true), ("/b", false)],
        );
    }

    #[test]
    fn containers() {
        // Within one: files of the host's are mounted one by one.
        check(
            "1 0 0:90 / / rw - overlay overlay rw,lowerdir=/x\n\
             2 1 8:1 /var/lib/docker/x/hosts /etc/hosts rw - ext4 /dev/sda1 rw\n\
             3 1 0:91 / /nix/store ro - overlay overlay ro\n",
            &[("/", false)],
        );
        // Around them.
        check(
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n\
             2 1 0:90 / /var/lib/docker/overlay2/a/merged rw - overlay overlay rw\n\
             3 1 0:77 / /var/lib/docker/zfs/graph/a rw - zfs tank/a rw\n",
            &[("/", true)],
        );
    }

    #[test]
    fn what_is_mounted_later_hides_what_was_there() {
        check(
            "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /data rw - ext4 /dev/sda2 rw\n3 2 0:9 / /data rw - tmpfs tmpfs rw\n",
            &[("/", true)],
        );
    }

    #[test]
    fn lines_that_are_none() {
        check("", &[]);
        check("\n1 2 3\n - ext4\n1 0 8:1 /\n", &[]);
        for text in ["\\04", "\\", "\\9999", "a\\"] {
            assert_eq!(unescaped(text), text);
        }
    }
}
