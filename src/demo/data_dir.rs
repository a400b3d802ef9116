//! The demo's directory: a given one stays, a temporary one goes with the demo.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The demo's directory; a temporary one goes with the demo.
#[derive(Debug)]
pub enum DataDir {
    /// Named by the user.
    Given(PathBuf),
    /// Made for this demo.
    Temporary(PathBuf),
}

impl DataDir {
    /// Makes the directory.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn new(given: Option<PathBuf>) -> anyhow::Result<Self> {
        let temporary = given.is_none();
        let path = given.unwrap_or_else(|| {
            std::env::temp_dir().join(format!("nixfleet-demo-{}", uuid::Uuid::new_v4()))
        });
        let made = std::fs::create_dir_all(&path).and_then(|()| path.canonicalize());
        let path =
            made.with_context(|| format!("cannot make the data directory {}", path.display()))?;
        Ok(if temporary {
            Self::Temporary(path)
        } else {
            Self::Given(path)
        })
    }

    /// Where it is, with symbolic links resolved.
    pub fn path(&self) -> &Path {
        match self {
            Self::Given(path) | Self::Temporary(path) => path,
        }
    }
}

impl Drop for DataDir {
    fn drop(&mut self) {
        if let Self::Temporary(path) = &*self {
            make_writable(path);
            if let Err(error) = std::fs::remove_dir_all(path) {
                eprintln!("cannot remove {}: {error}", path.display());
            }
        }
    }
}

/// A Nix store is read-only; only a writable directory's entries can be removed.
fn make_writable(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return;
    };
    // What cannot be made writable is named when its removal fails.
    let _ = std::fs::set_permissions(dir, std::fs::Permissions::from_mode(0o700));
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}
