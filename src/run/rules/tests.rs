//! The table as a whole. What each program says is tested beside its rules.

use super::*;
use Meaning as M;
use RebuildTool::{DarwinRebuild, NixosRebuild};

mod recordings;

/// Lines of a tool (none: any of them) and their meaning.
#[track_caller]
pub(super) fn check_all(tool: Option<RebuildTool>, lines: &[(&str, Option<Meaning>)]) {
    for (line, expected) in lines {
        assert_eq!(
            said(line.as_bytes(), tool).map(|said| said.meaning),
            *expected,
            "{line}"
        );
    }
}

#[test]
fn lines_of_no_meaning() {
    check_all(
        None,
        &[
            ("  CC  src/file1.o", None),
            ("", None),
            ("ü", None),
            (" ", None),
            ("\u{1b}[1m", None),
            ("web> activating the configuration...", None),
            ("setting up", None),
        ],
    );
}

#[test]
fn a_tool_prints_only_its_own_lines() {
    let of = |line: &str, tool| said(line.as_bytes(), tool).map(|said| said.meaning);
    let line = "setting up users...";
    assert_eq!(of(line, None), Some(M::Activating));
    assert_eq!(of(line, Some(DarwinRebuild)), Some(M::Activating));
    assert_eq!(of(line, Some(NixosRebuild)), None);
    let line = "Starting Home Manager activation";
    assert_eq!(of(line, Some(DarwinRebuild)), Some(M::Activating));
    assert_eq!(of(line, Some(NixosRebuild)), None);
}

#[test]
fn every_pattern_is_in_use() {
    let patterns = || table::rules().flat_map(|rule| rule.patterns);
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

#[test]
fn the_table_is_small() {
    let patterns = || table::rules().flat_map(|rule| rule.patterns);
    let bytes: usize = patterns().map(|pattern| pattern.len()).sum();
    assert!(bytes < 10_000, "{bytes} bytes of patterns");
    let whole = patterns()
        .filter(|pattern| literal_prefix(pattern).1)
        .count();
    assert!(whole * 2 > patterns().count(), "{whole} need no expression");
}

#[test]
fn no_pattern_stands_twice_for_the_same_tool() {
    let rules: Vec<_> = table::rules()
        .flat_map(|rule| rule.patterns.iter().map(|pattern| (*pattern, rule.tools)))
        .collect();
    for (at, (pattern, tools)) in rules.iter().enumerate() {
        for (other, others) in &rules[at + 1..] {
            let shared = tools.is_empty()
                || others.is_empty()
                || tools.iter().any(|tool| others.contains(tool));
            assert!(pattern != other || !shared, "{pattern}");
        }
    }
}
