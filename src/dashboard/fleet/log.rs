//! What happened to hosts, until the store has it. A store that takes nothing costs the oldest of it and nothing else.

use std::collections::VecDeque;

use crate::base::clock::Millis;
use crate::dashboard::store::host_events::{BATCH, NewHostEvent};
use crate::run::id::HostName;
use crate::wire::api::HostEventKind;

/// The most events that wait: some megabytes.
pub const MAX_WAITING: usize = 20_000;

/// Something that has just happened to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct News {
    pub kind: HostEventKind,
    pub last_seen: Option<Millis>,
    pub flap: bool,
    pub detail: String,
}

impl News {
    /// News without more to it than words.
    pub fn new(kind: HostEventKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            last_seen: None,
            flap: false,
            detail: detail.into(),
        }
    }
}

/// Events that wait for the store, oldest first.
#[derive(Debug, Default)]
pub(super) struct Log {
    waiting: VecDeque<NewHostEvent>,
    /// Maintenances that are over, for the store to forget.
    pub ended: Vec<(HostName, Millis)>,
    /// How many were dropped since the start.
    pub dropped: u64,
}

impl Log {
    /// Takes what has just happened to a host.
    pub fn take(&mut self, host: &HostName, at: Millis, news: &mut Vec<News>) {
        for News {
            kind,
            last_seen,
            flap,
            detail,
        } in news.drain(..)
        {
            self.waiting.push_back(NewHostEvent {
                at,
                host: host.clone(),
                kind,
                last_seen,
                flap,
                detail,
            });
        }
        self.cut();
    }

    /// The oldest ones, as many as one transaction takes.
    pub fn batch(&mut self) -> Vec<NewHostEvent> {
        let n = self.waiting.len().min(BATCH);
        self.waiting.drain(..n).collect()
    }

    /// Gives back what could not be written.
    pub fn give_back(&mut self, events: Vec<NewHostEvent>) {
        for event in events.into_iter().rev() {
            self.waiting.push_front(event);
        }
        self.cut();
    }

    /// Leaves out a host that is gone.
    pub fn forget(&mut self, host: &HostName) {
        self.waiting.retain(|event| &event.host != host);
        self.ended.retain(|(own, _)| own != host);
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    fn cut(&mut self) {
        let over = self.waiting.len().saturating_sub(MAX_WAITING);
        self.waiting.drain(..over);
        self.dropped += over as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_dropped_and_counted_and_what_is_given_back_keeps_its_place() {
        let host: HostName = "web1".parse().unwrap();
        let mut log = Log::default();
        let put = |log: &mut Log, at| {
            log.take(&host, at, &mut vec![News::new(HostEventKind::Online, "")]);
        };
        for at in 0..MAX_WAITING as u64 + 5 {
            put(&mut log, at);
        }
        assert_eq!((log.len(), log.dropped), (MAX_WAITING, 5));
        let batch = log.batch();
        assert_eq!((batch.len(), batch[0].at), (BATCH, 5));
        put(&mut log, 99);
        log.give_back(batch);
        assert_eq!((log.len(), log.dropped), (MAX_WAITING, 6));
        assert_eq!(log.batch()[0].at, 6);
        log.forget(&host);
        assert_eq!(log.len(), 0);
    }
}
