//! The dashboard's settings: from a TOML file and the environment over it, checked once at the start.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::base::config_file;
use crate::base::secret::Secret;
use crate::dashboard::Keep;
use crate::dashboard::access::address::Network;
use crate::dashboard::alerts::rules::Rule;
use crate::dashboard::alerts::settings::AlertSettings;
use crate::dashboard::alerts::settings::channel::ChannelSettings;
use crate::dashboard::metrics;
use crate::dashboard::tls::TlsFiles;
use crate::wire::key::dashboard_host;

/// Where the dashboard listens unless told otherwise.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8000);
/// Where the service keeps its data.
const SYSTEM_DATA_DIR: &str = "/var/lib/nixfleet-dashboard";

/// The file, as written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Written {
    listen: Option<String>,
    data_dir: Option<PathBuf>,
    agent_token_file: Option<PathBuf>,
    tls_cert_file: Option<PathBuf>,
    tls_key_file: Option<PathBuf>,
    base_url: Option<String>,
    agent_hosts: Vec<String>,
    trusted_proxies: Vec<String>,
    session_hours: Option<u32>,
    offline_after: Option<u32>,
    retention_days: Option<u32>,
    max_store_gb: Option<f64>,
    metrics_days: Option<u32>,
    log_level: Option<String>,
    alert: Vec<Rule>,
    channel: Vec<ChannelSettings>,
}

/// Checked settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where the database is.
    pub data_dir: PathBuf,
    /// What agents show; from a file, read at the start of `run` only.
    pub agent_token: Option<AgentToken>,
    /// The certificate, when the dashboard itself speaks TLS.
    pub tls: Option<TlsFiles>,
    /// How people reach the dashboard, without a slash at the end; none for how it listens.
    pub base_url: Option<String>,
    /// The hosts by which agents with a key reach the dashboard, that of `base_url` among them.
    pub agent_hosts: Vec<String>,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// How long a login lasts.
    pub session: Duration,
    /// A host is offline after so many of its heartbeat intervals without one.
    pub offline_after: u32,
    /// What is kept of finished runs, and how long.
    pub keep: Keep,
    /// How long the hosts' metrics are kept.
    pub keep_metrics: Duration,
    /// What is logged.
    pub log_level: String,
    /// What is not as it should be, and whom that is told to.
    pub alerts: AlertSettings,
}

/// Where the agents' token comes from.
#[derive(Debug, Clone)]
pub enum AgentToken {
    /// A file with the token in its first line.
    File(PathBuf),
    /// The environment, for trying things out.
    Given(Secret),
}

impl Settings {
    /// Reads the file, if any, and then the environment through `variable`; as with the agent, a variable that is set and
    /// not empty overrides its key in the file: `NIXFLEET_LISTEN` (`listen`), `NIXFLEET_DATA_DIR` (`data_dir`),
    /// `NIXFLEET_AGENT_TOKEN` (in place of `agent_token_file`), `NIXFLEET_SESSION_DURATION` (`session_hours`) and
    /// `NIXFLEET_LOG_LEVEL` (`log_level`). The others only say where the data is if nothing else does. Opens no other file
    /// and no connection.
    ///
    /// # Errors
    /// One line that names the file or variable, what is wrong and what to write instead.
    pub fn load(
        file: Option<&Path>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        let read: Written = file.map(config_file::read).transpose()?.unwrap_or_default();
        let origin = file.map_or_else(String::new, |path| format!("{}: ", path.display()));
        check(read, &variable).map_err(|message| anyhow::anyhow!("{origin}{message}"))
    }

    /// Whether people reach the dashboard by HTTPS.
    pub fn https(&self) -> bool {
        match &self.base_url {
            Some(url) => url.starts_with("https://"),
            None => self.tls.is_some(),
        }
    }

    /// The address for links; `bound` is where the dashboard really listens.
    pub fn link_base(&self, bound: SocketAddr) -> String {
        if let Some(url) = &self.base_url {
            return url.clone();
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        if bound.ip().is_unspecified() {
            return format!("{scheme}://localhost:{}", bound.port());
        }
        format!("{scheme}://{bound}")
    }
}

fn check(file: Written, variable: &impl Fn(&str) -> Option<String>) -> Result<Settings, String> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    let listen = match (&file.listen, set("NIXFLEET_LISTEN")) {
        (_, Some(text)) => {
            listen_address(&text).map_err(|why| format!("NIXFLEET_LISTEN: {why}"))?
        }
        (Some(text), None) => listen_address(text).map_err(|why| format!("listen: {why}"))?,
        (None, None) => LISTEN,
    };
    let data_dir = set("NIXFLEET_DATA_DIR")
        .map(PathBuf::from)
        .or(file.data_dir)
        .or_else(|| default_data_dir(&set))
        .ok_or("data_dir: no place for the data: neither HOME nor XDG_STATE_HOME is set; write data_dir = \"/some/dir\"")?;
    let agent_token = match (file.agent_token_file, set("NIXFLEET_AGENT_TOKEN")) {
        (_, Some(token)) => Some(AgentToken::Given(Secret::new(token))),
        (Some(path), None) => Some(AgentToken::File(path)),
        (None, None) => None,
    };
    let tls = match (file.tls_cert_file, file.tls_key_file) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
        (None, None) => None,
        (Some(_), None) => {
            return Err("tls_cert_file without tls_key_file; write both or none".into());
        }
        (None, Some(_)) => {
            return Err("tls_key_file without tls_cert_file; write both or none".into());
        }
    };
    let trusted_proxies = file
        .trusted_proxies
        .iter()
        .map(|text| {
            text.parse()
                .map_err(|why| format!("trusted_proxies: {why}"))
        })
        .collect::<Result<_, String>>()?;
    let session = match (file.session_hours, set("NIXFLEET_SESSION_DURATION")) {
        (_, Some(text)) => {
            duration(&text).map_err(|why| format!("NIXFLEET_SESSION_DURATION: {why}"))?
        }
        (Some(hours @ 1..=8760), None) => Duration::from_secs(u64::from(hours) * 3600),
        (Some(hours), None) => {
            return Err(format!("session_hours: {hours} is not between 1 and 8760"));
        }
        (None, None) => Duration::from_secs(24 * 3600),
    };
    let offline_after = match file.offline_after.unwrap_or(3) {
        times @ 1..=1000 => times,
        times => {
            return Err(format!(
                "offline_after: {times} is not between 1 and 1000 heartbeat intervals"
            ));
        }
    };
    let log_level = set("NIXFLEET_LOG_LEVEL")
        .or(file.log_level)
        .unwrap_or_else(|| String::from("info"));
    let base_url = file.base_url.as_deref().map(base_url).transpose()?;
    Ok(Settings {
        agent_hosts: agent_hosts(base_url.as_deref(), &file.agent_hosts)?,
        listen,
        data_dir,
        agent_token,
        tls,
        base_url,
        trusted_proxies,
        session,
        offline_after,
        keep: keep(file.retention_days, file.max_store_gb)?,
        keep_metrics: keep_metrics(file.metrics_days)?,
        log_level,
        alerts: AlertSettings::check(file.alert, file.channel)?,
    })
}

/// The smallest limit of the store, in gigabytes: a few large runs.
const MIN_STORE_GB: f64 = 0.1;

/// What is kept; 0 means no limit.
fn keep(days: Option<u32>, gigabytes: Option<f64>) -> Result<Keep, String> {
    let age = match days.unwrap_or(0) {
        0 => None,
        days @ 1..=36_500 => Some(Duration::from_secs(u64::from(days) * 86_400)),
        days => {
            return Err(format!(
                "retention_days: {days} is not between 1 and 36500; write 0 to keep runs for ever"
            ));
        }
    };
    let bytes = match gigabytes.unwrap_or(0.0) {
        0.0 => None,
        gigabytes if (MIN_STORE_GB..=1e6).contains(&gigabytes) => Some((gigabytes * 1e9) as u64),
        gigabytes => {
            return Err(format!(
                "max_store_gb: {gigabytes} is not between {MIN_STORE_GB} and 1000000; write 0 for no limit"
            ));
        }
    };
    Ok(Keep { age, bytes })
}

/// How long metrics are kept: as long as their ladder reaches, or less.
fn keep_metrics(days: Option<u32>) -> Result<Duration, String> {
    match days {
        None => Ok(metrics::writer::KEEP),
        Some(days @ 1..=366) => Ok(Duration::from_secs(u64::from(days) * 86_400)),
        Some(days) => Err(format!(
            "metrics_days: {days} is not between 1 and 366; leave it out to keep the whole year"
        )),
    }
}

/// `ADDRESS:PORT`, `:PORT` for all addresses, or `localhost:PORT`.
fn listen_address(text: &str) -> Result<SocketAddr, String> {
    let port = |port: &str| port.parse::<u16>().ok();
    let found = if let Some(all) = text.strip_prefix(':') {
        port(all).map(|port| SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)))
    } else if let Some(local) = text.strip_prefix("localhost:") {
        port(local).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    } else {
        text.parse().ok()
    };
    found.ok_or_else(|| {
        format!(
            "`{}` is no address to listen on; write ADDRESS:PORT such as 127.0.0.1:8000 or [::]:8000, or :8000 for all addresses",
            text.escape_default()
        )
    })
}

fn base_url(text: &str) -> Result<String, String> {
    let trimmed = text.trim_end_matches('/');
    let host = trimmed
        .strip_prefix("https://")
        .or_else(|| trimmed.strip_prefix("http://"))
        .unwrap_or_default();
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err(format!(
            "base_url: `{}` is no address of a site; write it such as https://fleet.example.org",
            text.escape_default()
        ));
    }
    Ok(trimmed.to_owned())
}

/// The names that an agent's proof may have signed; none where nothing says how people or agents get here.
fn agent_hosts(base_url: Option<&str>, written: &[String]) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    if let Some((_, authority)) = base_url.and_then(|url| url.split_once("://")) {
        hosts.push(dashboard_host(authority));
    }
    for text in written {
        if text.is_empty() || text.contains(['/', '?', '#', '@', ' ']) {
            return Err(format!(
                "agent_hosts: `{}` is no host; write it as agents' `url` has it, without scheme and port",
                text.escape_default()
            ));
        }
        let bare = text.parse::<std::net::Ipv6Addr>().is_ok();
        hosts.push(if bare {
            text.to_ascii_lowercase()
        } else {
            dashboard_host(text)
        });
    }
    Ok(hosts)
}

/// `24h`, `90m`, `3600s`, or seconds: what earlier dashboards took, as far as people wrote it.
fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = match text.char_indices().last() {
        Some((at, 'h')) => (&text[..at], 3600),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 's')) => (&text[..at], 1),
        _ => (text, 1),
    };
    match number.parse::<u64>() {
        Ok(number @ 1..=31_536_000) => Ok(Duration::from_secs((number * unit).min(31_536_000))),
        _ => Err(format!(
            "`{}` is no duration; write it such as 24h or 90m",
            text.escape_default()
        )),
    }
}

/// The service's directory for root, else the user's.
fn default_data_dir(set: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    // systemd names the directory that it made for the service, whoever the service runs as.
    if let Some(given) = set("STATE_DIRECTORY") {
        return given.split(':').next().map(PathBuf::from);
    }
    if set("USER").as_deref() == Some("root") || set("HOME").as_deref() == Some("/root") {
        return Some(PathBuf::from(SYSTEM_DATA_DIR));
    }
    set("XDG_STATE_HOME")
        .map(PathBuf::from)
        .or_else(|| set("HOME").map(|home| Path::new(&home).join(".local/state")))
        .map(|state| state.join("nixfleet-dashboard"))
}

#[cfg(test)]
mod tests;
