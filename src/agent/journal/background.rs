//! Writes a journal from a thread of its own: whoever reads a terminal shall do nothing else while a command floods it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{JournalWriter, RETRY_AFTER};
use crate::run::event::RunEvent;

/// The most records on their way to the disk, about 64 KiB each: a few milliseconds of a flood, for which a disk may be
/// busy. When it is full the reader waits, and then so does the command: nothing is dropped.
pub const MAX_QUEUED: usize = 24;

/// The near end of a [`JournalWriter`] in another thread.
#[derive(Debug)]
pub struct BackgroundWriter {
    records: Option<SyncSender<(RunEvent, Vec<u8>)>>,
    /// Buffers that were written come back.
    spare: Receiver<Vec<u8>>,
    /// How many records are on their way.
    queued: Arc<AtomicUsize>,
    thread: Option<JoinHandle<JournalWriter>>,
}

impl BackgroundWriter {
    /// Gives the journal to a thread.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(mut writer: JournalWriter) -> io::Result<Self> {
        let (records, waiting) = sync_channel::<(RunEvent, Vec<u8>)>(MAX_QUEUED);
        let (give_back, spare) = sync_channel(MAX_QUEUED + 1);
        let queued = Arc::new(AtomicUsize::new(0));
        let taken = Arc::clone(&queued);
        let thread = std::thread::Builder::new()
            .name("journal".into())
            .spawn(move || {
                // Something written a while ago must become durable, and what a full disk refused is tried again.
                let mut pause = Duration::from_secs(1);
                loop {
                    match waiting.recv_timeout(pause) {
                        Ok((event, raw)) => {
                            taken.fetch_sub(1, Ordering::Relaxed);
                            writer.append(&event, &raw);
                            if raw.capacity() > 0 {
                                let _: Result<(), TrySendError<_>> = give_back.try_send(raw);
                            }
                        }
                        Err(RecvTimeoutError::Timeout) => writer.tick(),
                        Err(RecvTimeoutError::Disconnected) => return writer,
                    }
                    pause = if writer.is_waiting() {
                        RETRY_AFTER
                    } else {
                        Duration::from_secs(1)
                    };
                }
            })?;
        Ok(Self {
            records: Some(records),
            spare,
            queued,
            thread: Some(thread),
        })
    }

    /// A buffer for [`append`](Self::append), with whatever was written from it before; a new one is empty.
    pub fn spare(&mut self) -> Vec<u8> {
        self.spare.try_recv().unwrap_or_default()
    }

    /// Whether half of the queue is free: then what can wait need not, and nobody has to wait for it.
    pub fn has_room(&self) -> bool {
        self.queued.load(Ordering::Relaxed) < MAX_QUEUED / 2
    }

    /// As [`JournalWriter::append`], a little later. `raw` is taken as it is: a flood is not copied once more.
    pub fn append(&mut self, event: RunEvent, raw: Vec<u8>) {
        let Some(records) = &self.records else { return };
        self.queued.fetch_add(1, Ordering::Relaxed);
        if records.send((event, raw)).is_err() {
            tracing::error!("the journal's thread is gone");
        }
    }

    /// Writes all there is, trying for at most `patience` on a full disk. Returns whether all is durable.
    pub fn finish(&mut self, patience: Duration) -> bool {
        drop(self.records.take());
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(mut writer)) => writer.drain(patience),
            _ => false,
        }
    }
}
