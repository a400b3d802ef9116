//! The agent's side of the helper's socket.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::protocol::{Answer, MAX_ANSWER, Request};
use crate::agent::launcher::{Offer, RunCommand, Started};
use crate::agent::run_dir::RunDir;
use crate::run::id::RunId;

/// How long the helper may take to answer: starting a unit has 30 s itself.
const DEADLINE: Duration = Duration::from_secs(45);
/// How long it may take to say what it offers: the host's registration waits for it.
const OFFER_DEADLINE: Duration = Duration::from_secs(5);

/// Asks the root helper.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    state_dir: PathBuf,
}

impl Client {
    /// A client of the helper at `socket`, which keeps its runs in `state_dir`. Nothing is connected yet.
    pub fn new(socket: PathBuf, state_dir: PathBuf) -> Self {
        Self { socket, state_dir }
    }

    /// Where the helper keeps the runs.
    pub fn state_dir(&self) -> &Path {
        &self.state_dir
    }

    /// The commands that the helper knows.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn offer(&self) -> anyhow::Result<Offer> {
        match self.ask_within(&Request::Offer {}, OFFER_DEADLINE)? {
            Answer::Offer(offer) => Ok(offer),
            other => Err(strange(&other)),
        }
    }

    /// Starts a run. One whose directory is there is started, also if the helper ended before it said so.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn start(&self, run: &RunCommand) -> anyhow::Result<Started> {
        let path = self.state_dir.join("runs").join(run.run.to_string());
        let started = |dir| Started {
            dir,
            command: run.command.clone(),
            child: None,
        };
        let before = path.exists();
        match self.ask(&Request::Start { run: run.clone() }) {
            Ok(Answer::Done) => RunDir::open(&path).map(started).context(
                "the helper has started the run, but this agent cannot read its directory; is the agent's user in the helper's `client_group`?",
            ),
            Ok(other) => Err(strange(&other)),
            Err(error) => match RunDir::open(&path) {
                Ok(dir) if !before => {
                    tracing::warn!("run {}: taken for started: {error:#}", run.run);
                    Ok(started(dir))
                }
                _ => Err(error),
            },
        }
    }

    /// Asks the supervisor of a run to stop it.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn stop(&self, run: RunId, by: &str, force: bool) -> anyhow::Result<bool> {
        let by = by.to_owned();
        match self.ask(&Request::Stop { run, by, force })? {
            Answer::Stopped { asked } => Ok(asked),
            other => Err(strange(&other)),
        }
    }

    /// Ends the journal of a run whose supervisor is gone.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn conclude(&self, run: RunId) -> anyhow::Result<()> {
        self.done(&Request::Conclude { run })
    }

    /// Lets go of a run that the dashboard has.
    ///
    /// # Errors
    /// It does not answer, or refuses.
    pub fn release(&self, run: RunId) -> anyhow::Result<()> {
        self.done(&Request::Release { run })
    }

    fn done(&self, request: &Request) -> anyhow::Result<()> {
        match self.ask(request)? {
            Answer::Done => Ok(()),
            other => Err(strange(&other)),
        }
    }

    fn ask(&self, request: &Request) -> anyhow::Result<Answer> {
        self.ask_within(request, DEADLINE)
    }

    /// Each step has the deadline for itself.
    fn ask_within(&self, request: &Request, deadline: Duration) -> anyhow::Result<Answer> {
        let socket = self.socket.display();
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        let mut stream = connect(&self.socket, deadline).with_context(|| {
            format!("the root helper at {socket} does not answer; is nixfleet-agent-helper.socket started?")
        })?;
        stream.set_read_timeout(Some(deadline))?;
        stream.set_write_timeout(Some(deadline))?;
        let mut answer = Vec::new();
        // A helper that refuses early may have closed before it read all; its answer is there nevertheless.
        let written = stream
            .write_all(&line)
            .and_then(|()| stream.shutdown(Shutdown::Write));
        let read = stream
            .take(MAX_ANSWER as u64 + 1)
            .read_to_end(&mut answer)
            .and(written);
        if answer.is_empty() {
            read.with_context(|| format!("the root helper at {socket} broke off"))?;
            bail!("the root helper at {socket} closed the connection without an answer");
        }
        if answer.len() > MAX_ANSWER {
            bail!("the root helper at {socket} answers more than {MAX_ANSWER} bytes");
        }
        match serde_json::from_slice(&answer) {
            Ok(answer) => Ok(answer),
            Err(error) => bail!(
                "the root helper at {socket} answers what is none ({error}); update agent and helper together"
            ),
        }
    }
}

/// A refusal, or an answer to something else.
fn strange(answer: &Answer) -> anyhow::Error {
    match answer {
        Answer::Refused { reason } => anyhow::anyhow!("{reason}"),
        other => anyhow::anyhow!(
            "the root helper answers something else ({other:?}); update agent and helper together"
        ),
    }
}

/// Connects within the deadline: a helper that takes nobody in would keep us waiting for ever.
#[cfg(target_os = "linux")]
fn connect(socket: &Path, deadline: Duration) -> std::io::Result<UnixStream> {
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, UnixAddr, setsockopt, sockopt::SendTimeout,
    };
    use nix::sys::time::{TimeVal, TimeValLike as _};

    let fd = nix::sys::socket::socket(
        AddressFamily::Unix,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let timeout = i64::try_from(deadline.as_millis()).unwrap_or(i64::MAX);
    setsockopt(&fd, SendTimeout, &TimeVal::milliseconds(timeout))?;
    nix::sys::socket::connect(fd.as_raw_fd(), &UnixAddr::new(socket)?)?;
    Ok(fd.into())
}

/// Elsewhere a full queue is refused at once.
#[cfg(not(target_os = "linux"))]
fn connect(socket: &Path, _deadline: Duration) -> std::io::Result<UnixStream> {
    UnixStream::connect(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;
    use std::time::Instant;

    #[test]
    fn a_helper_that_takes_nobody_in_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sock");
        let listener = UnixListener::bind(&path).unwrap();
        // One place in its queue, and it is taken.
        nix::sys::socket::listen(&listener, nix::sys::socket::Backlog::new(0).unwrap()).unwrap();
        let within = Duration::from_millis(50);
        let _taken = connect(&path, within).unwrap();
        let begun = Instant::now();
        connect(&path, within).unwrap_err();
        assert!(begun.elapsed() < Duration::from_secs(5));
        // One that takes somebody in and says nothing.
        let path = dir.path().join("silent");
        let _silent = UnixListener::bind(&path).unwrap();
        let client = Client::new(path, dir.path().to_owned());
        let error = client.ask_within(&Request::Offer {}, within).unwrap_err();
        assert!(error.to_string().contains("broke off"), "{error:#}");
    }
}
