//! What is done with messages: for each handler a bounded queue and a task that takes one after the other.
//!
//! A handler that is slow loses its own oldest messages and nobody else's. One that panics or never ends is given up for
//! that message; heartbeats have another thread and notice nothing.

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::wire::subject::Pattern;
use crate::wire::to_agent::Message;
use crate::wire::{MAX_WAITING, MAX_WAITING_BYTES};

/// What a handler's work is.
pub type Work = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Starts the work on one message.
pub type Start = Box<dyn Fn(Message) -> Work + Send + Sync>;

/// One handler and what waits for it: at most [`MAX_WAITING`] messages and [`MAX_WAITING_BYTES`] bytes.
#[derive(Debug)]
pub struct Handler {
    pattern: Pattern,
    /// How long the work on one message may take.
    limit: Duration,
    queue: Mutex<Queue>,
    wake: Notify,
    n_dropped: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    messages: VecDeque<(Message, usize)>,
    n_bytes: usize,
}

impl Handler {
    /// For messages on subjects that `pattern` matches.
    pub fn new(pattern: Pattern, limit: Duration) -> Self {
        Self {
            pattern,
            limit,
            queue: Mutex::default(),
            wake: Notify::new(),
            n_dropped: AtomicU64::new(0),
        }
    }

    /// What it listens to.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// Messages that it never saw.
    pub fn n_dropped(&self) -> u64 {
        self.n_dropped.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a message; over the limit, the oldest go.
    pub fn put(&self, message: Message, n_bytes: usize) {
        let mut queue = self.lock();
        queue.n_bytes += n_bytes;
        queue.messages.push_back((message, n_bytes));
        while queue.messages.len() > MAX_WAITING || queue.n_bytes > MAX_WAITING_BYTES {
            let Some((_, n_bytes)) = queue.messages.pop_front() else {
                break;
            };
            queue.n_bytes -= n_bytes;
            let before = self.n_dropped.fetch_add(1, Ordering::Relaxed);
            if before.is_multiple_of(1000) {
                tracing::warn!(
                    "the handler of `{}` is too slow: messages are dropped ({} so far)",
                    self.pattern,
                    before + 1
                );
            }
        }
        drop(queue);
        self.wake.notify_one();
    }

    fn take(&self) -> Option<Message> {
        let mut queue = self.lock();
        let (message, n_bytes) = queue.messages.pop_front()?;
        queue.n_bytes -= n_bytes;
        Some(message)
    }

    /// Works, one message after the other, for ever.
    pub async fn work(&self, start: Start) {
        loop {
            self.wake.notified().await;
            while let Some(message) = self.take() {
                let subject = message.subject.clone();
                // The handler's own code may panic before it has made a future.
                let work = AssertUnwindSafe(async { start(message).await }).catch_unwind();
                match timeout(self.limit, work).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => tracing::error!("the handler of `{subject}` panicked"),
                    Err(_) => tracing::error!(
                        "the handler of `{subject}` was given up after {} s",
                        self.limit.as_secs()
                    ),
                }
                // A handler that never waits must not keep the rest of the program waiting.
                tokio::task::yield_now().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tokio::sync::mpsc;
    use tokio::task::JoinSet;

    fn message(n: u64) -> Message {
        Message {
            subject: "a.b".parse().unwrap(),
            payload: n.into(),
            reply_to: None,
            from: "web1".into(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_handler_that_panics_or_hangs_is_given_up_and_the_next_message_is_handled() {
        let handler = Arc::new(Handler::new(
            "a.*".parse().unwrap(),
            Duration::from_secs(60),
        ));
        let (seen, mut saw) = mpsc::channel(8);
        let start: Start = Box::new(move |message| {
            let seen = seen.clone();
            let n = message.payload.as_u64().unwrap();
            assert_ne!(n, 1, "a panic before there is a future");
            Box::pin(async move {
                assert_ne!(n, 2, "a panic within it");
                if n == 3 {
                    std::future::pending::<()>().await;
                }
                seen.send(n).await.unwrap();
            })
        });
        let mut tasks = JoinSet::new();
        let own = Arc::clone(&handler);
        tasks.spawn(async move { own.work(start).await });
        let begin = tokio::time::Instant::now();
        for n in 0..5 {
            handler.put(message(n), 10);
        }
        assert_eq!(saw.recv().await, Some(0));
        assert_eq!(saw.recv().await, Some(4));
        assert_eq!(begin.elapsed().as_secs(), 60);
        assert_eq!(handler.n_dropped(), 0);
    }

    #[test]
    fn the_oldest_are_dropped_by_number_and_by_bytes() {
        let handler = Handler::new(">".parse().unwrap(), Duration::from_secs(1));
        for n in 0..MAX_WAITING as u64 + 2 {
            handler.put(message(n), 10);
        }
        assert_eq!(handler.n_dropped(), 2);
        assert_eq!(handler.take().unwrap().payload, 2);
        handler.put(message(999), MAX_WAITING_BYTES);
        assert_eq!(handler.take().unwrap().payload, 999);
        assert!(handler.take().is_none());
    }
}
