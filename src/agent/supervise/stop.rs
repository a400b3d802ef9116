//! Stopping a program: politely first, and never in the middle of an activation unless somebody insists.
//!
//! Under systemd nixos-rebuild switches in a unit of its own, which outlives nixos-rebuild: even a stop by force need not
//! end it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::agent::pty::Pty;
use crate::agent::supervise::unit::Unit;

/// Why a program is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cause {
    /// An operator asked.
    Asked {
        /// Who.
        by: String,
        /// Also in the middle of an activation.
        force: bool,
    },
    /// It ran longer than its limit.
    TimedOut,
}

/// Whom a signal goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) pty: &'a Pty,
    pub(super) unit: &'a Unit,
    /// The program has been waited for: its number may be another one's by now.
    pub(super) ended: bool,
}

impl Target<'_> {
    fn signal(&self, signal: Signal) {
        if self.ended && cfg!(target_os = "linux") {
            self.unit.signal(signal);
        } else {
            self.pty.signal_group(signal);
        }
    }

    /// Kills all processes of the run.
    pub(super) fn kill(&self) {
        self.signal(Signal::SIGKILL);
        self.unit.kill((!self.ended).then(|| self.pty.pid()));
    }
}

/// SIGINT, after the grace SIGTERM, both to the program's group; after the grace SIGKILL to all processes of the run. SIGINT
/// goes to all of the group as Ctrl-C on a terminal does: Nix then tells its daemon to end the builds, and a shell script
/// heeds it only when the program it waits for dies of it.
#[derive(Debug)]
pub(super) struct Ladder {
    pub(super) cause: Cause,
    grace: Duration,
    sent: u8,
    next: Option<Instant>,
}

impl Ladder {
    pub(super) fn start(cause: Cause, grace: Duration, target: Target<'_>) -> Self {
        let mut ladder = Self {
            cause,
            grace,
            sent: 0,
            next: Some(Instant::now()),
        };
        ladder.tick(target);
        ladder
    }

    /// When [`tick`](Self::tick) has something to do.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next
    }

    /// Whether it goes on when an activation begins after the first signal.
    pub(super) fn forced(&self) -> bool {
        matches!(self.cause, Cause::Asked { force: true, .. })
    }

    /// Sends the signal that is due.
    pub(super) fn tick(&mut self, target: Target<'_>) {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        match self.sent {
            0 => target.signal(Signal::SIGINT),
            1 => target.signal(Signal::SIGTERM),
            _ => target.kill(),
        }
        self.sent += 1;
        self.next = (self.sent < 3).then_some(now + self.grace);
    }
}
