//! The ground truth of a run, read from the host's links. Nothing is evaluated or executed, no variable is asked.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::run::system::SystemState;

/// Links that are followed one after the other, at most.
const MAX_LINKS: usize = 16;
/// The longest path or boot id that is reported, in bytes.
const MAX_TEXT: usize = 300;
/// What a host must be booted with anew.
const BOOTED: [&str; 3] = ["kernel", "initrd", "kernel-modules"];

/// Reads the links below `root` (`/`). Links may be absolute; they are followed below `root` too.
pub fn read(root: &Path) -> SystemState {
    let current = follow(root, "run/current-system").map(|found| found.path);
    let booted = follow(root, "run/booted-system").map(|found| found.path);
    let profile = follow(root, "nix/var/nix/profiles/system");
    let of = |system: &Option<PathBuf>, name: &str| {
        let path = system.as_ref()?.join(name);
        follow(root, path.to_str()?).map(|found| found.path)
    };
    let known: Vec<bool> = BOOTED
        .iter()
        .filter_map(|name| Some(of(&booted, name)? != of(&current, name)?))
        .collect();
    SystemState {
        boot_id: boot_id(root),
        kernel: of(&current, "kernel").and_then(|path| package(&path)),
        booted_kernel: of(&booted, "kernel").and_then(|path| package(&path)),
        kernel_changed: (!known.is_empty()).then(|| known.contains(&true)),
        current: current.and_then(|path| text(&path)),
        generation: profile.as_ref().and_then(|found| found.generation),
        profile: profile.and_then(|found| text(&found.path)),
    }
}

/// The kernel's boot id (Linux).
fn boot_id(root: &Path) -> Option<String> {
    let id = fs::read_to_string(root.join("proc/sys/kernel/random/boot_id")).ok()?;
    let id = id.trim();
    (!id.is_empty() && id.len() <= MAX_TEXT).then(|| id.to_owned())
}

/// Where a link leads to.
struct Found {
    /// Absolute, as the host names it.
    path: PathBuf,
    /// From a link on the way that is named `system-42-link`.
    generation: Option<u64>,
}

/// Follows `path` as long as it is a link. What it leads to need not be there; the first link must be.
fn follow(root: &Path, path: &str) -> Option<Found> {
    let mut found = Found {
        path: Path::new("/").join(path),
        generation: None,
    };
    for followed in 0..MAX_LINKS {
        let below = found.path.strip_prefix("/").ok()?;
        match fs::read_link(root.join(below)) {
            // `join` replaces the whole path by a target that is absolute.
            Ok(target) => found.path = found.path.parent()?.join(target),
            // It is there and no link.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Some(found),
            Err(_) => return (followed > 0).then_some(found),
        }
        let number = || {
            let name = found.path.file_name()?.to_str()?;
            name.strip_prefix("system-")?
                .strip_suffix("-link")?
                .parse()
                .ok()
        };
        found.generation = found.generation.or_else(number);
    }
    None
}

fn text(path: &Path) -> Option<String> {
    let text = path.to_str()?;
    (text.len() <= MAX_TEXT && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// `linux-6.12.9` of `/nix/store/HASH-linux-6.12.9/bzImage`.
fn package(path: &Path) -> Option<String> {
    let text = text(path)?;
    let store_path = text.split("/store/").nth(1)?.split('/').next()?;
    store_path
        .split_once('-')
        .map(|(_, name)| name.to_owned())
        .filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;
