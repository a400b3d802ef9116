//! Somebody who watches the run through all of it, as a browser does: one stream of events that comes back after what it had.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::source::Source;
use crate::support::api::Api;

/// How long it waits before it comes back.
const PAUSE: Duration = Duration::from_millis(100);

/// What it can be asked while it watches.
#[derive(Debug, Default)]
pub struct Seen {
    /// Lines so far.
    pub lines: AtomicU64,
    /// Streams so far.
    pub streams: AtomicU64,
    /// The stream said that the run is over.
    pub ended: AtomicBool,
    /// To be set when nobody waits for it any more.
    pub give_up: AtomicBool,
}

/// Watches until the end. Each line must come once, in order, as it was printed.
#[track_caller]
pub fn watch(api: &Api, run: &str, source: Source, seen: &Arc<Seen>) {
    let path = format!("/api/runs/{run}/events");
    let mut last: Option<String> = None;
    while !seen.ended.load(Ordering::Relaxed) && !seen.give_up.load(Ordering::Relaxed) {
        seen.streams.fetch_add(1, Ordering::Relaxed);
        let resumed_after = last.clone();
        let _ = api.try_events(&path, resumed_after.as_deref(), |name, id, data| {
            match name {
                "lines" => {
                    let next = seen.lines.load(Ordering::Relaxed) + 1;
                    let next = check_lines(&data, source, next);
                    seen.lines.store(next - 1, Ordering::Relaxed);
                    last = Some(id.expect("lines have an id").to_owned());
                }
                "end" => seen.ended.store(true, Ordering::Relaxed),
                _ => {}
            }
            !seen.ended.load(Ordering::Relaxed) && !seen.give_up.load(Ordering::Relaxed)
        });
        std::thread::sleep(PAUSE);
    }
}

/// Checks that `data` has the lines from number `next` on, and answers the number after them.
#[track_caller]
pub fn check_lines(data: &Value, source: Source, mut next: u64) -> u64 {
    for line in data["lines"].as_array().expect("a list of lines") {
        assert_eq!(line["n"].as_u64(), Some(next), "not the next line: {line}");
        assert!(next <= source.lines, "a line too many: {line}");
        assert_eq!(
            line["text"].as_str(),
            Some(source.line(next).shown.as_str()),
            "line {next}"
        );
        next += 1;
    }
    assert_eq!(data["next"].as_u64(), Some(next), "`next` after the lines");
    next
}
