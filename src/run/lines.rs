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
//! Programs that redraw several lines move the cursor up: Lix's `multiline` bar (lix/libmain/progress-bar.cc, 2.91 and later:
//! `ESC[G ESC[nF ESC[J` and the lines again), Homebrew's downloads (Library/Homebrew/download_queue.rb: each line again, then
//! `ESC[nF`, or `ESC[1G` where it is one line). From the first such escape of a run on, the newest lines are held back: at most [`MAX_HELD_LINES`] of them and
//! [`MAX_HELD_BYTES`]. What is erased or drawn over then was no line, but a redraw, and its bytes belong to the next line's
//! `skip`. A line that was given away stays a line, whatever is drawn over it.
//!
//! `tail_skip` of [`Output`](crate::run::event::RunEvent::Output) is the same for the line that has not ended yet: with
//! `1%\r2%` it is 3.

use crate::run::event::LineMark;
use crate::run::lines::moves::{Escape, Move, escape, first_move};
use crate::run::lines::rows::Rows;
use crate::run::lines::segments::Segments;

mod moves;
mod rows;
mod segments;

pub use rows::{COLUMNS, MAX_HELD_BYTES, MAX_HELD_LINES};

const ESC: u8 = 0x1b;

/// What the assembler found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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

/// Cuts a stream of bytes into lines. Keeps at most [`MAX_LINE`](crate::run::event::MAX_LINE) bytes of the unfinished one, and
/// of those that are held back [`MAX_HELD_BYTES`].
#[derive(Debug, Default)]
pub struct LineAssembler {
    segments: Segments,
    /// The start of an escape that a read has cut, where it may be one that moves the cursor.
    cut: Vec<u8>,
    /// The lines that may still be drawn over; none before the cursor went up for the first time.
    rows: Option<Box<Rows>>,
    /// Whether the cursor stands at the start of its line. Kept only while there are `rows`.
    left: bool,
}

impl LineAssembler {
    /// Takes bytes as they were read.
    pub fn push(&mut self, bytes: &[u8], sink: &mut impl FnMut(Found<'_>)) {
        let mut rest = bytes;
        while !self.cut.is_empty() {
            let Some((&next, after)) = rest.split_first() else {
                return;
            };
            self.cut.push(next);
            match escape(&self.cut) {
                Escape::Cut => rest = after,
                Escape::Whole(..) => {
                    let whole = std::mem::take(&mut self.cut);
                    self.take(&whole, sink);
                    rest = after;
                }
                Escape::None => {
                    self.cut.pop();
                    let text = std::mem::take(&mut self.cut);
                    self.text(&text, sink);
                }
            }
        }
        self.take(rest, sink);
    }

    /// The stream ended: all lines that are held back are given away, and what is shown of an unfinished one becomes the last
    /// line. A rest that shows nothing is no line; its bytes follow the last mark.
    pub fn finish(&mut self, sink: &mut impl FnMut(Found<'_>)) {
        let text = std::mem::take(&mut self.cut);
        self.text(&text, sink);
        match &mut self.rows {
            None => {
                self.segments.leave(sink);
            }
            Some(rows) => {
                self.segments.leave(&mut |found| match found {
                    Found::Line { mark, visible } => rows.ended(mark, visible, true, sink),
                    Found::Redraw { .. } => sink(found),
                });
                rows.release_all(sink);
            }
        }
    }

    /// For the unfinished line, of which held ones are a part: bytes from its start to the start of what is shown of it.
    pub fn tail_skip(&self) -> u64 {
        match self.rows.as_ref().map(|rows| rows.skip()) {
            Some((skip, true)) => skip,
            Some((skip, false)) => skip + self.segments.tail_skip(),
            None => self.segments.tail_skip(),
        }
    }

    /// The newest line, while any is held back. Who shows lines gives it to [`settle`](Self::settle) after a while.
    pub fn waiting(&self) -> Option<u64> {
        self.rows.as_ref().and_then(|rows| rows.waiting())
    }

    /// Lines up to `newest` were held back long enough: they are given away, unless they are the lines of Nix's bar.
    pub fn settle(&mut self, newest: u64, sink: &mut impl FnMut(Found<'_>)) {
        if let Some(rows) = &mut self.rows {
            rows.settle(newest, sink);
        }
    }

    #[cfg(test)]
    pub(crate) fn assert_bounded(&self) {
        assert!(self.cut.len() <= moves::MAX_ESCAPE);
        self.segments.assert_bounded();
        if let Some(rows) = &self.rows {
            rows.assert_bounded();
        }
    }

    fn take(&mut self, bytes: &[u8], sink: &mut impl FnMut(Found<'_>)) {
        let mut rest = bytes;
        if self.rows.is_none() {
            let (end, up) = first_move(rest);
            self.segments.push(&rest[..end], sink);
            rest = &rest[end..];
            if !up {
                self.cut.extend_from_slice(rest);
                return;
            }
            self.rows = Some(Box::default());
            self.left = self.segments.is_empty();
        }
        while !rest.is_empty() {
            let start = memchr::memchr(ESC, rest).unwrap_or(rest.len());
            self.text(&rest[..start], sink);
            rest = &rest[start..];
            if rest.is_empty() {
                break;
            }
            match escape(rest) {
                Escape::Whole(what, len) => {
                    self.step(what, &rest[..len], sink);
                    rest = &rest[len..];
                }
                Escape::Cut => {
                    self.cut.extend_from_slice(rest);
                    return;
                }
                // What moves nothing goes on as text.
                Escape::None => {
                    self.text(&rest[..1], sink);
                    rest = &rest[1..];
                }
            }
        }
    }

    /// Bytes in which nothing moves the cursor but their newlines and carriage returns.
    fn text(&mut self, bytes: &[u8], sink: &mut impl FnMut(Found<'_>)) {
        let Some(rows) = &mut self.rows else {
            return self.segments.push(bytes, sink);
        };
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let moves = |bytes: &[u8]| bytes.iter().any(|byte| *byte >= b' ');
            if moves(line) {
                rows.written(sink);
            }
            // What follows the last return decides, wherever a read ended.
            match line.iter().rposition(|byte| matches!(byte, b'\n' | b'\r')) {
                Some(at) => self.left = !moves(&line[at + 1..]),
                None => self.left &= !moves(line),
            }
            self.segments.push(line, &mut |found| match found {
                Found::Line { mark, visible } => rows.ended(mark, visible, true, sink),
                Found::Redraw { .. } => sink(found),
            });
        }
    }

    /// An escape, while lines are held back.
    fn step(&mut self, what: Move, bytes: &[u8], sink: &mut impl FnMut(Found<'_>)) {
        let Self {
            segments,
            rows: Some(rows),
            left,
            ..
        } = self
        else {
            return;
        };
        let leaves = match what {
            Move::Up { .. } | Move::Column { left: true } => true,
            Move::Down { .. } => rows.is_inside(),
            _ => false,
        };
        if leaves {
            segments.leave(&mut |found| {
                if let Found::Line { mark, visible } = found {
                    rows.ended(mark, visible, false, sink);
                }
            });
        }
        match what {
            Move::Up { lines, left: start } => {
                rows.up(lines, sink);
                *left |= start;
            }
            Move::Down { lines, left: start } => {
                rows.down(lines);
                *left |= start;
            }
            Move::EraseBelow => rows.erase_below(sink),
            Move::EraseLine { whole } if whole || *left => rows.erase_line(sink),
            Move::Column { left: start } => *left = start,
            Move::EraseLine { .. } | Move::Other => {}
        }
        segments.push(bytes, &mut |found| match found {
            Found::Line { mark, visible } => rows.ended(mark, visible, true, sink),
            Found::Redraw { .. } => sink(found),
        });
    }
}

#[cfg(test)]
mod tests;
