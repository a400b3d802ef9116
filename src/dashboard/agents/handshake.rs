//! `register`: read once, parsed, cut to what is kept.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};

use super::bounds;
use super::connection::{Gone, Log};
use super::identify;
use super::peer::Closing;
use crate::dashboard::access::keys::Credential;
use crate::dashboard::app::AppState;
use crate::dashboard::hub::sanitize::sanitize_progress;
use crate::dashboard::store::agent_keys::AgentKey;
use crate::run::id::HostName;
use crate::wire::subject::Organization;
use crate::wire::to_dashboard::{Heartbeat, Register, ToDashboard};

/// How long an agent may take to register.
pub const REGISTER: Duration = Duration::from_secs(15);
/// The longest text that is kept of a host's own words, in characters.
const MAX_TEXT: usize = 300;
/// The most numbers of its own that a heartbeat may have.
const MAX_METRICS: usize = 32;
/// The longest name of one, in bytes.
const MAX_METRIC_NAME: usize = 64;
/// The most commands that a host may offer.
const MAX_COMMANDS: usize = 200;

/// What an agent came with, as far as it was checked before the upgrade.
#[derive(Debug)]
pub(super) struct Arrival {
    /// What it showed.
    pub credential: Credential,
    /// The dashboard's host as its request names it; see [`dashboard_host`](crate::wire::key::dashboard_host).
    pub authority: String,
}

/// An agent that may be here.
#[derive(Debug)]
pub(super) struct Admitted {
    /// Its host.
    pub host: HostName,
    /// The key that it proved, if it came with one.
    pub key: Option<AgentKey>,
    /// Whose messages it hears.
    pub organization: Organization,
    /// What it says of itself.
    pub register: Box<Register>,
}

/// Lets an agent in: proof of its key, if it showed one, then `register`, which must be of that key's host.
pub(super) async fn admit(
    app: &AppState,
    socket: &mut WebSocket,
    log: &mut Log,
    arrival: Arrival,
) -> Result<Admitted, Gone> {
    if let Credential::Key(key) = &arrival.credential {
        identify::prove(app, socket, log, key, &arrival.authority).await?;
    }
    let (host, register) = register(socket, log).await?;
    let organization = identify::match_up(app, &arrival.credential, &host, &register)?;
    let key = match arrival.credential {
        Credential::Key(key) => Some(key),
        Credential::Token => None,
    };
    Ok(Admitted {
        host,
        key,
        organization,
        register: Box::new(register),
    })
}

/// The first `register` on the connection, and the host's name.
async fn register(socket: &mut WebSocket, log: &mut Log) -> Result<(HostName, Register), Gone> {
    let deadline = tokio::time::sleep(REGISTER);
    tokio::pin!(deadline);
    loop {
        let message = tokio::select! {
            message = socket.recv() => message,
            () = &mut deadline => {
                return Err(Gone::Close(Closing {
                    code: 1008,
                    reason: format!("no register within {} seconds", REGISTER.as_secs()),
                }));
            }
        };
        match message {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(text.as_str()) {
                Ok(ToDashboard::Register(register)) => return parsed(*register),
                Ok(_) => log.ignored("a message before register", text.as_str()),
                Err(error) => log.ignored(&error.to_string(), text.as_str()),
            },
            Some(Ok(Message::Close(_))) | None => return Err(Gone::Left),
            Some(Ok(_)) => log.ignored("a frame before register", ""),
            Some(Err(error)) => return Err(Gone::from_error(&error)),
        }
    }
}

fn parsed(mut register: Register) -> Result<(HostName, Register), Gone> {
    let host: HostName = register.hostname.parse().map_err(|error| {
        let mut reason = format!("{error}");
        let end = reason
            .char_indices()
            .map(|(at, _)| at)
            .take_while(|at| *at <= 116)
            .last();
        reason.truncate(end.unwrap_or(0));
        Gone::Close(Closing { code: 1008, reason })
    })?;
    register.hostname = host.to_string();
    for text in [
        &mut register.host_type,
        &mut register.agent_version,
        &mut register.os_version,
        &mut register.nixpkgs_version,
        &mut register.generation,
        &mut register.theme_color,
        &mut register.location,
        &mut register.device_type,
        &mut register.repo_url,
        &mut register.repo_dir,
    ] {
        cut(text);
    }
    register.facts.iter_mut().for_each(bounds::facts);
    register.commands.truncate(MAX_COMMANDS);
    for command in &mut register.commands {
        cut(&mut command.description);
    }
    Ok((host, register))
}

/// A heartbeat as it is kept.
pub fn cut_heartbeat(heartbeat: &mut Heartbeat) {
    heartbeat.resources.iter_mut().for_each(bounds::resources);
    cut(&mut heartbeat.generation);
    cut(&mut heartbeat.nixpkgs_version);
    if let Some(text) = &mut heartbeat.status_text {
        cut(text);
    }
    heartbeat
        .custom_metrics
        .retain(|name, value| name.len() <= MAX_METRIC_NAME && value.is_finite());
    while heartbeat.custom_metrics.len() > MAX_METRICS {
        heartbeat.custom_metrics.pop_last();
    }
    if let Some(command) = &mut heartbeat.pending_command {
        cut(command);
    }
    let progress = heartbeat
        .activity
        .as_mut()
        .and_then(|activity| activity.progress.as_mut());
    if let Some(progress) = progress {
        sanitize_progress(progress);
    }
}

pub(super) fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
    text.shrink_to_fit();
}
