//! From a journal's records to lines of text with their numbers.

use crate::run::ansi;
use crate::run::event::RunEvent;
use crate::run::id::Seq;

/// The longest line that is told, in bytes; the rest of a longer one is cut off, and the line says so.
const MAX_LINE: usize = 32 * 1024;
/// The most bytes of the unfinished line that are kept: what a progress bar has drawn over before is not needed.
const MAX_TAIL: usize = 256 * 1024;
/// So much of it stays when it is too long.
const KEPT_TAIL: usize = 64 * 1024;

/// A line to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its number in the run; our own words have numbers of their own.
    pub number: u64,
    /// What it shows, without escapes.
    pub text: String,
    /// Whether the words are this agent's.
    pub ours: bool,
}

/// Reads records in order.
#[derive(Debug, Default)]
pub struct Lines {
    seq: Seq,
    /// Lines that ended.
    count: u64,
    /// Our own.
    own: u64,
    /// Bytes of the whole output so far.
    bytes: u64,
    /// The end of the unfinished line, and how many of its bytes came before.
    tail: Vec<u8>,
    before: u64,
    /// The unfinished line began in what is missing.
    unknown: bool,
}

impl Lines {
    /// The lines that a record ends.
    pub fn take(&mut self, seq: Seq, event: &RunEvent, raw: &[u8]) -> Vec<Line> {
        let mut found = Vec::new();
        let follows = seq == self.seq.next();
        self.seq = seq;
        match event {
            RunEvent::Output { lines, .. } => {
                self.bytes += raw.len() as u64;
                self.tail.extend_from_slice(raw);
                for mark in lines {
                    let text = self.end(mark.len, mark.skip);
                    self.count += 1;
                    found.push(Line {
                        number: self.count,
                        text,
                        ours: false,
                    });
                }
                if self.tail.len() > MAX_TAIL {
                    let gone = self.tail.len() - KEPT_TAIL;
                    self.tail.drain(..gone);
                    self.before += gone as u64;
                }
            }
            RunEvent::Gap {
                bytes,
                lines,
                reason,
                ..
            } => found.push(self.missing(*bytes, *lines, reason)),
            RunEvent::Checkpoint { offset, lines, .. } if !follows => {
                let bytes = offset.saturating_sub(self.bytes);
                let lines = lines.saturating_sub(self.count);
                found.push(self.missing(bytes, lines, "the journal's limit"));
            }
            RunEvent::StopRequested {
                by,
                refused: Some(why),
                ..
            } => found.push(self.own(&format!("a stop by {by} is refused: {why}"))),
            _ => {}
        }
        found
    }

    /// The text of the line that ends after `len` bytes, of which `skip` do not show.
    fn end(&mut self, len: u64, skip: u64) -> String {
        let (len, skip) = if std::mem::take(&mut self.unknown) {
            let newline = memchr::memchr(b'\n', &self.tail);
            (newline.map_or(self.tail.len(), |at| at + 1), 0)
        } else {
            let here = |position: u64| position.saturating_sub(self.before) as usize;
            (here(len).min(self.tail.len()), here(skip))
        };
        self.before = 0;
        let visible = self.tail.get(skip..len).unwrap_or_default();
        let shown = ansi::render(&visible[..visible.len().min(MAX_LINE)]);
        let mut text = ansi::strip(&shown).into_owned();
        if visible.len() > MAX_LINE {
            text.push_str(" … (cut off)");
        }
        self.tail.drain(..len);
        text
    }

    fn missing(&mut self, bytes: u64, lines: u64, why: &str) -> Line {
        self.bytes += bytes;
        self.count += lines;
        if lines > 0 {
            self.unknown = true;
            self.before = 0;
        } else {
            self.before += self.tail.len() as u64 + bytes;
        }
        self.tail.clear();
        self.own(&format!(
            "{lines} lines ({bytes} bytes) are missing here: {why}"
        ))
    }

    fn own(&mut self, text: &str) -> Line {
        self.own += 1;
        Line {
            number: self.own,
            text: format!("nixfleet: {text}"),
            ours: true,
        }
    }
}
