//! Whom the agent tells how the host is, besides the dashboard: checked.

use std::path::PathBuf;
use std::time::Duration;

pub use crate::agent::config_file::{Compression, Listen};
use crate::agent::config_file::{HeartbeatLogTable, Interval, LocalApiTable, PushTable};
use crate::agent::push::Address;

/// The most back-ends.
pub const MAX_PUSHES: usize = 8;
/// Days that the local log is kept, unless the file says otherwise.
const KEEP_DAYS: u32 = 7;

/// All of them.
#[derive(Debug, Default)]
pub struct Tell {
    /// Where the local API listens, beside its own socket.
    pub local_api: Option<LocalApi>,
    /// Back-ends.
    pub pushes: Vec<Push>,
    /// The local log.
    pub log: Option<Log>,
}

/// `[local_api]`
#[derive(Debug)]
pub struct LocalApi {
    /// Where.
    pub listen: Listen,
    /// File with what whoever asks must show.
    pub token_file: Option<PathBuf>,
}

/// `[[push]]`
#[derive(Debug, Clone)]
pub struct Push {
    /// Where to.
    pub address: Address,
    /// File with the key; read before each push, so that a new key needs no restart.
    pub key_file: Option<PathBuf>,
    /// Between two.
    pub interval: Duration,
    /// Whether to compress.
    pub compression: Compression,
}

/// `[heartbeat_log]`
#[derive(Debug, Clone)]
pub struct Log {
    /// Where.
    pub dir: PathBuf,
    /// How many days are kept.
    pub keep_days: u32,
}

impl Tell {
    /// Checks the sections; `interval` is the heartbeat's.
    ///
    /// # Errors
    /// What is wrong, and what to write instead.
    pub(super) fn check(
        local_api: Option<LocalApiTable>,
        pushes: Vec<PushTable>,
        log: Option<HeartbeatLogTable>,
        interval: Duration,
    ) -> Result<Self, String> {
        if let Some(open) = local_api.as_ref().filter(|api| !api.listen.is_local())
            && open.token_file.is_none()
        {
            return Err(format!(
                "[local_api] `listen` = \"{}\" can be reached by other hosts; name a file with a token: token_file = \"/path\", or listen on 127.0.0.1",
                open.listen
            ));
        }
        if pushes.len() > MAX_PUSHES {
            return Err(format!(
                "there are {} [[push]]; write at most {MAX_PUSHES}",
                pushes.len()
            ));
        }
        if let Some(log) = log.as_ref().filter(|log| !log.dir.is_absolute()) {
            return Err(format!(
                "[heartbeat_log] `dir` = \"{}\" is relative; write an absolute path",
                log.dir.display()
            ));
        }
        let own = |own: Option<Interval>| {
            own.map_or(interval, |own| Duration::from_secs(u64::from(own.get())))
        };
        Ok(Self {
            local_api: local_api.map(|api| LocalApi {
                listen: api.listen,
                token_file: api.token_file,
            }),
            pushes: pushes
                .into_iter()
                .map(|push| Push {
                    address: push.url,
                    key_file: push.api_key_file,
                    interval: own(push.interval),
                    compression: push.compression,
                })
                .collect(),
            log: log.map(|log| Log {
                dir: log.dir,
                keep_days: log.keep_days.map_or(KEEP_DAYS, |days| days.0),
            }),
        })
    }
}
