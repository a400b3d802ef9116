//! Whether a NixOS host needs a reboot: what was booted against what the running system would boot.

use std::path::Path;

use super::Reading;

/// The links of a system that only a boot takes up, and what heartbeats call them.
const PARTS: [(&str, &str); 3] = [
    ("kernel", "kernel"),
    ("initrd", "initrd"),
    ("kernel-modules", "modules"),
];

/// Compares the links of `/run/booted-system` and `/run/current-system`; nothing where there are none, as in containers and on
/// other systems than NixOS.
#[expect(clippy::unnecessary_wraps, reason = "as all collectors")]
pub fn read(root: &Path) -> anyhow::Result<Option<Reading>> {
    let link = |system: &str, part: &str| {
        std::fs::read_link(root.join("run").join(system).join(part)).ok()
    };
    let mut compared = false;
    let mut differ = Vec::new();
    for (part, name) in PARTS {
        let (booted, current) = (link("booted-system", part), link("current-system", part));
        if let (Some(booted), Some(current)) = (booted, current) {
            compared = true;
            if booted != current {
                differ.push(name.to_owned());
            }
        }
    }
    Ok(compared.then_some(Reading::Reboot(differ)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[track_caller]
    fn check(booted: &[(&str, &str)], current: &[(&str, &str)], expected: Option<&[&str]>) {
        let root = tempfile::tempdir().unwrap();
        for (system, links) in [("booted-system", booted), ("current-system", current)] {
            let dir = root.path().join("run").join(system);
            std::fs::create_dir_all(&dir).unwrap();
            for (name, target) in links {
                symlink(format!("/nix/store/{target}"), dir.join(name)).unwrap();
            }
        }
        let expected = expected
            .map(|names| Reading::Reboot(names.iter().map(|name| (*name).to_owned()).collect()));
        assert_eq!(read(root.path()).unwrap(), expected);
    }

    #[test]
    fn links_of_the_booted_and_the_running_system() {
        let one = [
            ("kernel", "a/bzImage"),
            ("initrd", "b/initrd"),
            ("kernel-modules", "c-modules"),
        ];
        check(&one, &one, Some(&[]));
        let kernel = [
            ("kernel", "x/bzImage"),
            ("initrd", "b/initrd"),
            ("kernel-modules", "z-modules"),
        ];
        check(&one, &kernel, Some(&["kernel", "modules"]));
        check(&one, &[("initrd", "y/initrd")], Some(&["initrd"]));
        check(&[], &[], None);
        check(&[], &one, None);
        assert_eq!(read(Path::new("/nowhere")).unwrap(), None);
    }
}
