//! The one task that owns the state of runs. It commits, then acknowledges, then publishes; many agents' records go into
//! one transaction.

mod apply;
pub mod counters;
mod draft;
mod earlier;
mod flush;
mod foresee;
mod operators;
mod output;
pub mod pushed;
pub mod queue;
mod records;
mod register;
pub mod requests;
pub mod sanitize;
mod silence;
#[cfg(test)]
mod tests;
mod track;
mod v2;
mod verify;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc};
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use crate::base::clock;
use crate::dashboard::agents::peer::{Closing, FromAgent, Peer};
use crate::dashboard::fleet::Fleet;
use crate::dashboard::history::History;
use crate::dashboard::history::forecast::Forecast;
use crate::dashboard::live::{Live, lock};
use crate::dashboard::store::{Store, StoreError};
use crate::run::id::RunId;
use counters::Counters;
use draft::Draft;
use earlier::Lookups;
use queue::Queue;
use requests::HubRequest;
use track::Track;
use v2::V2;

/// The most requests of operators that wait.
const MAX_REQUESTS: usize = 256;
/// The most connections whose records go into one transaction.
const MAX_PEERS: usize = 64;
/// No further connection joins a transaction that has this many bytes of records.
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// How long the hub waits after a failed commit, so that agents do not resend into a full disk as fast as they can.
const PAUSE: Duration = Duration::from_secs(1);
/// A commit that takes so long is worth a word: everything live waits for it.
const SLOW: Duration = Duration::from_secs(1);
/// How often it looks at the deadlines of runs.
const TICK: Duration = Duration::from_secs(1);

/// How much waits for the hub.
#[derive(Debug, Clone, Copy)]
pub struct Waits {
    /// Requests of operators.
    pub requests: usize,
    /// Connections that have something for it.
    pub connections: usize,
    /// Pushed lines.
    pub pushes: usize,
}

/// The front of the hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HubHandle {
    requests: mpsc::Sender<HubRequest>,
    ready: Arc<Ready>,
    /// Room for pushed lines that wait.
    pushes: Arc<Semaphore>,
    /// Figures for `/metrics`.
    pub counters: Arc<Counters>,
}

/// The connections that have something for the hub; each is listed at most once.
#[derive(Debug, Default)]
struct Ready {
    peers: Mutex<VecDeque<Arc<Peer>>>,
    wake: Notify,
}

impl HubHandle {
    /// Hands over what an agent said. Never waits.
    ///
    /// # Errors
    /// The agent sent more than its window, and is to be closed.
    pub fn deliver(&self, peer: &Arc<Peer>, message: FromAgent) -> Result<(), Closing> {
        if peer.receive(message)? {
            lock(&self.ready.peers).push_back(Arc::clone(peer));
            self.ready.wake.notify_one();
        }
        Ok(())
    }

    /// The connection is over. What it said waits for the hub no longer if it was never welcome: agents that try again and again
    /// while a disk stalls must not pile up here.
    pub fn withdraw(&self, peer: &Peer) {
        if !peer.is_welcome() {
            lock(&self.ready.peers).retain(|waiting| waiting.id != peer.id);
        }
    }

    /// How much waits for the hub now.
    pub fn waiting(&self) -> Waits {
        Waits {
            requests: MAX_REQUESTS - self.requests.capacity(),
            connections: lock(&self.ready.peers).len(),
            pushes: pushed::MAX_WAITING - self.pushes.available_permits(),
        }
    }
}

/// The hub's task.
#[derive(Debug)]
pub struct Hub {
    store: Store,
    fleet: Fleet,
    live: Live,
    /// The runs that are not over.
    runs: HashMap<RunId, Track>,
    /// Those of them that wait for their hosts.
    queue: Queue,
    requests: mpsc::Receiver<HubRequest>,
    ready: Arc<Ready>,
    counters: Arc<Counters>,
    /// How long builds took, as the store has it.
    history: History,
    /// What is known of the runs that go on to tell their ends from.
    forecasts: HashMap<RunId, Forecast>,
    /// What looks up what earlier runs took, beside the hub's own work.
    lookups: Lookups,
    /// What is known of agents of the earlier protocol.
    v2: V2,
}

impl Hub {
    /// The hub with the unfinished runs of the store.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn open(
        store: Store,
        fleet: Fleet,
        live: Live,
    ) -> Result<(Self, HubHandle), StoreError> {
        let (sender, requests) = mpsc::channel(MAX_REQUESTS);
        let handle = HubHandle {
            requests: sender,
            ready: Arc::default(),
            pushes: Arc::new(Semaphore::new(pushed::MAX_WAITING)),
            counters: Arc::default(),
        };
        let history = History::new(store.build_times().await?);
        let mut hub = Self {
            history,
            forecasts: HashMap::new(),
            lookups: Lookups::default(),
            v2: V2::default(),
            store,
            fleet,
            live,
            runs: HashMap::new(),
            queue: Queue::new(),
            requests,
            ready: Arc::clone(&handle.ready),
            counters: Arc::clone(&handle.counters),
        };
        for row in hub.store.live_runs().await? {
            let end = hub.store.output_end(row.id).await?;
            hub.begin_forecast(&row, row.created_at);
            let mut track = Track::new(row, end);
            hub.foresee(&mut track, clock::now());
            hub.live.publish(track.tip(&hub.fleet), Vec::new());
            if track.row.is_waiting() {
                hub.note_waiting(&track.row);
            } else {
                hub.fleet
                    .set_activity(&track.row.host, track.row.id, track.activity());
            }
            hub.runs.insert(track.row.id, track);
        }
        Ok((hub, handle))
    }

    /// Works until `shutdown`, then commits what has already arrived.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let mut draft = Draft::new(clock::now());
            let mut ticked = false;
            let due = self.v2.due();
            let stopping = tokio::select! {
                biased;
                () = shutdown.cancelled() => true,
                Some(request) = self.requests.recv() => {
                    self.request(&mut draft, request).await;
                    false
                }
                () = self.ready.wake.notified() => false,
                Some(found) = self.lookups.next() => {
                    self.looked_up(&mut draft, found);
                    false
                }
                () = self.live.reader_changes() => {
                    self.readers_changed();
                    false
                }
                () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => false,
                _ = tick.tick() => {
                    self.look_at_v2(&mut draft).await;
                    self.give_up_untaken(&mut draft).await;
                    self.give_up_silent(&mut draft).await;
                    self.give_up_waiting(&mut draft).await;
                    self.give_up_absent(&mut draft).await;
                    self.look_again(&mut draft);
                    ticked = true;
                    false
                }
            };
            self.gather(&mut draft).await;
            self.end_heard(&mut draft).await;
            self.start_waiting(&mut draft, ticked).await;
            self.finish(draft).await;
            if stopping && lock(&self.ready.peers).is_empty() {
                return;
            }
        }
    }

    /// Adds what waits, up to the limits of one transaction.
    async fn gather(&mut self, draft: &mut Draft) {
        let mut n_bytes = 0;
        for _ in 0..MAX_PEERS {
            if n_bytes >= MAX_BYTES {
                break;
            }
            let Some(peer) = lock(&self.ready.peers).pop_front() else {
                break;
            };
            for message in peer.take_incoming() {
                match message {
                    FromAgent::Registered(register) => {
                        self.registered(draft, &peer, *register).await;
                    }
                    FromAgent::Records(batch) => {
                        n_bytes += batch.n_bytes;
                        self.records(draft, &peer, batch).await;
                    }
                    FromAgent::Status(status) => self.status(draft, &peer, *status).await,
                    FromAgent::Rejected(rejected) => self.rejected(draft, &peer, rejected).await,
                    FromAgent::V2(heard) => {
                        n_bytes += heard.n_bytes();
                        self.heard(draft, &peer, heard).await;
                    }
                }
            }
            self.write_heard(draft, &peer.host).await;
        }
        for _ in 0..MAX_REQUESTS {
            if n_bytes >= MAX_BYTES {
                break;
            }
            let Ok(request) = self.requests.try_recv() else {
                break;
            };
            n_bytes += request.n_bytes();
            self.request(draft, request).await;
        }
        if !lock(&self.ready.peers).is_empty() {
            self.ready.wake.notify_one();
        }
    }

    /// Commits, acknowledges, publishes.
    async fn finish(&mut self, mut draft: Draft) {
        use std::sync::atomic::Ordering::Relaxed;
        // Before the commit: a percentage that readers have seen is in the store, and a restart does not take it back.
        self.foresee_changed(&mut draft);
        let mut commit = draft.commit();
        commit.learnt = self.history.learn(&draft.built(), draft.now);
        let event = if commit.is_empty() {
            Ok(0)
        } else {
            let began = Instant::now();
            let done = self.store.commit(&commit).await;
            let took = began.elapsed();
            self.counters.commit_time.observe(took);
            if took >= SLOW {
                tracing::warn!(
                    records = draft.n_records,
                    "the store took {took:.1?} to commit: all that is live comes later by that; is its disk busy?"
                );
            }
            done
        };
        match event {
            Ok(event) => {
                if !commit.is_empty() {
                    self.counters.commits.fetch_add(1, Relaxed);
                    self.counters.records.fetch_add(draft.n_records, Relaxed);
                }
                self.history.accept(commit.learnt);
                draft.succeed(event, self);
            }
            Err(error) => {
                tracing::error!("nothing was stored: {error}; agents keep it and send it again");
                self.counters.failures.fetch_add(1, Relaxed);
                tokio::time::sleep(PAUSE).await;
                draft.fail(&error);
            }
        }
    }
}
