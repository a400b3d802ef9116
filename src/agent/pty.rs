//! A pseudo-terminal and the program behind it. The only module with `unsafe`: between fork and exec there is no safe way.
#![expect(
    unsafe_code,
    reason = "setsid and closing of descriptors happen between fork and exec"
)]

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, killpg};
use nix::sys::termios::{LocalFlags, OutputFlags, SetArg, tcgetattr, tcsetattr};
use nix::unistd::Pid;

/// The terminal's size. Wide, so that progress bars are not cut; never 0, which some programs take for no terminal.
pub const ROWS: u16 = 100;
/// As [`ROWS`].
pub const COLUMNS: u16 = 250;

/// A program on a terminal of its own.
#[derive(Debug)]
pub struct Pty {
    master: File,
    child: Child,
}

/// What a read brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes.
    Bytes(usize),
    /// Nothing now.
    Nothing,
    /// No process has the terminal any more.
    End,
}

impl Pty {
    /// Starts `command` with the terminal as its output and errors, nothing as its input, in a session of its own that has
    /// no controlling terminal: whoever would ask a question fails at once instead of hanging.
    ///
    /// # Errors
    /// No terminal can be had, or the program cannot be started.
    pub fn spawn(mut command: Command) -> io::Result<Self> {
        let size = Winsize {
            ws_row: ROWS,
            ws_col: COLUMNS,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        let OpenptyResult { master, slave } = openpty(Some(&size), None)?;
        close_on_exec(&master)?;
        close_on_exec(&slave)?;
        raw_output(&slave)?;
        let flags = OFlag::from_bits_retain(fcntl(&master, FcntlArg::F_GETFL)?);
        fcntl(&master, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
        command
            .stdin(Stdio::null())
            .stdout(Stdio::from(slave.try_clone()?))
            .stderr(Stdio::from(slave));
        // SAFETY: only async-signal-safe calls (setsid, close_range or fcntl), no allocation, no locks. The signal mask
        // and SIGPIPE are put back by the standard library.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                close_others_on_exec();
                Ok(())
            });
        }
        let child = command.spawn()?;
        // `command` is dropped here, and with it our ends of the terminal: the end of the last process ends it.
        Ok(Self {
            master: File::from(master),
            child,
        })
    }

    /// The program's process, which is also its session and group.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id() as i32)
    }

    /// The terminal, to wait for.
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// Reads without waiting.
    ///
    /// # Errors
    /// The terminal is broken.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<ReadOutcome> {
        loop {
            match self.master.read(buffer) {
                Ok(0) => return Ok(ReadOutcome::End),
                Ok(n) => return Ok(ReadOutcome::Bytes(n)),
                Err(error) => match error.raw_os_error().map(Errno::from_raw) {
                    Some(Errno::EINTR) => {}
                    Some(Errno::EAGAIN) => return Ok(ReadOutcome::Nothing),
                    // Linux: the last process closed it.
                    Some(Errno::EIO) => return Ok(ReadOutcome::End),
                    _ => return Err(error),
                },
            }
        }
    }

    /// How the program ended, if it did.
    ///
    /// # Errors
    /// The system does not say.
    pub fn try_wait(&mut self) -> io::Result<Option<std::process::ExitStatus>> {
        self.child.try_wait()
    }

    /// Signals the program and its children that stayed in its group. That they are gone is no error.
    pub fn signal_group(&self, signal: Signal) {
        let _ = killpg(self.pid(), signal);
    }
}

fn close_on_exec(fd: &OwnedFd) -> nix::Result<()> {
    fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).map(drop)
}

/// Bytes arrive as the program wrote them: `\n` stays `\n`, and nothing is echoed.
fn raw_output(slave: &OwnedFd) -> nix::Result<()> {
    let mut settings = tcgetattr(slave)?;
    settings.output_flags.remove(OutputFlags::OPOST);
    settings.local_flags.remove(LocalFlags::ECHO);
    tcsetattr(slave, SetArg::TCSANOW, &settings)
}

/// Whatever this process has inherited or opened stays with it.
#[cfg(target_os = "linux")]
fn close_others_on_exec() {
    // Kernels before 5.11 refuse the flag; all descriptors that we open ourselves have it anyway.
    // SAFETY: a system call without pointers.
    unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3_u32,
            u32::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn close_others_on_exec() {
    for fd in 3..256 {
        // SAFETY: a system call without pointers; a closed descriptor is refused.
        unsafe {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}
