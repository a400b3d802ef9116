//! The demo's other two programs: this very binary, executed again in their roles, and ended with the demo.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::configuration::without_settings;

/// How long a program may take until it prints what is waited for.
const START: Duration = Duration::from_secs(30);
/// How long a program may take to end after SIGTERM; the agent and the dashboard promise 5 s each.
const END: Duration = Duration::from_secs(8);

/// A program of the demo. It is ended when this is dropped.
#[derive(Debug)]
pub struct Program {
    name: &'static str,
    child: Child,
    lines: mpsc::Receiver<String>,
}

impl Program {
    /// Starts this binary in `role` with the configuration file `config`. Its standard output is read here, its log goes to `log`.
    ///
    /// # Errors
    /// It cannot be started, or the log cannot be written.
    pub fn start(
        name: &'static str,
        role: &str,
        config: &Path,
        log: &Path,
    ) -> anyhow::Result<Self> {
        let program = std::env::current_exe().context("cannot tell the path of this program")?;
        let log = std::fs::File::create(log)
            .with_context(|| format!("cannot write the log {}", log.display()))?;
        let mut command = Command::new(program);
        without_settings(&mut command);
        let mut child = command
            .arg(role)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start the {name}"))?;
        // The queue holds what is printed at the start; a program that prints more than that waits, and loses nothing.
        let (sender, lines) = mpsc::sync_channel(100);
        if let Some(stdout) = child.stdout.take() {
            std::thread::spawn(move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Ok(Self { name, child, lines })
    }

    /// The lines up to the first one that contains `part`, which is the last of them.
    ///
    /// # Errors
    /// The program ends or takes longer than 30 s before it prints such a line.
    pub fn lines_until(&mut self, part: &str) -> anyhow::Result<Vec<String>> {
        let deadline = Instant::now() + START;
        let mut lines = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let found = line.contains(part);
                    lines.push(line);
                    if found {
                        return Ok(lines);
                    }
                }
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    anyhow::bail!("the {} printed no `{part}` within {START:?}", self.name)
                }
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait()?;
                    anyhow::bail!("the {} ended with {status} instead of starting", self.name)
                }
            }
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    fn end(&mut self) {
        if !self.is_running() {
            return;
        }
        let pid = nix::unistd::Pid::from_raw(self.child.id() as i32);
        if nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).is_ok() {
            let deadline = Instant::now() + END;
            while Instant::now() < deadline {
                if !self.is_running() {
                    return;
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            eprintln!("the {} did not end within {END:?} and is killed", self.name);
        }
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait().map(drop)) {
            eprintln!("the {} cannot be ended: {error}", self.name);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.end();
    }
}
