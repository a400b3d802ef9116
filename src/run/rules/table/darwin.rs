//! nix-darwin's `activate` (modules/system/activation-scripts.nix and the modules it joins; 24.11 to 26.05), in its order.
//! There is no line for its begin nor for its end. Its checks end in `, aborting activation`.

use super::{Rule, tool_rule};
use crate::run::kind::RebuildTool::{self, DarwinRebuild};
use crate::run::rules::Meaning as M;

const TOOL: &[RebuildTool] = &[DarwinRebuild];

pub(super) const RULES: &[Rule] = &[
    tool_rule(
        M::Activating,
        TOOL,
        &[
            r"^setting up /run via /etc/synthetic\.conf\.\.\.",
            r"^setting up groups\.\.\.",
            r"^setting up users\.\.\.",
            r"^setting up /Applications/Nix Apps\.\.\.",
            r"^setting up pam\.\.\.",
            r"^applying patches\.\.\.",
            r"^setting up /etc\.\.\.",
            r"^system defaults\.\.\.",
            r"^user defaults\.\.\.",
            r"^restarting Dock\.\.\.",
            r"^setting up launchd services\.\.\.",
            r"^setting up user launchd services\.\.\.",
            r"^reloading nix-daemon\.\.\.",
            r"^restoring unmanaged Nix daemon\.\.\.",
            r"^configuring time\.\.\.",
            r"^configuring networking\.\.\.",
            r"^configuring application firewall\.\.\.",
            r"^configuring power\.\.\.",
            r"^configuring keyboard\.\.\.",
            r"^setting up /Library/Fonts/Nix Fonts\.\.\.",
            r"^setting nvram variables\.\.\.",
            r"^setting up Homebrew prefixes\.\.\.",
            r"^Homebrew bundle\.\.\.",
        ],
    ),
    tool_rule(
        M::Step,
        TOOL,
        &[
            r"^fixing permissions on /etc/synthetic\.conf\.\.\.",
            r"^creating (?:group|user) .+\.\.\.$",
            r"^deleting (?:group|user) .+\.\.\.$",
            r"^updating group members .+\.\.\.$",
            r"^creating (?:user )?service ",
            r"^reloading (?:user )?service ",
            r"^removing (?:user )?service ",
            r"^waiting for nix-daemon",
            r"^restoring /etc/hosts\.\.\.",
            r"^setting up GitHub Runner '",
            // home-manager's nix-darwin module
            r"^Activating home-manager configuration for ",
        ],
    ),
    // Not fatal, though they are called errors; the second up to 24.05.
    tool_rule(
        M::Warning,
        TOOL,
        &[
            r"^error: Homebrew is not installed, skipping",
            r"^error: not linking environment\.etc",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::{DarwinRebuild, M};
    use crate::run::rules::tests::check_all;

    #[test]
    fn what_activate_says() {
        check_all(
            Some(DarwinRebuild),
            &[
                ("setting up groups...", Some(M::Activating)),
                ("creating group admins...", Some(M::Step)),
                ("creating groups", None),
                ("setting up users...", Some(M::Activating)),
                ("deleting user bob...", Some(M::Step)),
                ("setting up /Applications/Nix Apps...", Some(M::Activating)),
                ("setting up /etc...", Some(M::Activating)),
                ("setting up launchd services...", Some(M::Activating)),
                ("creating service org.nixos.x", Some(M::Step)),
                ("removing user service org.nixos.x", Some(M::Step)),
                ("reloading nix-daemon...", Some(M::Activating)),
                ("waiting for nix-daemon", Some(M::Step)),
                ("configuring keyboard...", Some(M::Activating)),
                ("setting nvram variables...", Some(M::Activating)),
                ("Homebrew bundle...", Some(M::Activating)),
                (
                    "\u{1b}[1;31merror: Unexpected files in /etc, aborting activation\u{1b}[0m",
                    Some(M::Error),
                ),
                (
                    "\u{1b}[1;31merror: Homebrew is not installed, skipping...\u{1b}[0m",
                    Some(M::Warning),
                ),
                ("activating the configuration...", None),
            ],
        );
    }
}
