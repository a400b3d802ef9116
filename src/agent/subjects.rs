//! This agent's side of messages by subject: what it listens to, and what it waits for an answer to.
//!
//! It outlives connections. The session hands it a queue while there is one; what was under way when a connection ended
//! is answered with [`MessageError::Disconnected`], for nobody knows whether it arrived. Nothing is kept for later.

mod error;
pub mod handlers;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

pub use error::MessageError;
use handlers::Handler;

use crate::wire::MAX_PAYLOAD;
use crate::wire::subject::{Pattern, Subject};
use crate::wire::to_agent::{Message, Published};
use crate::wire::to_dashboard::{Publish, Subscribe, ToDashboard};

/// Messages that may wait for the socket; who publishes waits for a place.
pub const MAX_MESSAGES: usize = 16;
/// How long the dashboard may take to say what became of a message.
const ANSWER: Duration = Duration::from_secs(15);
/// What may be under way at the same time, in KiB of payload; who publishes more waits. So a flood of messages is never
/// further ahead of this host's output than this.
const MAX_UNDER_WAY: u32 = 512;

/// One agent's side.
#[derive(Debug)]
pub struct Subjects {
    /// Those that listen.
    handlers: Vec<Arc<Handler>>,
    /// Where answers arrive, as `INBOX.N`; none where nothing is ever asked or heard, so that nothing is subscribed.
    inbox: Option<String>,
    room: Semaphore,
    state: Mutex<State>,
    dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Link>,
    last_id: u64,
    published: HashMap<u64, oneshot::Sender<Published>>,
    replies: HashMap<Subject, oneshot::Sender<Message>>,
}

/// The connection that stands.
#[derive(Debug, Clone)]
struct Link {
    queue: mpsc::Sender<ToDashboard>,
    /// Whether the dashboard takes messages.
    supported: bool,
}

/// Takes back what is waited for when nobody waits any more.
struct Waiting<'a> {
    subjects: &'a Subjects,
    id: Option<u64>,
    address: Option<Subject>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.subjects.lock();
        if let Some(id) = self.id {
            state.published.remove(&id);
        }
        if let Some(address) = &self.address {
            state.replies.remove(address);
        }
    }
}

impl Subjects {
    /// For an agent that neither listens nor asks.
    pub fn silent() -> Arc<Self> {
        Arc::new(Self::with(None, Vec::new()))
    }

    /// For an agent with handlers, and with an address for answers that nobody can guess.
    pub fn new(handlers: Vec<Arc<Handler>>) -> Arc<Self> {
        let inbox = format!("_reply.{}", uuid::Uuid::new_v4().simple());
        Arc::new(Self::with(Some(inbox), handlers))
    }

    fn with(inbox: Option<String>, handlers: Vec<Arc<Handler>>) -> Self {
        Self {
            handlers,
            inbox,
            room: Semaphore::new(MAX_UNDER_WAY as usize),
            state: Mutex::default(),
            dropped: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection stands. Answers what to say first, if anything.
    pub fn connected(
        &self,
        queue: mpsc::Sender<ToDashboard>,
        supported: bool,
    ) -> Option<ToDashboard> {
        self.lock().link = Some(Link { queue, supported });
        let inbox = self.inbox.as_ref().filter(|_| supported)?;
        let mut patterns: Vec<Pattern> = Vec::with_capacity(self.handlers.len() + 1);
        for handler in &self.handlers {
            if !patterns.contains(handler.pattern()) {
                patterns.push(handler.pattern().clone());
            }
        }
        patterns.extend(format!("{inbox}.*").parse::<Pattern>());
        Some(ToDashboard::Subscribe(Subscribe { patterns }))
    }

    /// The connection is gone: whoever waits is told.
    pub fn disconnected(&self) {
        let mut state = self.lock();
        state.link = None;
        state.published.clear();
        state.replies.clear();
    }

    /// What became of a message.
    pub fn published(&self, published: Published) {
        let waiting = self.lock().published.remove(&published.id);
        if let Some(waiting) = waiting {
            // Who asked may have gone meanwhile.
            let _ = waiting.send(published);
        }
    }

    /// The dashboard dropped so many, because this connection did not take them.
    pub fn lost(&self, n: u64) {
        self.dropped.fetch_add(n, Ordering::Relaxed);
        tracing::warn!("{n} messages were dropped: this connection was too slow for them");
    }

    /// A message arrived. Never waits: each handler has a queue of its own that drops its oldest.
    pub fn deliver(&self, message: Message, n_bytes: usize) {
        if self.is_answer(&message.subject) {
            let waiting = self.lock().replies.remove(&message.subject);
            if let Some(waiting) = waiting {
                let _ = waiting.send(message);
            } else {
                tracing::debug!("an answer came too late: {}", message.subject);
            }
            return;
        }
        for handler in &self.handlers {
            if handler.pattern().matches(&message.subject) {
                handler.put(message.clone(), n_bytes);
            }
        }
    }

    fn is_answer(&self, subject: &Subject) -> bool {
        let rest = self
            .inbox
            .as_ref()
            .and_then(|inbox| subject.as_str().strip_prefix(inbox.as_str()));
        rest.is_some_and(|rest| rest.starts_with('.'))
    }

    /// Messages that were not handled: dropped by the dashboard or by a handler's queue.
    pub fn n_dropped(&self) -> u64 {
        let own: u64 = self
            .handlers
            .iter()
            .map(|handler| handler.n_dropped())
            .sum();
        own + self.dropped.load(Ordering::Relaxed)
    }

    /// Sends a message; answers to how many it went.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub async fn publish(
        &self,
        subject: Subject,
        payload: Value,
        reply_to: Option<Subject>,
    ) -> Result<u32, MessageError> {
        let n_bytes = serde_json::to_string(&payload).map_or(0, |text| text.len());
        if n_bytes > MAX_PAYLOAD {
            return Err(MessageError::TooLarge(n_bytes));
        }
        let kib = u32::try_from(n_bytes / 1024).unwrap_or(MAX_UNDER_WAY) + 1;
        let sending = async {
            let _room = self.room.acquire_many(kib).await;
            let (answer, answered) = oneshot::channel();
            let (queue, id) = {
                let mut state = self.lock();
                let link = state.link.clone().ok_or(MessageError::NotConnected)?;
                if !link.supported {
                    return Err(MessageError::Unsupported);
                }
                state.last_id += 1;
                let id = state.last_id;
                state.published.insert(id, answer);
                (link.queue, id)
            };
            let _waiting = Waiting {
                subjects: self,
                id: Some(id),
                address: None,
            };
            let publish = Publish {
                id,
                subject,
                payload,
                reply_to,
            };
            let sent = queue.send(ToDashboard::Publish(Box::new(publish))).await;
            sent.map_err(|_| MessageError::Disconnected)?;
            let published = answered.await.map_err(|_| MessageError::Disconnected)?;
            match published.refused {
                Some(why) => Err(MessageError::Refused(why)),
                None => Ok(published.delivered),
            }
        };
        match timeout(ANSWER, sending).await {
            Ok(done) => done,
            Err(_) => Err(MessageError::NoAnswer(ANSWER)),
        }
    }

    /// Sends a message and waits for the first answer to it.
    ///
    /// # Errors
    /// See [`MessageError`].
    pub async fn request(
        &self,
        subject: Subject,
        payload: Value,
        deadline: Duration,
    ) -> Result<Message, MessageError> {
        let inbox = self.inbox.as_ref().ok_or(MessageError::Unsupported)?;
        let (answer, answered) = oneshot::channel();
        let address: Subject = {
            let mut state = self.lock();
            state.last_id += 1;
            let address: Subject = format!("{inbox}.{}", state.last_id)
                .parse()
                .map_err(|_| MessageError::Unsupported)?;
            state.replies.insert(address.clone(), answer);
            address
        };
        let _waiting = Waiting {
            subjects: self,
            id: None,
            address: Some(address.clone()),
        };
        let asking = async {
            let asked = subject.clone();
            if self.publish(subject, payload, Some(address)).await? == 0 {
                return Err(MessageError::NobodyListens(asked));
            }
            answered.await.map_err(|_| MessageError::Disconnected)
        };
        match timeout(deadline, asking).await {
            Ok(done) => done,
            Err(_) => Err(MessageError::NoAnswer(deadline)),
        }
    }
}
