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

/// The first moment after those that four digits of a year can tell.
const YEAR_10000: Millis = 253_402_300_800_000;

/// RFC 3339 in UTC with milliseconds, as the HTTP API shows times: `2026-01-31T08:15:30.250Z`. Later than the year 9999 is
/// its end.
///
/// By hand, and so is [`parse_http_date`]: a calendar with time zones would be a fiftieth of the agent.
pub fn rfc3339(at: Millis) -> String {
    let at = at.min(YEAR_10000 - 1);
    let (days, rest) = (at / DAY, at % DAY);
    let (year, month, day) = civil(days);
    let (hour, minute) = (rest / 3_600_000, rest / 60_000 % 60);
    let (second, milli) = (rest / 1000 % 60, rest % 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Milliseconds of a day.
const DAY: Millis = 86_400_000;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: u64 = 719_468;
/// Days of 400 years.
const ERA: u64 = 146_097;

/// Year, month and day of a day since the epoch. Years begin in March here, so that a leap day is the last one.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + EPOCH;
    let (era, of_era) = (days / ERA, days % ERA);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = (from_march + 2) % 12 + 1;
    (era * 400 + year + u64::from(month <= 2), month, day)
}

/// The day since the epoch of a date from 1970 to 9999.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let (era, of_era) = (year / 400, year % 400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * ERA + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH
}

/// Reads a date as HTTP writes it: `Sat, 31 Jan 2026 08:16:00 GMT`.
pub fn parse_http_date(text: &str) -> Option<Millis> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut time = parts
        .next()?
        .split(':')
        .map(|part| part.parse::<u64>().ok());
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let possible = (1970..10_000).contains(&year) && (1..=31).contains(&day);
    let utc = parts.next() == Some("GMT");
    (possible && utc && hour < 24 && minute < 60 && second <= 60)
        .then(|| days(year, month, day) * DAY + (hour * 3600 + minute * 60 + second) * 1000)
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

    #[test]
    fn every_day_is_the_one_of_a_calendar() {
        // All of the first 500 years, then a prime number of days apart up to the year 9999, and a bit of time on each.
        let days = (0..182_622).chain((182_622..2_932_896).step_by(97));
        for day in days {
            let at = day * DAY + day * 7919 % DAY;
            let calendar = Timestamp::from_millisecond(at as i64).unwrap();
            assert_eq!(rfc3339(at), format!("{calendar:.3}"));
            let (year, month, of_month) = civil(day);
            assert_eq!(super::days(year, month, of_month), day);
        }
        assert_eq!(rfc3339(YEAR_10000 - 1), "9999-12-31T23:59:59.999Z");
    }

    #[test]
    fn dates_of_http() {
        let shown = |text| parse_http_date(text).map(rfc3339);
        let check = |text, expected: Option<&str>| {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        };
        check(
            "Sun, 06 Nov 1994 08:49:37 GMT",
            Some("1994-11-06T08:49:37.000Z"),
        );
        check(
            "Thu, 29 Feb 2024 23:59:59 GMT",
            Some("2024-02-29T23:59:59.000Z"),
        );
        for wrong in [
            "",
            "soon",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 CET",
            "Sun, 06 Now 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1 08:49:37 GMT",
            "Sun, 99999999999999999999 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
        ] {
            check(wrong, None);
        }
    }
}
