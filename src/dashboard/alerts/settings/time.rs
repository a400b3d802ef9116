//! Lengths of time as people write them.

use std::fmt;
use std::time::Duration;

use serde::de::{self, Deserialize, Deserializer, Visitor};

/// The longest that can be written.
const MAX: u64 = 366 * 86_400;

/// A length of time: `45s`, `5m`, `2h`, `14d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Length(pub Duration);

impl Length {
    /// Reads it.
    ///
    /// # Errors
    /// What to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is no length of time; write it such as \"45s\", \"5m\", \"2h\" or \"14d\"",
                text.escape_default()
            )
        };
        let (number, unit) = match text.char_indices().last() {
            Some((at, 's')) => (&text[..at], 1),
            Some((at, 'm')) => (&text[..at], 60),
            Some((at, 'h')) => (&text[..at], 3600),
            Some((at, 'd')) => (&text[..at], 86_400),
            _ => return Err(wrong()),
        };
        if !number.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(wrong());
        }
        let number: u64 = number.parse().map_err(|_| wrong())?;
        match number.checked_mul(unit).filter(|seconds| *seconds <= MAX) {
            Some(seconds) => Ok(Self(Duration::from_secs(seconds))),
            None => Err(format!(
                "`{}` is more than a year; write less",
                text.escape_default()
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Length;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a length of time such as \"5m\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Length, E> {
                Length::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths() {
        for (text, seconds) in [
            ("0s", Some(0)),
            ("45s", Some(45)),
            ("5m", Some(300)),
            ("2h", Some(7200)),
            ("14d", Some(1_209_600)),
            ("", None),
            ("5", None),
            ("m", None),
            ("-5m", None),
            ("+5m", None),
            ("1.5h", None),
            ("5é", None),
            ("400d", None),
            ("99999999999999999999d", None),
        ] {
            let found = Length::parse(text).ok().map(|length| length.0.as_secs());
            assert_eq!(found, seconds, "{text}");
        }
    }
}
