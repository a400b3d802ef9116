//! What programs ask for, and what a host's owner can do so that they need not.

/// A question that nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum Question {
    /// A user's password, for sudo.
    Password,
    /// Whether an unknown host's key is right, for ssh.
    HostKey,
    /// The passphrase of a key, or a password, for ssh.
    Passphrase,
    /// A user name or password, for git.
    Credentials,
    /// Whether the settings in a flake's `nixConfig` count, for Nix.
    FlakeConfig,
}

impl Question {
    /// In words: what is asked for, and what to do.
    pub(in crate::run) fn advice(self) -> &'static str {
        match self {
            Self::Password => {
                "it asks for a password, which nobody can give here: let the command run as root, or let sudo ask nothing (NOPASSWD)"
            }
            Self::HostKey => {
                "it asks whether a host's key is right, which nobody can answer here: add the key to the known hosts (programs.ssh.knownHosts)"
            }
            Self::Passphrase => {
                "it asks for the passphrase of a key or for a password, which nobody can give here: use a key without a passphrase"
            }
            Self::Credentials => {
                "it asks for a user name and password, which nobody can give here: use a key or a token that git finds by itself"
            }
            Self::FlakeConfig => {
                "it asks whether to trust the flake's settings, which nobody can answer here, so they do not count: put them into the host's nix.conf, or set accept-flake-config"
            }
        }
    }
}
