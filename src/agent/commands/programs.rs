//! Finding programs.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

/// Where programs are looked for.
#[derive(Debug, Clone)]
pub struct Programs(Vec<PathBuf>);

impl Programs {
    /// `PATH` of this process, then the places where NixOS and nix-darwin keep the system's programs.
    pub fn of_process() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let system = [
            "/run/wrappers/bin",
            "/run/current-system/sw/bin",
            "/nix/var/nix/profiles/default/bin",
        ];
        Self::of(&path, &system.map(PathBuf::from))
    }

    /// The directories of `path`, then `more`. Relative ones are left out.
    pub fn of(path: &OsString, more: &[PathBuf]) -> Self {
        let dirs = std::env::split_paths(path).chain(more.iter().cloned());
        Self(dirs.filter(|dir| dir.is_absolute()).collect())
    }

    /// The absolute path of a program that is given by name or path; none when it is not there or not executable.
    pub fn find(&self, program: &str) -> Option<String> {
        if program.contains('/') {
            return executable(Path::new(program)).then(|| program.to_owned());
        }
        let found = self
            .0
            .iter()
            .map(|dir| dir.join(program))
            .find(|path| executable(path))?;
        found.into_os_string().into_string().ok()
    }
}

/// Whether somebody may execute the file.
pub fn executable(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
