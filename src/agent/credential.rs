//! With what the agent comes to the dashboard: the shared token, or a key of its own.

use std::path::PathBuf;

use anyhow::anyhow;

use crate::agent::config::TokenSource;
use crate::agent::key_file::KeyPair;
use crate::wire::key::SCHEME;

/// One or the other.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The token that agents share.
    Token(TokenSource),
    /// A file with a private key; read before every connection, so that a new key needs no restart.
    KeyFile(PathBuf),
}

/// What is shown on the upgrade, and what answers the dashboard's challenge.
#[derive(Debug)]
pub struct Shown {
    /// The `Authorization` header. A token in it is a secret.
    pub authorization: String,
    /// The key that must be proven.
    pub key: Option<KeyPair>,
}

impl Credential {
    /// Reads it.
    ///
    /// # Errors
    /// The file cannot be read, or holds none.
    pub fn show(&self) -> anyhow::Result<Shown> {
        match self {
            Self::Token(source) => Ok(Shown {
                authorization: format!("Bearer {}", source.read()?.expose()),
                key: None,
            }),
            Self::KeyFile(path) => {
                let key = KeyPair::read(path)?;
                Ok(Shown {
                    authorization: format!("{SCHEME} {}", key.public()),
                    key: Some(key),
                })
            }
        }
    }

    /// What a refusal by the dashboard means. `said` is what it wrote.
    pub fn refused(&self, said: &str) -> anyhow::Error {
        match self {
            Self::Token(source) => anyhow!(
                "the dashboard refused the token in {}: {said}; write the token that the dashboard knows there",
                source.place()
            ),
            Self::KeyFile(path) => match KeyPair::read(path) {
                Ok(key) => anyhow!(
                    "the dashboard refused the key in {}: {said}; add it there: nixfleet-dashboard key add HOST {}",
                    path.display(),
                    key.public()
                ),
                Err(error) => error,
            },
        }
    }

    /// Where it comes from, for messages.
    pub fn place(&self) -> String {
        match self {
            Self::Token(source) => source.place(),
            Self::KeyFile(path) => path.display().to_string(),
        }
    }
}
