//! Homebrew's `brew bundle` (4.x and 5.x, Library/Homebrew/bundle), as a step of nix-darwin's activation. Only there: anybody
//! may print such lines.

use super::{Rule, tool_rule};
use crate::run::kind::RebuildTool::{self, DarwinRebuild};
use crate::run::rules::Meaning as M;

const TOOL: &[RebuildTool] = &[DarwinRebuild];

pub(super) const RULES: &[Rule] = &[
    tool_rule(
        M::StepError,
        TOOL,
        &[
            r"^Installing [^ ]+ has failed!",
            r"^Upgrading [^ ]+ has failed!",
            r"^Tapping [^ ]+ has failed!",
            r"^`brew bundle` failed! ",
            r"^Homebrew Bundle failed! ",
            r"^Error: ",
        ],
    ),
    tool_rule(
        M::Step,
        TOOL,
        &[
            r"^Using [^ ]+$",
            r"^Installing [^ ]+$",
            r"^Upgrading [^ ]+$",
            r"^Tapping [^ ]+$",
            r"^Uninstalled \d+ ",
            r"^`brew bundle` complete! ",
            r"^Homebrew Bundle complete! ",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::{DarwinRebuild, M};
    use crate::run::kind::RebuildTool::NixosRebuild;
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_brew_says() {
        check_all(
            Some(DarwinRebuild),
            &[
                ("Using git", Some(M::Step)),
                ("Using the default", None),
                ("Installing homebrew/cask/firefox", Some(M::Step)),
                ("Upgrading wget", Some(M::Step)),
                ("Installing firefox has failed!", Some(M::StepError)),
                (
                    "`brew bundle` failed! 2 Brewfile dependencies failed to install",
                    Some(M::StepError),
                ),
                (
                    "Homebrew Bundle failed! 2 Brewfile dependencies failed to install.",
                    Some(M::StepError),
                ),
                (
                    "Error: It seems there is already an App at '/Applications/x.app'.",
                    Some(M::StepError),
                ),
                (
                    "`brew bundle` complete! 12 Brewfile dependencies now installed.",
                    Some(M::Step),
                ),
            ],
        );
        check_all(Some(NixosRebuild), &[("Using git", None)]);
    }
}
