//! One agent's connection, as the rest of the dashboard sees it: a bounded queue in each direction, neither of which waits.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::v2::Heard;
use crate::dashboard::live::lock;
use crate::dashboard::store::agent_keys::AgentKey;
use crate::run::id::{HostName, RunId};
use crate::wire::MAX_IN_FLIGHT;
use crate::wire::record::{self, MAX_BODY, Record};
use crate::wire::to_agent::ToAgent;
use crate::wire::to_dashboard::{CommandRejected, Register, RunStatus};

/// The most messages that wait to be sent to one agent.
pub const MAX_OUTBOX: usize = 1024;
/// The most messages of one agent that wait for the hub.
pub const MAX_INBOX: usize = 16 * 1024;
/// The most bytes of records of one agent that wait for the hub: the window, and one record that is larger by itself.
pub const MAX_INBOX_BYTES: usize = MAX_IN_FLIGHT + MAX_BODY;

/// The most runs of one agent whose status waits for the hub; of further ones none is taken, their records will tell.
pub const MAX_STATUSES: usize = 64;

/// Why a connection is closed: a WebSocket close code and a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// The close code.
    pub code: u16,
    /// Why, in words, at most 120 bytes.
    pub reason: String,
}

/// What the hub gets from an agent.
#[derive(Debug)]
pub enum FromAgent {
    /// It registered.
    Registered(Box<Register>),
    /// Journal records.
    Records(Batch),
    /// How a run stands, ahead of its records.
    Status(Box<RunStatus>),
    /// It did not start a run.
    Rejected(CommandRejected),
    /// A word of the earlier protocol.
    V2(Heard),
}

/// The records of one frame.
#[derive(Debug)]
pub struct Batch {
    /// Whose.
    pub run: RunId,
    /// In the order of the frame, up to the first damage.
    pub records: Vec<Record>,
    /// Whether something in the frame could not be read.
    pub damaged: bool,
    /// Bytes of the records before compression.
    pub n_bytes: usize,
}

impl Batch {
    /// The records of a frame of `run`.
    pub fn read(run: RunId, bytes: &[u8]) -> Self {
        let mut batch = Self {
            run,
            records: Vec::new(),
            damaged: false,
            n_bytes: bytes.len(),
        };
        let mut rest = bytes;
        while !rest.is_empty() {
            if let Ok(Some((record, len))) = record::decode(rest) {
                batch.records.push(record);
                rest = &rest[len..];
            } else {
                tracing::warn!(%run, "a damaged record; the host is asked to send it again");
                batch.damaged = true;
                break;
            }
        }
        batch
    }
}

#[derive(Debug, Default)]
struct Outbox {
    queue: VecDeque<ToAgent>,
    closing: Option<Closing>,
}

#[derive(Debug, Default)]
struct Inbox {
    queue: VecDeque<FromAgent>,
    /// Of each run, only the newest counts.
    statuses: Vec<RunStatus>,
    n_bytes: usize,
    /// Whether the hub has it on its list.
    listed: bool,
    /// Lines had to be dropped since the hub took what waits.
    dropping: bool,
}

impl Inbox {
    fn is_full(&self, n_bytes: usize) -> bool {
        self.n_bytes + n_bytes > MAX_INBOX_BYTES || self.queue.len() >= MAX_INBOX
    }

    /// Notes a line that has no place.
    fn drop_line(&mut self, line: &str) {
        self.dropping = true;
        let n_bytes = line.len() as u64 + 1;
        if let Some(FromAgent::V2(Heard::Dropped { lines, bytes })) = self.queue.back_mut() {
            *lines += 1;
            *bytes += n_bytes;
        } else {
            self.queue.push_back(FromAgent::V2(Heard::Dropped {
                lines: 1,
                bytes: n_bytes,
            }));
        }
    }
}

/// A connected agent.
#[derive(Debug)]
pub struct Peer {
    /// Which connection; a host's next one has another number.
    pub id: u64,
    /// Of which host.
    pub host: HostName,
    /// Which protocol it speaks.
    pub protocol: u32,
    /// The key that it proved; none where it came with the shared token.
    pub key: Option<AgentKey>,
    /// Whether it is a single heartbeat, and no agent that stays.
    pub is_visit: bool,
    outbox: Mutex<Outbox>,
    inbox: Mutex<Inbox>,
    wake: Notify,
    /// Told when the hub has taken what waits.
    taken: Notify,
    /// Whether the hub has taken its `register`.
    welcome: AtomicBool,
}

impl Peer {
    /// A connection that has just registered.
    pub fn new(id: u64, host: HostName, protocol: u32) -> Self {
        Self {
            id,
            host,
            protocol,
            key: None,
            is_visit: false,
            outbox: Mutex::default(),
            inbox: Mutex::default(),
            wake: Notify::new(),
            taken: Notify::new(),
            welcome: AtomicBool::new(false),
        }
    }

    /// With the key that it proved.
    #[must_use]
    pub fn with_key(mut self, key: Option<AgentKey>) -> Self {
        self.key = key;
        self
    }

    /// As a single heartbeat, or not.
    #[must_use]
    pub fn with_visit(mut self, is_visit: bool) -> Self {
        self.is_visit = is_visit;
        self
    }

    /// The hub has taken its `register`: from here on it may be asked for runs.
    pub fn welcome(&self) {
        self.welcome.store(true, Ordering::Release);
    }

    /// Whether it may be asked for runs.
    pub fn is_welcome(&self) -> bool {
        self.welcome.load(Ordering::Acquire)
    }

    /// Queues a message to the agent. One that does not take its messages is disconnected, and asks again later.
    pub fn send(&self, message: ToAgent) {
        let mut outbox = lock(&self.outbox);
        if outbox.queue.len() >= MAX_OUTBOX {
            outbox.closing.get_or_insert_with(|| Closing {
                code: 1008,
                reason: format!("{MAX_OUTBOX} messages wait for this agent"),
            });
        } else {
            outbox.queue.push_back(message);
        }
        drop(outbox);
        self.wake.notify_one();
    }

    /// Asks the connection to close.
    pub fn close(&self, code: u16, reason: &str) {
        lock(&self.outbox).closing.get_or_insert_with(|| Closing {
            code,
            reason: reason.to_owned(),
        });
        self.wake.notify_one();
    }

    /// Waits for something to send. May wake without any.
    pub async fn outgoing(&self) {
        self.wake.notified().await;
    }

    /// The next message to send, or why to close.
    pub fn next_outgoing(&self) -> Option<Result<ToAgent, Closing>> {
        let mut outbox = lock(&self.outbox);
        if let Some(closing) = &outbox.closing {
            return Some(Err(closing.clone()));
        }
        let next = outbox.queue.pop_front();
        if outbox.queue.is_empty() {
            outbox.queue.shrink_to(0);
        }
        next.map(Ok)
    }

    /// Queues what the agent said. Answers whether the hub must be told.
    ///
    /// # Errors
    /// The agent sent more than its window.
    pub fn receive(&self, message: FromAgent) -> Result<bool, Closing> {
        let n_bytes = match &message {
            FromAgent::Records(batch) => batch.n_bytes,
            FromAgent::V2(heard) => heard.n_bytes(),
            _ => 0,
        };
        let mut inbox = lock(&self.inbox);
        if let FromAgent::Status(status) = message {
            inbox.statuses.retain(|known| known.run != status.run);
            if inbox.statuses.len() < MAX_STATUSES {
                inbox.statuses.push(*status);
            }
            return Ok(!std::mem::replace(&mut inbox.listed, true));
        }
        // Agents of the earlier protocol know no window: what they flood with is dropped, and counted.
        if let FromAgent::V2(Heard::Line(output)) = &message
            && inbox.is_full(n_bytes)
        {
            inbox.drop_line(&output.line);
            return Ok(!std::mem::replace(&mut inbox.listed, true));
        }
        if inbox.is_full(n_bytes) && inbox.queue.len() < 2 * MAX_INBOX {
            // A few words beside the lines always have a place.
            if let FromAgent::V2(_) = message {
                inbox.queue.push_back(message);
                return Ok(!std::mem::replace(&mut inbox.listed, true));
            }
        }
        if inbox.is_full(n_bytes) {
            return Err(Closing {
                code: 1008,
                reason: format!("more than {MAX_IN_FLIGHT} bytes sent without waiting for run_ack"),
            });
        }
        inbox.n_bytes += n_bytes;
        inbox.queue.push_back(message);
        Ok(!std::mem::replace(&mut inbox.listed, true))
    }

    /// Waits until the hub has taken so much that there is room for `n_bytes` more. Does not wait once lines were dropped
    /// for want of it: then the hub is slow, and heartbeats come on the same socket.
    pub async fn room(&self, n_bytes: usize) {
        // A hub that took something long ago wakes this too: only the inbox itself says whether there is room.
        while self.is_filled(n_bytes) {
            self.taken.notified().await;
        }
    }

    fn is_filled(&self, n_bytes: usize) -> bool {
        let inbox = lock(&self.inbox);
        inbox.is_full(n_bytes) && !inbox.dropping
    }

    /// Everything that waits, statuses last. The hub's list no longer has this peer afterwards.
    pub fn take_incoming(&self) -> VecDeque<FromAgent> {
        let mut inbox = lock(&self.inbox);
        inbox.listed = false;
        inbox.dropping = false;
        inbox.n_bytes = 0;
        self.taken.notify_one();
        let mut queue = std::mem::take(&mut inbox.queue);
        let statuses = std::mem::take(&mut inbox.statuses);
        queue.extend(statuses.into_iter().map(Box::new).map(FromAgent::Status));
        queue
    }
}

#[cfg(test)]
mod tests;
