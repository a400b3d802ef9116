//! What an answer means: done, try again, come later, or leave it.

use std::time::Duration;

use super::post::Answer;
use crate::base::clock::{Millis, parse_http_date};

/// No back-end may silence an agent for longer.
const LONGEST: Duration = Duration::from_secs(3600);

/// What to do after one try.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It arrived.
    Delivered,
    /// Try again soon.
    Again(String),
    /// Leave the back-end alone for so long.
    Later(String, Duration),
    /// Trying again is of no use until somebody changes something.
    Refused(String),
}

/// Reads an answer.
pub(super) fn of(answer: &Answer) -> Verdict {
    let said = if answer.said.is_empty() {
        String::new()
    } else {
        format!(" ({})", answer.said)
    };
    let status = answer.status;
    match (status, answer.retry_after) {
        (200..=299, _) => Verdict::Delivered,
        (429 | 503, Some(pause)) => {
            let seconds = pause.as_secs();
            Verdict::Later(format!("{status}: come again in {seconds} s{said}"), pause)
        }
        (429, None) => Verdict::Later(format!("429: too many{said}"), Duration::ZERO),
        (500..=599 | 408, _) => Verdict::Again(format!("status {status}{said}")),
        (401 | 403, _) => Verdict::Refused(format!(
            "{status}: it refused the key{said}; write the key that it knows into `api_key_file`"
        )),
        (300..=399, _) => Verdict::Refused(format!(
            "{status}: it is somewhere else now{said}; write the new address as `url`"
        )),
        (404, _) => Verdict::Refused(format!(
            "404: nothing takes heartbeats there{said}; is the path in `url` right?"
        )),
        _ => Verdict::Refused(format!("status {status}{said}")),
    }
}

/// `Retry-After`: seconds or a date, at most an hour.
pub(super) fn retry_after(value: &str, now: Millis) -> Option<Duration> {
    let value = value.trim();
    let pause = if let Ok(seconds) = value.parse() {
        Duration::from_secs(seconds)
    } else {
        Duration::from_millis(parse_http_date(value)?.saturating_sub(now))
    };
    Some(pause.min(LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_up_to_an_hour() {
        let now = 1_769_847_330_000; // 2026-01-31T08:15:30Z
        let seconds = |value| retry_after(value, now).map(|pause| pause.as_secs());
        assert_eq!(seconds(" 120 "), Some(120));
        assert_eq!(seconds("86400"), Some(3600));
        assert_eq!(seconds("Sat, 31 Jan 2026 08:16:00 GMT"), Some(30));
        assert_eq!(seconds("Sat, 31 Jan 2026 08:00:00 GMT"), Some(0));
        assert_eq!(seconds("soon"), None);
    }

    #[test]
    fn what_answers_mean() {
        let check = |status, retry_after: Option<u64>, expected: &str| {
            let answer = Answer {
                status,
                retry_after: retry_after.map(Duration::from_secs),
                said: "because".into(),
                ..Answer::default()
            };
            let verdict = format!("{:?}", of(&answer));
            assert!(verdict.starts_with(expected), "{verdict}");
            assert!(status < 300 || verdict.contains("because"), "{verdict}");
        };
        check(204, None, "Delivered");
        check(500, None, "Again");
        check(503, None, "Again");
        check(
            503,
            Some(9),
            "Later(\"503: come again in 9 s (because)\", 9s)",
        );
        check(429, Some(9), "Later(\"429");
        check(429, None, "Later(\"429: too many");
        check(401, None, "Refused(\"401: it refused the key");
        check(301, None, "Refused");
        check(404, None, "Refused");
        check(400, None, "Refused(\"status 400");
    }
}
