//! The answer to the dashboard's challenge, where the agent comes with a key.

use futures_util::StreamExt as _;
use futures_util::stream::SplitStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::http::Uri;

use super::closed;
use super::dial::Socket;
use crate::agent::identity::Identity;
use crate::agent::key_file::KeyPair;
use crate::base::clock;
use crate::wire::key::{Signed, dashboard_host};
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{Proof, ToDashboard};

/// Waits for the challenge; the caller knows how long.
///
/// # Errors
/// Why there is none.
pub async fn challenge(stream: &mut SplitStream<Socket>) -> Result<String, String> {
    loop {
        match stream.next().await {
            Some(Ok(Message::Text(text))) => {
                if let Ok(ToAgent::Challenge { nonce }) = serde_json::from_str(&text) {
                    return Ok(nonce);
                }
                tracing::warn!("ignored: a message before the challenge");
            }
            Some(Ok(Message::Close(frame))) => return Err(closed(frame)),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(format!("the connection failed: {error}")),
            None => return Err("the dashboard closed the connection".into()),
        }
    }
}

/// The signature of `nonce`, this dashboard, this host and this moment.
pub fn proof(identity: &Identity, key: &KeyPair, nonce: &str) -> ToDashboard {
    let authority = identity.url.parse::<Uri>().ok();
    let authority = authority.as_ref().and_then(Uri::authority);
    // A user in an address was refused long before.
    let dashboard = authority.map_or_else(String::new, |found| dashboard_host(found.as_str()));
    let (hostname, at) = (identity.hostname.to_string(), clock::now());
    let signed = Signed {
        nonce,
        dashboard: &dashboard,
        hostname: &hostname,
        at,
    };
    let signature = key.sign(&signed.text());
    ToDashboard::Proof(Proof {
        hostname,
        dashboard,
        at,
        signature,
    })
}
