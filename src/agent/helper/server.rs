//! The helper's process: takes connections one after the other, answers each, and goes when nobody needs it.

use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Uid;

use super::listen::{Peer, listener, peer, prepare, read_line, write_line};
use super::protocol::{Answer, ListedRun, Request, parse};
use super::{CONFIG, config};
use crate::agent::launch::SelfCommand;
use crate::agent::launcher::{Direct, RunCommand, operator};
use crate::agent::runs::prune;
use crate::base::logging;
use crate::run::id::RunId;

/// A helper that systemd started goes after so long without work; the next one is the program that is installed then, with
/// the file as it is then. Shorter than the agent's pause between two questions what is offered.
const IDLE: Duration = Duration::from_secs(20);
/// How often children that have ended are taken care of.
const LOOK: Duration = Duration::from_secs(2);
/// How often is looked for journals that have become old. One that is started now and then looks each time.
const PRUNE: Duration = prune::EVERY;
/// A run that was started has this long to come up; until then it counts as one that goes on.
const COMING_UP: Duration = Duration::from_secs(10);
/// The most of a refusal's reason that is logged and answered, in characters. It may quote what was asked.
const MAX_REASON: usize = 2000;
/// The most runs that are listed: the newest. They fit an answer.
const MAX_LISTED: usize = 4000;

/// Serves until nobody needs it any more (socket-activated), or for ever.
///
/// # Errors
/// The configuration cannot be used or believed, or there is no socket.
pub fn run(
    file: Option<&Path>,
    socket: Option<&Path>,
    self_command: SelfCommand,
) -> anyhow::Result<()> {
    // What is made here is nobody else's to write, whoever starts this and how.
    umask(Mode::from_bits_truncate(0o022));
    let settings = config::load(file.unwrap_or_else(|| Path::new(CONFIG)))?;
    logging::start(&settings.log_level)?;
    let group = settings.group.as_raw();
    prepare(&settings.state_dir, group)?;
    let (listener, activated) = listener(socket)?;
    let direct = Direct::new(
        &settings.state_dir,
        self_command,
        settings.execution,
        Some(group),
    );
    if !nix::unistd::geteuid().is_root() {
        tracing::warn!("not root: what it starts has no more rights than this user");
    }
    tracing::info!("ready for user {}; {}", settings.client, direct.manner());
    let mut server = Server {
        direct,
        client: settings.client,
        children: Vec::new(),
        newest: None,
    };
    server.serve(&listener, activated.then_some(IDLE))
}

struct Server {
    direct: Direct,
    client: Uid,
    /// Supervisors that are children of this process, to be waited for.
    children: Vec<Child>,
    /// The run that was started last, and when.
    newest: Option<(RunId, Instant)>,
}

impl Server {
    /// Serves; with `idle`, until nobody has asked for that long.
    fn serve(&mut self, listener: &UnixListener, idle: Option<Duration>) -> anyhow::Result<()> {
        listener.set_nonblocking(true)?;
        let mut heard = Instant::now();
        let mut pruned: Option<Instant> = None;
        loop {
            if pruned.is_none_or(|at| at.elapsed() >= PRUNE) {
                pruned = Some(Instant::now());
                if let Err(error) = self.direct.prune() {
                    tracing::warn!("{error:#}");
                }
            }
            self.children
                .retain_mut(|child| matches!(child.try_wait(), Ok(None)));
            let mut fds = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
            let woken = poll(
                &mut fds,
                PollTimeout::try_from(idle.map_or(LOOK, |idle| idle.min(LOOK)))
                    .unwrap_or(PollTimeout::MAX),
            );
            match listener.accept() {
                Ok((stream, _)) => {
                    heard = Instant::now();
                    self.take(stream);
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    tracing::warn!("no connection is taken: {error}");
                    std::thread::sleep(Duration::from_millis(100));
                }
            }
            if let Some(idle) = idle
                && woken == Ok(0)
                && heard.elapsed() >= idle
                && self.children.is_empty()
            {
                tracing::info!("nobody asked for {idle:?}; exiting until somebody does");
                return Ok(());
            }
        }
    }

    fn take(&mut self, mut stream: UnixStream) {
        let who = match peer(&stream) {
            Ok(who) => who,
            Err(error) => {
                tracing::warn!("refused: nobody knows who asks: {error}");
                return;
            }
        };
        let answer = self.answer(&mut stream, &who).unwrap_or_else(|reason| {
            let reason = shown(&reason);
            tracing::warn!(
                "refused, asked by user {} (process {}): {reason}",
                who.uid,
                who.pid
            );
            Answer::Refused { reason }
        });
        let written = serde_json::to_vec(&answer)
            .map_err(std::io::Error::other)
            .and_then(|mut line| {
                line.push(b'\n');
                write_line(&mut stream, &line)
            });
        if let Err(error) = written {
            tracing::debug!("process {} did not take its answer: {error}", who.pid);
        }
    }

    /// Starts a run unless another one goes on. The agent sees to that too, but who has taken over the agent does not.
    fn start(&mut self, run: &RunCommand) -> anyhow::Result<()> {
        let coming = self
            .newest
            .filter(|(newest, at)| at.elapsed() < COMING_UP && self.direct.is_coming_up(*newest))
            .map(|(newest, _)| newest);
        if let Some(other) = coming.or(self.direct.goes_on()?) {
            anyhow::bail!("run {other} goes on; wait for its end or stop it first");
        }
        let started = self.direct.start(run)?;
        self.newest = Some((run.run, Instant::now()));
        tracing::info!(
            "run {}: {} for {:?}",
            run.run,
            run.command,
            operator(&run.requested_by)
        );
        self.children.extend(started.child);
        Ok(())
    }

    fn answer(&mut self, stream: &mut UnixStream, who: &Peer) -> Result<Answer, String> {
        if who.uid != self.client && !who.uid.is_root() {
            return Err("this helper is for another user: see `client_user` in its file".into());
        }
        let line = read_line(stream)?;
        let request = parse(&line)?;
        let said = |error: anyhow::Error| format!("{error:#}");
        match request {
            Request::Offer {} => Ok(Answer::Offer(self.direct.offer())),
            Request::Start { run } => {
                self.start(&run).map_err(said)?;
                Ok(Answer::Done)
            }
            Request::Stop { run, by, force } => {
                let asked = self.direct.stop(run, &by, force).map_err(said)?;
                tracing::info!("run {run}: stop asked for by {:?}", operator(&by));
                Ok(Answer::Stopped { asked })
            }
            Request::List {} => {
                let runs = self.direct.list().map_err(said)?;
                let left_out = runs.len().saturating_sub(MAX_LISTED);
                let listed = |(run, command, alive)| ListedRun {
                    run,
                    command,
                    alive,
                };
                Ok(Answer::Runs {
                    runs: runs.into_iter().skip(left_out).map(listed).collect(),
                })
            }
            Request::Conclude { run } => {
                self.direct.conclude(run).map_err(said)?;
                Ok(Answer::Done)
            }
            Request::Release { run } => {
                self.direct.release(run).map_err(said)?;
                Ok(Answer::Done)
            }
        }
    }
}

/// A reason as it may stand in one line of a log: what it quotes comes from elsewhere, so what is not printable is escaped.
fn shown(reason: &str) -> String {
    let escaped = reason.chars().flat_map(|c| {
        let plain = matches!(c, '"' | '\'' | '\\');
        let (as_is, escaped) = if plain {
            (Some(c), None)
        } else {
            (None, Some(c.escape_debug()))
        };
        as_is.into_iter().chain(escaped.into_iter().flatten())
    });
    escaped.take(MAX_REASON).collect()
}

#[cfg(test)]
mod tests;
