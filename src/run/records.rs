//! Nix's internal-json records: exact counters, in the output (`@nix {…}`) or beside it (`json-log-path`, Nix 2.30 and later).
//!
//! Schema: Nix src/libutil/logging.{hh,cc}, 2.18 to 2.36; Lix has the same without 112 and 113, Determinate Nix puts other
//! things under 109 and 110 and gives them a `payload` instead of `fields`. The format has no version, so what is not known
//! is [`Record::Unknown`] and never an error. An id is the number of a process and a counter; it does not fit a
//! JavaScript number, so writers may quote it, and it says nothing about who wrote it.

use std::borrow::Cow;

use serde::Deserialize;

use crate::run::records::value::{Field, Id, Payload};

mod fast;
mod line;
mod value;

pub use line::{is_silent, json, line};

/// The longest record that is read, in bytes; a longer one is passed over. Builders' lines and errors are the long ones.
pub const MAX_RECORD: usize = 1024 * 1024;

/// Types of activities.
pub(super) mod kind {
    pub const UNKNOWN: u64 = 0;
    pub const COPY_PATH: u64 = 100;
    pub const FILE_TRANSFER: u64 = 101;
    pub const REALISE: u64 = 102;
    pub const COPY_PATHS: u64 = 103;
    pub const BUILDS: u64 = 104;
    pub const BUILD: u64 = 105;
    pub const SUBSTITUTE: u64 = 108;
    pub const QUERY_PATH_INFO: u64 = 109;
    pub const BUILD_WAITING: u64 = 111;
    /// The newest type, of Nix 2.36.
    pub const NEWEST: u64 = 113;
}

/// Types of results.
mod result {
    pub const FILE_LINKED: u64 = 100;
    pub const BUILD_LOG_LINE: u64 = 101;
    pub const UNTRUSTED_PATH: u64 = 102;
    pub const CORRUPTED_PATH: u64 = 103;
    pub const SET_PHASE: u64 = 104;
    pub const PROGRESS: u64 = 105;
    pub const SET_EXPECTED: u64 = 106;
    pub const POST_BUILD_LOG_LINE: u64 = 107;
    pub const FETCH_STATUS: u64 = 108;
    /// Of Nix 2.36, with fields; of Determinate Nix the hash of a path, with a payload.
    pub const HASHED_PATH: u64 = 109;
    /// Determinate Nix only, with a payload.
    pub const BUILD_RESULT: u64 = 110;
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record<'a> {
    /// An activity begins.
    Start(Start<'a>),
    /// An activity is over. Says nothing about how it went, and may come late.
    Stop {
        /// Which one.
        id: u64,
    },
    /// Counters of an activity: done, expected, running, failed. Of what depends on the activity.
    Progress {
        /// Whose.
        id: u64,
        /// The four.
        numbers: [u64; 4],
    },
    /// How much is expected below an activity.
    Expected {
        /// Below which one.
        id: u64,
        /// Of activities of which type.
        kind: u64,
        /// How much.
        amount: u64,
    },
    /// A line that a builder printed; its escapes are in it.
    Log {
        /// Whose.
        id: u64,
        /// The line.
        line: Cow<'a, str>,
    },
    /// A builder's own phase begins: `buildPhase`.
    Phase {
        /// Whose.
        id: u64,
        /// Which one.
        phase: Cow<'a, str>,
    },
    /// A message, as it would be printed, escapes included. `level` is 0 for all that come through a daemon.
    Message {
        /// 0 error, 1 warning, 2 notice, 3 information, then what is for debugging.
        level: u64,
        /// In words; may have several lines.
        text: Cow<'a, str>,
    },
    /// How one build ended (Determinate Nix).
    Built {
        /// Its derivation.
        drv: String,
        /// Whether it succeeded.
        success: bool,
        /// Why it did not, in words.
        cause: Option<String>,
    },
    /// A record that says nothing here.
    Other,
    /// A record of a type or shape that is not known: it is counted, and changes nothing.
    Unknown,
}

/// An activity that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start<'a> {
    /// Its id.
    pub id: u64,
    /// The one that it belongs to; 0 for none.
    pub parent: u64,
    /// Its type.
    pub kind: u64,
    /// Its level, as a message's.
    pub level: u64,
    /// In words; often empty.
    pub text: Cow<'a, str>,
    /// The first two fields that are texts: of a build the derivation and the machine, of a copy the path and the source.
    pub fields: [Option<Cow<'a, str>>; 2],
}

#[derive(Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    action: Cow<'a, str>,
    #[serde(default)]
    id: Id,
    #[serde(default, rename = "type")]
    kind: u64,
    #[serde(default)]
    level: u64,
    #[serde(default)]
    parent: Id,
    #[serde(default, borrow)]
    fields: Vec<Field<'a>>,
    #[serde(default, borrow)]
    text: Cow<'a, str>,
    #[serde(default, borrow)]
    msg: Cow<'a, str>,
    #[serde(default)]
    payload: Option<Payload>,
}

/// The record that one JSON object is; none if it is no record at all.
pub fn parse(json: &[u8]) -> Option<Record<'_>> {
    if let Some(record) = fast::parse(json) {
        return Some(record);
    }
    if json.len() > MAX_RECORD {
        return None;
    }
    let raw: Raw<'_> = serde_json::from_slice(json).ok()?;
    Some(match &*raw.action {
        "start" => Record::Start(start(raw)),
        "stop" => Record::Stop { id: raw.id.0 },
        "result" => of_result(raw),
        "msg" => Record::Message {
            level: raw.level,
            text: raw.msg,
        },
        // What a builder says of itself.
        "setPhase" => Record::Other,
        _ => return None,
    })
}

fn start(raw: Raw<'_>) -> Start<'_> {
    let mut texts = raw.fields.into_iter().filter_map(Field::text);
    Start {
        id: raw.id.0,
        parent: raw.parent.0,
        kind: raw.kind,
        level: raw.level,
        text: raw.text,
        fields: [texts.next(), texts.next()],
    }
}

fn of_result(raw: Raw<'_>) -> Record<'_> {
    let id = raw.id.0;
    if let Some(payload) = raw.payload {
        // 109 and 110 mean other things elsewhere, where they have fields.
        return match (raw.kind, payload.build()) {
            (result::BUILD_RESULT, Some((drv, success, cause))) => Record::Built {
                drv,
                success,
                cause,
            },
            (result::HASHED_PATH, _) => Record::Other,
            _ => Record::Unknown,
        };
    }
    let number = |at: usize| raw.fields.get(at).and_then(Field::number);
    match raw.kind {
        result::PROGRESS => {
            let numbers = [number(0), number(1), number(2), number(3)];
            let [Some(a), Some(b), Some(c), Some(d)] = numbers else {
                return Record::Unknown;
            };
            Record::Progress {
                id,
                numbers: [a, b, c, d],
            }
        }
        result::SET_EXPECTED => match (number(0), number(1)) {
            (Some(kind), Some(amount)) => Record::Expected { id, kind, amount },
            _ => Record::Unknown,
        },
        kind @ (result::BUILD_LOG_LINE | result::POST_BUILD_LOG_LINE | result::SET_PHASE) => {
            match raw.fields.into_iter().next().and_then(Field::text) {
                Some(phase) if kind == result::SET_PHASE => Record::Phase { id, phase },
                Some(line) => Record::Log { id, line },
                None => Record::Unknown,
            }
        }
        result::FILE_LINKED
        | result::UNTRUSTED_PATH
        | result::CORRUPTED_PATH
        | result::FETCH_STATUS
        | result::HASHED_PATH => Record::Other,
        _ => Record::Unknown,
    }
}

#[cfg(test)]
mod tests;
