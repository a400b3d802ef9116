//! Values of the file that can be wrong by themselves. The environment's values are parsed as the same types.

use serde::Deserialize;

/// The longest description, location and the like, in characters.
pub const MAX_LABEL: usize = 200;

macro_rules! checked {
    ($(#[$doc:meta])* $name:ident($inner:ty) from $raw:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
        #[serde(try_from = $raw)]
        pub struct $name($inner);

        impl $name {
            /// The value.
            pub fn get(self) -> $inner {
                self.0
            }
        }
    };
}

checked!(
    /// The dashboard's WebSocket address, ending in `/ws`.
    Url(String) from "String"
);
checked!(
    /// Seconds between heartbeats, 1 to 3600.
    Interval(u32) from "i64"
);
checked!(
    /// Heartbeat intervals, 2 to 100.
    OfflineAfter(u32) from "i64"
);
checked!(
    /// Seconds, 1 to a week.
    Seconds(u32) from "i64"
);
checked!(
    /// Attempts, at least 1.
    Attempts(u32) from "i64"
);
checked!(
    /// A level of `base::logging`.
    LogLevel(String) from "String"
);
checked!(
    /// A short text without control characters.
    Label(String) from "String"
);
checked!(
    /// A colour as `#rrggbb`.
    Color(String) from "String"
);
checked!(
    /// An amount of memory as systemd reads it: bytes with an optional K, M, G or T, or a percentage of the host's.
    Memory(String) from "String"
);
checked!(
    /// A number of processes and threads, at least 16: less starts nothing.
    TasksMax(u32) from "i64"
);
checked!(
    /// A weight as systemd has them, 1 to 10000.
    Weight(u32) from "i64"
);
checked!(
    /// 0 to 19.
    Nice(u32) from "i64"
);
checked!(
    /// Mebibytes, 1 to a million.
    Mebibytes(u32) from "i64"
);
checked!(
    /// Hours, 0 to a year.
    Hours(u32) from "i64"
);
checked!(
    /// A program and its arguments.
    Argv(Vec<String>) from "Vec<String>"
);

impl TryFrom<String> for Url {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let rest_of = |schemes: [&str; 2]| {
            schemes
                .iter()
                .find_map(|scheme| text.strip_prefix(scheme))
                .map(str::to_owned)
        };
        let (scheme, rest) = if let Some(rest) = rest_of(["wss://", "https://"]) {
            ("wss", rest)
        } else if let Some(rest) = rest_of(["ws://", "http://"]) {
            ("ws", rest)
        } else {
            return Err(format!(
                "`url` = \"{}\" has no scheme; write wss://HOST or ws://HOST:PORT",
                shown(&text)
            ));
        };
        let rest = rest.trim_end_matches('/');
        let rest = rest.strip_suffix("/ws").unwrap_or(rest);
        let authority = rest.split('/').next().unwrap_or_default();
        if authority.is_empty()
            || rest.contains(|c: char| {
                c.is_whitespace() || c.is_control() || matches!(c, '?' | '#' | '@')
            })
        {
            return Err(format!(
                "`url` = \"{}\" is no address of a dashboard; write wss://HOST or ws://HOST:PORT, without user, query or fragment",
                shown(&text)
            ));
        }
        Ok(Self(format!("{scheme}://{rest}/ws")))
    }
}

impl TryFrom<i64> for Interval {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        match u32::try_from(value) {
            Ok(seconds @ 1..=3600) => Ok(Self(seconds)),
            _ => Err(format!(
                "`interval` = {value} is not possible; write the seconds between heartbeats, 1 to 3600 (30 is usual)"
            )),
        }
    }
}

impl TryFrom<i64> for OfflineAfter {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        match u32::try_from(value) {
            Ok(times @ 2..=100) => Ok(Self(times)),
            _ => Err(format!(
                "`offline_after` = {value} is not possible; write how many heartbeats may be missing, 2 to 100 (3 is usual)"
            )),
        }
    }
}

impl TryFrom<i64> for Seconds {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        ranged(value, 1, 604_800, "seconds").map(Self)
    }
}

impl TryFrom<i64> for Attempts {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        match u32::try_from(value) {
            Ok(attempts @ 1..) => Ok(Self(attempts)),
            _ => Err(format!(
                "`max_attempts` = {value} is not possible; write 1 or more, or leave it out to try for ever"
            )),
        }
    }
}

impl TryFrom<String> for Memory {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.trim_end_matches(['K', 'M', 'G', 'T', '%']);
        let number: Option<u64> = digits.parse().ok();
        let possible = digits.len() + 1 >= text.len()
            && number.is_some_and(|number| number > 0 && (!text.ends_with('%') || number <= 100));
        if possible && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self(text));
        }
        Err(format!(
            "`memory_max` or `memory_high` = \"{}\" is no amount of memory; write for example \"4G\" or \"50%\"",
            shown(&text)
        ))
    }
}

/// A whole number of `unit` between `least` and `most`.
pub(super) fn ranged(value: i64, least: u32, most: u32, unit: &str) -> Result<u32, String> {
    match u32::try_from(value) {
        Ok(number) if (least..=most).contains(&number) => Ok(number),
        _ => Err(format!(
            "{value} is not possible here; write {unit}, {least} to {most}"
        )),
    }
}

impl TryFrom<i64> for TasksMax {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        ranged(value, 16, 4_000_000, "processes").map(Self)
    }
}

impl TryFrom<i64> for Weight {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        ranged(value, 1, 10_000, "a weight").map(Self)
    }
}

impl TryFrom<i64> for Nice {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        ranged(value, 0, 19, "a nice level").map(Self)
    }
}

impl TryFrom<i64> for Mebibytes {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        ranged(value, 1, 1_000_000, "mebibytes").map(Self)
    }
}

impl TryFrom<i64> for Hours {
    type Error = String;
    fn try_from(value: i64) -> Result<Self, String> {
        ranged(value, 0, 8760, "hours").map(Self)
    }
}

impl TryFrom<String> for LogLevel {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let known = ["error", "warn", "info", "debug", "trace"];
        let lower = text.to_ascii_lowercase();
        // A filter such as `nixfleet=debug` is for those who look for a fault.
        if known.contains(&lower.as_str()) || text.contains('=') {
            return Ok(Self(lower));
        }
        Err(format!(
            "`log_level` = \"{}\" is not known; write {}",
            shown(&text),
            known.join(", ")
        ))
    }
}

impl TryFrom<String> for Label {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        if text.chars().count() > MAX_LABEL || text.contains(char::is_control) {
            return Err(format!(
                "\"{}\" is too long or has control characters; write at most {MAX_LABEL} visible characters",
                shown(&text)
            ));
        }
        Ok(Self(text))
    }
}

impl TryFrom<String> for Color {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let digits = text.strip_prefix('#').unwrap_or_default();
        if digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text));
        }
        Err(format!(
            "`theme_color` = \"{}\" is no colour; write #rrggbb, for example #7aa2f7",
            shown(&text)
        ))
    }
}

impl TryFrom<Vec<String>> for Argv {
    type Error = String;
    fn try_from(argv: Vec<String>) -> Result<Self, String> {
        if argv.first().is_none_or(String::is_empty) || argv.iter().any(|part| part.contains('\0'))
        {
            return Err(
                "`argv` names no program; write argv = [\"/path/to/program\", \"argument\"]".into(),
            );
        }
        Ok(Self(argv))
    }
}

/// What an error shows of a bad text: escaped, and not all of it.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_completed() {
        for (text, expected) in [
            ("ws://localhost:8000/ws", "ws://localhost:8000/ws"),
            ("ws://localhost:8000", "ws://localhost:8000/ws"),
            ("http://[::1]:80/", "ws://[::1]:80/ws"),
            ("https://dash.lan/fleet", "wss://dash.lan/fleet/ws"),
            ("wss://dash.lan/fleet/ws/", "wss://dash.lan/fleet/ws"),
        ] {
            assert_eq!(Url::try_from(text.to_owned()).unwrap().get(), expected);
        }
    }
}
