//! Nix's errors have several lines: the first one, a trace, the cause, the end of a build's log.

use std::collections::VecDeque;

use crate::run::ansi::after_escapes;
use crate::run::event::{Failure, MAX_FAILURE_LINES, MAX_TEXT, cut};
use crate::run::rules::{self, plain};

/// The most lines that one error takes; what follows is ordinary output again.
const MAX_LINES: u32 = 2000;
/// How long the text of a list may become before no more of it is taken, in bytes.
const MAX_LIST: usize = 2 * MAX_TEXT;
/// How much of its text is looked at for a build that failed, in bytes.
const MAX_SAID: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct ErrorBlock {
    line: u64,
    text: String,
    /// The text is still to come, on the next line that is neither trace nor source.
    wanted: bool,
    lines: u32,
    /// What the text says of a build: its first lines, up to the log.
    said: String,
    /// The end of a build's log, once it has begun.
    log: Option<VecDeque<String>>,
}

impl ErrorBlock {
    /// Begins with the line `error: …`.
    pub(super) fn new(line: u64, text: &str) -> Self {
        let text = text.trim_start_matches("error:").trim();
        Self {
            line,
            text: text.to_owned(),
            wanted: is_unfinished(text),
            lines: 0,
            said: text.to_owned(),
            log: None,
        }
    }

    pub(super) fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    /// Takes the line if it belongs to the error.
    pub(super) fn take(&mut self, visible: &[u8]) -> bool {
        let first = after_escapes(visible).first();
        let indented = matches!(first, None | Some(b' ' | b'\t'));
        self.lines += 1;
        if self.lines > MAX_LINES {
            return false;
        }
        if !indented {
            // Quoted source may stand at the margin as long as the cause is still to come.
            return !self.has_text() && crate::run::rules::said(visible, None).is_none();
        }
        let text = plain(visible);
        let text = text.trim();
        self.keep(text);
        if let Some(cause) = text.strip_prefix("error:") {
            // The innermost one is the cause.
            cause.trim().clone_into(&mut self.text);
            self.wanted = is_unfinished(&self.text);
        } else if let Some(reason) = text.strip_prefix("Reason: ") {
            self.text = format!("{} Reason: {reason}", self.text);
        } else if text.starts_with('…') {
            self.wanted = false;
        } else if self.wanted && !text.is_empty() {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            let words: Vec<&str> = text.split_whitespace().collect();
            self.text.push_str(&words.join(" "));
            self.wanted = is_unfinished(&self.text);
        }
        true
    }

    /// Keeps what tells of a build that failed (Nix src/libstore/build/derivation-building-goal.cc, 2.18 to 2.36).
    fn keep(&mut self, text: &str) {
        if let Some(log) = &mut self.log
            && let Some(line) = text.strip_prefix('>')
        {
            if log.len() >= MAX_FAILURE_LINES {
                log.pop_front();
            }
            log.push_back(line.strip_prefix(' ').unwrap_or(line).to_owned());
            return;
        }
        let lower = text.to_ascii_lowercase();
        if lower.starts_with("last ") && lower.ends_with(" log lines:") {
            self.log = Some(VecDeque::new());
        } else if self.said.len() < MAX_SAID {
            self.said.push('\n');
            self.said.push_str(text);
        }
    }

    /// The build that failed itself, if the error is about one.
    pub(super) fn failure(&self) -> Option<Failure> {
        let found = rules::failure(&self.said).filter(|found| found.itself)?;
        Some(Failure {
            name: cut(found.name),
            drv: found.drv.map(cut),
            host: found.host.map(cut),
            cause: cut(found.cause),
            log: self.log.iter().flatten().cloned().map(cut).collect(),
        })
    }

    /// Its first line and its text.
    pub(super) fn into_notice(self) -> (u64, String) {
        let text = match self.text.trim_end_matches(';') {
            "" => "an error without a text; see the output".to_owned(),
            text => text.to_owned(),
        };
        (self.line, text)
    }
}

/// Whether the text says nothing without the next line.
fn is_unfinished(text: &str) -> bool {
    // These two have all of their lines: each assertion, and the hash that was found after the one that was wanted.
    let list = text.starts_with("Failed assertions:") || text.starts_with("hash mismatch ");
    text.is_empty() || text.ends_with(':') || (list && text.len() < MAX_LIST)
}
