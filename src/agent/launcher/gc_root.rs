//! A run keeps the store path of its supervisor alive: the switch that it performs may replace the agent, and whoever
//! collects garbage then would delete the program that still supervises.
//!
//! Root makes a garbage collector's root for it. A plain user cannot; there Nix takes the executables of running processes as
//! roots (`findRuntimeRoots`, src/libstore/gc.cc of Nix 2.34), which is enough while the supervisor lives.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::run::id::RunId;

/// Where Nix looks for roots, below the file system's root.
const ROOTS: &str = "nix/var/nix/gcroots";
/// Ours there.
const OWN: &str = "nixfleet";
/// Where store paths are.
const STORE: &str = "/nix/store";

/// The directory for roots of runs below `root` (`/`); none without Nix, or for a user who may not write there.
pub fn directory(root: &Path) -> Option<PathBuf> {
    let roots = root.join(ROOTS);
    if !nix::unistd::geteuid().is_root() || !roots.is_dir() {
        return None;
    }
    let own = roots.join(OWN);
    match fs::create_dir_all(&own) {
        Ok(()) => Some(own),
        Err(error) => {
            tracing::warn!(
                "{}: cannot be made ({error}); a garbage collection during a switch may delete the supervisor's program",
                own.display()
            );
            None
        }
    }
}

/// Keeps the store path of `program` while `run` goes on; none for a program that is not in the store.
pub fn add(dir: &Path, run: RunId, program: &Path) -> Option<PathBuf> {
    let path = store_path(program)?;
    let link = dir.join(run.to_string());
    match symlink(&path, &link) {
        Ok(()) => Some(link),
        Err(error) => {
            tracing::warn!(
                "{}: cannot be made ({error}); {} is not kept from garbage collection",
                link.display(),
                path.display()
            );
            None
        }
    }
}

/// The run is over.
pub fn remove(link: &Path) {
    // Whatever is named here is only ever removed as a link.
    if fs::symlink_metadata(link).is_ok_and(|found| found.is_symlink())
        && let Err(error) = fs::remove_file(link)
    {
        tracing::warn!("{}: cannot be removed: {error}", link.display());
    }
}

/// Removes roots of runs that are over: a power cut leaves them.
pub fn remove_stale(dir: &Path, is_alive: impl Fn(RunId) -> bool) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let run: Option<RunId> = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        if run.is_some_and(|run| !is_alive(run)) {
            remove(&entry.path());
        }
    }
}

/// `/nix/store/HASH-NAME` of a path in it.
fn store_path(program: &Path) -> Option<PathBuf> {
    let name = program.strip_prefix(STORE).ok()?.components().next()?;
    Some(Path::new(STORE).join(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_keeps_the_store_path_of_its_program_and_gives_it_back() {
        let dir = tempfile::tempdir().unwrap();
        let run = RunId::new();
        let program = Path::new("/nix/store/abc-nixfleet-agent-0.1/bin/nixfleet-agent");
        let link = add(dir.path(), run, program).unwrap();
        assert_eq!(
            fs::read_link(&link).unwrap(),
            Path::new("/nix/store/abc-nixfleet-agent-0.1")
        );
        remove_stale(dir.path(), |_| true);
        assert!(link.is_symlink());
        remove_stale(dir.path(), |_| false);
        assert!(!link.is_symlink());
        assert_eq!(add(dir.path(), run, Path::new("/usr/bin/true")), None);
        // Nothing but a link is removed, whatever the request says.
        let file = dir.path().join("precious");
        fs::write(&file, "").unwrap();
        remove(&file);
        assert!(file.exists());
    }
}
