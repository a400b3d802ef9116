//! The demo host: a directory with a small flake, a Nix store of its own, and a `nixos-rebuild` that uses both.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;

use super::rebuild::Rebuild;

/// The host's name.
pub const HOST: &str = "demo";

const FLAKE: &str = include_str!("fixture/flake.nix");
const SWITCH: &str = include_str!("fixture/switch-to-configuration");
const NIXOS_REBUILD: &str = include_str!("fixture/nixos-rebuild");
const NIX_CONF: &str = include_str!("fixture/nix.conf");

/// A machine that can be rebuilt without changing the real one.
#[derive(Debug)]
pub struct DemoHost {
    dir: PathBuf,
}

impl DemoHost {
    /// Makes the host in `dir`, or brings its files up to date; its store and its revision stay.
    ///
    /// # Errors
    /// A file cannot be written, or the machine lacks the few programs that the builds use.
    pub fn create(dir: &Path, rebuild: &Rebuild) -> anyhow::Result<Self> {
        for part in ["bin", "flake", "nix/etc"] {
            fs::create_dir_all(dir.join(part))
                .with_context(|| format!("cannot make the demo host in {}", dir.display()))?;
        }
        // Nix refuses a store whose path goes through a symbolic link, and /tmp is one on macOS.
        let dir = dir
            .canonicalize()
            .with_context(|| format!("cannot resolve {}", dir.display()))?;
        let host = Self { dir };
        match rebuild {
            Rebuild::Nix { program, .. } => host.write_nix(program)?,
            Rebuild::Recording => host.write_replay()?,
        }
        Ok(host)
    }

    /// The program that the agent runs as its rebuild tool.
    pub fn rebuild_program(&self) -> PathBuf {
        self.dir.join("bin/nixos-rebuild")
    }

    /// The flake reference that it is given.
    pub fn flake(&self) -> String {
        format!("{}#{HOST}", self.dir.join("flake").display())
    }

    fn write_nix(&self, nix: &Path) -> anyhow::Result<()> {
        let system = match std::env::consts::OS {
            "macos" => format!("{}-darwin", std::env::consts::ARCH),
            os => format!("{}-{os}", std::env::consts::ARCH),
        };
        let flake = FLAKE
            .replace("@system@", &system)
            .replace("@path@", &build_path()?);
        self.write("flake/flake.nix", &flake, 0o644)?;
        self.write("flake/switch-to-configuration", SWITCH, 0o755)?;
        self.write("nix/etc/nix.conf", NIX_CONF, 0o644)?;
        if !self.dir.join("flake/revision").exists() {
            self.write("flake/revision", "1\n", 0o644)?;
        }
        let script = NIXOS_REBUILD
            .replace("@host@", &self.shell_word(&self.dir)?)
            .replace("@nix@", &self.shell_word(nix)?);
        self.write("bin/nixos-rebuild", &script, 0o755)
    }

    fn write_replay(&self) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("cannot tell the path of this program")?;
        let script = format!(
            "#!/bin/sh\n# Replays a recorded rebuild: there is no Nix on this machine.\nexec '{}' {} \"$@\"\n",
            self.shell_word(&program)?,
            super::ROLE_REPLAY
        );
        self.write("bin/nixos-rebuild", &script, 0o755)
    }

    /// The path as it may stand between single quotes.
    fn shell_word(&self, path: &Path) -> anyhow::Result<String> {
        let text = path
            .to_str()
            .filter(|text| !text.contains(['\'', '\n', '@', '#']));
        text.map(str::to_owned).with_context(|| {
            format!(
                "the path {} has a character that the demo's scripts cannot hold; choose another --data-dir than {}",
                path.display(),
                self.dir.display()
            )
        })
    }

    fn write(&self, name: &str, text: &str, mode: u32) -> anyhow::Result<()> {
        let path = self.dir.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))
            .with_context(|| format!("cannot set the mode of {}", path.display()))
    }
}

/// Directories of the programs that the demo's builders call. They differ from machine to machine, and a build sees no
/// other `PATH`.
fn build_path() -> anyhow::Result<String> {
    let search = std::env::var_os("PATH").unwrap_or_default();
    let mut dirs: Vec<String> = Vec::new();
    for program in ["sleep", "mkdir", "ln", "cat", "chmod"] {
        let dir = std::env::split_paths(&search)
            .find(|dir| dir.join(program).is_file())
            .and_then(|dir| dir.to_str().map(str::to_owned))
            .with_context(|| format!("the demo needs `{program}` on PATH"))?;
        if !dirs.contains(&dir) {
            dirs.push(dir);
        }
    }
    Ok(dirs.join(":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recording_host_runs_this_program() {
        let dir = tempfile::tempdir().unwrap();
        let host = DemoHost::create(dir.path(), &Rebuild::Recording).unwrap();
        let script = fs::read_to_string(host.rebuild_program()).unwrap();
        assert!(script.contains(crate::demo::ROLE_REPLAY), "{script}");
    }

    #[test]
    fn a_nix_host_has_no_placeholder_left_and_keeps_its_revision() {
        let dir = tempfile::tempdir().unwrap();
        let rebuild = Rebuild::Nix {
            program: "/opt/nix/bin/nix".into(),
            version: "2.34.8".into(),
        };
        DemoHost::create(dir.path(), &rebuild).unwrap();
        fs::write(dir.path().join("flake/revision"), "7\n").unwrap();
        DemoHost::create(dir.path(), &rebuild).unwrap();
        for file in ["flake/flake.nix", "bin/nixos-rebuild"] {
            let text = fs::read_to_string(dir.path().join(file)).unwrap();
            for placeholder in ["@system@", "@path@", "@host@", "@nix@"] {
                assert!(!text.contains(placeholder), "{file} has {placeholder}");
            }
        }
        let revision = fs::read_to_string(dir.path().join("flake/revision")).unwrap();
        assert_eq!(revision, "7\n");
    }

    #[test]
    fn a_path_that_scripts_cannot_hold_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("it's");
        let rebuild = Rebuild::Nix {
            program: "/opt/nix/bin/nix".into(),
            version: "2".into(),
        };
        let error = DemoHost::create(&odd, &rebuild).unwrap_err().to_string();
        assert!(error.contains("choose another --data-dir"), "{error}");
    }
}
