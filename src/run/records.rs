//! Nix's internal-json records: exact counters, in the output (`@nix {…}`) or beside it (`json-log-path`).
//!
//! Schema: Nix src/libutil/logging.{hh,cc}, 2.18 to 2.36. An activity of type 104 counts builds, of 103 copies; its
//! result 105 is `[done, expected, running, failed]`. The newest such activity is the current Nix process's.

use serde::Deserialize;
use serde_json::Value;

const BUILD: u64 = 105;
const BUILDS: u64 = 104;
const COPY_PATHS: u64 = 103;
const COPY_PATH: u64 = 100;
const PROGRESS: u64 = 105;

#[derive(Debug, Deserialize)]
struct Raw<'a> {
    action: &'a str,
    #[serde(default)]
    id: u64,
    #[serde(default, rename = "type")]
    kind: u64,
    #[serde(default)]
    level: u64,
    #[serde(default)]
    parent: u64,
    #[serde(default)]
    fields: Vec<Value>,
    #[serde(default)]
    text: String,
    #[serde(default)]
    msg: String,
}

/// What a record says that matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// A derivation is being built: what Nix calls it.
    BuildStart(String),
    /// A path is being copied.
    CopyStart(String),
    /// Builds: done, expected, running, failed; and whether these are the first ones of another Nix process.
    Builds([u64; 4], bool),
    /// Copies: done, expected, running, failed.
    Copies([u64; 4]),
    /// A message, as it would be printed.
    Message(String),
}

/// Which activities count what.
#[derive(Debug, Default)]
pub(super) struct Records {
    builds: Option<u64>,
    /// The activity `builds` has not counted anything yet.
    fresh: bool,
    copies: Option<u64>,
}

impl Records {
    /// Takes one JSON object; none if it is no record or says nothing that matters.
    pub(super) fn take(&mut self, json: &str) -> Option<Record> {
        let raw: Raw<'_> = serde_json::from_str(json).ok()?;
        match (raw.action, raw.kind) {
            // Activities below another one are those of a remote builder; they are counted in ours.
            ("start", BUILDS) if raw.parent == 0 => {
                self.builds = Some(raw.id);
                self.fresh = true;
            }
            ("start", COPY_PATHS) if raw.parent == 0 => self.copies = Some(raw.id),
            ("start", BUILD) => return Some(Record::BuildStart(raw.text)),
            ("start", COPY_PATH) => return Some(Record::CopyStart(raw.text)),
            ("result", PROGRESS) => {
                let mut numbers = [0; 4];
                for (number, field) in numbers.iter_mut().zip(&raw.fields) {
                    *number = field.as_u64()?;
                }
                if self.builds == Some(raw.id) {
                    // While it counts to nothing, the process before it is still the one to show.
                    if self.fresh && numbers[1] == 0 {
                        return None;
                    }
                    return Some(Record::Builds(numbers, std::mem::take(&mut self.fresh)));
                }
                if self.copies == Some(raw.id) {
                    return Some(Record::Copies(numbers));
                }
            }
            // Errors, warnings, notices and the plan (info); more is for debugging.
            ("msg", _) if raw.level <= 3 => return Some(Record::Message(raw.msg)),
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_activity_counts() {
        let mut records = Records::default();
        let start = |id| {
            format!(r#"{{"action":"start","id":{id},"level":0,"parent":0,"text":"","type":104}}"#)
        };
        let result =
            |id| format!(r#"{{"action":"result","fields":[1,10,1,0],"id":{id},"type":105}}"#);
        assert_eq!(records.take(&start(1)), None);
        assert_eq!(records.take(&start(2)), None);
        assert_eq!(records.take(&result(1)), None);
        for first in [true, false] {
            let counted = Some(Record::Builds([1, 10, 1, 0], first));
            assert_eq!(records.take(&result(2)), counted);
        }
        for junk in [
            "",
            "{",
            "[]",
            r#"{"action":"result","id":2,"type":105,"fields":["x"]}"#,
        ] {
            assert_eq!(records.take(junk), None, "{junk}");
        }
    }
}
