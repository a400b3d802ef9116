//! The one task that writes to the socket: heartbeats and answers first, then how runs stand, output when there is none of these.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::SinkExt as _;
use futures_util::stream::SplitSink;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};
use tokio_util::sync::CancellationToken;

use super::dial::Socket;
use crate::wire::to_dashboard::ToDashboard;

/// Messages that may wait before output. When it is full, senders drop or end the connection; none waits.
pub const MAX_CONTROL: usize = 32;
/// How runs stand: one may wait, and those that come after it are made when it has gone.
pub const MAX_STATUS: usize = 1;
/// Batches of output that may wait; the shipper waits for a place.
pub const MAX_OUTPUT: usize = 1;
/// Between pings to a dashboard that answers nothing else.
const PING: Duration = Duration::from_secs(10);
/// One that answers heartbeats is asked when it has said nothing for so long: at the usual interval of 30 s, never.
const QUIET: Duration = Duration::from_secs(32);
/// And then so often, until the session gives it up.
const AGAIN: Duration = Duration::from_secs(5);
/// A socket that takes a single message no sooner is as good as gone.
const WRITE_DEADLINE: Duration = Duration::from_secs(45);

/// The queues' ends, and when to say good-bye.
pub struct Queues {
    /// Heartbeats and answers.
    pub control: mpsc::Receiver<ToDashboard>,
    /// How runs stand, ahead of their output.
    pub status: mpsc::Receiver<ToDashboard>,
    /// Messages by subject; so many are under way at most that output gets its turn.
    pub messages: mpsc::Receiver<ToDashboard>,
    /// Frames of output; for an earlier dashboard, whole messages.
    pub output: mpsc::Receiver<Bytes>,
    /// Whether the dashboard speaks the earlier protocol.
    pub earlier: Arc<AtomicBool>,
    /// When the dashboard was last heard; none for one that does not answer heartbeats.
    pub heard: watch::Receiver<Option<Instant>>,
    /// When cancelled, the connection is closed in order.
    pub close: CancellationToken,
}

/// Writes until the queues are gone, the socket fails, or it is closed in order. The answer is what went wrong.
pub async fn write(
    mut socket: SplitSink<Socket, Message>,
    mut queues: Queues,
) -> Result<(), String> {
    let mut ping = Instant::now() + PING;
    loop {
        let message = tokio::select! {
            biased;
            () = queues.close.cancelled() => {
                let frame = tokio_tungstenite::tungstenite::protocol::CloseFrame {
                    code: tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode::Normal,
                    reason: "shutdown".into(),
                };
                return send(&mut socket, Message::Close(Some(frame))).await;
            }
            message = queues.control.recv() => match message {
                Some(message) => match say(&queues, &message)? {
                    Some(message) => message,
                    None => continue,
                },
                None => return Ok(()),
            },
            Some(status) = queues.status.recv() => match say(&queues, &status)? {
                Some(message) => message,
                None => continue,
            },
            () = sleep_until(ping) => {
                let (due, next) = next_ping(*queues.heard.borrow(), Instant::now());
                ping = next;
                if !due {
                    continue;
                }
                Message::Ping(Bytes::new())
            }
            Some(message) = queues.messages.recv() => match say(&queues, &message)? {
                Some(message) => message,
                None => continue,
            },
            Some(frame) = queues.output.recv() => output(&queues, frame)?,
        };
        send(&mut socket, message).await?;
    }
}

/// Whether a ping is due, and when to ask again.
fn next_ping(heard: Option<Instant>, now: Instant) -> (bool, Instant) {
    match heard {
        None => (true, now + PING),
        Some(heard) if now.duration_since(heard) >= QUIET => (true, now + AGAIN),
        Some(heard) => (false, heard + QUIET),
    }
}

/// The message as the dashboard understands it, if it does.
fn say(queues: &Queues, message: &ToDashboard) -> Result<Option<Message>, String> {
    if queues.earlier.load(Ordering::Relaxed) {
        return super::v2::say(message).transpose();
    }
    text(message).map(Some)
}

fn output(queues: &Queues, frame: Bytes) -> Result<Message, String> {
    if !queues.earlier.load(Ordering::Relaxed) {
        return Ok(Message::Binary(frame));
    }
    let text = Utf8Bytes::try_from(frame).map_err(|error| error.to_string())?;
    Ok(Message::Text(text))
}

fn text(message: &ToDashboard) -> Result<Message, String> {
    match serde_json::to_string(message) {
        Ok(text) => Ok(Message::text(text)),
        Err(error) => Err(format!("a message cannot be written: {error}")),
    }
}

async fn send(socket: &mut SplitSink<Socket, Message>, message: Message) -> Result<(), String> {
    match timeout(WRITE_DEADLINE, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("the connection failed: {error}")),
        Err(_) => Err(format!(
            "the connection has not moved for {} s",
            WRITE_DEADLINE.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dashboard_that_answers_heartbeats_is_asked_only_after_a_silence() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        for (heard, now, expected) in [
            (None, at(10), (true, at(20))),
            (Some(at(0)), at(10), (false, at(32))),
            (Some(at(30)), at(32), (false, at(62))),
            (Some(at(0)), at(32), (true, at(37))),
            (Some(at(0)), at(42), (true, at(47))),
        ] {
            assert_eq!(next_ping(heard, now), expected, "{heard:?} {now:?}");
        }
    }
}
