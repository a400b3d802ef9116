//! What a rebuild's lines mean: one table of regular expressions, each with the program that prints it.
//!
//! A line is looked at only if it begins with the literal text that one of them begins with, so ordinary build output
//! costs a table look-up by its first shown byte. Expressions run in linear time whatever the line holds.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::run::ansi::after_escapes;
use crate::run::kind::RebuildTool;
use crate::run::rules::prefix::literal_prefix;
use crate::run::rules::table::RULES;

mod failure;
mod parts;
mod prefix;
mod table;

pub(super) use failure::{failure, plain_lines};
pub(super) use parts::{bytes, plain, store_name};

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The rebuild tool begins with the configuration itself; what came before was its own re-execution.
    Marker,
    /// `these N derivations will be built:`
    BuildPlan,
    /// `these N paths will be fetched (…)`
    FetchPlan,
    /// `building '….drv'...`
    BuildStart,
    /// `copying path '…' from '…'...`
    CopyStart,
    /// A line of the activation: of its first half, before units are started again.
    Activating,
    /// A line of its second half.
    Switching,
    Warning,
    Error,
    /// An error of the activation, which has no `error:` before it.
    ActivationError,
    /// The activation script itself failed.
    ScriptFailed,
    /// `Failed to start nginx.service`
    UnitFailed,
    /// `warning: the following units failed: a, b`
    UnitsFailed,
    /// The bash tool's only word on a switch-to-configuration that did not exit with 0.
    SwitchErrors,
    /// The kernel or init of the new configuration needs a reboot.
    InitChanged,
    /// `Command '…' returned non-zero exit status N.`
    CommandFailed,
    /// `Done. The new configuration is /nix/store/…`
    Done,
    /// One internal-json record.
    Record,
}

/// A line that means something.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) meaning: Meaning,
    /// The line without colours.
    pub(super) text: String,
    /// Where the named groups of the rule stand in the text.
    parts: Vec<(&'static str, Range<usize>)>,
}

/// One pattern of the table, ready for use.
struct Matcher {
    /// What the pattern begins with.
    prefix: String,
    /// Has what follows the prefix; none where nothing does.
    regex: Option<Regex>,
    meaning: Meaning,
    tool: Option<RebuildTool>,
}

impl Matcher {
    /// Where the named groups stand in the text, if it matches.
    fn parts(&'static self, text: &str) -> Option<Vec<(&'static str, Range<usize>)>> {
        let Some(regex) = &self.regex else {
            return Some(Vec::new());
        };
        let groups = regex.captures(text)?;
        let named = regex
            .capture_names()
            .zip(groups.iter())
            .filter_map(|(name, group)| Some((name?, group?.range())));
        Some(named.collect())
    }
}

/// For each first byte, the patterns that begin with it.
type Buckets = [Vec<Matcher>; 128];

/// A pattern that is none would be left out; a test compiles them all.
static BUCKETS: LazyLock<Buckets> = LazyLock::new(|| {
    let mut buckets: Buckets = std::array::from_fn(|_| Vec::new());
    for rule in RULES {
        for pattern in rule.patterns {
            let (prefix, whole) = literal_prefix(pattern);
            let regex = if whole {
                None
            } else {
                let Ok(regex) = Regex::new(pattern) else {
                    continue;
                };
                Some(regex)
            };
            let first = prefix.bytes().next().map(usize::from);
            if let Some(bucket) = first.and_then(|first| buckets.get_mut(first)) {
                bucket.push(Matcher {
                    prefix,
                    regex,
                    meaning: rule.meaning,
                    tool: rule.tool,
                });
            }
        }
    }
    buckets
});

/// What the shown bytes of a line say, if `tool` (none: any of them) prints such a line. None for ordinary output.
pub(super) fn said(visible: &[u8], tool: Option<RebuildTool>) -> Option<Said> {
    let bytes = after_escapes(visible);
    let first = usize::from(*bytes.first()?);
    let mut candidates = BUCKETS
        .get(first)?
        .iter()
        .filter(|matcher| {
            bytes.starts_with(matcher.prefix.as_bytes())
                && (matcher.tool.is_none() || tool.is_none() || matcher.tool == tool)
        })
        .peekable();
    candidates.peek()?;
    let text = plain(visible);
    let (meaning, parts) =
        candidates.find_map(|matcher| Some((matcher.meaning, matcher.parts(&text)?)))?;
    Some(Said {
        meaning,
        text,
        parts,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Meaning as M;
    use RebuildTool::{DarwinRebuild, NixosRebuild};

    #[track_caller]
    fn check(line: &str, expected: Option<Meaning>) {
        assert_eq!(
            said(line.as_bytes(), None).map(|said| said.meaning),
            expected,
            "{line}"
        );
    }

    #[test]
    fn lines_and_their_meaning() {
        check("\u{1b}[K\u{1b}[31;1merror:\u{1b}[0m x", Some(M::Error));
        check("warning: Git tree is dirty", Some(M::Warning));
        check(
            "warning: the following units failed: a.service",
            Some(M::UnitsFailed),
        );
        check("these 10 derivations will be built:", Some(M::BuildPlan));
        check(
            "these 5 paths will be fetched (2.3 KiB download, 6.1 KiB unpacked):",
            Some(M::FetchPlan),
        );
        check("these are words", None);
        check("these 5 derivations will be built: x", None);
        check("building '/nix/store/abc-x.drv'...", Some(M::BuildStart));
        check("building '/tmp/x'...", None);
        check("updating GRUB 2 menuXXX", None);
        check("warning: the following units", Some(M::Warning));
        check("Failed to start nginx.service", Some(M::UnitFailed));
        check("Failed to start Nginx Web Server.", None);
        check(
            "Command 'x' returned non-zero exit status 4.",
            Some(M::CommandFailed),
        );
        check("Command 'x' is fine", None);
        check("would activate the configuration...", None);
        check("web> activating the configuration...", None);
        check("  CC  src/file1.o", None);
        check("", None);
        check("ü", None);
    }

    #[test]
    fn a_tool_prints_only_its_own_lines() {
        let of = |tool| said(b"setting up users...", tool).is_some();
        assert!(of(None) && of(Some(DarwinRebuild)) && !of(Some(NixosRebuild)));
    }

    #[test]
    fn every_pattern_is_in_use() {
        let patterns = || RULES.iter().flat_map(|rule| rule.patterns);
        for pattern in patterns() {
            let regex = Regex::new(pattern).expect(pattern);
            let (prefix, whole) = literal_prefix(pattern);
            assert!(!prefix.is_empty(), "{pattern}");
            if whole {
                // Where the prefix stands for the expression, both find the same.
                assert!(regex.is_match(&prefix), "{pattern}");
                assert!(!regex.is_match(&prefix[..prefix.len() - 1]), "{pattern}");
                assert!(!regex.is_match(&format!(" {prefix}")), "{pattern}");
            }
        }
        let compiled = BUCKETS.iter().map(Vec::len).sum::<usize>();
        assert_eq!(compiled, patterns().count());
    }
}
