//! What people read of records that stand in the output (`--log-format internal-json`).
//!
//! The bytes stay as they are; whoever shows a line renders it. Records that count or end something are no lines for people
//! at all: [`is_silent`] tells the supervisor to count their bytes to the line that follows.

use std::borrow::Cow;

use crate::run::ansi::after_escapes;
use crate::run::records::{Record, kind, parse};

/// What a record in the output begins with. The first one on a terminal has `\r ESC[K` before it.
const PREFIX: &[u8] = b"@nix ";
/// The least level that is not shown, as Nix shows without `-v` and without a terminal.
const HIDDEN: u64 = 4;

/// The JSON of the record that the shown bytes of a line are, if they are one.
pub fn json(visible: &[u8]) -> Option<&[u8]> {
    let rest = after_escapes(visible).strip_prefix(PREFIX)?;
    rest.starts_with(b"{").then(|| rest.trim_ascii_end())
}

/// Whether a record has nothing to say to people.
pub fn is_silent(record: &Record<'_>) -> bool {
    match record {
        Record::Start(start) => {
            start.level >= HIDDEN || start.text.is_empty() || start.kind == kind::BUILD_WAITING
        }
        Record::Message { level, text } => *level >= HIDDEN || text.is_empty(),
        Record::Log { .. } => false,
        Record::Stop { .. }
        | Record::Progress { .. }
        | Record::Expected { .. }
        | Record::Phase { .. }
        | Record::Built { .. }
        | Record::Other
        | Record::Unknown => true,
    }
}

/// The shown bytes of a line as people read them: a record as its text, anything else as it is.
pub fn line(visible: &[u8]) -> Cow<'_, [u8]> {
    let Some(record) = json(visible).and_then(parse) else {
        return Cow::Borrowed(visible);
    };
    let text = match record {
        Record::Start(start) if !start.text.is_empty() => format!("{}...", start.text),
        // One line of the output, whatever is in it.
        Record::Message { text, .. } => text.replace('\n', " "),
        Record::Log { line, .. } => line.into_owned(),
        _ => return Cow::Borrowed(visible),
    };
    Cow::Owned(text.into_bytes())
}
