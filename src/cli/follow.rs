//! Starting runs and watching them to their end.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::args::Follow;
use super::client::{Client, ClientError};
use super::exit::Exit;
use super::output::Output;
use super::progress::ProgressLine;
use super::sse::{Event, Events};
use super::{last_words, text};
use crate::base::clock;
use crate::run::id::{HostName, RunId};
use crate::run::phase::Phase;
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
    follow: &Follow,
) -> anyhow::Result<Exit> {
    let body = CommandBody {
        command: command.to_owned(),
        args: args.to_vec(),
        queue: follow.queue,
        force: false,
        expires_in: follow.expires,
    };
    let width = hosts
        .iter()
        .map(|host| host.as_str().len())
        .max()
        .unwrap_or(0);
    let one = |host: &HostName| -> anyhow::Result<Exit> {
        let queued: CommandQueued = client.post(&format!("/api/hosts/{host}/command"), &body)?;
        if let Some(until) = &queued.queued_until {
            eprintln!("{}", last_words::waiting(host, &queued.command_id, until));
        }
        if follow.no_wait {
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
        refused: None,
        errors: VecDeque::new(),
        said_end: false,
    };
    while watching.take(&events.next_event()?)? {}
    drop(watching.line);
    let run: Run = client.get(&format!("/api/runs/{id}"))?;
    if out.is_json() {
        out.document(&json!({ "event": "end", "run": run }))?;
    } else {
        last_words::conclude(&run, &how.prefix, &watching.errors);
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
    /// The refusal of a stop that was shown.
    refused: Option<String>,
    errors: VecDeque<String>,
    /// Whether it was said that the run has ended while its output is still coming.
    said_end: bool,
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
                    if run.stop_refused != self.refused {
                        self.refused.clone_from(&run.stop_refused);
                        self.refusal();
                    }
                    if run.state.is_terminal() && run.bytes_pending > 0 && !self.said_end {
                        self.said_end = true;
                        self.line.hide();
                        eprintln!(
                            "{}{}",
                            self.how.prefix,
                            last_words::summary(&run, clock::now())
                        );
                        self.line.draw();
                    }
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

    /// A stop that somebody asked for, and that the host does not carry out.
    fn refusal(&mut self) {
        if let Some(why) = &self.refused {
            self.line.hide();
            eprintln!("{}nixfleet: {}", self.how.prefix, text::plain(why));
            self.line.draw();
        }
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
            if last_words::is_error(&plain) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_come_again_are_shown_once() {
        let (out, how) = (Output::new(true), Watch::alone());
        let mut watching = Watching {
            out: &out,
            how: &how,
            line: ProgressLine::new(false),
            next: 1,
            phase: None,
            refused: None,
            errors: VecDeque::new(),
            said_end: false,
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
}
