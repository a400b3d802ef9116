//! An agent's key pair on the wire: its public half, and the text that is signed to prove that one has the other half.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// The word before the public key in the upgrade's `Authorization` header.
pub const SCHEME: &str = "NixFleet-Key";
/// How long an agent may take to prove that it has the key, and an agent waits to be asked, in seconds.
pub const PROOF_SECONDS: u64 = 10;

/// Why a text is no public key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no public key; it is the 44 characters that `nixfleet-agent key show FILE` prints"
)]
pub struct KeyError(String);

/// The public half of an Ed25519 key pair; as text, base64 with padding. It is no secret.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Takes its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = STANDARD.decode(text).ok();
        let bytes: Option<[u8; 32]> = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or_else(|| {
            KeyError(
                text.chars()
                    .take(60)
                    .flat_map(char::escape_default)
                    .collect(),
            )
        })
    }
}

impl TryFrom<String> for PublicKey {
    type Error = KeyError;
    fn try_from(text: String) -> Result<Self, KeyError> {
        text.parse()
    }
}

impl From<PublicKey> for String {
    fn from(key: PublicKey) -> Self {
        key.to_string()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({self})")
    }
}

/// What an agent signs. Each part is on a line of its own and none can contain a line's end, so two different sets of
/// parts never make the same text; the first line keeps the signature from meaning anything elsewhere.
#[derive(Debug, Clone, Copy)]
pub struct Signed<'a> {
    /// The dashboard's nonce of this connection.
    pub nonce: &'a str,
    /// The dashboard's host as the agent's `url` names it, without the port; see [`dashboard_host`].
    pub dashboard: &'a str,
    /// The host that the agent speaks for.
    pub hostname: &'a str,
    /// The host's clock, in milliseconds since the epoch.
    pub at: u64,
}

impl Signed<'_> {
    /// The bytes.
    pub fn text(&self) -> String {
        format!(
            "nixfleet agent key proof, version 1\n{}\n{}\n{}\n{}\n",
            self.nonce, self.dashboard, self.hostname, self.at
        )
    }
}

/// The host in `host:port` or `[address]:port`, in lower case and without the port: what both sides sign and compare.
pub fn dashboard_host(authority: &str) -> String {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_keys_are_read_back_and_nothing_else_is_taken() {
        let key = PublicKey::new([7; 32]);
        assert_eq!(key.to_string().len(), 44);
        assert_eq!(key.to_string().parse(), Ok(key));
        for bad in ["", "x", "BwcHBw==", &"A".repeat(44), &"A".repeat(5000)] {
            let error = bad.parse::<PublicKey>().unwrap_err().to_string();
            assert!(
                error.contains("nixfleet-agent key show") && error.len() < 200,
                "{error}"
            );
        }
    }

    #[test]
    fn hosts_of_addresses() {
        for (authority, host) in [
            ("Fleet.Example.org:8000", "fleet.example.org"),
            ("fleet", "fleet"),
            ("[::1]:8000", "::1"),
            ("127.0.0.1:1", "127.0.0.1"),
        ] {
            assert_eq!(dashboard_host(authority), host);
        }
    }
}
