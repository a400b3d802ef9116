//! Hours in which only what is critical is told.

use std::fmt;

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};
use serde::de::{self, Deserialize, Deserializer, Visitor};

use crate::base::clock::Millis;

/// A part of each day, in a time zone.
#[derive(Debug, Clone, PartialEq)]
pub struct Quiet {
    from: Time,
    /// The first moment that is not quiet; before `from` when the hours go over midnight.
    to: Time,
    zone: TimeZone,
}

impl Quiet {
    /// Reads `22:00-07:00`, by this machine's time zone, or `22:00-07:00 Europe/Vienna`.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` are no quiet hours; write them such as \"22:00-07:00\", or with a time zone: \"22:00-07:00 Europe/Vienna\"",
                text.escape_default()
            )
        };
        let (hours, zone) = match text.trim().split_once(' ') {
            Some((hours, zone)) => (hours, Some(zone.trim())),
            None => (text.trim(), None),
        };
        let (from, to) = hours.split_once('-').ok_or_else(wrong)?;
        let (from, to) = (time(from).ok_or_else(wrong)?, time(to).ok_or_else(wrong)?);
        if from == to {
            return Err(format!(
                "`{hours}` is all day or nothing; to tell nothing at all, write channels = []"
            ));
        }
        let zone = match zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| {
                format!(
                    "`{}` is no time zone; write one such as Europe/Vienna or UTC",
                    name.escape_default()
                )
            })?,
        };
        Ok(Self { from, to, zone })
    }

    /// When the quiet hours end that go on at `now`; none at other times.
    pub fn end(&self, now: Millis) -> Option<Millis> {
        let here = Timestamp::from_millisecond(i64::try_from(now).ok()?)
            .ok()?
            .to_zoned(self.zone.clone());
        let time = here.time();
        let over_midnight = self.to < self.from;
        let is_quiet = if over_midnight {
            time >= self.from || time < self.to
        } else {
            time >= self.from && time < self.to
        };
        if !is_quiet {
            return None;
        }
        let mut day = here.date();
        if over_midnight && time >= self.from {
            day = day.checked_add(1.day()).ok()?;
        }
        let end = day.to_datetime(self.to).to_zoned(self.zone.clone()).ok()?;
        Millis::try_from(end.timestamp().as_millisecond())
            .ok()
            .filter(|end| *end > now)
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.trim().split_once(':')?;
    let digits = |text: &str| {
        let fits = (1..=2).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<i8>().ok()).flatten()
    };
    // 24:00 is what people write for midnight.
    match (digits(hour)?, digits(minute)?) {
        (24, 0) => Some(Time::midnight()),
        (hour, minute) => Time::new(hour, minute, 0, 0).ok(),
    }
}

impl<'de> Deserialize<'de> for Quiet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Quiet;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("quiet hours such as \"22:00-07:00\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Quiet, E> {
                Quiet::parse(text).map_err(|why| E::custom(format!("quiet: {why}")))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::{parse_rfc3339, rfc3339};

    #[track_caller]
    fn check(quiet: &str, now: &str, expected: Option<&str>) {
        let end = Quiet::parse(quiet)
            .unwrap()
            .end(parse_rfc3339(now).unwrap());
        let shown = end.map(|end| rfc3339(end).replace(".000Z", "Z"));
        assert_eq!(shown.as_deref(), expected, "{quiet} {now}");
    }

    #[test]
    fn hours_end_where_they_say_over_midnight_and_through_changes_of_the_clock() {
        let night = "22:00-07:00 UTC";
        check(night, "2026-03-01T21:59:59Z", None);
        check(night, "2026-03-01T22:00:00Z", Some("2026-03-02T07:00:00Z"));
        check(night, "2026-03-02T06:59:59Z", Some("2026-03-02T07:00:00Z"));
        check(night, "2026-03-02T07:00:00Z", None);
        let noon = "12:00-13:30 UTC";
        check(noon, "2026-03-01T11:59:59Z", None);
        check(noon, "2026-03-01T13:00:00Z", Some("2026-03-01T13:30:00Z"));
        check(noon, "2026-03-01T13:30:00Z", None);
        check(
            "18:00-24:00 UTC",
            "2026-03-01T23:00:00Z",
            Some("2026-03-02T00:00:00Z"),
        );
        // Summer time begins at 01:00 UTC on 29 March: the night is an hour shorter.
        let vienna = "22:00-07:00 Europe/Vienna";
        check(vienna, "2026-03-28T20:59:00Z", None);
        check(vienna, "2026-03-28T21:00:00Z", Some("2026-03-29T05:00:00Z"));
        check(vienna, "2026-03-29T05:00:00Z", None);
        // It ends on 25 October.
        check(vienna, "2026-10-24T20:00:00Z", Some("2026-10-25T06:00:00Z"));
        // 02:30 does not exist on 29 March.
        check(
            "01:00-02:30 Europe/Vienna",
            "2026-03-29T00:30:00Z",
            Some("2026-03-29T01:30:00Z"),
        );
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, part) in [
            ("", "are no quiet hours; write them such as \"22:00-07:00\""),
            ("22-7", "are no quiet hours"),
            ("25:00-07:00", "are no quiet hours"),
            ("22:60-07:00", "are no quiet hours"),
            ("+1:00-07:00", "are no quiet hours"),
            ("07:00-07:00", "channels = []"),
            ("22:00-07:00 Vienna", "`Vienna` is no time zone"),
        ] {
            let error = Quiet::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
