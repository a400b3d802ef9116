//! Small files of the kernel's, read with a limit. Whatever stands in such a file's place cannot hold the reader up.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The most of a file with one value.
pub const VALUE: usize = 256;
/// The most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 4096;

/// The text of a regular file, at most its first `max` bytes. A FIFO is opened without waiting for its writer, and refused.
///
/// # Errors
/// It cannot be read, is no regular file or no text.
pub fn read(path: &Path, max: usize) -> anyhow::Result<String> {
    let text = || -> anyhow::Result<String> {
        let file = File::options()
            .read(true)
            .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
            .open(path)?;
        anyhow::ensure!(file.metadata()?.is_file(), "is no regular file");
        let mut bytes = Vec::new();
        file.take(max as u64).read_to_end(&mut bytes)?;
        String::from_utf8(bytes).context("is no text")
    };
    text().with_context(|| path.display().to_string())
}

/// The number that a file holds, and nothing else; none where it holds none.
pub fn number<N: std::str::FromStr>(path: &Path) -> Option<N> {
    read(path, VALUE).ok()?.trim().parse().ok()
}

/// What is in a directory, sorted by name; nothing where there is none.
pub fn entries(dir: &Path) -> Vec<(String, PathBuf)> {
    let mut found: Vec<_> = std::fs::read_dir(dir)
        .into_iter()
        .flatten()
        .take(MAX_ENTRIES)
        .filter_map(|entry| {
            let entry = entry.ok()?;
            Some((entry.file_name().into_string().ok()?, entry.path()))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_small_text_file_is_refused_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("value");
        assert!(read(&path, VALUE).is_err(), "not there");
        std::fs::write(&path, "12\n").unwrap();
        assert_eq!(number(&path), Some(12));
        std::fs::write(&path, "1234567890").unwrap();
        assert_eq!(read(&path, 4).unwrap(), "1234", "no more than asked for");
        std::fs::write(&path, [0xff]).unwrap();
        assert!(read(&path, VALUE).is_err(), "no text");
        std::fs::remove_file(&path).unwrap();
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let error = read(&path, VALUE).unwrap_err();
        assert!(format!("{error:#}").contains("no regular file"), "a FIFO");
        assert!(read(dir.path(), VALUE).is_err(), "a directory");
    }
}
