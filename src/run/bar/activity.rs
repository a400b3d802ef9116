//! What the bar says goes on: the newest activity that is older than 10 ms.

use crate::run::rules::plain;

/// An activity in Nix's words. What a builder printed last may follow them (`: checking for gcc`); it is left out, for it can be
/// anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum Activity<'a> {
    /// `building NAME[ on HOST][ (PHASE)]`
    Building {
        name: &'a str,
        host: Option<&'a str>,
        phase: Option<&'a str>,
    },
    /// `fetching NAME from URL`, `copying` from a store on the same host, or one of [`OTHERS`].
    Other,
}

/// How the others begin: texts of activities that have a level of their own (Nix src/libstore, src/libfetchers and src/libexpr).
const OTHERS: &[&str] = &[
    "checking outputs of '",
    "connecting to '",
    "copying '",
    "copying \"",
    "copying path '",
    "downloading '",
    "evaluating derivation '",
    "evaluating file '",
    "fetching ",
    "hashing '",
    "optimising path '",
    "post-build ",
    "querying ",
    "repairing outputs of '",
    "running post-build-hook '",
    "unpacking '",
    "updating ",
    "waiting for ",
];

impl<'a> Activity<'a> {
    /// Reads a text without escapes.
    pub(in crate::run) fn parse(text: &'a str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix("building ") {
            let (name, rest) = name(rest)?;
            let (host, rest) = match rest.strip_prefix(" on ") {
                None => (None, rest),
                Some(rest) => {
                    let end = rest.find([' ', '\t']).unwrap_or(rest.len());
                    // The colon before a builder's line is none of the host's.
                    let end = end - usize::from(rest[..end].ends_with(':'));
                    (
                        Some(&rest[..end]).filter(|host| !host.is_empty()),
                        &rest[end..],
                    )
                }
            };
            let phase = rest
                .strip_prefix(" (")
                .and_then(|rest| rest.split_once(')'))
                .map(|(phase, _)| phase);
            let rest = phase.map_or(rest, |phase| &rest[phase.len() + 3..]);
            let whole = rest.is_empty() || rest.starts_with(':');
            return whole.then_some(Self::Building { name, host, phase });
        }
        let copied = text
            .strip_prefix("copying ")
            .and_then(name)
            .is_some_and(|(_, rest)| rest.starts_with(" from "));
        let other = OTHERS.iter().any(|start| text.starts_with(start));
        (copied || other).then_some(Self::Other)
    }

    /// The text of it without what a builder printed.
    pub(in crate::run) fn text(text: &str) -> String {
        match Activity::parse(text) {
            Some(Activity::Building { name, host, phase }) => {
                let host = host.map_or(String::new(), |host| format!(" on {host}"));
                let phase = phase.map_or(String::new(), |phase| format!(" ({phase})"));
                format!("building {name}{host}{phase}")
            }
            _ => text.to_owned(),
        }
    }
}

/// Whether the shown bytes of a line are one of Lix's bar of several lines: an activity, or how many more there are than the
/// screen has room for (`And 3 more...`).
pub(in crate::run) fn is_activity(visible: &[u8]) -> bool {
    let text = plain(visible);
    let text = text.trim_end();
    let more = text
        .strip_prefix("And ")
        .and_then(|rest| rest.strip_suffix(" more..."));
    more.is_some_and(|more| more.parse::<u64>().is_ok()) || Activity::parse(text).is_some()
}

/// The name of a store path at the start of `text`, and what follows it (Nix src/libstore/path.cc, `checkName`).
fn name(text: &str) -> Option<(&str, &str)> {
    let end = text
        .find(|char: char| !(char.is_ascii_alphanumeric() || "+-._?=".contains(char)))
        .unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}
