use std::os::unix::fs::symlink;

use super::*;

/// A host's root directory.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let _ = fs::remove_file(&path);
        symlink(target, path).unwrap();
        self
    }

    /// A system with a kernel of that version and its links below the store.
    fn system(&self, name: &str, kernel: &str) -> &Self {
        for (part, package, file) in [
            ("kernel", "linux", "/bzImage"),
            ("initrd", "initrd-linux", "/initrd"),
            ("kernel-modules", "modules", ""),
        ] {
            let target = format!("/nix/store/h4sh-{package}-{kernel}{file}");
            self.link(&format!("nix/store/{name}/{part}"), &target);
        }
        self
    }

    fn read(&self) -> SystemState {
        read(self.0.path())
    }
}

const OLD: &str = "aaa-nixos-system-web1-25.11";
const NEW: &str = "bbb-nixos-system-web1-25.11";

#[test]
fn a_host_of_another_kind_says_nothing() {
    assert_eq!(Host::new().read(), SystemState::default());
}

#[test]
fn links_are_followed_to_the_store() {
    let host = Host::new();
    host.system(OLD, "6.12.8").system(NEW, "6.12.8");
    host.link("run/booted-system", &format!("/nix/store/{OLD}"));
    host.link("run/current-system", &format!("/nix/store/{OLD}"));
    host.link("nix/var/nix/profiles/system", "system-42-link");
    host.link(
        "nix/var/nix/profiles/system-42-link",
        &format!("/nix/store/{NEW}"),
    );
    let proc = host.0.path().join("proc/sys/kernel/random");
    fs::create_dir_all(&proc).unwrap();
    fs::write(proc.join("boot_id"), "5f0c\n").unwrap();
    let expected = SystemState {
        boot_id: Some("5f0c".into()),
        current: Some(format!("/nix/store/{OLD}")),
        profile: Some(format!("/nix/store/{NEW}")),
        generation: Some(42),
        kernel_changed: Some(false),
        kernel: Some("linux-6.12.8".into()),
        booted_kernel: Some("linux-6.12.8".into()),
    };
    assert_eq!(host.read(), expected);
    assert_eq!(host.read().runs_its_profile(), Some(false));
}

#[test]
fn another_kernel_initrd_or_set_of_modules_is_seen() {
    let host = Host::new();
    host.system(OLD, "6.12.8").system(NEW, "6.12.9");
    host.link("run/booted-system", &format!("/nix/store/{OLD}"));
    host.link("run/current-system", &format!("/nix/store/{NEW}"));
    let state = host.read();
    assert_eq!(state.kernel_changed, Some(true));
    assert_eq!(state.kernel.as_deref(), Some("linux-6.12.9"));
    assert_eq!(state.booted_kernel.as_deref(), Some("linux-6.12.8"));
    // Only the initrd.
    host.system(NEW, "6.12.8");
    host.link(
        &format!("nix/store/{NEW}/initrd"),
        "/nix/store/other-initrd/initrd",
    );
    assert_eq!(host.read().kernel_changed, Some(true));
    // A container has neither.
    let container = Host::new();
    container.link("run/booted-system", &format!("/nix/store/{OLD}"));
    container.link("run/current-system", &format!("/nix/store/{NEW}"));
    assert_eq!(container.read().kernel_changed, None);
}

#[test]
fn a_circle_of_links_is_no_answer() {
    let host = Host::new();
    host.link("run/current-system", "/run/other");
    host.link("run/other", "/run/current-system");
    assert_eq!(host.read().current, None);
}
