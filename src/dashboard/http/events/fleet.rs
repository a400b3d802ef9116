//! `GET /api/events`: all hosts and runs, live.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::{event, last_event_id, respond};
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::http::error::HttpError;
use crate::dashboard::live::Change;
use crate::dashboard::store::StoreError;
use crate::run::id::{HostName, RunId};

/// Changes that come within this time are sent together, each thing once.
const TOGETHER: Duration = Duration::from_millis(50);
/// The most transitions that are looked up after a break; a reader that was away for longer has the runs from `/api/runs`.
const MAX_MISSED: u32 = 2000;

/// The stream.
pub async fn stream(
    _: Viewer,
    State(app): State<AppState>,
    headers: HeaderMap,
) -> Result<Response, HttpError> {
    // First listen, then look: what happens between the two is sent twice rather than not at all.
    let changes = app.live.changes();
    let mut reader = Reader {
        position: app.store.last_event().await?,
        app,
        changes,
        ready: VecDeque::new(),
    };
    reader.whole(last_event_id(&headers)).await?;
    Ok(respond(stream::unfold(reader, |mut reader| async {
        let event = reader.next_event().await?;
        Some((Ok::<_, Infallible>(event), reader))
    })))
}

/// What changed since the last events, each thing once.
#[derive(Debug, Default)]
struct News {
    hosts: BTreeSet<HostName>,
    runs: BTreeMap<RunId, Option<u64>>,
    /// Whether the whole picture is needed: a host is gone, or something was missed.
    whole: bool,
    missed: bool,
    alerts: bool,
}

/// What says no more than its name.
#[derive(serde::Serialize)]
struct Empty {}

struct Reader {
    app: AppState,
    changes: Receiver<Change>,
    /// The newest transition that was sent.
    position: u64,
    ready: VecDeque<Event>,
}

impl Reader {
    /// All hosts, and the runs that changed after transition `since`.
    async fn whole(&mut self, since: Option<u64>) -> Result<(), StoreError> {
        let hosts = self.app.fleet.hosts();
        let mut missed = BTreeMap::new();
        if let Some(since) = since.filter(|since| *since < self.position) {
            for event in self.app.store.events_after(since, None, MAX_MISSED).await? {
                if let Some(run) = event.run {
                    missed.insert(run, Some(event.id));
                }
            }
        }
        // The position goes with the last event of the picture: a break in the middle of it starts it again.
        let last = missed.is_empty().then_some(self.position);
        self.ready.extend(event("hosts", last, &hosts));
        self.runs(missed).await
    }

    async fn runs(&mut self, runs: BTreeMap<RunId, Option<u64>>) -> Result<(), StoreError> {
        let newest = runs.values().flatten().max().copied();
        let n_runs = runs.len();
        for (n, run) in runs.into_keys().enumerate() {
            let id = newest.filter(|_| n + 1 == n_runs);
            if let Some(live) = self.app.live.run(run) {
                self.ready.extend(event("run", id, &*live));
            } else if let Some(row) = self.app.store.run(run).await? {
                self.ready
                    .extend(event("run", id, &row.show(&self.app.fleet)));
            }
        }
        self.position = self.position.max(newest.unwrap_or(0));
        Ok(())
    }

    async fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            let news = self.news().await?;
            let done = if news.whole {
                let position = self.position;
                match self.app.store.last_event().await {
                    Ok(last) => self.position = last,
                    Err(_) => return None,
                }
                self.whole(news.missed.then_some(position)).await
            } else {
                Ok(())
            };
            for host in &news.hosts {
                if let Some(host) = self.app.fleet.host(host) {
                    self.ready.extend(event("host", None, &host));
                }
            }
            if news.alerts || news.missed {
                self.ready.extend(event("alerts", None, &Empty {}));
            }
            if let Err(error) = done.and(self.runs(news.runs).await) {
                tracing::error!("a stream breaks off: {error}");
                return None;
            }
        }
    }

    /// Waits for changes, and a moment longer for those that come with them. None at the end.
    async fn news(&mut self) -> Option<News> {
        let mut news = News::default();
        let first = tokio::select! {
            first = self.changes.recv() => first,
            () = self.app.shutdown.cancelled() => return None,
        };
        match first {
            Ok(change) => news.add(change),
            Err(RecvError::Lagged(_)) => news.lagged(),
            Err(RecvError::Closed) => return None,
        }
        tokio::time::sleep(TOGETHER).await;
        loop {
            match self.changes.try_recv() {
                Ok(change) => news.add(change),
                Err(TryRecvError::Lagged(_)) => news.lagged(),
                Err(TryRecvError::Empty | TryRecvError::Closed) => return Some(news),
            }
        }
    }
}

impl News {
    fn add(&mut self, change: Change) {
        match change {
            Change::Host(host) => {
                self.hosts.insert(host);
            }
            Change::Run(run, event) => {
                let newest = self.runs.entry(run).or_default();
                *newest = event.max(*newest);
            }
            Change::Removed(_) => self.whole = true,
            Change::Alerts => self.alerts = true,
        }
    }

    fn lagged(&mut self) {
        self.whole = true;
        self.missed = true;
    }
}
