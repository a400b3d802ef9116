//! Following the journals of runs that are not over, connected or not: what heartbeats say of them, and their end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::{Entry, Runs};
use crate::agent::journal::{self, JournalError, JournalReader};
use crate::agent::launch;
use crate::agent::run_dir::RunDir;
use crate::base::clock;
use crate::run::event::RunEvent;
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

/// Events without the output, whose bytes nobody looks at here, and the newest record.
struct News {
    events: Vec<RunEvent>,
    last: Option<Seq>,
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
    // Asked before reading: what a supervisor wrote before it died is then surely read.
    let gone = ask && runs.is_gone(id, &dir);
    let reader = match readers.remove(&id) {
        Some(reader) => Ok(reader),
        None => JournalReader::open(&dir.journal(), seen),
    };
    let read = spawn_blocking(move || -> Result<_, JournalError> {
        let mut reader = reader?;
        let news = read(&mut reader)?;
        Ok((reader, news))
    });
    match read.await {
        Ok(Ok((reader, news))) => {
            readers.insert(id, reader);
            if news.last.is_some() {
                runs.take(id, &news);
                return true;
            }
            if gone {
                conclude(id, dir, None).await;
            }
            false
        }
        Ok(Err(error)) => {
            if gone {
                tracing::error!("run {id}: {error}");
                conclude(id, dir, Some(error)).await;
            }
            false
        }
        Err(panicked) => {
            tracing::error!("run {id}: reading its journal failed: {panicked}");
            false
        }
    }
}

fn read(reader: &mut JournalReader) -> Result<News, JournalError> {
    let mut news = News {
        events: Vec::new(),
        last: None,
    };
    let Some(batch) = reader.read_batch(AT_ONCE)? else {
        return Ok(news);
    };
    let mut rest = batch.bytes.as_slice();
    while let Ok(Some((_, len))) = record::peek(rest) {
        let json = rest.get(record::HEADER + 4..len).unwrap_or_default();
        // Output is nearly all of a journal and changes nothing here: it is not even parsed.
        if !json.starts_with(br#"{"type":"output""#)
            && let Ok(Some((record, _))) = record::decode(rest)
        {
            news.events.push(record.event);
        }
        rest = &rest[len..];
    }
    news.last = Some(batch.last_seq);
    Ok(news)
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
        for event in &news.events {
            self.view.apply(event, 0);
        }
    }
}

impl Runs {
    fn take(&self, id: RunId, news: &News) {
        let mut entries = self.lock();
        let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) else {
            return;
        };
        entry.take(news);
        drop(entries);
        self.changed();
    }

    /// Whether the run's supervisor is dead. One that is only just starting is not.
    fn is_gone(&self, id: RunId, dir: &RunDir) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.iter_mut().find(|entry| entry.id == id) else {
            return false;
        };
        let starting = match &mut entry.child {
            Some(child) => matches!(child.try_wait(), Ok(None)),
            None => entry.known_since.elapsed() < ADOPTED_GRACE,
        };
        !starting && !dir.is_alive()
    }
}

/// Writes the end of a journal whose supervisor will not.
async fn conclude(id: RunId, dir: RunDir, damage: Option<JournalError>) {
    let concluded = spawn_blocking(move || -> anyhow::Result<()> {
        let _lock = dir.lock_only()?;
        let mut reason = String::from("the supervisor ended without a word");
        if let Some(words) = launch::last_words(dir.path()) {
            reason = format!("{reason} (its last one: {words})");
        }
        if let Some(JournalError::Damaged {
            path, offset, why, ..
        }) = damage
        {
            std::fs::OpenOptions::new()
                .write(true)
                .open(path)?
                .set_len(offset)?;
            reason = format!("{reason}, and its journal was damaged at byte {offset} ({why})");
        }
        reason.push_str("; what it had written before is kept. Was it killed, or the host restarted? Look at the host's state, then run the command again");
        journal::conclude(&dir.journal(), clock::now(), &reason)
    });
    match concluded.await {
        Ok(Ok(())) => tracing::warn!("run {id}: its supervisor is gone; the run is lost"),
        Ok(Err(error)) => tracing::error!("run {id}: its end cannot be written: {error:#}"),
        Err(panicked) => tracing::error!("run {id}: {panicked}"),
    }
}
