//! What lies in the place of the database, looked at before SQLite touches it: SQLite makes an empty database of an empty
//! file, forgets a damaged log, and finds damage only where it happens to read.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The database's name in the data directory. SQLite adds `-wal` and `-shm` for its companions.
pub const NAME: &str = "nixfleet.db";
/// In the header of every database of this program: "NxFl". Older ones have 0.
pub const APPLICATION_ID: u32 = 0x4e78_466c;

/// The length of SQLite's file header (<https://sqlite.org/fileformat2.html>, section 1.3).
const HEADER: usize = 100;
/// The length of the log's header (section 4.1).
const WAL_HEADER: usize = 32;

/// How long a log that looks damaged is given to become whole.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(100);

/// Why the file cannot be this program's database. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Not there, or not to be looked at.
    #[error("{}: cannot read it: {why}; make it readable for the dashboard's user", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
    },
    /// This user, or nobody, may write it.
    #[error("{}: cannot write it: {why}; {todo}", path.display())]
    NotWritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        why: std::io::Error,
        /// What to do about it.
        todo: String,
    },
    /// A directory, a socket, …
    #[error("{}: this is no file; move it away, the dashboard keeps its database under this name", path.display())]
    NoFile {
        /// What is there.
        path: PathBuf,
    },
    /// Nothing in it.
    #[error("{}: the file is empty: a database that was here is gone; {RESTORE}, or remove the file to begin without any data", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Something else.
    #[error("{}: this is no SQLite database, or its first page is overwritten; {RESTORE}, or move the file away to begin without any data", path.display())]
    NoDatabase {
        /// The file.
        path: PathBuf,
    },
    /// Another program's.
    #[error("{}: this is a database of another program ({whose}); write another data_dir, or move the file away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What tells so.
        whose: String,
    },
    /// Its end is missing.
    #[error("{}: the file is cut off: it has {has} of {needs} bytes; {RESTORE}", path.display())]
    CutOff {
        /// The file.
        path: PathBuf,
        /// Its length.
        has: u64,
        /// The length that its header says.
        needs: u64,
    },
    /// The log is there and the database is not.
    #[error("{}: the file is missing, but its log is there ({} bytes in {NAME}-wal); put the database back or {RESTORE}", path.display(), wal)]
    Missing {
        /// The database.
        path: PathBuf,
        /// The log's length.
        wal: u64,
    },
    /// The log cannot be read, and what was committed last is in it.
    #[error("{}: this log of the last commits is damaged; {RESTORE}, or move it away to go on without them", path.display())]
    WalDamaged {
        /// The log.
        path: PathBuf,
    },
    /// A later program wrote it.
    #[error("{}: the schema is version {found}, and this program knows versions up to {known}; run the newer nixfleet-dashboard that wrote it, or restore a backup of before the update", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema's version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// SQLite found damage.
    #[error("{}: the database is damaged: {what}; `nixfleet-dashboard doctor` shows all of it; {RESTORE}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The first thing that was found.
        what: String,
    },
}

/// The end of a message about a database that is beyond repair.
pub const RESTORE: &str = "restore a backup (`nixfleet-dashboard backup --help` says how)";

/// The name of a companion of the database: `-wal` or `-shm`.
pub fn companion(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Looks at `path` and its log without changing them. Answers whether there is a database.
///
/// Not for a database that this very process has open: closing a file gives up all locks that the process holds on it.
///
/// # Errors
/// What is there is not a whole database of this program, as far as headers tell.
pub fn inspect(path: &Path) -> Result<bool, FileError> {
    let wal = companion(path, "-wal");
    let n_wal = match std::fs::metadata(&wal) {
        Ok(metadata) if !metadata.is_file() => return Err(FileError::NoFile { path: wal }),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound && n_wal == 0 => return Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(FileError::Missing {
                path: path.to_owned(),
                wal: n_wal,
            });
        }
        Err(why) => return Err(unreadable(path, why)),
    };
    check_database(path, &metadata, n_wal)?;
    for last in [false, true] {
        if n_wal == 0 || wal_begins_well(&wal).map_err(|why| unreadable(&wal, why))? {
            break;
        }
        if last {
            return Err(FileError::WalDamaged { path: wal });
        }
        // A running dashboard may have been writing it just now.
        std::thread::sleep(AGAIN);
    }
    Ok(true)
}

fn check_database(path: &Path, metadata: &Metadata, n_wal: u64) -> Result<(), FileError> {
    let path = path.to_owned();
    if !metadata.is_file() {
        return Err(FileError::NoFile { path });
    }
    if metadata.len() == 0 {
        return Err(FileError::Empty { path });
    }
    let mut header = [0; HEADER];
    let read = File::open(&path).and_then(|mut file| file.read_exact(&mut header));
    match read {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
            return Err(FileError::NoDatabase { path });
        }
        Err(why) => return Err(FileError::Unreadable { path, why }),
        Ok(()) if !header.starts_with(b"SQLite format 3\0") => {
            return Err(FileError::NoDatabase { path });
        }
        Ok(()) => {}
    }
    let id = number(&header, 68);
    if id != 0 && id != APPLICATION_ID {
        let whose = format!("application id {id:#010x}");
        return Err(FileError::Foreign { path, whose });
    }
    let page = match u64::from(header[16]) << 8 | u64::from(header[17]) {
        1 => 65536,
        page => page,
    };
    if page < 512 || !page.is_power_of_two() {
        return Err(FileError::NoDatabase { path });
    }
    // While a log is there the file may lawfully be shorter than it says. The count is only valid beside its own version.
    let counted = number(&header, 24) == number(&header, 92);
    let needs = u64::from(number(&header, 28)) * page;
    let has = metadata.len();
    if n_wal == 0 && ((counted && has < needs) || !has.is_multiple_of(page)) {
        let needs = needs.max(has.next_multiple_of(page));
        return Err(FileError::CutOff { path, has, needs });
    }
    Ok(())
}

/// Whether the log begins as SQLite's logs do. One that a power cut left as zeros holds nothing yet: SQLite syncs the
/// header before it writes what follows.
fn wal_begins_well(path: &Path) -> std::io::Result<bool> {
    let mut header = [0; WAL_HEADER];
    match File::open(path)?.read_exact(&mut header) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(true),
        read => read?,
    }
    if header == [0; WAL_HEADER] {
        return Ok(true);
    }
    let magic = number(&header, 0);
    if magic & !1 != 0x377f_0682 {
        return Ok(false);
    }
    let (mut first, mut second) = (0_u32, 0_u32);
    for pair in header[..24].chunks_exact(8) {
        let (left, right) = (number(pair, 0), number(pair, 4));
        let (left, right) = if magic & 1 == 1 {
            (left, right)
        } else {
            (left.swap_bytes(), right.swap_bytes())
        };
        first = first.wrapping_add(left).wrapping_add(second);
        second = second.wrapping_add(right).wrapping_add(first);
    }
    Ok((first, second) == (number(&header, 24), number(&header, 28)))
}

/// After a dashboard that was killed its log must be there; where it is not, somebody should know.
pub fn warn_of_missing_log(dir: &Path) {
    let path = dir.join(NAME);
    if path.exists() && !companion(&path, "-wal").exists() {
        tracing::warn!(
            "{}: the last dashboard did not end in order, and its log {NAME}-wal is not there: unless a backup was restored or another program brought it in, what was committed last is lost; `nixfleet-dashboard doctor` looks whether the rest is whole",
            path.display()
        );
    }
}

/// Whether the dashboard could write `path`, without writing.
///
/// # Errors
/// It could not; the text says why and what to do.
pub fn check_writable(path: &Path) -> Result<(), FileError> {
    let Err(why) = OpenOptions::new().append(true).open(path) else {
        return Ok(());
    };
    Err(not_writable(path, why))
}

/// The error of a file or directory that cannot be written.
pub fn not_writable(path: &Path, why: std::io::Error) -> FileError {
    let todo = if why.kind() == ErrorKind::ReadOnlyFilesystem {
        "its file system is read-only: mount it writable, or write another data_dir".to_owned()
    } else {
        let owner = std::fs::metadata(path).map(|metadata| (metadata.uid(), metadata.mode()));
        let me = nix::unistd::geteuid();
        match owner {
            Ok((uid, _)) if uid != me.as_raw() => {
                format!(
                    "it belongs to user {uid} and the dashboard runs as user {me}: run it as its owner, or `chown` it"
                )
            }
            Ok((_, mode)) => format!("its mode is {:03o}: `chmod u+rw` it", mode & 0o777),
            Err(_) => "make it writable for the dashboard's user".to_owned(),
        }
    };
    FileError::NotWritable {
        path: path.to_owned(),
        why,
        todo,
    }
}

fn unreadable(path: &Path, why: std::io::Error) -> FileError {
    FileError::Unreadable {
        path: path.to_owned(),
        why,
    }
}

/// The big-endian number at `at`.
fn number(bytes: &[u8], at: usize) -> u32 {
    bytes
        .get(at..at + 4)
        .and_then(|four| four.try_into().ok())
        .map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests;
