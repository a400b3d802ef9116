//! Alerts: what is not as it should be, kept until it is over, and told to those who want to know.
//!
//! ```text
//!  fleet, events of the store --> memory, readings --> conditions --> engine --> store (alert and deliveries at once)
//!                                                                                  └--> delivery, one task a channel
//! ```
//!
//! - A look at the rules is pure: [`engine`]. What it says counts once it is in the store, together with what is to be told.
//! - A delivery has one id for all its tries, and none after the receiver has taken it. Only a dashboard that dies in the
//!   moment between a receiver's yes and its own commit says something twice, under the same id.
//! - Nothing here is waited for by heartbeats or output.

pub mod baseline;
pub mod channels;
pub mod conditions;
pub mod delivery;
pub mod engine;
pub mod memory;
pub mod message;
pub mod metric;
pub mod quiet;
pub mod reading;
pub mod retry;
pub mod rules;
pub mod settings;
pub mod template;
mod watch;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::channels::Channel;
use self::message::Notice;
use self::retry::Outcome;
use self::settings::{AlertSettings, Pace};
use crate::base::clock::{self, Millis};
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::{Live, lock};
use crate::dashboard::store::{Store, StoreError};
use watch::Watch;

/// When the dashboard's own certificate ends, as it is served.
pub type CertificateEnd = tokio::sync::watch::Receiver<Option<Millis>>;

/// A channel, and what wakes its task.
#[derive(Debug)]
pub struct Told {
    /// The channel.
    pub channel: Channel,
    /// Something may be due.
    wake: Notify,
    /// One test at a time.
    testing: tokio::sync::Mutex<()>,
}

/// What a test of a channel came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// The id that the receiver saw.
    pub delivery: String,
    /// What went wrong; none when it arrived.
    pub error: Option<String>,
}

/// The front of alerts. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Alerts {
    channels: Arc<Vec<Told>>,
    /// What went wrong in each channel's newest test.
    tests: Arc<Mutex<HashMap<String, String>>>,
    pace: Pace,
    link_base: Option<Arc<str>>,
}

impl Alerts {
    /// Reads the channels' secrets. Nothing is looked at yet.
    ///
    /// # Errors
    /// A file cannot be read; the text names it.
    pub fn open(settings: &AlertSettings, link_base: Option<&str>) -> anyhow::Result<Self> {
        let open = |channel: &settings::channel::ChannelSettings| -> anyhow::Result<Told> {
            Ok(Told {
                channel: Channel::open(channel.clone(), settings.pace.deadline)?,
                wake: Notify::new(),
                testing: tokio::sync::Mutex::new(()),
            })
        };
        let channels = settings.channels.iter().map(open);
        Ok(Self {
            channels: Arc::new(channels.collect::<Result<_, _>>()?),
            tests: Arc::default(),
            pace: settings.pace,
            link_base: link_base.map(Arc::from),
        })
    }

    /// Starts looking at the rules, and one task for each channel, in `tasks`; all of them end with `stop`.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn start(
        &self,
        settings: &AlertSettings,
        parts: (Store, Fleet, Live),
        certificate: Option<CertificateEnd>,
        stop: &CancellationToken,
        tasks: &mut JoinSet<()>,
    ) -> Result<(), StoreError> {
        let (store, fleet, live) = parts;
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        match store.abandon_channels(&names, clock::now()).await {
            Ok(0) => {}
            Ok(n) => tracing::warn!(
                "{n} deliveries are given up: their channels are no longer in the configuration"
            ),
            // On a full disk what is stored can still be read.
            Err(error) => tracing::error!("deliveries of channels that are gone wait on: {error}"),
        }
        let mut watch = Watch::open(self.clone(), settings, store.clone(), fleet, live).await?;
        watch.certificate = certificate;
        tasks.spawn(watch.run(stop.clone()));
        for place in 0..self.channels.len() {
            tasks.spawn(delivery::run(
                self.clone(),
                place,
                store.clone(),
                stop.clone(),
            ));
        }
        Ok(())
    }

    /// The channels.
    pub fn channels(&self) -> &[Told] {
        &self.channels
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let names = self.channels.iter();
        names.map(|told| told.channel.settings.name.as_str())
    }

    /// Something new is in the queue.
    fn wake(&self) {
        for told in self.channels.iter() {
            told.wake.notify_one();
        }
    }

    /// What went wrong in a channel's newest test.
    pub fn test_error(&self, channel: &str) -> Option<String> {
        lock(&self.tests).get(channel).cloned()
    }

    /// Tells a test on a channel, past the queue, and waits for what comes of it: at most the deadline of one try. None if
    /// there is no such channel, and an error if a test of it goes on.
    pub async fn test(&self, name: &str) -> Option<Result<Tested, ()>> {
        let mut channels = self.channels.iter();
        let told = channels.find(|told| told.channel.settings.name == name)?;
        let Ok(_one) = told.testing.try_lock() else {
            return Some(Err(()));
        };
        let now = clock::now();
        let delivery = Uuid::new_v4().to_string();
        let notice = Notice::test(now, self.link_base.as_deref());
        let message = told.channel.settings.templates.message(notice);
        let deadline = self.pace.deadline;
        let error = match told.channel.tell(&message, &delivery, now, deadline).await {
            Outcome::Sent => None,
            Outcome::Retry { why, .. } | Outcome::Refused { why } => Some(why),
        };
        let mut tests = lock(&self.tests);
        match &error {
            Some(why) => tests.insert(name.to_owned(), why.clone()),
            None => tests.remove(name),
        };
        drop(tests);
        Some(Ok(Tested { delivery, error }))
    }
}
