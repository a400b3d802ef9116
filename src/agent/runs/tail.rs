//! Following the journals of runs that are not over, connected or not: what heartbeats say of them, and their end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::{Entry, Runs};
use crate::agent::journal::{JournalError, JournalReader};
use crate::agent::run_dir::RunDir;
use crate::run::event::{NoticeKind, RunEvent};
use crate::run::id::{RunId, Seq};
use crate::wire::record;

/// How often a journal is looked at while its run goes on. Nothing is looked at while none does.
const LOOK: Duration = Duration::from_millis(10);
/// Bytes that are read of a journal at once.
const AT_ONCE: usize = 128 * 1024;
/// How often is asked whether a silent supervisor is alive.
const ASK_ALIVE: Duration = Duration::from_millis(500);
/// A run that was found (not started) by this process may have a supervisor that has not taken its lock yet.
const ADOPTED_GRACE: Duration = Duration::from_secs(2);
/// A supervisor that was asked for has this long to come up and take the lock; systemd may be busy. One that comes later finds
/// that its run has ended, and does nothing.
const START_GRACE: Duration = Duration::from_secs(8);
/// The end of a run that could not be written is tried again after this long.
const CONCLUDE_AGAIN: Duration = Duration::from_secs(5);

/// What a batch of records says.
struct News {
    found: Vec<Found>,
    last: Option<Seq>,
    /// The newest record that must not wait for others.
    urgent: Option<Seq>,
    /// Bytes of the records.
    bytes: u64,
}

/// One thing that a record says.
enum Found {
    /// An event other than output.
    Event(RunEvent),
    /// Lines and bytes of output in all, after the newest of several output events.
    Output { lines: u64, bytes: u64 },
}

/// Follows all journals for ever.
pub async fn watch(runs: Arc<Runs>) {
    let mut changes = runs.changes();
    let mut readers: HashMap<RunId, JournalReader> = HashMap::new();
    let mut asked = Instant::now();
    loop {
        changes.borrow_and_update();
        let going_on: Vec<(RunId, RunDir, Seq)> = {
            let entries = runs.lock();
            let going_on = entries.iter().filter(|entry| !entry.is_over());
            going_on
                .map(|entry| (entry.id, entry.dir.clone(), entry.seen))
                .collect()
        };
        readers.retain(|id, _| going_on.iter().any(|(run, ..)| run == id));
        if going_on.is_empty() {
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let ask = asked.elapsed() >= ASK_ALIVE;
        if ask {
            asked = Instant::now();
        }
        let mut busy = false;
        for (id, dir, seen) in going_on {
            busy |= follow(&runs, id, dir, seen, &mut readers, ask).await;
        }
        if !busy {
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// Reads what is new of one journal; answers whether there may be more at once.
async fn follow(
    runs: &Arc<Runs>,
    id: RunId,
    dir: RunDir,
    seen: Seq,
    readers: &mut HashMap<RunId, JournalReader>,
    ask: bool,
) -> bool {
    let patience = ask.then(|| runs.patience(id)).flatten();
    let reader = readers.remove(&id);
    // A disk that does not move is waited for here, and not where heartbeats are sent or a lock is held that they need.
    let read = spawn_blocking(move || {
        // Asked before reading: what a supervisor wrote before it died is then surely read.
        let gone = patience.is_some_and(|patience| patience.ends_at(&dir));
        let reader = reader.map_or_else(|| JournalReader::open(&dir.journal(), seen), Ok);
        let read = reader.and_then(|mut reader| {
            let news = read(&mut reader)?;
            Ok((reader, news))
        });
        (gone, read)
    });
    let (gone, read) = match read.await {
        Ok(found) => found,
        Err(panicked) => {
            tracing::error!("run {id}: reading its journal failed: {panicked}");
            return false;
        }
    };
    if gone {
        runs.note_concluding(id);
    }
    match read {
        Ok((reader, news)) => {
            readers.insert(id, reader);
            if news.last.is_some() {
                runs.take(id, &news);
                return true;
            }
            if gone {
                conclude(runs, id).await;
            }
            false
        }
        Err(error) => {
            if gone {
                tracing::error!("run {id}: {error}");
                conclude(runs, id).await;
            }
            false
        }
    }
}

fn read(reader: &mut JournalReader) -> Result<News, JournalError> {
    let mut news = News {
        found: Vec::new(),
        last: None,
        urgent: None,
        bytes: 0,
    };
    let Some(batch) = reader.read_batch(AT_ONCE)? else {
        return Ok(news);
    };
    let mut rest = batch.bytes.as_slice();
    // Output is nearly all of a journal, and only where it ends is asked here: of many such records, the last is parsed.
    let mut output = None;
    while let Ok(Some((seq, len))) = record::peek(rest) {
        let json = rest.get(record::HEADER + 4..len).unwrap_or_default();
        if json.starts_with(br#"{"type":"output""#) {
            output = Some(rest);
        } else if json.starts_with(br#"{"type":"build_log""#) {
            // It says nothing of the run as a whole, and there may be many.
        } else if let Ok(Some((record, _))) = record::decode(rest) {
            news.found.extend(output.take().and_then(end_of));
            if is_urgent(&record.event) {
                news.urgent = Some(seq);
            }
            news.found.push(Found::Event(record.event));
        }
        rest = &rest[len..];
    }
    news.found.extend(output.and_then(end_of));
    news.last = Some(batch.last_seq);
    news.bytes = batch.bytes.len() as u64;
    Ok(news)
}

/// Where the output ends with the record at the start of `bytes`.
fn end_of(bytes: &[u8]) -> Option<Found> {
    let (record, _) = record::decode(bytes).ok()??;
    let RunEvent::Output {
        offset,
        first_line,
        lines,
        ..
    } = record.event
    else {
        return None;
    };
    Some(Found::Output {
        lines: first_line.saturating_sub(1) + lines.len() as u64,
        bytes: offset + record.raw.len() as u64,
    })
}

/// What a reader shall see at once, however long other output may wait.
fn is_urgent(event: &RunEvent) -> bool {
    match event {
        RunEvent::Started { .. }
        | RunEvent::Phase { .. }
        | RunEvent::StopRequested { .. }
        | RunEvent::Finished { .. } => true,
        RunEvent::Notice { kind, .. } => *kind != NoticeKind::Warning,
        RunEvent::Progress { .. }
        | RunEvent::Built { .. }
        | RunEvent::BuildLog { .. }
        | RunEvent::Output { .. }
        | RunEvent::Gap { .. }
        | RunEvent::Checkpoint { .. } => false,
    }
}

impl Entry {
    /// Reads a journal as far as it is written now. Blocks; for the start only.
    pub(super) fn catch_up(&mut self) {
        let mut read_all = || -> Result<(), JournalError> {
            let mut reader = JournalReader::open(&self.dir.journal(), self.seen)?;
            loop {
                let news = read(&mut reader)?;
                if news.last.is_none() {
                    return Ok(());
                }
                self.take(&news);
            }
        };
        if let Err(error) = read_all() {
            tracing::warn!("run {}: {error}", self.id);
        }
    }

    fn take(&mut self, news: &News) {
        self.seen = news.last.unwrap_or(self.seen);
        self.urgent = news.urgent.unwrap_or(self.urgent);
        self.journaled += news.bytes;
        for found in &news.found {
            match found {
                // What was before it may be gone.
                Found::Event(RunEvent::Checkpoint { view, .. }) => self.view.clone_from(view),
                Found::Event(event) => self.view.apply(event, 0),
                Found::Output { lines, bytes } => {
                    (self.view.lines, self.view.bytes) = (*lines, *bytes);
                }
            }
        }
    }
}

impl Runs {
    /// Waits until this process has itself seen record `seq` of a run, or keeps the run no more. Who tells others of
    /// records waits for this: a dashboard that knows of an end may ask for the next run at once, or acknowledge.
    pub async fn until_seen(&self, id: RunId, seq: Seq) {
        let mut changes = self.changes();
        let is_behind = || {
            let entries = self.lock();
            entries
                .iter()
                .any(|entry| entry.id == id && entry.seen < seq)
        };
        while is_behind() && changes.changed().await.is_ok() {}
    }

    fn take(&self, id: RunId, news: &News) {
        let mut entries = self.lock();
        let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) else {
            return;
        };
        entry.take(news);
        drop(entries);
        self.changed();
    }

    /// How long a run's supervisor is still waited for, as far as that is known without its directory.
    fn patience(&self, id: RunId) -> Option<Patience> {
        let mut entries = self.lock();
        let entry = entries.iter_mut().find(|entry| entry.id == id)?;
        let tried = entry
            .concluded
            .is_some_and(|at| at.elapsed() < CONCLUDE_AGAIN);
        let child = entry.child.as_mut();
        let starting = child.map(|child| matches!(child.try_wait(), Ok(None)));
        (!tried).then_some(Patience {
            starting,
            known_for: entry.known_since.elapsed(),
        })
    }

    /// The end of its journal is about to be written for it: not again for a while.
    fn note_concluding(&self, id: RunId) {
        let mut entries = self.lock();
        if let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) {
            entry.concluded = Some(Instant::now());
        }
    }
}

/// See [`Runs::patience`].
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// Whether the child that starts it goes on; none where another agent started it.
    starting: Option<bool>,
    known_for: Duration,
}

impl Patience {
    /// Whether the run's supervisor is dead. One that is only just starting is not. Blocks.
    fn ends_at(self, dir: &RunDir) -> bool {
        let starting = self.starting.unwrap_or_else(|| {
            let grace = if dir.was_begun() {
                ADOPTED_GRACE
            } else {
                START_GRACE
            };
            self.known_for < grace
        });
        !starting && !dir.is_alive()
    }
}

/// Has the end of a journal written whose supervisor will not.
async fn conclude(runs: &Runs, id: RunId) {
    let launcher = Arc::clone(&runs.launcher);
    match spawn_blocking(move || launcher.conclude(id)).await {
        Ok(Ok(())) => tracing::warn!("run {id}: its supervisor is gone; the run is lost"),
        Ok(Err(error)) => tracing::error!("run {id}: its end cannot be written: {error:#}"),
        Err(panicked) => tracing::error!("run {id}: {panicked}"),
    }
}
