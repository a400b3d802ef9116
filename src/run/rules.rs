//! What a rebuild's lines mean: one table of regular expressions, one file for each program that prints them.
//!
//! A line is looked at only if it begins with the literal text that one of them begins with, so ordinary build output
//! costs a table look-up by its first shown byte. Expressions run in linear time whatever the line holds.

use std::ops::Range;
use std::sync::LazyLock;

use regex_lite::Regex;

use crate::run::ansi::after_escapes;
use crate::run::kind::RebuildTool;
use crate::run::rules::prefix::literal_prefix;

mod failure;
mod parts;
mod prefix;
mod question;
mod sentence;
mod table;

pub(super) use failure::{failure, plain_lines};
pub(super) use parts::{bytes, plain, store_name};
pub(super) use question::Question;
pub(super) use sentence::{is_consequence, sentence};

/// What a line means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The rebuild tool begins with the configuration itself; what came before was its own re-execution.
    Marker,
    /// `these N derivations will be built:`
    BuildPlan,
    /// `these N paths will be fetched (…)`
    FetchPlan,
    /// A derivation of the list that follows a build plan.
    PlanEntry,
    /// The rebuild tool builds something for itself.
    ToolBuild,
    /// `building '….drv'...`
    BuildStart,
    /// `copying path '…' from '…'...`
    CopyStart,
    /// What goes on, where nothing else follows from it.
    Activity,
    /// A line of the activation: of its first half, before units are started again.
    Activating,
    /// A line of its second half.
    Switching,
    /// What an activation that has begun does next. Others print such lines too, so none begins with it.
    Step,
    /// What went wrong in such a step.
    StepError,
    Warning,
    Error,
    /// An error that has no `error:` before it.
    Failed,
    /// The same of the activation.
    ActivationError,
    /// What git says before it fails: often the cause of Nix's error after it, and sometimes nothing bad.
    Git,
    /// A question, or that nobody is there to be asked.
    Prompt(Question),
    /// The activation script itself failed.
    ScriptFailed,
    /// `Failed to start nginx.service`
    UnitFailed,
    /// `warning: the following units failed: a, b`
    UnitsFailed,
    /// `warning: user activation for NAME failed`
    UserFailed,
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
    tools: &'static [RebuildTool],
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
    for rule in table::rules() {
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
                    tools: rule.tools,
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
                && tool.is_none_or(|tool| matcher.tools.is_empty() || matcher.tools.contains(&tool))
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
mod tests;
