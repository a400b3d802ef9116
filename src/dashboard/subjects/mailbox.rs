//! Messages that wait for one who listens: the newest ones. The sender never waits; the oldest go first and are counted.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::dashboard::live::lock;
use crate::wire::{MAX_WAITING, MAX_WAITING_BYTES};

/// What one who listens gets next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// So many were dropped before what comes now.
    Dropped(u64),
    /// The JSON of a message.
    Message(Arc<str>),
}

/// A bounded queue.
#[derive(Debug, Default)]
pub struct Mailbox {
    waiting: Mutex<Waiting>,
    wake: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    queue: VecDeque<Arc<str>>,
    n_bytes: usize,
    n_dropped: u64,
}

impl Mailbox {
    /// Puts a message at the end.
    pub fn put(&self, message: Arc<str>) {
        let mut waiting = lock(&self.waiting);
        waiting.n_bytes += message.len();
        waiting.queue.push_back(message);
        while waiting.queue.len() > MAX_WAITING || waiting.n_bytes > MAX_WAITING_BYTES {
            let Some(oldest) = waiting.queue.pop_front() else {
                break;
            };
            waiting.n_bytes -= oldest.len();
            waiting.n_dropped += 1;
        }
        drop(waiting);
        self.wake.notify_one();
    }

    /// Waits for something. May wake without any.
    pub async fn news(&self) {
        self.wake.notified().await;
    }

    /// The next, if any waits. Whoever takes one asks again.
    pub fn take(&self) -> Option<Next> {
        let mut waiting = lock(&self.waiting);
        if waiting.n_dropped > 0 {
            self.wake.notify_one();
            return Some(Next::Dropped(std::mem::take(&mut waiting.n_dropped)));
        }
        let message = waiting.queue.pop_front()?;
        waiting.n_bytes -= message.len();
        if waiting.queue.is_empty() {
            waiting.queue.shrink_to(0);
        } else {
            self.wake.notify_one();
        }
        Some(Next::Message(message))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let mailbox = Mailbox::default();
        for n in 0..MAX_WAITING + 3 {
            mailbox.put(n.to_string().into());
        }
        assert_eq!(mailbox.take(), Some(Next::Dropped(3)));
        assert_eq!(mailbox.take(), Some(Next::Message("3".into())));
        let mut n = 1;
        while mailbox.take().is_some() {
            n += 1;
        }
        assert_eq!(n, MAX_WAITING);
        let large: Arc<str> = "x".repeat(MAX_WAITING_BYTES / 2 + 1).into();
        mailbox.put(large.clone());
        mailbox.put(large);
        assert_eq!(mailbox.take(), Some(Next::Dropped(1)));
        assert!(matches!(mailbox.take(), Some(Next::Message(_))));
        assert_eq!(mailbox.take(), None);
    }
}
