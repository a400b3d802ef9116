//! What must be true when the chaos is over.

use std::path::Path;

use serde_json::Value;

use crate::reader::check_lines;
use crate::source::{Comparison, Source};
use crate::support::api::Api;
use crate::support::process::{Transcript, wait_until};

/// Lines that are asked for at once: the most that the dashboard gives.
const PAGE: u64 = 5000;

/// The run ended as its program did.
#[track_caller]
pub fn outcome(run: &Value, source: Source) {
    let state = if source.exit_code() == 0 {
        "succeeded"
    } else {
        "failed"
    };
    assert_eq!(run["state"], state, "{run}");
    assert_eq!(
        run["exit_code"].as_i64(),
        Some(i64::from(source.exit_code())),
        "{run}"
    );
    assert_eq!(run["lines"].as_u64(), Some(source.lines), "{run}");
    assert_eq!(run["bytes_missing"], 0, "{run}");
    assert_eq!(run["incomplete"], false, "{run}");
    assert_eq!(run["verified"], true, "{run}");
}

/// `log.txt` is what the program printed, byte for byte. Answers how many bytes.
#[track_caller]
pub fn log_text(api: &Api, run: &str, source: Source) -> u64 {
    let mut comparison = Comparison::new(source);
    api.download(&format!("/api/runs/{run}/log.txt"), |piece| {
        comparison.take(piece);
    });
    assert!(
        comparison.is_complete(),
        "log.txt ends after {} bytes",
        comparison.same
    );
    comparison.same
}

/// Every line once, in order, as it looks.
#[track_caller]
pub fn log_lines(api: &Api, run: &str, source: Source) {
    let mut next = 1;
    loop {
        let body = api
            .get(&format!("/api/runs/{run}/log?from={next}&limit={PAGE}"))
            .body;
        let after = check_lines(&body, source, next);
        if body["complete"] == true {
            assert_eq!(after, source.lines + 1, "the line after the last one");
            return;
        }
        assert!(after > next, "no line from number {next} on: {body}");
        next = after;
    }
}

/// Heartbeats arrive again.
#[track_caller]
pub fn heartbeats(api: &Api, host: &str) {
    let host = || api.get(&format!("/api/hosts/{host}")).body;
    let before = host()["heartbeats"].as_u64().unwrap();
    let now = wait_until("two more heartbeats", || {
        let now = host();
        (now["heartbeats"].as_u64()? >= before + 2).then_some(now)
    });
    assert_eq!(now["status"], "online", "{now}");
    assert_eq!(now["activity"], Value::Null, "{now}");
}

/// Neither a program nor the supervisor has panicked.
#[track_caller]
pub fn nobody_panicked(transcripts: &[(&str, Transcript)], run_dir: &Path) {
    for (name, transcript) in transcripts {
        let text = transcript.text();
        assert!(!text.contains("panicked"), "the {name}:\n{text}");
    }
    let supervisor = std::fs::read_to_string(run_dir.join("supervisor.log")).unwrap_or_default();
    assert!(
        !supervisor.contains("panicked"),
        "the supervisor:\n{supervisor}"
    );
}
