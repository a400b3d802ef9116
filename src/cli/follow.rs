//! Starting runs and watching them to their end.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::client::{Client, ClientError};
use super::exit::Exit;
use super::output::Output;
use super::progress::ProgressLine;
use super::sse::{Event, Events};
use super::{runs, text};
use crate::base::clock;
use crate::run::id::{HostName, RunId};
use crate::run::phase::{Phase, RunState};
use crate::wire::api::{CommandBody, CommandQueued, LogLines, Run};

/// Error lines that are repeated at the end of a run that failed.
const MAX_ERRORS: usize = 10;

/// How a run is shown.
#[derive(Debug, Default)]
pub struct Watch {
    /// What stands before each line, when several runs are watched.
    prefix: String,
    /// Whether the progress has a line of its own.
    progress: bool,
}

impl Watch {
    /// The only run that is watched.
    pub fn alone() -> Self {
        Self {
            prefix: String::new(),
            progress: true,
        }
    }
}

/// Starts `command` on all hosts; watches them all, or prints the runs' ids.
pub fn start(
    client: &Client,
    out: &Output,
    hosts: &[HostName],
    command: &str,
    args: &[String],
    no_wait: bool,
) -> anyhow::Result<Exit> {
    let body = CommandBody {
        command: command.to_owned(),
        args: args.to_vec(),
    };
    let width = hosts
        .iter()
        .map(|host| host.as_str().len())
        .max()
        .unwrap_or(0);
    let one = |host: &HostName| -> anyhow::Result<Exit> {
        let queued: CommandQueued = client.post(&format!("/api/hosts/{host}/command"), &body)?;
        if no_wait {
            if out.is_json() {
                out.document(&queued)?;
            } else {
                out.text(&format!("{}\n", queued.command_id))?;
            }
            return Ok(Exit::Success);
        }
        let how = if hosts.len() == 1 {
            Watch::alone()
        } else {
            Watch {
                prefix: format!("{:width$} | ", host.as_str()),
                progress: false,
            }
        };
        let run = watch(client, out, &queued.command_id, &how)?;
        Ok(Exit::of_run(&run))
    };
    if let [host] = hosts {
        return one(host);
    }
    let ends: Vec<Exit> = std::thread::scope(|scope| {
        let threads: Vec<_> = hosts
            .iter()
            .map(|host| (host, scope.spawn(|| one(host))))
            .collect();
        let end = |(host, thread): (&HostName, std::thread::ScopedJoinHandle<'_, _>)| match thread
            .join()
        {
            Ok(Ok(exit)) => exit,
            Ok(Err(error)) => {
                let exit = Exit::of_error(&error);
                if exit != Exit::Success {
                    eprintln!("nixfleet: {host}: {}", text::plain(&format!("{error:#}")));
                }
                exit
            }
            Err(_) => Exit::Error,
        };
        threads.into_iter().map(end).collect()
    });
    // The first host that did not succeed decides, in the order of the command line.
    let bad = ends.into_iter().find(|exit| *exit != Exit::Success);
    Ok(bad.unwrap_or(Exit::Success))
}

/// Shows a run from its first line to its end, and answers how it ended.
///
/// # Errors
/// The dashboard says no or was away too long; or our output is closed.
pub fn watch(client: &Client, out: &Output, id: &RunId, how: &Watch) -> anyhow::Result<Run> {
    let mut events = Events::open(client, format!("/api/runs/{id}/events"))?;
    let mut watching = Watching {
        out,
        how,
        line: ProgressLine::new(how.progress && !out.is_json()),
        next: 1,
        phase: None,
        errors: VecDeque::new(),
    };
    while watching.take(&events.next_event()?)? {}
    drop(watching.line);
    let run: Run = client.get(&format!("/api/runs/{id}"))?;
    if out.is_json() {
        out.document(&json!({ "event": "end", "run": run }))?;
    } else {
        conclude(&run, how, &watching.errors);
    }
    Ok(run)
}

struct Watching<'a> {
    out: &'a Output,
    how: &'a Watch,
    line: ProgressLine,
    /// The number of the first line that has not been shown.
    next: u64,
    phase: Option<Phase>,
    errors: VecDeque<String>,
}

impl Watching<'_> {
    /// Shows an event; `false` after the last one.
    fn take(&mut self, event: &Event) -> anyhow::Result<bool> {
        let strange = |error: serde_json::Error| ClientError::Strange {
            url: String::from("the stream of the run"),
            why: error.to_string(),
        };
        match event.event.as_str() {
            "end" => return Ok(false),
            "lines" => {
                let mut lines: LogLines = serde_json::from_str(&event.data).map_err(strange)?;
                // Whatever a reconnect brings again has been shown.
                lines.lines.retain(|line| line.n >= self.next);
                if let Some(last) = lines.lines.last() {
                    self.next = last.n + 1;
                    self.lines(&lines)?;
                }
            }
            "run" => {
                if self.out.is_json() {
                    let run: Value = serde_json::from_str(&event.data).map_err(strange)?;
                    self.out.document(&json!({ "event": "run", "run": run }))?;
                } else {
                    let run: Run = serde_json::from_str(&event.data).map_err(strange)?;
                    self.line.update(&run);
                    if !self.how.progress && run.phase != self.phase {
                        self.phase = run.phase;
                        let phase = run.phase.map_or("", Phase::name);
                        eprintln!("{}== {phase}", self.how.prefix);
                    }
                }
            }
            // An unfinished line is shown when it is finished; other events are of later dashboards.
            _ => {}
        }
        Ok(true)
    }

    fn lines(&mut self, lines: &LogLines) -> anyhow::Result<()> {
        if self.out.is_json() {
            let host = self.how.prefix.split(' ').next().unwrap_or_default();
            let mut document = json!({ "event": "lines", "lines": lines.lines });
            if !host.is_empty() {
                document["host"] = host.into();
            }
            return Ok(self.out.document(&document)?);
        }
        let mut shown = String::new();
        for line in &lines.lines {
            shown.push_str(&self.how.prefix);
            shown.push_str(&text::line(&line.text, self.out.has_colour()));
            shown.push('\n');
            let plain = text::line(&line.text, false);
            if is_error(&plain) {
                if self.errors.len() == MAX_ERRORS {
                    self.errors.pop_front();
                }
                self.errors.push_back(plain);
            }
        }
        self.line.hide();
        self.out.text(&shown)?;
        self.line.draw();
        Ok(())
    }
}

fn is_error(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("error:") || line.starts_with("Error:") || line.contains(": error:")
}

/// The last words, on standard error.
fn conclude(run: &Run, how: &Watch, errors: &VecDeque<String>) {
    if !matches!(run.state, RunState::Succeeded) {
        for line in errors {
            eprintln!("{}{line}", how.prefix);
        }
    }
    eprintln!("{}{}", how.prefix, summary(run, clock::now()));
}

/// `switch on web1: failed after 2m 05s: the build of hello failed`.
fn summary(run: &Run, now: clock::Millis) -> String {
    let after = runs::took(run, now).map_or_else(String::new, |took| format!(" after {took}"));
    let reason = run
        .reason
        .as_deref()
        .filter(|_| run.state != RunState::Succeeded);
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    let missing = if run.bytes_missing > 0 {
        format!(" ({} bytes of output could not be kept)", run.bytes_missing)
    } else {
        String::new()
    };
    let state = run.state.name().replace('_', " ");
    let text = format!(
        "{} on {}: {state}{after}{reason}{missing}",
        run.command, run.host
    );
    text::plain(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::runs::sample;

    #[test]
    fn the_last_words_say_how_and_why() {
        let ended = Run {
            state: RunState::Succeeded,
            finished_at: Some("2026-01-31T08:15:41.000Z".into()),
            reason: Some("all is well".into()),
            ..sample()
        };
        assert_eq!(summary(&ended, 0), "switch on web1: succeeded after 10s");
        let failed = Run {
            state: RunState::RebootRequired,
            reason: Some("a\u{1b}[2J reason".into()),
            bytes_missing: 5,
            ..ended
        };
        assert_eq!(
            summary(&failed, 0),
            "switch on web1: reboot required after 10s: a\\u{1b}[2J reason (5 bytes of output could not be kept)"
        );
    }

    #[test]
    fn lines_that_come_again_are_shown_once() {
        let (out, how) = (Output::new(true), Watch::alone());
        let mut watching = Watching {
            out: &out,
            how: &how,
            line: ProgressLine::new(false),
            next: 1,
            phase: None,
            errors: VecDeque::new(),
        };
        let event = |event: &str, data: Value| Event {
            event: event.into(),
            data: data.to_string(),
        };
        let lines = |numbers: &[u64]| {
            let lines: Vec<Value> = numbers
                .iter()
                .map(|n| json!({ "n": n, "at": "", "text": "error: no" }))
                .collect();
            event(
                "lines",
                json!({ "lines": lines, "next": 0, "complete": false }),
            )
        };
        assert!(watching.take(&lines(&[1, 2])).unwrap());
        assert_eq!(watching.next, 3);
        assert!(watching.take(&lines(&[1, 2, 3])).unwrap());
        assert_eq!(watching.next, 4);
        assert!(
            watching
                .take(&event("of a later dashboard", json!(1)))
                .unwrap()
        );
        assert!(watching.take(&event("ping", json!({}))).unwrap());
        assert!(!watching.take(&event("end", json!({}))).unwrap());
        assert!(watching.take(&event("lines", json!("nonsense"))).is_err());
    }

    #[test]
    fn error_lines_are_known() {
        for (line, expected) in [
            ("error: builder failed", true),
            ("       error: attribute missing", true),
            ("foo.c:3: error: x", true),
            ("0 errors", false),
        ] {
            assert_eq!(is_error(line), expected, "{line}");
        }
    }
}
