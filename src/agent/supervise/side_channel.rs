//! Where Nix writes its records beside the terminal: a socket in the run's directory, named by `json-log-path` (Nix 2.30 and
//! later; earlier ones warn and go on).
//!
//! Each Nix process connects by itself, and what it starts may too. What they write is always read, so that none of them
//! waits, whatever becomes of it; Nix goes on without records if the socket fails.

use std::io::{ErrorKind, Read as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};

use crate::run::records::MAX_RECORD;

/// The socket in the run's directory.
const NAME: &str = "records";
/// The longest path that a socket can have: `sun_path` of macOS, the shorter one, without its final NUL.
const MAX_PATH: usize = 103;
/// The most writers at once. Further ones wait until one is gone.
const MAX_WRITERS: usize = 64;
/// How much is read of one writer before the terminal is looked at again.
const MAX_TURN: usize = 256 * 1024;
/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// The socket, and who writes to it.
#[derive(Debug)]
pub(super) struct SideChannel {
    path: PathBuf,
    listener: UnixListener,
    writers: Vec<Writer>,
    next: u32,
    piece: Vec<u8>,
}

/// One process that writes records.
#[derive(Debug)]
struct Writer {
    number: u32,
    stream: UnixStream,
    /// The record that has not ended yet.
    begun: Vec<u8>,
    /// It has become too long: it is passed over.
    skip: bool,
}

impl SideChannel {
    /// Opens the socket for whoever may act as this user. None where that is not possible; the terminal's text is enough.
    pub(super) fn open(dir: &Path) -> Option<Self> {
        let path = dir.join(NAME);
        let text = path.to_str()?;
        // Nix's configuration has no way to quote these.
        if text.len() > MAX_PATH || text.contains(|char: char| char == '#' || char.is_whitespace())
        {
            tracing::debug!("{text}: no path for Nix's records; progress comes from the terminal");
            return None;
        }
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(&path);
        umask(before);
        let listener = bound
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .inspect_err(|error| {
                tracing::debug!("{text}: {error}; progress comes from the terminal");
            })
            .ok()?;
        Some(Self {
            path,
            listener,
            writers: Vec::new(),
            next: 1,
            piece: vec![0; PIECE],
        })
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What becomes readable when there is something to do.
    pub(super) fn fds(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        let listener = (self.writers.len() < MAX_WRITERS).then(|| self.listener.as_fd());
        let writers = self.writers.iter().map(|writer| writer.stream.as_fd());
        listener.into_iter().chain(writers)
    }

    /// Reads what there is. Hands over each record with its writer's number, and none for a writer that is gone. Returns how
    /// many bytes there were.
    pub(super) fn read(&mut self, mut sink: impl FnMut(u32, Option<&[u8]>)) -> usize {
        while self.writers.len() < MAX_WRITERS
            && let Ok((stream, _)) = self.listener.accept()
        {
            if stream.set_nonblocking(true).is_ok() {
                self.writers.push(Writer {
                    number: self.next,
                    stream,
                    begun: Vec::new(),
                    skip: false,
                });
                self.next = self.next.wrapping_add(1).max(1);
            }
        }
        let piece = &mut self.piece;
        let mut count = 0;
        self.writers.retain_mut(|writer| {
            let (read, stays) = writer.read(piece, &mut sink);
            count += read;
            if !stays {
                sink(writer.number, None);
            }
            stays
        });
        count
    }
}

impl Drop for SideChannel {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Writer {
    /// How many bytes there were, and whether more may come.
    fn read(
        &mut self,
        piece: &mut [u8],
        sink: &mut impl FnMut(u32, Option<&[u8]>),
    ) -> (usize, bool) {
        let mut turn = 0;
        while turn < MAX_TURN {
            match self.stream.read(piece) {
                Ok(0) => return (turn, false),
                Ok(n) => {
                    turn += n;
                    self.take(&piece[..n], sink);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return (turn, error.kind() == ErrorKind::WouldBlock),
            }
        }
        (turn, true)
    }

    fn take(&mut self, bytes: &[u8], sink: &mut impl FnMut(u32, Option<&[u8]>)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = (&rest[..end], &rest[end + 1..]);
            rest = behind;
            if std::mem::take(&mut self.skip) {
                self.begun.clear();
            } else if self.begun.is_empty() {
                sink(self.number, Some(line));
            } else {
                self.begun.extend_from_slice(line);
                sink(self.number, Some(&self.begun));
                self.begun.clear();
            }
        }
        if self.skip || self.begun.len() + rest.len() > MAX_RECORD {
            self.skip = true;
            self.begun = Vec::new();
        } else {
            self.begun.extend_from_slice(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn records(channel: &mut SideChannel) -> Vec<(u32, Option<String>)> {
        let mut found = Vec::new();
        channel.read(|writer, record| {
            let record = record.map(|record| String::from_utf8_lossy(record).into_owned());
            found.push((writer, record));
        });
        found
    }

    #[test]
    fn several_writers_cut_anywhere_and_none_waits() {
        let dir = tempfile::tempdir().unwrap();
        let mut channel = SideChannel::open(dir.path()).unwrap();
        assert_eq!(channel.fds().count(), 1);
        let connect = || UnixStream::connect(channel.path()).unwrap();
        let (mut one, mut two) = (connect(), connect());
        one.write_all(b"{\"a\":1}\n{\"a\"").unwrap();
        two.write_all(b"{\"b\":1}\n").unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            records(&mut channel),
            [(1, some("{\"a\":1}")), (2, some("{\"b\":1}"))]
        );
        assert_eq!(channel.fds().count(), 3);
        one.write_all(b":2}\n").unwrap();
        drop(two);
        assert_eq!(records(&mut channel), [(1, some("{\"a\":2}")), (2, None)]);
        // A record that is too long is passed over, the next one is not.
        let long = vec![b'x'; MAX_RECORD / 2 + 1];
        let mut found = Vec::new();
        for part in [&long[..], &long, b"\n{\"a\":3}\n"] {
            one.set_nonblocking(true).unwrap();
            let mut rest = part;
            while !rest.is_empty() {
                match one.write(rest) {
                    Ok(n) => rest = &rest[n..],
                    Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
                }
                found.extend(records(&mut channel));
            }
        }
        assert_eq!(found, [(1, some("{\"a\":3}"))]);
        let path = channel.path().to_owned();
        drop(channel);
        assert!(!path.exists());
    }

    #[test]
    fn no_socket_where_nix_could_not_name_it() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a b", "a#b", &"x".repeat(MAX_PATH)] {
            let dir = dir.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            assert!(SideChannel::open(&dir).is_none(), "{name}");
        }
    }
}
