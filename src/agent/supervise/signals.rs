//! The supervisor's signals.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGXFSZ};

/// Signals, as flags and as a descriptor that wakes.
pub(super) struct Signals {
    pub(super) stop: Arc<AtomicBool>,
    pub(super) terminate: Arc<AtomicBool>,
    pub(super) child: Arc<AtomicBool>,
    pub(super) wake: UnixStream,
}

impl Signals {
    pub(super) fn register() -> io::Result<Self> {
        let (wake, sender) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        let flag = || Arc::new(AtomicBool::new(false));
        let (stop, terminate, child, ignored) = (flag(), flag(), flag(), flag());
        signal_hook::flag::register(SIGCHLD, Arc::clone(&child))?;
        signal_hook::flag::register(SIGUSR1, Arc::clone(&stop))?;
        for signal in [SIGTERM, SIGINT] {
            signal_hook::flag::register(signal, Arc::clone(&terminate))?;
        }
        // Caught rather than ignored, so that the program starts with their defaults. SIGXFSZ: a limit on file sizes then
        // is an error of the write. (SIGPIPE is ignored by Rust's runtime.)
        for signal in [SIGHUP, SIGXFSZ] {
            signal_hook::flag::register(signal, Arc::clone(&ignored))?;
        }
        for signal in [SIGUSR1, SIGTERM, SIGINT, SIGCHLD] {
            signal_hook::low_level::pipe::register(signal, sender.try_clone()?)?;
        }
        Ok(Self {
            stop,
            terminate,
            child,
            wake,
        })
    }

    pub(super) fn drain(&mut self) {
        let mut bytes = [0; 64];
        while matches!(io::Read::read(&mut self.wake, &mut bytes), Ok(n) if n > 0) {}
    }
}
