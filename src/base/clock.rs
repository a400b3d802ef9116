//! The only source of wall-clock time. Durations and deadlines use `tokio::time`, which tests pause.

use jiff::Timestamp;

/// Milliseconds since the Unix epoch, by the clock of whichever machine wrote them.
pub type Millis = u64;

/// The time now.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the system clock"
)]
pub fn now() -> Millis {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_millis() as Millis)
}

/// RFC 3339 in UTC with milliseconds, as the HTTP API shows times: `2026-01-31T08:15:30.250Z`.
pub fn rfc3339(at: Millis) -> String {
    Timestamp::from_millisecond(i64::try_from(at).unwrap_or(i64::MAX)).map_or_else(
        |_| String::from("9999-12-31T23:59:59.999Z"),
        |timestamp| format!("{timestamp:.3}"),
    )
}

/// Reads what [`rfc3339`] writes, and any other RFC 3339 time.
pub fn parse_rfc3339(text: &str) -> Option<Millis> {
    let timestamp: Timestamp = text.parse().ok()?;
    Millis::try_from(timestamp.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_reads_back() {
        assert_eq!(rfc3339(1_769_847_330_250), "2026-01-31T08:15:30.250Z");
        assert_eq!(
            parse_rfc3339("2026-01-31T08:15:30.250Z"),
            Some(1_769_847_330_250)
        );
        assert_eq!(
            parse_rfc3339("2026-01-31T09:15:30.25+01:00"),
            Some(1_769_847_330_250)
        );
        assert_eq!(parse_rfc3339("yesterday"), None);
        assert_eq!(rfc3339(u64::MAX), "9999-12-31T23:59:59.999Z");
    }
}
