//! Messages by subject on an agent's connection.

use std::sync::Arc;

use axum::extract::ws::{Message, WebSocket};

use super::connection::{Gone, say, send};
use super::peer::Peer;
use crate::dashboard::subjects::mailbox::Next;
use crate::dashboard::subjects::{Outgoing, Seat, Subjects};
use crate::wire::PROTOCOL;
use crate::wire::to_agent::{Published, ToAgent};
use crate::wire::to_dashboard::Publish;

/// Passes on what an agent publishes; the answer to it.
pub(super) fn publish(
    subjects: &Subjects,
    seat: &Seat,
    peer: &Arc<Peer>,
    publish: Publish,
) -> ToAgent {
    let sent = subjects.publish(&Outgoing {
        organization: &seat.organization,
        subject: publish.subject,
        payload: publish.payload,
        reply_to: publish.reply_to,
        // Never what the message says: who it is from is known.
        from: peer.host.as_str(),
    });
    let (delivered, refused) = match sent {
        Ok(delivered) => (delivered, None),
        Err(refused) => (0, Some(refused.to_string())),
    };
    ToAgent::Published(Published {
        id: publish.id,
        delivered,
        refused,
    })
}

/// Sends what waits for an agent.
pub(super) async fn pass_on(socket: &mut WebSocket, next: &Next) -> Result<(), Gone> {
    match next {
        Next::Dropped(n) => say(socket, PROTOCOL, &ToAgent::MessagesDropped { n: *n }).await,
        Next::Message(json) => {
            let text = format!(r#"{{"type":"message","payload":{json}}}"#);
            send(socket, Message::Text(text.into())).await
        }
    }
}
