//! Stopping a program: politely first, and never in the middle of an activation unless somebody insists.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::agent::pty::Pty;

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

/// SIGINT, after the grace SIGTERM, after the grace SIGKILL, each to the program's group. SIGINT goes to all of the group
/// as Ctrl-C on a terminal does: Nix then tells its daemon to end the builds, and a shell script heeds it only when the
/// program it waits for dies of it.
#[derive(Debug)]
pub(super) struct Ladder {
    pub(super) cause: Cause,
    grace: Duration,
    sent: u8,
    next: Option<Instant>,
}

impl Ladder {
    pub(super) fn start(cause: Cause, grace: Duration, pty: &Pty) -> Self {
        let mut ladder = Self {
            cause,
            grace,
            sent: 0,
            next: Some(Instant::now()),
        };
        ladder.tick(pty);
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
    pub(super) fn tick(&mut self, pty: &Pty) {
        let now = Instant::now();
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        match self.sent {
            0 => pty.signal_group(Signal::SIGINT),
            1 => pty.signal_group(Signal::SIGTERM),
            _ => pty.signal_group(Signal::SIGKILL),
        }
        self.sent += 1;
        self.next = (self.sent < 3).then_some(now + self.grace);
    }
}
