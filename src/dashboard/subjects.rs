//! Messages by subject: from whoever publishes to all who listen, agents and readers of the HTTP API alike.
//!
//! Nothing is stored and nothing waits: a publisher is refused over its rate, and one who does not take its messages loses
//! the oldest, counted. Nobody hears another organization's messages.

pub mod mailbox;
mod rate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::time::Instant;

use self::mailbox::Mailbox;
use self::rate::Rates;
use crate::dashboard::live::lock;
use crate::wire::subject::{Organization, Pattern, Subject};
use crate::wire::to_agent::Message;
use crate::wire::{MAX_PATTERNS, MAX_PAYLOAD};

/// The most readers of the HTTP API at the same time.
pub const MAX_READERS: usize = 256;

/// Why a message is not passed on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The payload is too large.
    #[error("the payload has {0} bytes, more than {MAX_PAYLOAD}")]
    TooLarge(usize),
    /// The publisher sent too much lately.
    #[error("{0}; wait a moment")]
    TooMany(&'static str),
    /// One connection listens to too much.
    #[error("more than {MAX_PATTERNS} patterns")]
    TooManyPatterns,
    /// Too many readers of the HTTP API.
    #[error("{MAX_READERS} readers listen already")]
    TooManyReaders,
}

/// Something to be sent, as it came in.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// In whose organization.
    pub organization: &'a Organization,
    /// What it is about.
    pub subject: Subject,
    /// What it says.
    pub payload: serde_json::Value,
    /// Where an answer is awaited.
    pub reply_to: Option<Subject>,
    /// Who sends it: a host's name, or `operator NAME`.
    pub from: &'a str,
}

/// All who listen. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Subjects(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    n_readers: usize,
    listeners: HashMap<u64, Listener>,
    /// Listeners by organization and their patterns' roots, so that a message is held against few of them.
    by_root: HashMap<Organization, HashMap<Root, BTreeSet<u64>>>,
    rates: Rates,
}

/// The literal beginning of a pattern; none where it begins with a wildcard.
type Root = Option<Box<str>>;

#[derive(Debug)]
struct Listener {
    organization: Organization,
    patterns: Vec<Pattern>,
    mailbox: Arc<Mailbox>,
    is_reader: bool,
}

/// A place among those who listen; it is left when this is dropped.
#[derive(Debug)]
pub struct Seat {
    subjects: Subjects,
    id: u64,
    /// Whose messages it hears.
    pub organization: Organization,
    /// What waits for this one.
    pub mailbox: Arc<Mailbox>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = lock(&self.subjects.0);
        state.unindex(self.id);
        if state
            .listeners
            .remove(&self.id)
            .is_some_and(|gone| gone.is_reader)
        {
            state.n_readers -= 1;
        }
    }
}

impl Seat {
    /// Listens to these patterns and no longer to those before.
    ///
    /// # Errors
    /// There are too many; those before stay.
    pub fn listen(&self, patterns: Vec<Pattern>) -> Result<(), Refused> {
        if patterns.len() > MAX_PATTERNS {
            return Err(Refused::TooManyPatterns);
        }
        let mut state = lock(&self.subjects.0);
        state.unindex(self.id);
        if let Some(listener) = state.listeners.get_mut(&self.id) {
            listener.patterns = patterns;
        }
        state.index(self.id);
        Ok(())
    }
}

impl Subjects {
    /// A place for an agent's connection, which listens to nothing yet.
    pub fn join(&self, organization: &Organization) -> Seat {
        self.seat(&mut lock(&self.0), organization, false)
    }

    /// A place for a reader of the HTTP API.
    ///
    /// # Errors
    /// There are too many readers or patterns.
    pub fn read(
        &self,
        organization: &Organization,
        patterns: Vec<Pattern>,
    ) -> Result<Seat, Refused> {
        let seat = {
            let mut state = lock(&self.0);
            if state.n_readers >= MAX_READERS {
                return Err(Refused::TooManyReaders);
            }
            state.n_readers += 1;
            self.seat(&mut state, organization, true)
        };
        seat.listen(patterns)?;
        Ok(seat)
    }

    fn seat(&self, state: &mut State, organization: &Organization, is_reader: bool) -> Seat {
        state.next_id += 1;
        let (id, mailbox) = (state.next_id, Arc::new(Mailbox::default()));
        let listener = Listener {
            organization: organization.clone(),
            patterns: Vec::new(),
            mailbox: Arc::clone(&mailbox),
            is_reader,
        };
        state.listeners.insert(id, listener);
        Seat {
            subjects: self.clone(),
            id,
            organization: organization.clone(),
            mailbox,
        }
    }

    /// Passes a message on to all who listen, and answers how many those are.
    ///
    /// # Errors
    /// It is too large, or its publisher has sent too much.
    pub fn publish(&self, message: &Outgoing) -> Result<u32, Refused> {
        let payload = serde_json::to_string(&message.payload).unwrap_or_default();
        // Rates count for a name: a new connection does not make them new.
        lock(&self.0)
            .rates
            .take(message.from, payload.len(), Instant::now())
            .map_err(Refused::TooMany)?;
        if payload.len() > MAX_PAYLOAD {
            return Err(Refused::TooLarge(payload.len()));
        }
        let listeners = lock(&self.0).listeners_of(message.organization, &message.subject);
        if listeners.is_empty() {
            return Ok(0);
        }
        // Written once, whoever hears it.
        let json: Arc<str> = json(message, &payload).into();
        for mailbox in &listeners {
            mailbox.put(Arc::clone(&json));
        }
        Ok(u32::try_from(listeners.len()).unwrap_or(u32::MAX))
    }
}

/// The JSON of [`Message`], with a payload that is written already; a test holds the two together.
fn json(message: &Outgoing, payload: &str) -> String {
    #[derive(Serialize)]
    struct Rest<'a> {
        subject: &'a Subject,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<&'a Subject>,
        from: &'a str,
    }
    let rest = Rest {
        subject: &message.subject,
        reply_to: message.reply_to.as_ref(),
        from: message.from,
    };
    let mut json = serde_json::to_string(&rest).unwrap_or_default();
    // An object with one more field, the one that is large.
    json.truncate(json.len().saturating_sub(1));
    json.reserve(payload.len() + 16);
    json.push_str(",\"payload\":");
    json.push_str(payload);
    json.push('}');
    json
}

/// What a mailbox holds, as a message again.
///
/// # Errors
/// It is none, which cannot be.
pub fn message(json: &str) -> Result<Message, serde_json::Error> {
    serde_json::from_str(json)
}

impl State {
    fn index(&mut self, id: u64) {
        let Some(listener) = self.listeners.get(&id) else {
            return;
        };
        if listener.patterns.is_empty() {
            return;
        }
        let roots = self
            .by_root
            .entry(listener.organization.clone())
            .or_default();
        for pattern in &listener.patterns {
            let root = pattern.root().map(Box::from);
            roots.entry(root).or_default().insert(id);
        }
    }

    fn unindex(&mut self, id: u64) {
        let Some(listener) = self.listeners.get(&id) else {
            return;
        };
        let Some(roots) = self.by_root.get_mut(&listener.organization) else {
            return;
        };
        for pattern in &listener.patterns {
            let root: Root = pattern.root().map(Box::from);
            if let Some(ids) = roots.get_mut(&root) {
                ids.remove(&id);
                if ids.is_empty() {
                    roots.remove(&root);
                }
            }
        }
        if roots.is_empty() {
            self.by_root.remove(&listener.organization);
        }
    }

    fn listeners_of(&self, organization: &Organization, subject: &Subject) -> Vec<Arc<Mailbox>> {
        let Some(roots) = self.by_root.get(organization) else {
            return Vec::new();
        };
        let ids: BTreeSet<u64> = [Some(Box::from(subject.root())), None]
            .iter()
            .filter_map(|root: &Root| roots.get(root))
            .flatten()
            .copied()
            .collect();
        ids.iter()
            .filter_map(|id| self.listeners.get(id))
            .filter(|listener| {
                listener
                    .patterns
                    .iter()
                    .any(|pattern| pattern.matches(subject))
            })
            .map(|listener| Arc::clone(&listener.mailbox))
            .collect()
    }
}
