//! A file or directory is believed only if nobody but root (or the helper's own user) could have written or replaced it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context as _, bail};

/// Bits that let others write.
const OTHERS_WRITE: u32 = 0o022;
/// In a directory with this bit, files are only their owners' to replace: `/tmp`, `/nix/store`.
const STICKY: u32 = 0o1000;

/// No path goes through more links (Linux's own limit).
const MAX_LINKS: usize = 40;

/// Follows the path link by link, and checks every directory, every link and what is at the end: who may write any of
/// them could have it lead elsewhere in a moment. Answers where it leads; what is read there is what was checked.
///
/// # Errors
/// Somebody else could replace or write a part of it; says which, and what to do.
pub fn check(path: &Path) -> anyhow::Result<PathBuf> {
    let place = path.display();
    let mut rest = parts(&std::path::absolute(path)?);
    let mut real = PathBuf::from("/");
    let mut links = 0;
    check_one(path, &real, rest.is_empty())?;
    while let Some(part) = rest.pop() {
        if part == ".." {
            real.pop();
            continue;
        }
        let here = real.join(part);
        let target = check_one(path, &here, rest.is_empty())?;
        let Some(target) = target else {
            real = here;
            continue;
        };
        links += 1;
        if links > MAX_LINKS {
            bail!("{place}: goes through more than {MAX_LINKS} links");
        }
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        rest.extend(parts(&target));
    }
    Ok(real)
}

/// What follows the root, last first.
fn parts(path: &Path) -> Vec<OsString> {
    let parts = path.components().rev();
    parts
        .filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir))
        .map(|part| part.as_os_str().to_owned())
        .collect()
}

/// Checks one file, directory or link; of a link, answers where it leads. `is_end`: nothing comes behind it.
fn check_one(path: &Path, here: &Path, is_end: bool) -> anyhow::Result<Option<PathBuf>> {
    let place = path.display();
    let found = fs::symlink_metadata(here)
        .with_context(|| format!("{place}: {} cannot be read", here.display()))?;
    if found.uid() != 0 && found.uid() != nix::unistd::geteuid().as_raw() {
        bail!(
            "{place}: {} belongs to user {}; root believes only what is root's own: chown root {0}",
            here.display(),
            found.uid()
        );
    }
    if found.is_symlink() {
        let target = fs::read_link(here);
        return target
            .map(Some)
            .with_context(|| format!("{place}: {} cannot be read", here.display()));
    }
    let sticky = !is_end && found.mode() & STICKY != 0;
    if found.mode() & OTHERS_WRITE != 0 && !sticky {
        bail!(
            "{place}: {} may be written by others (mode {:o}); chmod go-w {0}",
            here.display(),
            found.mode() & 0o7777
        );
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn every_link_on_the_way_counts() {
        let dir = tempfile::tempdir().unwrap();
        let dir = fs::canonicalize(dir.path()).unwrap();
        for part in ["etc", "way", "store"] {
            fs::create_dir(dir.join(part)).unwrap();
        }
        let file = dir.join("store/helper.toml");
        fs::write(&file, "").unwrap();
        // As on NixOS: /etc/x -> /etc/static/x -> /nix/store/...
        symlink("../way/link", dir.join("etc/helper.toml")).unwrap();
        symlink(&file, dir.join("way/link")).unwrap();
        let named = dir.join("etc/helper.toml");
        assert_eq!(check(&named).unwrap(), file);
        mode(&dir.join("way"), 0o777);
        let error = check(&named).unwrap_err().to_string();
        assert!(error.contains("way may be written by others"), "{error}");
        mode(&dir.join("way"), 0o755);
        fs::remove_file(dir.join("way/link")).unwrap();
        symlink("link", dir.join("way/link")).unwrap();
        let error = check(&named).unwrap_err().to_string();
        assert!(error.contains("more than 40 links"), "{error}");
    }

    #[test]
    fn what_others_may_write_is_not_believed() {
        let dir = tempfile::tempdir().unwrap();
        let (below, file) = (dir.path().join("etc"), dir.path().join("etc/helper.toml"));
        fs::create_dir(&below).unwrap();
        fs::write(&file, "").unwrap();
        for (dir_mode, file_mode, good) in [
            (0o755, 0o644, true),
            (0o755, 0o664, false),
            (0o755, 0o646, false),
            (0o775, 0o644, false),
            (0o757, 0o644, false),
            (0o1777, 0o644, true),
        ] {
            mode(&below, dir_mode);
            mode(&file, file_mode);
            assert_eq!(check(&file).is_ok(), good, "{dir_mode:o} {file_mode:o}");
        }
        mode(&below, 0o755);
        let link = dir.path().join("link");
        symlink(&file, &link).unwrap();
        assert_eq!(check(&link).unwrap(), fs::canonicalize(&file).unwrap());
        // Where the link is, others could place another one.
        mode(dir.path(), 0o777);
        assert!(check(&link).is_err());
        mode(dir.path(), 0o700);
        check(&below).unwrap();
        mode(&below, 0o775);
        assert!(check(&below).is_err(), "a directory");
        mode(&below, 0o755);
        mode(&file, 0o666);
        let error = check(&link).unwrap_err().to_string();
        assert!(error.contains("may be written by others"), "{error}");
        assert!(check(&dir.path().join("absent")).is_err());
        if !nix::unistd::geteuid().is_root() {
            println!("skipped: a file of another user is refused: this needs root");
            return;
        }
        mode(&file, 0o644);
        // A link of somebody else's in a directory like /tmp leads where that one says.
        mode(dir.path(), 0o1777);
        check(&link).unwrap();
        std::os::unix::fs::lchown(&link, Some(65534), None).unwrap();
        let error = check(&link).unwrap_err().to_string();
        assert!(error.contains("link belongs to user 65534"), "{error}");
        std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
        let error = check(&file).unwrap_err().to_string();
        assert!(error.contains("belongs to user 65534"), "{error}");
    }
}
