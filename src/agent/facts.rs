//! What the host is, read from files that the running system brings. Nothing is evaluated or executed to find out,
//! except once at start on macOS.

use std::path::Path;

use crate::agent::resources;
use crate::run::id::HostName;
use crate::wire::resources::HostFacts;

/// The longest value that is reported, in characters.
const MAX_FACT: usize = 200;

/// Facts that change with a switch, so they are read again and again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Generation {
    /// The configuration revision built into the running system, else the name of its store path; empty without either.
    pub generation: String,
    /// The nixpkgs version that the running system was built from; empty where it does not say.
    pub nixpkgs_version: String,
}

/// Facts that stay while the agent runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// `nixos`, `macos` or `linux`.
    pub host_type: String,
    /// From `/etc/os-release`, or `sw_vers` on macOS.
    pub os_version: String,
    /// The same, with kernel, architecture and boot.
    pub facts: Option<HostFacts>,
}

/// Reads the running system below `root` (`/`).
pub fn generation(root: &Path) -> Generation {
    let system = root.join("run/current-system");
    // Configurations may write system.configurationRevision here with `system.systemBuilderCommands`.
    let revision = first_line(&system.join("configuration-revision"));
    let store_path = || {
        let target = std::fs::read_link(&system).ok()?;
        target
            .file_name()
            .map(|name| short(&name.to_string_lossy()))
    };
    Generation {
        generation: revision.or_else(store_path).unwrap_or_default(),
        nixpkgs_version: first_line(&system.join("nixos-version")).unwrap_or_default(),
    }
}

/// Reads what kind of host it is, below `root` (`/`).
pub fn host(root: &Path) -> Host {
    if cfg!(target_os = "macos") {
        let version = output_of("/usr/bin/sw_vers", "-productVersion").unwrap_or_default();
        return Host {
            host_type: "macos".into(),
            facts: with_kernel(format!("macOS {version}").trim_end().into(), root),
            os_version: version,
        };
    }
    let nixos = root.join("etc/NIXOS").exists() && root.join("run/current-system").exists();
    let release = std::fs::read_to_string(root.join("etc/os-release")).unwrap_or_default();
    let value = |key: &str| {
        release
            .lines()
            .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
            .map(|value| short(value.trim().trim_matches(['"', '\''])))
    };
    let os_version = value("PRETTY_NAME")
        .or_else(|| value("VERSION_ID"))
        .unwrap_or_default();
    Host {
        host_type: if nixos { "nixos" } else { "linux" }.into(),
        facts: with_kernel(os_version.clone(), root),
        os_version,
    }
}

fn with_kernel(os: String, root: &Path) -> Option<HostFacts> {
    let uname = nix::sys::utsname::uname().ok()?;
    let boot_id = if cfg!(target_os = "macos") {
        resources::boot_id()
    } else {
        first_line(&root.join("proc/sys/kernel/random/boot_id"))
    };
    Some(HostFacts {
        os,
        kernel: short(&uname.release().to_string_lossy()),
        architecture: short(&uname.machine().to_string_lossy()),
        boot_id,
    })
}

/// The system's name for itself.
///
/// # Errors
/// It has none that could be a host's name; says to configure one.
pub fn hostname() -> anyhow::Result<HostName> {
    let local = cfg!(target_os = "macos")
        .then(|| output_of("/usr/sbin/scutil", "--get LocalHostName"))
        .flatten();
    let name = match local {
        Some(name) => name,
        None => nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default(),
    };
    name.parse().map_err(|error| {
        anyhow::anyhow!("the system's {error}; or write `hostname` in the configuration (or set NIXFLEET_HOSTNAME)")
    })
}

fn first_line(path: &Path) -> Option<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)
        .ok()?
        .take(4096)
        .read_to_string(&mut text)
        .ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| short(line))
}

fn short(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_FACT)
        .collect()
}

/// What a program of macOS answers; its arguments are separated by blanks.
fn output_of(program: &str, args: &str) -> Option<String> {
    let output = std::process::Command::new(program)
        .args(args.split(' '))
        .env_remove(crate::agent::environment::TOKEN)
        .stdin(std::process::Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let line = text.lines().next()?.trim();
    (output.status.success() && !line.is_empty()).then(|| short(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn a_nixos_host() {
        let root = tempfile::tempdir().unwrap();
        let path = |name: &str| root.path().join(name);
        let system = path("nix/store/abc-nixos-system-web1-25.11");
        for dir in [&system, &path("etc"), &path("run")] {
            std::fs::create_dir_all(dir).unwrap();
        }
        std::fs::write(
            path("etc/os-release"),
            "NAME=NixOS\nPRETTY_NAME=\"NixOS 25.11 (Xantusia)\"\n",
        )
        .unwrap();
        assert_eq!(host(root.path()).host_type, "linux");
        std::fs::write(path("etc/NIXOS"), "").unwrap();
        std::os::unix::fs::symlink(&system, path("run/current-system")).unwrap();
        std::fs::write(system.join("nixos-version"), "25.11.20260101.abcdef\n").unwrap();
        std::fs::create_dir_all(path("proc/sys/kernel/random")).unwrap();
        std::fs::write(path("proc/sys/kernel/random/boot_id"), "5f0c-1\n").unwrap();
        let host = host(root.path());
        assert_eq!(
            (host.host_type.as_str(), host.os_version.as_str()),
            ("nixos", "NixOS 25.11 (Xantusia)")
        );
        let facts = host.facts.unwrap();
        assert_eq!(
            (facts.os.as_str(), facts.boot_id.as_deref()),
            ("NixOS 25.11 (Xantusia)", Some("5f0c-1"))
        );
        assert_eq!(facts.architecture, std::env::consts::ARCH);
        assert!(facts.kernel.contains('.'), "{facts:?}");
        assert_eq!(
            generation(root.path()),
            Generation {
                generation: "abc-nixos-system-web1-25.11".into(),
                nixpkgs_version: "25.11.20260101.abcdef".into()
            }
        );
        std::fs::write(system.join("configuration-revision"), "1a2b3c4d\n").unwrap();
        assert_eq!(generation(root.path()).generation, "1a2b3c4d");
    }

    #[test]
    fn a_host_that_says_nothing_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(generation(root.path()), Generation::default());
    }
}
