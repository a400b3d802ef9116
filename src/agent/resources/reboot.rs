//! Whether a NixOS host needs a reboot: what was booted against what would be booted now.

use std::path::Path;

use super::Reading;

/// The links of a system that only a boot takes up, and what heartbeats call them.
const PARTS: [(&str, &str); 3] = [
    ("kernel", "kernel"),
    ("initrd", "initrd"),
    ("kernel-modules", "modules"),
];

/// The system that the next boot starts: what the profile names, where `boot` has put another one than runs.
const NEXT: &str = "nix/var/nix/profiles/system";
/// The same where there is no profile.
const RUNNING: &str = "run/current-system";

/// Compares the links of `/run/booted-system` with those of the system that the next boot starts; nothing where there are none,
/// as in containers and on other systems than NixOS.
#[expect(clippy::unnecessary_wraps, reason = "as all collectors")]
pub fn read(root: &Path) -> anyhow::Result<Option<Reading>> {
    let link = |system: &str, part: &str| std::fs::read_link(root.join(system).join(part)).ok();
    let mut compared = false;
    let mut differ = Vec::new();
    for (part, name) in PARTS {
        let booted = link("run/booted-system", part);
        let next = link(NEXT, part).or_else(|| link(RUNNING, part));
        if let (Some(booted), Some(next)) = (booted, next) {
            compared = true;
            if booted != next {
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
        check_next(booted, current, &[], expected);
    }

    #[track_caller]
    fn check_next(
        booted: &[(&str, &str)],
        current: &[(&str, &str)],
        next: &[(&str, &str)],
        expected: Option<&[&str]>,
    ) {
        let root = tempfile::tempdir().unwrap();
        for (system, links) in [
            ("run/booted-system", booted),
            (RUNNING, current),
            (NEXT, next),
        ] {
            let dir = root.path().join(system);
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
        // `boot`: another system is next than runs. `test`: another one runs than is next.
        check_next(&one, &one, &kernel, Some(&["kernel", "modules"]));
        check_next(&one, &kernel, &one, Some(&[]));
    }
}
