//! Names and numbers that cross a border, parsed once and then trusted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::checked_text::checked_text;

/// The longest host name in characters (RFC 1123).
pub const MAX_HOST_NAME: usize = 253;
/// The longest command name in characters.
pub const MAX_COMMAND_NAME: usize = 64;

/// Why a text is not an id of its kind; the text says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdError(String);

checked_text!(
    /// A machine's name: letters, digits, `-`, `_` and `.`, at most [`MAX_HOST_NAME`] characters, each label beginning
    /// and ending with a letter or digit. Safe in a path, a URL and a page.
    HostName,
    IdError,
    check_host_name
);

checked_text!(
    /// A command's name: lower-case letters, digits and `-`, beginning with a letter, at most [`MAX_COMMAND_NAME`].
    CommandName,
    IdError,
    check_command_name
);

/// What an error shows of a bad text: escaped, and not all of it.
fn shown(text: &str) -> String {
    let mut short: String = text
        .chars()
        .take(40)
        .flat_map(char::escape_default)
        .collect();
    if text.chars().count() > 40 {
        short.push('…');
    }
    short
}

fn check_host_name(text: &str) -> Result<(), IdError> {
    let bad = |why: &str| {
        Err(IdError(format!(
            "host name `{}` {why}; use letters, digits, `-`, `_` and `.`, at most {MAX_HOST_NAME} characters",
            shown(text)
        )))
    };
    if text.is_empty() {
        return bad("is empty");
    }
    if text.len() > MAX_HOST_NAME {
        return bad("is too long");
    }
    for label in text.split('.') {
        let bytes = label.as_bytes();
        match (bytes.first(), bytes.last()) {
            (Some(first), Some(last)) => {
                if !bytes
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
                {
                    return bad("has a character that no host name has");
                }
                if !first.is_ascii_alphanumeric() || !last.is_ascii_alphanumeric() {
                    return bad("has a part that does not begin and end with a letter or digit");
                }
            }
            _ => return bad("has an empty part"),
        }
    }
    Ok(())
}

fn check_command_name(text: &str) -> Result<(), IdError> {
    let valid = text.len() <= MAX_COMMAND_NAME
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if valid {
        return Ok(());
    }
    Err(IdError(format!(
        "command name `{}` is not valid; use lower-case letters, digits and `-`, at most {MAX_COMMAND_NAME} characters",
        shown(text)
    )))
}

/// One execution of one command on one host. A UUIDv7, so that ids sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(Uuid);

impl RunId {
    /// A new id, later than all before it.
    #[expect(clippy::new_without_default, reason = "each id is another one")]
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl FromStr for RunId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        // Only the hyphenated form: ids are compared as texts in paths and URLs.
        match Uuid::try_parse(text) {
            Ok(uuid) if text.len() == 36 => Ok(Self(uuid)),
            _ => Err(IdError(format!(
                "run id `{}` is not a UUID; copy it from `nixfleet runs`",
                shown(text)
            ))),
        }
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(formatter)
    }
}

/// A record's position in a run's journal, counted from 1. 0 means "none yet".
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// The position after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        for good in [
            "web1",
            "a",
            "Web-1.lan",
            "host_2",
            "10-0-0-1",
            &"a".repeat(253),
        ] {
            assert!(good.parse::<HostName>().is_ok(), "{good}");
        }
        for bad in [
            "",
            "<b>",
            "a/b",
            "..",
            "a..b",
            ".a",
            "a.",
            "-a",
            "a-",
            "a b",
            "a\nb",
            "a\u{1b}[0m",
            "ü",
            &"a".repeat(300),
        ] {
            let error = bad.parse::<HostName>().unwrap_err().to_string();
            assert!(error.starts_with("host name `"), "{error}");
            assert!(
                !error.contains(['\n', '\u{1b}']) && error.len() < 250,
                "{error}"
            );
        }
    }

    #[test]
    fn command_names() {
        for good in ["switch", "pull-switch", "test2"] {
            assert!(good.parse::<CommandName>().is_ok(), "{good}");
        }
        for bad in ["", "Switch", "rm -rf", "../x", "-x", "2x"] {
            assert!(bad.parse::<CommandName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn run_ids_sort_by_time_and_read_back() {
        let (first, second) = (RunId::new(), RunId::new());
        assert!(first < second);
        assert_eq!(first.to_string().parse::<RunId>(), Ok(first));
        assert!("1234".parse::<RunId>().is_err());
        assert!("019a0000000070008000000000000000".parse::<RunId>().is_err());
    }
}
