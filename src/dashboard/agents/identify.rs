//! Who an agent is, where it came with a key: challenge and proof, and what must match.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use tokio::time::timeout;

use super::connection::{Gone, Log, say};
use super::peer::Closing;
use crate::base::clock;
use crate::dashboard::access::keys::{self, Credential, short};
use crate::dashboard::app::AppState;
use crate::dashboard::store::agent_keys::AgentKey;
use crate::run::id::HostName;
use crate::wire::PROTOCOL;
use crate::wire::key::PROOF_SECONDS;
use crate::wire::subject::Organization;
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{Proof, Register, ToDashboard};

/// A host whose clock is further away is named in the log; it may come in.
const STRANGE_CLOCK: u64 = 5 * 60 * 1000;

fn refuse(reason: impl Into<String>) -> Gone {
    Gone::Close(Closing {
        code: 1008,
        reason: reason.into(),
    })
}

/// Has the agent sign a nonce of this connection.
pub(super) async fn prove(
    app: &AppState,
    socket: &mut WebSocket,
    log: &mut Log,
    key: &AgentKey,
    authority: &str,
) -> Result<(), Gone> {
    let nonce = keys::nonce().map_err(|error| {
        tracing::error!("no challenge for an agent: {error:#}");
        refuse("the dashboard has no random numbers")
    })?;
    let challenge = ToAgent::Challenge {
        nonce: nonce.clone(),
    };
    say(socket, PROTOCOL, &challenge).await?;
    let proof = timeout(Duration::from_secs(PROOF_SECONDS), answer(socket, log))
        .await
        .map_err(|_| {
            refuse(format!(
                "no proof of the key within {PROOF_SECONDS} seconds"
            ))
        })??;
    let refused = |reason: String| {
        tracing::warn!(host = %key.host, "a proof was refused: {reason}");
        refuse(reason)
    };
    keys::verify(key, &nonce, &proof).map_err(refused)?;
    if !is_our_name(&app.agent_hosts, &proof.dashboard, authority) {
        let name = short(&proof.dashboard);
        return Err(refused(format!(
            "`{name}` is no name of this dashboard; add it to agent_hosts there"
        )));
    }
    if clock::now().abs_diff(proof.at) > STRANGE_CLOCK {
        tracing::warn!(host = %key.host, "its clock is more than five minutes off");
    }
    Ok(())
}

/// Whether an agent that dialled `named` meant this dashboard: a proof made for another one, which passes it on, must not
/// count here. A loopback address is the agent's own machine.
fn is_our_name(own: &[String], named: &str, authority: &str) -> bool {
    if own.is_empty() {
        return named == authority;
    }
    matches!(named, "localhost" | "127.0.0.1" | "::1") || own.iter().any(|own| own == named)
}

async fn answer(socket: &mut WebSocket, log: &mut Log) -> Result<Proof, Gone> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(text.as_str()) {
                Ok(ToDashboard::Proof(proof)) => return Ok(proof),
                Ok(ToDashboard::Register(_)) => {
                    return Err(refuse("register came before the proof of the key"));
                }
                Ok(_) => log.ignored("a message before the proof", text.as_str()),
                Err(error) => log.ignored(&error.to_string(), text.as_str()),
            },
            Some(Ok(Message::Close(_))) | None => return Err(Gone::Left),
            Some(Ok(_)) => log.ignored("a frame before the proof", ""),
            Some(Err(error)) => return Err(Gone::from_error(&error)),
        }
    }
}

/// Holds what `register` says against the credential; answers the organization.
pub(super) fn match_up(
    app: &AppState,
    credential: &Credential,
    host: &HostName,
    register: &Register,
) -> Result<Organization, Gone> {
    let named = register.organization.as_deref().unwrap_or_default();
    let named: Organization = named.parse().map_err(|_| {
        refuse("the organization is not valid; use letters, digits, `-`, `_` and `.`")
    })?;
    match credential {
        Credential::Token if app.keys.has(host) => {
            tracing::warn!(%host, "the shared token was refused: the host has a key");
            Err(refuse(
                "this host has a key: the shared token does not count; set key_file",
            ))
        }
        Credential::Key(key) if key.host != *host => {
            tracing::warn!(of = %key.host, named = %host, "a key was used for another host");
            Err(refuse(format!(
                "this key is of another host than {}",
                short(host.as_str())
            )))
        }
        Credential::Key(key) if key.organization != named => {
            tracing::warn!(%host, "a key was used for another organization");
            Err(refuse(format!(
                "this key is of another organization than `{}`",
                short(named.as_str())
            )))
        }
        Credential::Token | Credential::Key(_) => Ok(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_dashboard() {
        let own = [String::from("fleet.example.org")];
        for (own, named, authority, expected) in [
            (&own[..0], "fleet", "fleet", true),
            (&own[..0], "evil", "fleet", false),
            (&own, "fleet.example.org", "whatever", true),
            (&own, "127.0.0.1", "whatever", true),
            (&own, "evil", "evil", false),
        ] {
            assert_eq!(is_our_name(own, named, authority), expected, "{named}");
        }
    }
}
