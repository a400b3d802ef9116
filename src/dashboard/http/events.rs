//! Server-sent events. A stream makes its next event only when the socket takes it: a slow reader costs no memory and
//! loses no line, because lines come from the store when memory no longer has them.

pub mod fleet;
pub mod run;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, header};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::Stream;

/// A quiet stream says `ping` this often: proxies do not close it, and its reader knows that it lives.
const PING: Duration = Duration::from_secs(10);

/// The number in `Last-Event-ID`, with which a browser continues after a break.
fn last_event_id(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get("last-event-id")?;
    value.to_str().ok()?.trim().parse().ok()
}

/// An event with JSON as its data.
pub(super) fn event<T: serde::Serialize>(name: &str, id: Option<u64>, data: &T) -> Option<Event> {
    let event = Event::default().event(name);
    let event = match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    };
    event
        .json_data(data)
        .inspect_err(|error| tracing::error!("an event `{name}` cannot be written: {error}"))
        .ok()
}

pub(super) fn respond(
    events: impl Stream<Item = Result<Event, Infallible>> + Send + 'static,
) -> Response {
    let ping = Event::default().event("ping").data("{}");
    let keep_alive = KeepAlive::new().interval(PING).event(ping);
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        // nginx would hold events back otherwise.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    (headers, Sse::new(events).keep_alive(keep_alive)).into_response()
}
