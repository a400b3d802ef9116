//! Questions, and how programs say that they could ask nobody: a run has no terminal to ask at, and its standard input is
//! empty.

use super::{Rule, rule};
use crate::run::rules::Meaning::Prompt;
use crate::run::rules::question::Question::{
    Credentials, FlakeConfig, HostKey, Passphrase, Password,
};

pub(super) const RULES: &[Rule] = &[
    // sudo (1.8 to 1.9), sudo-rs, doas; macOS's sudo has no name in its question.
    rule(
        Prompt(Password),
        &[
            r"^\[sudo\] password for ",
            r"^\[sudo: authenticate\] ",
            r"^sudo: a terminal is required to read the password",
            r"^sudo: a password is required",
            r"^sudo: no tty present and no askpass program specified",
            r"^sudo: sorry, you must have a tty to run sudo",
            r"^sudo: interactive authentication is required",
            r"^doas: a tty is required",
            r"^Password: ?$",
        ],
    ),
    // OpenSSH, sshconnect.c (8 to 10).
    rule(
        Prompt(HostKey),
        &[
            r"^The authenticity of host '",
            r"^Are you sure you want to continue connecting \(",
            r"^Host key verification failed\.",
        ],
    ),
    rule(
        Prompt(Passphrase),
        &[
            r"^Enter passphrase for ",
            r"^Permission denied, please try again\.",
        ],
    ),
    // git, credential.c and prompt.c (2.40 to 2.52).
    rule(
        Prompt(Credentials),
        &[
            r"^Username for '",
            r"^Password for '",
            r"^fatal: could not read Username for '",
            r"^fatal: could not read Password for '",
        ],
    ),
    // Nix src/libflake/config.cc (2.18 to 2.36); Lix lix/libexpr/flake/config.cc (2.95 to 2.96).
    rule(
        Prompt(FlakeConfig),
        &[
            r"^do you want to allow configuration setting '",
            r"^do you want to permanently mark this value as ",
            r"^Do you want to allow setting '",
            r"^Do you want to allow these configuration settings to be applied\?",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::rules::tests::check_all;

    #[test]
    fn questions() {
        check_all(
            None,
            &[
                ("[sudo] password for mba: ", Some(Prompt(Password))),
                (
                    "sudo: a terminal is required to read the password; either use the -S option to read from standard input or configure an askpass helper",
                    Some(Prompt(Password)),
                ),
                ("Password:", Some(Prompt(Password))),
                ("Password: set", None),
                ("Host key verification failed.", Some(Prompt(HostKey))),
                (
                    "Enter passphrase for key '/root/.ssh/id_ed25519': ",
                    Some(Prompt(Passphrase)),
                ),
                (
                    "fatal: could not read Username for 'https://github.com': No such device or address",
                    Some(Prompt(Credentials)),
                ),
                (
                    "do you want to allow configuration setting 'extra-substituters' to be set to '\u{1b}[31;1mhttps://x\u{1b}[0m' (y/N)?",
                    Some(Prompt(FlakeConfig)),
                ),
                (
                    "Do you want to allow these configuration settings to be applied?",
                    Some(Prompt(FlakeConfig)),
                ),
                ("do you want to go on?", None),
            ],
        );
    }
}
