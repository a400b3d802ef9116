//! The files of a journal as its one writer sees them: which one grows, when the next one begins, which one goes.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::JournalError;
use super::parts::{Limits, file_of, list};
use super::walk::walk;
use crate::run::id::Seq;

/// A journal's files.
#[derive(Debug)]
pub(super) struct Ring {
    path: PathBuf,
    limits: Limits,
    /// The one that grows.
    file: Arc<File>,
    number: u64,
    /// The end of its last whole record.
    len: u64,
    /// It holds more than its checkpoint.
    used: bool,
    /// The finished parts and their bytes, oldest first, without the head.
    parts: VecDeque<(u64, u64)>,
    /// Bytes of all other files.
    others: u64,
}

impl Ring {
    /// Opens a journal at its end, making it if it is not there; answers its last record too. An incomplete last record is
    /// cut off, and a part that has none is deleted.
    ///
    /// # Errors
    /// The files cannot be opened, or their headers are damaged.
    pub(super) fn open(path: &Path, limits: Limits) -> Result<(Self, Seq), JournalError> {
        let io = |path: &Path, source| JournalError::Io {
            path: path.to_owned(),
            source,
        };
        let mut numbers = list(path).map_err(|error| io(path, error))?;
        while let Some(last) = numbers.last() {
            let part = file_of(path, *last);
            let file = File::open(&part).map_err(|error| io(&part, error))?;
            if walk(path, *last, &file, Seq(u64::MAX))?.seq > Seq(0) {
                break;
            }
            fs::remove_file(&part).map_err(|error| io(&part, error))?;
            numbers.pop();
        }
        let number = numbers.pop().unwrap_or(0);
        let grows = file_of(path, number);
        let file = append_to(&grows).map_err(|error| io(&grows, error))?;
        let end = walk(path, number, &file, Seq(u64::MAX))?;
        file.set_len(end.end).map_err(|error| io(&grows, error))?;
        let size = |number| fs::metadata(file_of(path, number)).map_or(0, |found| found.len());
        let parts: VecDeque<_> = numbers
            .into_iter()
            .map(|number| (number, size(number)))
            .collect();
        let head = if number > 0 { size(0) } else { 0 };
        let ring = Self {
            path: path.to_owned(),
            limits,
            file: Arc::new(file),
            number,
            len: end.end,
            used: end.start > 0 || number == 0,
            others: head + parts.iter().map(|(_, bytes)| bytes).sum::<u64>(),
            parts,
        };
        Ok((ring, end.seq))
    }

    /// The file that grows.
    pub(super) fn file(&self) -> &Arc<File> {
        &self.file
    }

    /// Its path.
    pub(super) fn file_path(&self) -> PathBuf {
        file_of(&self.path, self.number)
    }

    /// Whether a record of that many bytes belongs into a new part.
    pub(super) fn is_full_for(&self, bytes: usize) -> bool {
        let limit = if self.number == 0 {
            self.limits.head
        } else {
            self.limits.part
        };
        self.used && self.len > 0 && self.len + bytes as u64 > limit
    }

    /// Ends the file that grows and begins the next one with the record `checkpoint`.
    ///
    /// # Errors
    /// The disk takes no more; then nothing has changed, but that old parts may be gone.
    pub(super) fn begin(&mut self, checkpoint: &[u8]) -> io::Result<()> {
        self.make_room(checkpoint.len())?;
        let number = self.number + 1;
        let path = file_of(&self.path, number);
        let begun = append_to(&path).and_then(|mut file| {
            share_as(&self.path, &file)?;
            file.set_len(0)?;
            file.write_all(checkpoint)?;
            Ok(file)
        });
        let file = match begun {
            Ok(file) => file,
            Err(error) => {
                // A reader must not wait there for what comes elsewhere.
                let _ = fs::remove_file(&path);
                return Err(error);
            }
        };
        if self.number > 0 {
            self.parts.push_back((self.number, self.len));
        }
        self.others += self.len;
        self.file = Arc::new(file);
        self.number = number;
        self.len = checkpoint.len() as u64;
        self.used = false;
        Ok(())
    }

    /// Appends a record, whole or not at all.
    ///
    /// # Errors
    /// The disk takes no more.
    pub(super) fn write(&mut self, record: &[u8]) -> io::Result<()> {
        self.make_room(record.len())?;
        if let Err(error) = (&*self.file).write_all(record) {
            // A reader must not find half a record with others behind it.
            if let Err(truncating) = self.file.set_len(self.len) {
                tracing::error!(path = %self.file_path().display(), %truncating, "journal not cut back");
            }
            return Err(error);
        }
        self.len += record.len() as u64;
        self.used = true;
        Ok(())
    }

    /// Deletes the oldest parts until there is room for that many bytes. The head and the file that grows always stay.
    fn make_room(&mut self, bytes: usize) -> io::Result<()> {
        while self
            .others
            .saturating_add(self.len)
            .saturating_add(bytes as u64)
            > self.limits.all
        {
            let Some((oldest, size)) = self.parts.front() else {
                return Ok(());
            };
            match fs::remove_file(file_of(&self.path, *oldest)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => self.others -= size,
            }
            self.parts.pop_front();
        }
        Ok(())
    }

    #[cfg(test)]
    pub(super) fn replace_file(&mut self, file: File) -> File {
        let old = std::mem::replace(&mut self.file, Arc::new(file));
        old.try_clone().unwrap()
    }
}

/// Whoever may read the head may read its further parts. The group is the directory's, as the head's is.
fn share_as(head: &Path, part: &File) -> io::Result<()> {
    let mode = fs::metadata(head).map_or(0o600, |found| found.mode() & 0o777);
    if part.metadata()?.mode() & 0o777 == mode {
        return Ok(());
    }
    part.set_permissions(fs::Permissions::from_mode(mode))
}

/// Appending makes the end the only place that is ever written.
fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(path)
}
