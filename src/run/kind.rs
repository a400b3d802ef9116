//! What kind of command a run executes: it decides which texts mean something.

use serde::{Deserialize, Serialize};

/// What a run's program is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum RunKind {
    /// A rebuild of the host's configuration, with the phases of one.
    Rebuild {
        /// Which program rebuilds.
        tool: RebuildTool,
        /// Its action: `switch`, `boot`, `build` …
        action: String,
    },
    /// Any other program, with the single phase `running`.
    Plain,
}

/// The programs that rebuild a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RebuildTool {
    /// `nixos-rebuild`, the Python program or the older script.
    NixosRebuild,
    /// `darwin-rebuild` of nix-darwin.
    DarwinRebuild,
    /// `home-manager`.
    HomeManager,
}
