//! The table of texts: each rule an anchored regular expression, under the programs that print it and their versions.
//! One file for each program.
//!
//! A pattern begins with `^` and at least one literal character, by which lines are sorted out before anything is
//! matched. Its named groups are what [`Said`](crate::run::rules::Said) hands out. Colours stand inside of some lines:
//! the literal beginning must end before the first of them.

use crate::run::kind::RebuildTool;
use crate::run::rules::Meaning;

pub(super) struct Rule {
    pub(super) meaning: Meaning,
    /// Which tools print it; empty for Nix, git, ssh and all tools.
    pub(super) tools: &'static [RebuildTool],
    /// The line, without escapes, matches one of these.
    pub(super) patterns: &'static [&'static str],
}

const fn rule(meaning: Meaning, patterns: &'static [&'static str]) -> Rule {
    Rule {
        meaning,
        tools: &[],
        patterns,
    }
}

const fn tool_rule(
    meaning: Meaning,
    tools: &'static [RebuildTool],
    patterns: &'static [&'static str],
) -> Rule {
    Rule {
        meaning,
        tools,
        patterns,
    }
}

/// A quoted store path: `'/nix/store/…-hello-2.12.drv'`; its name is `hello-2.12`.
macro_rules! store_path {
    () => {
        r"'(?<store>/[^'-]+-[^']+)'"
    };
}

/// What Nix says of a download after `(`: `2.5 KiB download, 6.1 KiB unpacked):`.
macro_rules! download {
    () => {
        r"(?:(?<size>\d+(?:\.\d+)?) (?<unit>B|KiB|MiB|GiB|TiB) download)?"
    };
}

/// A unit's name. Journal lines name a description instead, which has no suffix of a unit.
macro_rules! unit {
    () => {
        r"(?<unit>[^ ]*\.(?:service|socket|timer|mount|automount|target|path|swap|slice|device))"
    };
}

mod boot_loaders;
mod brew;
mod darwin;
mod git;
mod home_manager;
mod nix;
mod nixos_rebuild;
mod prompts;
mod switch_to_configuration;

/// A store path in the text of a record, which is a sentence that varies (Nix src/libstore, 2.18 to 2.36).
pub(super) const STORE_PATH: &str = store_path!();

/// All rules; where several match, the first one counts. What a tool says more exactly stands before what Nix says of all.
pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        prompts::RULES,
        switch_to_configuration::RULES,
        boot_loaders::RULES,
        nixos_rebuild::RULES,
        darwin::RULES,
        brew::RULES,
        home_manager::RULES,
        git::RULES,
        nix::RULES,
    ]
    .into_iter()
    .flatten()
}
