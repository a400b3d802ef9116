//! A run's output: by line, and exactly as it was written.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;

use super::error::HttpError;
use super::runs::{query, stored};
use crate::dashboard::access::Viewer;
use crate::dashboard::app::AppState;
use crate::dashboard::store::output::lines::show;
use crate::wire::api::{LogGap, LogGaps, LogLines};

/// Lines in one answer, unless `limit` says otherwise.
const DEFAULT_LIMIT: usize = 1000;
/// The most lines in one answer.
const MAX_LIMIT: usize = 5000;

/// The most gaps in one answer.
const MAX_GAPS: usize = 1000;

/// Which lines.
#[derive(Debug, serde::Deserialize)]
pub struct LogQuery {
    from: Option<u64>,
    limit: Option<usize>,
}

/// How many lines an answer has: what was asked for.
///
/// # Errors
/// None at all, or more than [`MAX_LIMIT`].
pub(super) fn wanted(limit: Option<usize>) -> Result<usize, HttpError> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        return Ok(limit);
    }
    Err(HttpError::Invalid {
        message: format!("limit {limit} is not between 1 and {MAX_LIMIT}"),
        hint: "ask for further lines with `from`, the answer's `next`".into(),
    })
}

/// A range of lines.
pub async fn lines(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
    asked: Result<Query<LogQuery>, QueryRejection>,
) -> Result<Json<LogLines>, HttpError> {
    let asked = query(asked)?;
    let limit = wanted(asked.limit)?;
    // The run first: if it is over by now, the lines read after it are all that will ever be.
    let row = stored(&app, &id).await?;
    let found = app
        .store
        .read_lines(row.id, asked.from.unwrap_or(1), limit)
        .await?;
    let at_end = found.lines.len() < limit && !found.cut;
    let marked = match (found.lines.first(), found.lines.last()) {
        (Some(first), Some(last)) => app.store.marked_lines(row.id, first.n, last.n).await?,
        _ => Vec::new(),
    };
    Ok(Json(LogLines {
        marked,
        lines: found.lines.iter().map(show).collect(),
        next: found.next,
        complete: at_end && row.is_complete(),
    }))
}

/// Where output is missing.
pub async fn gaps(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<LogGaps>, HttpError> {
    let run = stored(&app, &id).await?.id;
    let found = app.store.gaps(run, MAX_GAPS).await?;
    let gaps = found.into_iter().map(|placed| LogGap {
        line: placed.line,
        lines: placed.gap.lines,
        bytes: placed.gap.bytes,
        reason: placed.gap.reason,
    });
    Ok(Json(LogGaps {
        gaps: gaps.collect(),
    }))
}

/// The exact bytes, streamed: memory holds one chunk, whatever the log's size.
pub async fn text(
    _: Viewer,
    State(app): State<AppState>,
    Path(id): Path<String>,
) -> Result<Response, HttpError> {
    let run = stored(&app, &id).await?.id;
    let store = app.store.clone();
    let pieces = stream::try_unfold(0, move |at| {
        let store = store.clone();
        async move {
            match store.output_from(run, at).await {
                Ok(Some((bytes, next))) => Ok(Some((Bytes::from(bytes), next))),
                Ok(None) => Ok(None),
                Err(error) => {
                    tracing::error!(%run, "a download breaks off: {error}");
                    Err(error)
                }
            }
        }
    });
    let name = format!("attachment; filename=\"{run}.log.txt\"");
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, Body::from_stream(pieces)).into_response())
}
