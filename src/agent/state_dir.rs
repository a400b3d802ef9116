//! The directory where journals of runs are kept, and the proof that only one agent uses it.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// The file in the state directory that is locked while an agent uses it.
const LOCK: &str = "agent.lock";

/// The state directory: as configured, else `/var/lib/nixfleet-agent` for root and `$XDG_STATE_HOME/nixfleet-agent` for
/// others. It is made (0700) and tried out.
///
/// # Errors
/// It cannot be made or written; one line that says what to do.
pub fn prepare(configured: Option<&Path>) -> anyhow::Result<PathBuf> {
    use std::os::unix::fs::DirBuilderExt as _;
    let dir = match configured {
        Some(dir) => std::path::absolute(dir).context("cannot find the current directory")?,
        None => default_dir()?,
    };
    let advice = |what: &str, error: std::io::Error| {
        anyhow::anyhow!(
            "state directory {}: {what}: {error}; make it writable for this user, or choose another with `state_dir` or NIXFLEET_STATE_DIR",
            dir.display()
        )
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&dir)
        .map_err(|error| advice("cannot be made", error))?;
    let probe = dir.join(format!(".probe-{}", std::process::id()));
    std::fs::write(&probe, b"")
        .and_then(|()| std::fs::remove_file(&probe))
        .map_err(|error| advice("cannot be written", error))?;
    Ok(dir)
}

/// Where the state is unless something else is configured.
///
/// # Errors
/// There is no home directory.
pub fn default_dir() -> anyhow::Result<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Ok(PathBuf::from("/var/lib/nixfleet-agent"));
    }
    let base = std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state")));
    base.map(|base| base.join("nixfleet-agent"))
        .context("no state directory: HOME is not set; write `state_dir` or set NIXFLEET_STATE_DIR")
}

/// Takes the directory for this process alone: two agents with one state directory would ship the same runs twice.
///
/// # Errors
/// Another agent has it, or the lock cannot be written.
pub fn lock(state_dir: &Path) -> anyhow::Result<Flock<File>> {
    let path = state_dir.join(LOCK);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("{}: cannot be written", path.display()))?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, error)| match error {
        Errno::EWOULDBLOCK => anyhow::anyhow!(
            "state directory {}: another agent uses it; stop that one, or choose another with `state_dir` or NIXFLEET_STATE_DIR",
            state_dir.display()
        ),
        error => anyhow::anyhow!("{}: cannot be locked: {error}", path.display()),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_unusable_state_dir_is_one_line_with_advice() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = prepare(Some(&file.join("state"))).unwrap_err().to_string();
        assert!(
            error.contains("cannot be made") && error.contains("NIXFLEET_STATE_DIR"),
            "{error}"
        );
        let made = prepare(Some(&dir.path().join("a/b"))).unwrap();
        assert_eq!(
            std::fs::metadata(made).unwrap().permissions().mode() & 0o777,
            0o700
        );
    }

    #[test]
    fn a_second_agent_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let first = lock(dir.path()).unwrap();
        let error = lock(dir.path()).unwrap_err().to_string();
        assert!(error.contains("another agent uses it"), "{error}");
        drop(first);
        lock(dir.path()).unwrap();
    }
}
