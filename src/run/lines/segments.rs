//! One line after the other, where nothing moves the cursor to another line.

use crate::run::ansi::{Shows, shows, unfinished_escape};
use crate::run::event::{LineMark, MAX_LINE};
use crate::run::lines::Found;

/// Cuts a stream of bytes into lines. Keeps at most [`MAX_LINE`] bytes.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Bytes of the unfinished line that are not kept: drawn over.
    before: u64,
    /// The kept bytes: what may be shown.
    pending: Vec<u8>,
    /// Where in `pending` the newest segment begins; what stands before it is shown if that one shows nothing.
    segment: usize,
    /// Carriage returns after `pending`; what follows says whether they end the line or redraw it.
    returns: u64,
}

impl Segments {
    /// Takes bytes as they were read.
    pub(super) fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Found<'_>)) {
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

    /// For the unfinished line: bytes from its start to the start of what is shown of it.
    pub(super) fn tail_skip(&self) -> u64 {
        self.before + self.shown_from() as u64
    }

    /// Whether the line has no bytes yet.
    pub(super) fn is_empty(&self) -> bool {
        self.before == 0 && self.pending.is_empty() && self.returns == 0
    }

    /// The cursor leaves the line, which has no end, or the stream is over: what is shown of it becomes a line. Says whether
    /// anything was; a rest that shows nothing is no line, and its bytes follow the last mark.
    pub(super) fn leave(&mut self, sink: &mut impl FnMut(Found<'_>)) -> bool {
        let text = shows(&self.pending[self.shown_from()..]) == Shows::Text;
        if text {
            self.end_line(0, sink);
        }
        text
    }

    #[cfg(test)]
    pub(super) fn assert_bounded(&self) {
        assert!(self.pending.len() <= MAX_LINE);
        assert!(self.pending.capacity() <= 2 * MAX_LINE);
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
