//! Makes files durable from a thread of its own: a slow disk must not hold up whoever reads the terminal.

use std::fs::File;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// The most files that wait to be made durable; more than a journal has. Of more, the oldest are deleted ones.
const MAX_WAITING: usize = 16;

/// Files that wait, and whose turn it is.
#[derive(Debug, Default)]
struct Queue {
    files: Mutex<Vec<Arc<File>>>,
    /// Held while files are made durable: whoever waits for them waits for those that another one has begun, too.
    turn: Mutex<()>,
    /// What the thread was told by the disk, until somebody asks.
    error: Mutex<Option<io::Error>>,
}

/// The near end of the thread.
#[derive(Debug)]
pub(super) struct Syncer {
    queue: Arc<Queue>,
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    /// Starts the thread.
    ///
    /// # Errors
    /// None can be had.
    pub(super) fn start() -> io::Result<Self> {
        let queue = Arc::new(Queue::default());
        let theirs = queue.clone();
        // One waiting request stands for all: whoever asks while it waits is served by it.
        let (wake, woken): (SyncSender<()>, Receiver<()>) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("journal-sync".into())
            .spawn(move || {
                while woken.recv().is_ok() {
                    if let Err(error) = theirs.sync() {
                        tracing::warn!(%error, "journal not made durable");
                        lock(&theirs.error).get_or_insert(error);
                    }
                }
            })?;
        Ok(Self {
            queue,
            wake: Some(wake),
            thread: Some(thread),
        })
    }

    /// Asks for `file` to be made durable soon.
    pub(super) fn request(&self, file: &Arc<File>) {
        let mut waiting = lock(&self.queue.files);
        if !waiting.iter().any(|other| Arc::ptr_eq(other, file)) {
            if waiting.len() >= MAX_WAITING {
                waiting.remove(0);
            }
            waiting.push(file.clone());
        }
        drop(waiting);
        if let Some(wake) = &self.wake {
            let _ = wake.try_send(());
        }
    }

    /// Makes durable what waits, before it returns.
    ///
    /// # Errors
    /// The disk says so, now or since this was last asked.
    pub(super) fn finish(&self) -> io::Result<()> {
        self.queue.sync()?;
        lock(&self.queue.error).take().map_or(Ok(()), Err)
    }
}

impl Queue {
    fn sync(&self) -> io::Result<()> {
        let _turn = lock(&self.turn);
        let files = std::mem::take(&mut *lock(&self.files));
        // Each one is tried, whatever the others say.
        let results: Vec<_> = files.iter().map(|file| file.sync_data()).collect();
        results.into_iter().collect()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Syncer {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
