//! `GET /api/runs/{id}/events`: one run, live.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{event, last_event_id, respond};
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::http::error::HttpError;
use crate::dashboard::http::runs::{query, stored};
use crate::dashboard::live::{Channel, Tip};
use crate::dashboard::store::StoreError;
use crate::dashboard::store::output::lines::show;
use crate::run::id::RunId;
use crate::wire::api::{LogLine, LogLines, Partial, Run};

/// The most lines in one event.
const MAX_LINES: usize = 500;
/// How often `run` comes while only its counters grow.
const COUNTERS: Duration = Duration::from_millis(250);
/// How long to wait for the hub to publish a run that is in the store already.
const PUBLISHED: Duration = Duration::from_millis(20);

/// Where to begin.
#[derive(Debug, serde::Deserialize)]
pub struct FromQuery {
    from: Option<u64>,
}

/// The stream.
pub async fn stream(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<FromQuery>, QueryRejection>,
) -> Result<Response, HttpError> {
    let from = query(asked)?.from.unwrap_or(1);
    let next = last_event_id(&headers).map_or(from, |last| last.saturating_add(1));
    let run = stored(&app, &id).await?.id;
    let follow = Follow {
        app,
        run,
        next: next.max(1),
        live: None,
        shown: None,
        shown_at: Instant::now(),
        partial: Arc::from(""),
        ready: VecDeque::new(),
        over: false,
    };
    Ok(respond(stream::unfold(follow, |mut follow| async {
        let event = follow.next_event().await?;
        Some((Ok::<_, Infallible>(event), follow))
    })))
}

/// One reader of one run.
struct Follow {
    app: AppState,
    run: RunId,
    /// The line to send next.
    next: u64,
    live: Option<(Arc<Channel>, watch::Receiver<Tip>)>,
    /// The run as it was last sent.
    shown: Option<Arc<Run>>,
    shown_at: Instant,
    /// The unfinished line as it was last sent.
    partial: Arc<str>,
    ready: VecDeque<Event>,
    over: bool,
}

impl Follow {
    async fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.over || self.app.shutdown.is_cancelled() {
                return None;
            }
            let tip = match self.tip().await {
                Ok(tip) => tip?,
                Err(error) => {
                    tracing::error!(run = %self.run, "a stream breaks off: {error}");
                    return None;
                }
            };
            let wait = self.show_run(&tip);
            if self.next <= tip.lines {
                if let Err(error) = self.show_lines(&tip).await {
                    tracing::error!(run = %self.run, "a stream breaks off: {error}");
                    return None;
                }
                continue;
            }
            if tip.partial != self.partial {
                self.partial = Arc::clone(&tip.partial);
                let text = tip.partial.to_string();
                self.ready.extend(event("partial", None, &Partial { text }));
            }
            if tip.run.state.is_terminal() {
                self.over = true;
                self.ready
                    .extend(event("end", None, &serde_json::json!({})));
            }
            if self.ready.is_empty() {
                self.changed(wait).await?;
            }
        }
    }

    /// How the run stands: from the hub while it is live, else from the store. None if the run is gone.
    async fn tip(&mut self) -> Result<Option<Tip>, StoreError> {
        loop {
            if self.live.is_none() {
                self.live = self.app.live.watch(self.run);
            }
            if let Some((_, tips)) = &mut self.live {
                return Ok(Some(tips.borrow_and_update().clone()));
            }
            let Some(row) = self.app.store.run(self.run).await? else {
                return Ok(None);
            };
            if row.view.state.is_terminal() {
                return Ok(Some(Tip {
                    run: Arc::new(Run::from(&row)),
                    lines: self.app.store.output_end(self.run).await?.lines,
                    partial: Arc::from(""),
                }));
            }
            if self.app.shutdown.is_cancelled() {
                return Ok(None);
            }
            tokio::time::sleep(PUBLISHED).await;
        }
    }

    /// Sends the run if it changed. Answers when to look again at one whose counters grew a moment ago.
    fn show_run(&mut self, tip: &Tip) -> Option<Instant> {
        if let Some(shown) = &self.shown {
            if **shown == *tip.run {
                return None;
            }
            let same = Run {
                lines: shown.lines,
                bytes: shown.bytes,
                ..(*tip.run).clone()
            };
            let due = self.shown_at + COUNTERS;
            if same == **shown && Instant::now() < due {
                return Some(due);
            }
        }
        self.shown = Some(Arc::clone(&tip.run));
        self.shown_at = Instant::now();
        self.ready.extend(event("run", None, &*tip.run));
        None
    }

    async fn show_lines(&mut self, tip: &Tip) -> Result<(), StoreError> {
        let recent = self
            .live
            .as_ref()
            .and_then(|(channel, _)| channel.recent(self.next, MAX_LINES));
        let (lines, next): (Vec<LogLine>, u64) = if let Some(lines) = recent {
            let next = lines.last().map_or(tip.lines, |line| line.n) + 1;
            (lines, next)
        } else {
            let store = &self.app.store;
            let found = store.read_lines(self.run, self.next, MAX_LINES).await?;
            // Nothing where lines should be: they are gone, and waiting for them would never end.
            let next = if found.lines.is_empty() {
                tip.lines + 1
            } else {
                found.next
            };
            (found.lines.iter().map(show).collect(), next)
        };
        self.next = next;
        if !lines.is_empty() {
            let data = LogLines {
                lines,
                next,
                complete: tip.run.state.is_terminal() && next > tip.lines,
            };
            self.ready.extend(event("lines", Some(next - 1), &data));
        }
        Ok(())
    }

    /// Waits for news. None when there will be none.
    async fn changed(&mut self, look_again: Option<Instant>) -> Option<()> {
        let Some((_, tips)) = &mut self.live else {
            return Some(());
        };
        let again = async {
            match look_again {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = tips.changed() => changed.ok(),
            () = again => Some(()),
            () = self.app.shutdown.cancelled() => None,
        }
    }
}
