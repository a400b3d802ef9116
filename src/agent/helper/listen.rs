//! The helper's socket and directories, and what the kernel says of who is at the other end.

use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use listenfd::ListenFd;
use nix::sys::stat::{Mode, umask};
use nix::unistd::{Uid, geteuid};

use super::protocol::MAX_REQUEST;
use super::trust;
use crate::agent::run_dir::share_dir;

/// How long a client may take to say what it wants: it says it at once.
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
/// How long it may take to take the answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(5);

/// The socket that systemd hands over (then true), else a new one at `path`.
pub(super) fn listener(path: Option<&Path>) -> anyhow::Result<(UnixListener, bool)> {
    let Some(path) = path else {
        let handed = ListenFd::from_env().take_unix_listener(0);
        let handed = handed.context("what systemd hands over is no Unix socket")?;
        let listener = handed.context(
            "no socket: systemd hands one over when nixfleet-agent-helper.socket is started; or name one with --socket PATH",
        )?;
        return Ok((listener, true));
    };
    let place = path.display();
    // What is there may be left from before; a helper that lives would still be connected to.
    if UnixStream::connect(path).is_ok() {
        anyhow::bail!("{place}: another helper listens here");
    }
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            anyhow::bail!("{place}: something else than a socket is there; name another path");
        }
        Ok(_) => {
            std::fs::remove_file(path).with_context(|| format!("{place}: cannot be replaced"))?;
        }
        Err(_) => {}
    }
    // Anybody may knock; the kernel says who it is. Made with its mode: changing it afterwards would follow a link.
    let before = umask(Mode::from_bits_truncate(0o111));
    let bound = UnixListener::bind(path).with_context(|| format!("{place}: cannot listen there"));
    umask(before);
    Ok((bound?, false))
}

/// Makes the directory for runs, readable by the agent and writable by nobody but this user.
///
/// # Errors
/// It cannot be made, or somebody else has made it or something in it: then root would write where that one says.
pub(super) fn prepare(state_dir: &Path, group: u32) -> anyhow::Result<()> {
    let runs = state_dir.join("runs");
    let owner = |path: &Path| -> anyhow::Result<()> {
        let found = std::fs::symlink_metadata(path)?;
        anyhow::ensure!(
            found.is_dir() && (found.uid() == 0 || found.uid() == geteuid().as_raw()),
            "{}: it is no directory of root's; only the helper makes anything there: move it away, or set `state_dir` to another directory",
            path.display()
        );
        Ok(())
    };
    for path in [state_dir, &runs] {
        std::fs::create_dir_all(path)
            .with_context(|| format!("{}: cannot be made", path.display()))?;
        owner(path)?;
        // Before it is looked at who may write: an earlier umask is no reason to refuse.
        share_dir(path, group, if path == runs { 0o2750 } else { 0o750 })?;
    }
    trust::check(&runs)?;
    for entry in std::fs::read_dir(&runs)? {
        owner(&entry?.path())?;
    }
    Ok(())
}

/// Who is at the other end, as the kernel says.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) uid: Uid,
    pub(super) pid: i32,
}

#[cfg(target_os = "linux")]
pub(super) fn peer(stream: &UnixStream) -> nix::Result<Peer> {
    use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
    let credentials = getsockopt(stream, PeerCredentials)?;
    Ok(Peer {
        uid: Uid::from_raw(credentials.uid()),
        pid: credentials.pid(),
    })
}

#[cfg(not(target_os = "linux"))]
pub(super) fn peer(stream: &UnixStream) -> nix::Result<Peer> {
    let (uid, _) = nix::unistd::getpeereid(stream)?;
    Ok(Peer { uid, pid: 0 })
}

/// What is left until the deadline.
fn left(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    Ok(left)
}

/// Reads up to the first newline or the end, within the limits.
pub(super) fn read_line(stream: &mut UnixStream) -> Result<Vec<u8>, String> {
    let deadline = Instant::now() + REQUEST_DEADLINE;
    let mut line = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let set = left(deadline).and_then(|left| stream.set_read_timeout(Some(left)));
        match set.and_then(|()| stream.read(&mut buffer)) {
            Ok(0) => return Ok(line),
            Ok(n) => line.extend_from_slice(&buffer[..n]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                return Err(format!(
                    "no whole request within {} s: {error}",
                    REQUEST_DEADLINE.as_secs()
                ));
            }
        }
        if line.len() > MAX_REQUEST {
            return Err(format!("the request is longer than {MAX_REQUEST} bytes"));
        }
        if line.contains(&b'\n') {
            return Ok(line);
        }
    }
}

/// Writes an answer, within its deadline.
///
/// # Errors
/// The client has gone, or does not take it.
pub(super) fn write_line(stream: &mut UnixStream, line: &[u8]) -> io::Result<()> {
    let deadline = Instant::now() + ANSWER_DEADLINE;
    let mut rest = line;
    while !rest.is_empty() {
        stream.set_write_timeout(Some(left(deadline)?))?;
        match stream.write(rest) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(n) => rest = &rest[n..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, chown, symlink};

    use super::*;

    fn group() -> u32 {
        nix::unistd::getegid().as_raw()
    }

    #[test]
    fn nobody_else_may_have_made_the_directory_for_runs() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        prepare(&state, group()).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&state), mode(&state.join("runs"))), (0o750, 0o2750));
        // Too wide from before: it is narrowed.
        std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o777)).unwrap();
        prepare(&state, group()).unwrap();
        assert_eq!(mode(&state), 0o750);
        symlink("/etc", state.join("runs/link")).unwrap();
        let error = prepare(&state, group()).unwrap_err().to_string();
        assert!(error.contains("no directory of root's"), "{error}");
        std::fs::remove_file(state.join("runs/link")).unwrap();
        let above = dir.path().join("above");
        prepare(&above.join("state"), group()).unwrap();
        std::fs::set_permissions(&above, std::fs::Permissions::from_mode(0o777)).unwrap();
        let error = prepare(&above.join("state"), group()).unwrap_err();
        assert!(error.to_string().contains("written by others"), "{error:#}");
        if !geteuid().is_root() {
            println!("skipped: a directory of another user is refused: this needs root");
            return;
        }
        chown(&state, Some(65534), None).unwrap();
        let error = prepare(&state, group()).unwrap_err().to_string();
        assert!(error.contains("no directory of root's"), "{error}");
    }

    #[test]
    fn a_socket_replaces_a_dead_socket_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        std::fs::write(&path, "precious").unwrap();
        let error = listener(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("something else than a socket"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"precious");
        std::fs::remove_file(&path).unwrap();
        let (first, activated) = listener(Some(&path)).unwrap();
        assert!(!activated);
        let mode = std::fs::metadata(&path).unwrap().mode();
        assert_eq!(mode & 0o777, 0o666);
        let error = listener(Some(&path)).unwrap_err().to_string();
        assert!(error.contains("another helper listens here"), "{error}");
        drop(first);
        listener(Some(&path)).unwrap();
    }
}
