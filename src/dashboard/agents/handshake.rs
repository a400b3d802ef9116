//! `register`: read once, parsed, cut to what is kept.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};

use super::connection::{Gone, Log};
use super::peer::Closing;
use crate::run::id::HostName;
use crate::wire::to_dashboard::{Heartbeat, Register, ToDashboard};

/// How long an agent may take to register.
pub const REGISTER: Duration = Duration::from_secs(15);
/// The longest text that is kept of a host's own words, in characters.
const MAX_TEXT: usize = 300;
/// The most commands that a host may offer.
const MAX_COMMANDS: usize = 200;

/// The first `register` on the connection, and the host's name.
pub(super) async fn register(
    socket: &mut WebSocket,
    log: &mut Log,
) -> Result<(HostName, Register), Gone> {
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
    register.commands.truncate(MAX_COMMANDS);
    for command in &mut register.commands {
        cut(&mut command.description);
    }
    Ok((host, register))
}

/// A heartbeat as it is kept.
pub fn cut_heartbeat(heartbeat: &mut Heartbeat) {
    cut(&mut heartbeat.generation);
    cut(&mut heartbeat.nixpkgs_version);
    if let Some(command) = &mut heartbeat.pending_command {
        cut(command);
    }
    let progress = heartbeat
        .activity
        .as_mut()
        .and_then(|activity| activity.progress.as_mut());
    if let Some(text) = progress.and_then(|progress| progress.activity.as_mut()) {
        cut(text);
    }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(MAX_TEXT) {
        text.truncate(end);
    }
    text.shrink_to_fit();
}
