//! Asking a program, with a deadline: what has not answered by then is killed with all that it started.

use std::io::Read as _;
use std::os::fd::AsFd as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::agent::commands::programs::{Programs, executable};

/// How long a collector may take.
pub const LIMIT: Duration = Duration::from_secs(5);
/// The most that a program may say.
const MAX_OUTPUT: usize = 256 * 1024;
/// Between two looks whether a program that has said all is gone.
const LOOK: Duration = Duration::from_millis(2);

/// Where the host below `root` has that program: where NixOS keeps the system's, in `more`, or on `PATH`. Nothing is executed
/// that is found by a relative path.
pub fn find(root: &Path, name: &str, more: &[&str]) -> Option<PathBuf> {
    let usual = ["run/current-system/sw/bin"];
    let own = usual
        .iter()
        .chain(more)
        .map(|dir| root.join(dir).join(name));
    own.into_iter()
        .find(|path| executable(path))
        .or_else(|| Programs::of_process().find(name).map(PathBuf::from))
}

/// What the program prints.
///
/// # Errors
/// It cannot be started, fails, says no text or too much, or is not done after `limit`; it is not there any more then.
pub fn output(program: &Path, args: &[&str], limit: Duration) -> anyhow::Result<String> {
    let text = || -> anyhow::Result<String> {
        let deadline = Instant::now() + limit;
        let mut child = Command::new(program)
            .args(args)
            .env_remove(crate::agent::environment::TOKEN)
            .env("LC_ALL", "C")
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A group of its own, so that all of it can be ended.
            .process_group(0)
            .spawn()?;
        let answered = answer(&mut child, deadline);
        if answered.is_err() {
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            // Waits as long as the kernel does not let go of it: it is not started again meanwhile.
            child.wait()?;
        }
        let (bytes, status) = answered?;
        anyhow::ensure!(status.success(), "ended with {status}");
        String::from_utf8(bytes).context("says no text")
    };
    text().with_context(|| program.display().to_string())
}

fn answer(child: &mut Child, deadline: Instant) -> anyhow::Result<(Vec<u8>, ExitStatus)> {
    let mut stdout = child.stdout.take().context("has no output")?;
    let bytes = read(&mut stdout, deadline)?;
    drop(stdout);
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok((bytes, status));
        }
        left(deadline)?;
        std::thread::sleep(LOOK);
    }
}

fn read(stdout: &mut ChildStdout, deadline: Instant) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let timeout = PollTimeout::try_from(left(deadline)?).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)];
        match poll(&mut fds, timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        match stdout.read(&mut buffer)? {
            0 => return Ok(bytes),
            n => bytes.extend_from_slice(buffer.get(..n).unwrap_or_default()),
        }
        if bytes.len() > MAX_OUTPUT {
            bail!("says more than {MAX_OUTPUT} bytes");
        }
    }
}

fn left(deadline: Instant) -> anyhow::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    anyhow::ensure!(!left.is_zero(), "was not done in time and is killed");
    Ok(left.max(Duration::from_millis(1)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn sh(script: &str, limit: Duration) -> Result<String, String> {
        output(Path::new("/bin/sh"), &["-c", script], limit).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn what_it_prints() {
        let long = Duration::from_secs(20);
        assert_eq!(sh("echo $LC_ALL; echo no >&2", long).as_deref(), Ok("C\n"));
        let failed = sh("echo half; exit 3", long).unwrap_err();
        assert!(
            failed.contains("/bin/sh: ended with exit status: 3"),
            "{failed}"
        );
        assert!(sh("printf '\\377'", long).unwrap_err().contains("no text"));
        let flood = sh("while :; do echo a long line of output, again; done", long);
        assert!(flood.unwrap_err().contains("says more than"));
        let none = output(Path::new("/nowhere/program"), &[], long);
        assert!(none.unwrap_err().to_string().contains("/nowhere/program"));
    }

    #[test]
    fn whoever_hangs_is_killed_with_its_children() {
        let dir = tempfile::tempdir().unwrap();
        let pids = dir.path().join("pids");
        for script in [
            "sleep 600 & echo $! > P; wait",
            "exec >&-; echo $$ > P; sleep 600",
        ] {
            let script = script.replace('P', pids.to_str().unwrap());
            let began = Instant::now();
            let error = sh(&script, Duration::from_millis(300)).unwrap_err();
            assert!(error.contains("killed"), "{error}");
            assert!(began.elapsed() < Duration::from_secs(5));
            let pid: i32 = std::fs::read_to_string(&pids)
                .unwrap()
                .trim()
                .parse()
                .unwrap();
            let deadline = Instant::now() + Duration::from_secs(10);
            // An orphan is reaped by whoever is its parent then; a zombie runs no more.
            while std::fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| !stat.contains(") Z "))
            {
                assert!(Instant::now() < deadline, "{pid} lives");
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }

    #[test]
    fn the_hosts_own_program_comes_first() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(find(root.path(), "no-such-program", &[]), None);
        assert!(find(root.path(), "sh", &[]).is_some(), "on PATH");
        for dir in ["usr/lib/wsl/lib", "run/current-system/sw/bin"] {
            let path = root.path().join(dir).join("sh");
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            assert_eq!(find(root.path(), "sh", &["usr/lib/wsl/lib"]), Some(path));
        }
    }
}
