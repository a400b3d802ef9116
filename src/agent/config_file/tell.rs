//! The sections that say whom the agent tells how the host is, besides the dashboard.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::values::Interval;
use crate::agent::push::Address;

/// `[local_api]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalApiTable {
    /// An address with a port, or the path of a Unix socket.
    pub listen: Listen,
    /// File with the token that whoever asks must show; needed unless the address is a loopback one or a socket.
    pub token_file: Option<PathBuf>,
}

/// `[[push]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushTable {
    /// Where to, `https://` or `http://`.
    pub url: Address,
    /// File with the key for the header `X-API-Key`.
    pub api_key_file: Option<PathBuf>,
    /// Seconds between pushes; the heartbeat's by default.
    pub interval: Option<Interval>,
    /// Whether to compress.
    #[serde(default)]
    pub compression: Compression,
}

/// How pushes are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// With zstd once the back-end has said that it takes that.
    #[default]
    Auto,
    /// Always with zstd.
    Zstd,
    /// Never.
    None,
}

/// `[heartbeat_log]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatLogTable {
    /// Where the files go.
    pub dir: PathBuf,
    /// Days that they are kept, 1 to 3650; 7 by default.
    pub keep_days: Option<Days>,
}

/// Where the local API listens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// On an address.
    Tcp(SocketAddr),
    /// On a Unix socket.
    Unix(PathBuf),
}

impl Listen {
    /// Whether only this host gets there.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => address.ip().to_canonical().is_loopback(),
            Self::Unix(_) => true,
        }
    }
}

impl std::fmt::Display for Listen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "http://{address}"),
            Self::Unix(path) => write!(formatter, "{}", path.display()),
        }
    }
}

impl TryFrom<String> for Listen {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.starts_with('/') {
            return Ok(Self::Unix(text.into()));
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            format!(
                "`listen` = \"{}\" is no address; write for example \"127.0.0.1:9470\", or the absolute path of a socket",
                super::values::shown(&text)
            )
        })
    }
}

/// Days, 1 to ten years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "i64")]
pub struct Days(pub u32);

impl TryFrom<i64> for Days {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        super::values::ranged(value, 1, 3650, "days").map(Self)
    }
}
