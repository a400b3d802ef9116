//! Bytes of a terminal to lines, whatever the cut of the reads. Cannot fail and loses no byte.
//!
//! A line ends at `\n`; the `\r`s right before it belong to its end. A `\r` elsewhere begins a redraw: what stood before it
//! in the line is not shown any more (the exact rule is in [`crate::run::ansi`]).
//!
//! [`LineMark::len`] counts all bytes of the line, redraws and end included, so the marks of a run add up to its output.
//! [`LineMark::skip`] is how many of them come before what is shown:
//!
//! | bytes | len | skip | shown |
//! |---|---|---|---|
//! | `ok\r\n` | 4 | 0 | `ok` |
//! | `1%\r2%\r3%\n` | 9 | 6 | `3%` |
//! | `1%\r ESC[K\n` | 7 | 3 | nothing: it was erased |
//! | `1%\r ESC[0m\n` | 8 | 0 | `1%`: nothing was drawn over it |
//!
//! `tail_skip` of [`Output`](crate::run::event::RunEvent::Output) is the same for the line that has not ended yet: with
//! `1%\r2%` it is 3.

use crate::run::ansi::{Shows, shows, unfinished_escape};
use crate::run::event::{LineMark, MAX_LINE};

/// What the assembler found.
#[derive(Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A line ended.
    Line {
        /// Its measures; `ago` is 0, the assembler knows no time.
        mark: LineMark,
        /// The bytes from `skip` to before the line's end. Escapes are still in it.
        visible: &'a [u8],
    },
    /// A part of a line is about to be drawn over: one state of a progress bar.
    Redraw {
        /// Its bytes.
        visible: &'a [u8],
    },
}

/// Cuts a stream of bytes into lines. Keeps at most [`MAX_LINE`] bytes.
#[derive(Debug, Default)]
pub struct LineAssembler {
    /// Bytes of the unfinished line that are not kept: drawn over.
    before: u64,
    /// The kept bytes: what may be shown.
    pending: Vec<u8>,
    /// Where in `pending` the newest segment begins; what stands before it is shown if that one shows nothing.
    segment: usize,
    /// Carriage returns after `pending`; what follows says whether they end the line or redraw it.
    returns: u64,
}

impl LineAssembler {
    /// Takes bytes as they were read.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Found<'_>)) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if self.returns > 0 {
                match first {
                    b'\n' => {
                        self.end_line(1, sink);
                        rest = &rest[1..];
                    }
                    b'\r' => {
                        self.returns += 1;
                        rest = &rest[1..];
                    }
                    _ => self.redraw(first, sink),
                }
                continue;
            }
            let end = memchr::memchr2(b'\r', b'\n', rest);
            if let (true, Some(end @ ..=MAX_LINE)) = (self.pending.is_empty(), end) {
                // The usual case: a whole line in one read is not copied.
                let ending = match (rest[end], rest.get(end + 1)) {
                    (b'\n', _) => 1,
                    (_, Some(b'\n')) => 2,
                    _ => 0,
                };
                if ending > 0 {
                    let len = self.before + (end + ending) as u64;
                    let mark = mark(len, self.before);
                    self.before = 0;
                    sink(Found::Line {
                        mark,
                        visible: &rest[..end],
                    });
                    rest = &rest[end + ending..];
                    continue;
                }
            }
            let end = end.unwrap_or(rest.len());
            let room = MAX_LINE - self.pending.len();
            if end > room {
                self.pending.extend_from_slice(&rest[..room]);
                rest = &rest[room..];
                self.cut(sink);
                continue;
            }
            self.pending.extend_from_slice(&rest[..end]);
            rest = &rest[end..];
            match rest.first() {
                Some(b'\n') => {
                    self.end_line(1, sink);
                    rest = &rest[1..];
                }
                Some(_) => {
                    self.returns = 1;
                    rest = &rest[1..];
                }
                None => {}
            }
        }
    }

    /// The stream ended: what is shown of an unfinished line becomes the last line. A rest that shows nothing is no line;
    /// its bytes follow the last mark.
    pub fn finish(&mut self, sink: &mut impl FnMut(Found<'_>)) {
        let shown = &self.pending[self.shown_from()..];
        if shows(shown) == Shows::Text {
            self.end_line(0, sink);
        }
    }

    /// For the unfinished line: bytes from its start to the start of what is shown of it.
    pub fn tail_skip(&self) -> u64 {
        self.before + self.shown_from() as u64
    }

    fn shown_from(&self) -> usize {
        if self.segment > 0 && shows(&self.pending[self.segment..]) != Shows::Nothing {
            self.segment
        } else {
            0
        }
    }

    fn end_line(&mut self, newline: u64, sink: &mut impl FnMut(Found<'_>)) {
        let from = self.shown_from();
        let len = self.before + self.pending.len() as u64 + self.returns + newline;
        sink(Found::Line {
            mark: mark(len, self.before + from as u64),
            visible: &self.pending[from..],
        });
        *self = Self {
            pending: std::mem::take(&mut self.pending),
            ..Self::default()
        };
        self.pending.clear();
    }

    /// The carriage returns did not end the line: `next` follows them.
    fn redraw(&mut self, next: u8, sink: &mut impl FnMut(Found<'_>)) {
        let state = shows(&self.pending[self.segment..]);
        if state != Shows::Nothing {
            self.forget(self.segment);
        }
        if state == Shows::Text {
            sink(Found::Redraw {
                visible: &self.pending,
            });
        }
        let returns = std::mem::take(&mut self.returns);
        let kept = self.pending.len() as u64 + returns;
        let keep = match state {
            // Text that follows will cover it anyway.
            Shows::Text => !matches!(next, b'\t' | 0x20..=0x7e | 0x80..),
            Shows::Erasure => false,
            Shows::Nothing => self.segment > 0,
        };
        if keep && kept <= MAX_LINE as u64 {
            self.pending.resize(kept as usize, b'\r');
            self.segment = self.pending.len();
        } else {
            self.before += kept;
            self.pending.clear();
            self.segment = 0;
        }
    }

    /// The kept bytes are [`MAX_LINE`], and one more follows.
    fn cut(&mut self, sink: &mut impl FnMut(Found<'_>)) {
        if self.segment > 0 {
            self.forget(self.segment);
            return;
        }
        let at = cut_at(&self.pending);
        sink(Found::Line {
            mark: mark(self.before + at as u64, self.before),
            visible: &self.pending[..at],
        });
        self.pending.drain(..at);
        self.before = 0;
    }

    /// Drops the first kept bytes: they are not shown any more.
    fn forget(&mut self, count: usize) {
        self.pending.drain(..count);
        self.before += count as u64;
        self.segment = 0;
    }
}

fn mark(len: u64, skip: u64) -> LineMark {
    LineMark { len, skip, ago: 0 }
}

/// Where to cut a full buffer: before a character or an escape sequence that is not whole.
fn cut_at(full: &[u8]) -> usize {
    if let Some(start) = unfinished_escape(full)
        && start > 0
    {
        return start;
    }
    let from = full.len().saturating_sub(3);
    let lead = full[from..].iter().rposition(|byte| *byte >= 0xc0);
    match lead.map(|lead| from + lead) {
        Some(lead) => {
            let width = match full[lead] {
                0xf0.. => 4,
                0xe0.. => 3,
                _ => 2,
            };
            if lead > 0 && lead + width > full.len() {
                lead
            } else {
                full.len()
            }
        }
        None => full.len(),
    }
}

#[cfg(test)]
mod tests;
