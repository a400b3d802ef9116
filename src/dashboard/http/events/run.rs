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
use tokio::time::Instant;

use super::{event, last_event_id, respond};
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::http::error::HttpError;
use crate::dashboard::http::runs::{query, stored};
use crate::dashboard::live::{Reader, Tip};
use crate::dashboard::store::StoreError;
use crate::dashboard::store::output::lines::show;
use crate::run::id::RunId;
use crate::wire::api::{LogLine, LogLines, Partial, Run, Skipped};

/// The most lines in one event.
const MAX_LINES: usize = 500;
/// How often `run` comes while only its counters grow.
const COUNTERS: Duration = Duration::from_millis(250);
/// How long to wait for the hub to publish a run that is in the store already.
const PUBLISHED: Duration = Duration::from_millis(20);

/// The fewest lines that a reader may be behind before it skips.
const LEAST_BEHIND: u64 = 100;

/// Where to begin, and whether to skip.
#[derive(Debug, serde::Deserialize)]
pub struct FromQuery {
    from: Option<u64>,
    behind: Option<u64>,
}

/// The stream.
pub async fn stream(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    asked: Result<Query<FromQuery>, QueryRejection>,
) -> Result<Response, HttpError> {
    let asked = query(asked)?;
    let from = asked.from.unwrap_or(1);
    let next = last_event_id(&headers).map_or(from, |last| last.saturating_add(1));
    let run = stored(&app, &id).await?.id;
    let follow = Follow {
        app,
        run,
        next: next.max(1),
        behind: asked.behind.map(|lines| lines.max(LEAST_BEHIND)),
        live: None,
        shown: None,
        shown_at: Instant::now(),
        told: None,
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
    /// When more lines than this wait to be sent, only the newest ones of them are.
    behind: Option<u64>,
    live: Option<Reader>,
    /// The run as it was last sent.
    shown: Option<Arc<Run>>,
    shown_at: Instant,
    /// When the end of the run was told that was last sent.
    told: Option<Instant>,
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
            self.skip(&tip);
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
            if tip.over {
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
            if let Some(Reader { tips, .. }) = &mut self.live {
                return Ok(Some(tips.borrow_and_update().clone()));
            }
            let Some(row) = self.app.store.run(self.run).await? else {
                return Ok(None);
            };
            if row.is_complete() {
                return Ok(Some(Tip {
                    run: Arc::new(row.show(&self.app.fleet)),
                    lines: self.app.store.output_end(self.run).await?.lines,
                    partial: Arc::from(""),
                    over: true,
                    at: Instant::now(),
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
        // An estimate that is told again is news, even with the same number: what a reader counts down is another one.
        let told = tip.run.eta.map(|_| tip.at);
        if let Some(shown) = &self.shown {
            if **shown == *tip.run && self.told == told {
                return None;
            }
            let same = Run {
                lines: shown.lines,
                bytes: shown.bytes,
                bytes_pending: shown.bytes_pending,
                ..(*tip.run).clone()
            };
            let due = self.shown_at + COUNTERS;
            // Nothing comes after the end: the last counters are told at once.
            let same = same == **shown && self.told == told;
            if same && !tip.over && Instant::now() < due {
                return Some(due);
            }
        }
        self.shown = Some(Arc::clone(&tip.run));
        self.shown_at = Instant::now();
        self.told = told;
        self.ready.extend(event("run", None, &*tip.now()));
        None
    }

    /// Lets a reader that cannot keep up go on with the newest lines, and says which ones it was not sent.
    fn skip(&mut self, tip: &Tip) {
        let Some(behind) = self.behind else { return };
        let next = (tip.lines + 1).saturating_sub(behind);
        if next <= self.next {
            return;
        }
        let skipped = Skipped {
            from: self.next,
            to: next - 1,
        };
        self.next = next;
        self.ready
            .extend(event("skipped", Some(skipped.to), &skipped));
    }

    async fn show_lines(&mut self, tip: &Tip) -> Result<(), StoreError> {
        let recent = self
            .live
            .as_ref()
            .and_then(|reader| reader.channel.recent(self.next, MAX_LINES));
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
                complete: tip.over && next > tip.lines,
                marked: Vec::new(),
            };
            self.ready.extend(event("lines", Some(next - 1), &data));
        }
        Ok(())
    }

    /// Waits for news. None when there will be none.
    async fn changed(&mut self, look_again: Option<Instant>) -> Option<()> {
        let Some(Reader { tips, .. }) = &mut self.live else {
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
