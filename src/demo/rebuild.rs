//! What the demo host rebuilds with: a real Nix where there is one, else a recording of such a rebuild.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context as _;

/// Names the `nix` program to use instead of the one on `PATH`.
pub const NIX_VARIABLE: &str = "NIXFLEET_DEMO_NIX";

/// How the demo host's `nixos-rebuild` works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuild {
    /// With this `nix`.
    Nix {
        /// The program.
        program: PathBuf,
        /// What it says of its version: `2.34.8`.
        version: String,
    },
    /// By replaying a recording of a rebuild, with its timing.
    Recording,
}

impl Rebuild {
    /// Looks for a usable Nix: [`NIX_VARIABLE`], then `PATH`.
    ///
    /// # Errors
    /// [`NIX_VARIABLE`] is set, but what it names does not run: a wish is not silently replaced by a recording.
    pub fn find() -> anyhow::Result<Self> {
        if let Some(wanted) = std::env::var_os(NIX_VARIABLE) {
            let program = PathBuf::from(wanted);
            let version = nix_version(&program).with_context(|| {
                format!(
                    "{NIX_VARIABLE} names {}, which is no usable Nix; name a `nix` program, or unset it",
                    program.display()
                )
            })?;
            return Ok(Self::Nix { program, version });
        }
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())
            .map(|dir| dir.join("nix"))
            .find(|program| program.is_file());
        let Some(program) = found else {
            return Ok(Self::Recording);
        };
        match nix_version(&program) {
            Ok(version) => Ok(Self::Nix { program, version }),
            Err(error) => {
                eprintln!(
                    "{} is on PATH but does not run ({error:#}); the demo replays a recording instead",
                    program.display()
                );
                Ok(Self::Recording)
            }
        }
    }

    /// As the demo's report names it: `nix 2.34.8`, or `recording`.
    pub fn name(&self) -> String {
        match self {
            Self::Nix { version, .. } => format!("nix {version}"),
            Self::Recording => "recording".into(),
        }
    }
}

/// The version that `nix --version` prints: the last word of `nix (Nix) 2.34.8`.
fn nix_version(program: &Path) -> anyhow::Result<String> {
    let output = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .context("it cannot be started")?;
    anyhow::ensure!(
        output.status.success(),
        "it ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let text = String::from_utf8_lossy(&output.stdout);
    text.split_whitespace()
        .last()
        .filter(|word| word.starts_with(|first: char| first.is_ascii_digit()))
        .map(str::to_owned)
        .with_context(|| format!("`--version` printed `{}`", text.trim()))
}
