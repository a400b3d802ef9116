//! Nix's errors have several lines: the first one, a trace, the cause, the end of a build's log.

use crate::run::ansi::after_escapes;
use crate::run::rules::plain;

/// The most lines that one error takes; what follows is ordinary output again.
const MAX_LINES: u32 = 2000;

#[derive(Debug)]
pub(super) struct ErrorBlock {
    line: u64,
    text: String,
    /// The text is still to come, on the next line that is neither trace nor source.
    wanted: bool,
    lines: u32,
    failed_build: bool,
}

impl ErrorBlock {
    /// Begins with the line `error: …`.
    pub(super) fn new(line: u64, text: &str) -> Self {
        let text = text.trim_start_matches("error:").trim();
        Self {
            line,
            text: text.to_owned(),
            wanted: text.is_empty(),
            lines: 0,
            failed_build: text.starts_with("builder for '"),
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
        if let Some(cause) = text.strip_prefix("error:") {
            // The innermost one is the cause.
            cause.trim().clone_into(&mut self.text);
            self.wanted = self.text.is_empty() || self.text.ends_with(':');
        } else if let Some(reason) = text.strip_prefix("Reason: ") {
            self.failed_build = reason.starts_with("builder failed");
            self.text = format!("{} Reason: {reason}", self.text);
        } else if text.starts_with('…') {
            self.wanted = false;
        } else if self.wanted && !text.is_empty() {
            if !self.text.is_empty() {
                self.text.push(' ');
            }
            self.text.push_str(text);
            // `Failed assertions:` says nothing without the first of them.
            self.wanted = self.text.ends_with(':');
        }
        true
    }

    /// Whether it is about a build that failed itself, not through a dependency.
    pub(super) fn is_failed_build(&self) -> bool {
        self.failed_build
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
