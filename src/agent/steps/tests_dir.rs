//! The host's own test scripts: every executable file of a directory, one by one, in the order of their names.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{StepError, status};
use crate::agent::commands::programs::executable;

/// The most scripts that one directory may hold.
pub const MAX_TESTS: usize = 1000;

/// Runs them all and names those that failed. No scripts are no error.
pub fn run(dir: &Path) -> Result<(), StepError> {
    let scripts = list(dir)?;
    if scripts.is_empty() {
        println!("no test scripts in {}", dir.display());
        return Ok(());
    }
    let mut failed = Vec::new();
    for (index, script) in scripts.iter().enumerate() {
        let name = script.file_name().unwrap_or_default().to_string_lossy();
        println!("[{}/{}] {name}", index + 1, scripts.len());
        match status(Command::new(script).current_dir(dir)) {
            Ok(status) if status.success() => {
                println!("[{}/{}] {name}: passed", index + 1, scripts.len());
            }
            Ok(status) => {
                println!(
                    "[{}/{}] {name}: failed ({status})",
                    index + 1,
                    scripts.len()
                );
                failed.push(name.into_owned());
            }
            Err(error) => {
                println!(
                    "[{}/{}] {name}: failed ({})",
                    index + 1,
                    scripts.len(),
                    error.message.unwrap_or_default()
                );
                failed.push(name.into_owned());
            }
        }
    }
    if failed.is_empty() {
        println!("all {} tests passed", scripts.len());
        return Ok(());
    }
    Err(StepError::new(format!(
        "{} of {} tests failed: {}",
        failed.len(),
        scripts.len(),
        failed.join(", ")
    )))
}

fn list(dir: &Path) -> Result<Vec<PathBuf>, StepError> {
    let unreadable = |error: std::io::Error| {
        StepError::new(format!(
            "{}: cannot be read: {error}; correct tests.dir",
            dir.display()
        ))
    };
    let mut scripts = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let hidden = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if !hidden && executable(&path) {
            scripts.push(path);
        }
    }
    if scripts.len() > MAX_TESTS {
        return Err(StepError::new(format!(
            "{}: {} test scripts are too many, at most {MAX_TESTS}",
            dir.display(),
            scripts.len()
        )));
    }
    scripts.sort();
    Ok(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn script(dir: &Path, name: &str, body: &str, mode: u32) {
        let path = dir.join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn failing_tests_are_named_and_all_are_run() {
        let dir = tempfile::tempdir().unwrap();
        assert!(run(dir.path()).is_ok(), "none is not an error");
        script(dir.path(), "02-bad", "exit 3", 0o755);
        script(dir.path(), "01-good", "exit 0", 0o755);
        script(dir.path(), "03-late", "touch ran; exit 0", 0o755);
        script(dir.path(), "notes", "exit 1", 0o644);
        let error = run(dir.path()).unwrap_err();
        assert_eq!(
            (error.message.as_deref(), error.exit),
            (Some("1 of 3 tests failed: 02-bad"), 1)
        );
        assert!(dir.path().join("ran").exists());
    }

    #[test]
    fn a_missing_directory_is_named() {
        let error = run(Path::new("/nowhere/tests")).unwrap_err();
        assert!(
            error
                .message
                .unwrap()
                .starts_with("/nowhere/tests: cannot be read")
        );
    }
}
