//! `logs RUN --build NAME`: what one build of a run printed.

use std::fmt::Write as _;

use anyhow::bail;

use super::client::Client;
use super::exit::Exit;
use super::output::Output;
use super::runs::{Which, find};
use super::text;
use crate::run::id::RunId;
use crate::wire::api::{BuildLogLine, BuildLogLines, BuildLogs, LoggedBuild};

/// Lines asked for at a time.
const PAGE: u64 = 1000;
/// The most builds that an error names.
const NAMED: usize = 20;

pub fn show(client: &Client, out: &Output, name: &str, build: &str) -> anyhow::Result<Exit> {
    let run = find(client, name, Which::Newest)?;
    // Of a store path the dashboard itself knows best.
    let drv = if build.starts_with('/') {
        build.to_owned()
    } else {
        let known: BuildLogs = client.get(&format!("/api/runs/{run}/builds"))?;
        chosen(run, build, &known)?.drv.clone()
    };
    let mut all: Vec<BuildLogLine> = Vec::new();
    let mut page = BuildLogLines {
        next: 1,
        ..BuildLogLines::default()
    };
    // The number of the line that comes if none is missing.
    let mut expected = 1;
    loop {
        let path = format!(
            "/api/runs/{run}/builds/log?drv={}&from={}&limit={PAGE}",
            escaped(&drv),
            page.next
        );
        let from = page.next;
        page = client.get(&path)?;
        if page.lines.is_empty() || page.next <= from {
            break;
        }
        if out.is_json() {
            all.append(&mut page.lines);
            continue;
        }
        let mut shown = String::new();
        for line in &page.lines {
            shown.push_str(&missing(expected, line.n));
            shown.push_str(&text::line(&line.text, out.has_colour()));
            shown.push('\n');
            expected = line.n.saturating_add(1);
        }
        out.text(&shown)?;
    }
    if out.is_json() {
        out.document(&serde_json::json!({
            "run": run, "drv": drv, "lines": all, "total": page.total, "rest_dropped": page.rest_dropped, "incomplete": page.incomplete,
        }))?;
        return Ok(Exit::Success);
    }
    let mut end = missing(expected, page.total.saturating_add(1));
    if page.rest_dropped {
        end.push_str(
            "[what it printed after this was not kept: the run's limit of build logs is reached]\n",
        );
    }
    if page.incomplete {
        end.push_str("[it may have printed more: records of this run are missing]\n");
    }
    out.text(&end)?;
    Ok(Exit::Success)
}

/// What stands in the place of lines that could not be kept.
fn missing(from: u64, to: u64) -> String {
    match to.saturating_sub(from) {
        0 => String::new(),
        1 => format!("[line {from} is missing]\n"),
        n => format!("[{n} lines from line {from} on are missing]\n"),
    }
}

/// The one build of that name.
fn chosen<'a>(run: RunId, name: &str, known: &'a BuildLogs) -> anyhow::Result<&'a LoggedBuild> {
    let found: Vec<_> = known
        .builds
        .iter()
        .filter(|build| build.name == name)
        .collect();
    match found[..] {
        [build] => Ok(build),
        [] if known.builds.is_empty() => bail!(
            "run {run} has no logs of single builds; they come from Nix 2.30 or later, and `nixfleet logs {run}` has its output"
        ),
        [] => bail!(
            "run {run} has no log of a build {}; those that have one: {}",
            text::plain(name),
            list(known.builds.iter().map(|build| &*build.name), known.more)
        ),
        _ => bail!(
            "run {run} has several builds {}; name one of {}",
            text::plain(name),
            list(found.iter().map(|build| &*build.drv), known.more)
        ),
    }
}

fn list<'a>(all: impl Iterator<Item = &'a str>, more: bool) -> String {
    let mut named: Vec<_> = all.map(text::plain).collect();
    let more = more || named.len() > NAMED;
    named.truncate(NAMED);
    let mut list = named.join(", ");
    if more {
        list.push_str(", …");
    }
    list
}

/// A text within a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, known: &[(&str, &str)], expected: Result<&str, &str>) {
        let builds = known.iter().map(|(name, drv)| LoggedBuild {
            name: (*name).to_owned(),
            drv: (*drv).to_owned(),
            ..LoggedBuild::default()
        });
        let known = BuildLogs {
            builds: builds.collect(),
            ..BuildLogs::default()
        };
        match (chosen(RunId::new(), name, &known), expected) {
            (Ok(build), Ok(drv)) => assert_eq!(build.drv, drv),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn a_name_is_one_build_or_an_error_that_lists_them() {
        let known = [("a", "/1"), ("b\u{1b}[2J", "/2"), ("c", "/3"), ("c", "/4")];
        check("a", &known, Ok("/1"));
        check(
            "x\n",
            &known,
            Err("build x\\n; those that have one: a, b\\u{1b}[2J, c"),
        );
        check("c", &known, Err("several builds c; name one of /3, /4"));
        check("a", &[], Err("no logs of single builds"));
        let many = [("n", "/n"); 30];
        check("a", &many, Err("n, n, …"));
    }

    #[test]
    fn missing_lines_and_escapes() {
        assert_eq!(missing(3, 3), "");
        assert_eq!(missing(3, 4), "[line 3 is missing]\n");
        assert_eq!(missing(3, 9), "[6 lines from line 3 on are missing]\n");
        assert_eq!(missing(9, 3), "");
        assert_eq!(
            escaped("/nix/store/a-b+c?d&é.drv"),
            "/nix/store/a-b%2Bc%3Fd%26%C3%A9.drv"
        );
    }
}
