//! The newest lines of a terminal on which the cursor goes up: they may still be drawn over.
//!
//! Lines stand here in two orders. As `pieces`, in the order of their bytes: so they are given away, for a line is a range of
//! the output. As `screen`, in the order in which they are seen: what is drawn over an older line is newer than the lines
//! below it. A piece that was drawn over or erased is dead: it is no line, and its bytes belong to the next one.

use std::collections::VecDeque;

use crate::run::ansi::{Shows, shows};
use crate::run::bar;
use crate::run::event::LineMark;
use crate::run::lines::Found;

/// The most lines of a terminal that are held back: as many as the terminal has that a run gets.
pub const MAX_HELD_LINES: usize = 100;
/// The most bytes of output that are held back, drawn over ones between them included.
pub const MAX_HELD_BYTES: u64 = 64 * 1024;
/// How wide that terminal is: a longer line takes several of its lines, and programs go up by those.
pub const COLUMNS: usize = 250;

/// A line, or what was one.
#[derive(Debug)]
struct Piece {
    id: u64,
    len: u64,
    skip: u64,
    visible: Vec<u8>,
    live: bool,
}

/// The held lines, and where the cursor is.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The first one is alive, and no two dead ones follow each other.
    pieces: VecDeque<Piece>,
    /// From top to bottom, at most [`MAX_HELD_LINES`]: which piece is seen. None: nothing, or a line that was given away.
    screen: VecDeque<Option<u64>>,
    /// The cursor's place in `screen`; its length is below all of it.
    at: usize,
    /// The newest piece; they are counted from 1.
    newest: u64,
    /// Bytes of dead pieces before the first one.
    carry: u64,
    /// Bytes of all pieces.
    held: u64,
    /// The cursor went up, and nothing was written since.
    moved: bool,
    /// A piece behind the first one died, and was not joined with its neighbours.
    died: bool,
    /// All pieces up to this one have waited long enough; those that are still here are states of a bar.
    settled: u64,
}

impl Rows {
    /// A line ended at the cursor, or without a newline was left by it.
    pub(super) fn ended(
        &mut self,
        mark: LineMark,
        visible: &[u8],
        newline: bool,
        sink: &mut impl FnMut(Found<'_>),
    ) {
        // Over an older line, a newline alone is the way down: what stands there stays. Where it was erased, nothing does.
        let live = match shows(visible) {
            Shows::Text => true,
            Shows::Erasure => self.screen.get(self.at).is_none_or(Option::is_none),
            Shows::Nothing => !self.is_inside(),
        };
        self.newest += 1;
        self.died |= !live;
        self.held += mark.len;
        self.pieces.push_back(Piece {
            id: self.newest,
            len: mark.len,
            skip: mark.skip,
            visible: if live { visible.to_vec() } else { Vec::new() },
            live,
        });
        if live {
            for n in 0..height(visible) {
                let seen = (n == 0).then_some(self.newest);
                if n > 0 {
                    self.at += 1;
                }
                if let Some(row) = self.screen.get_mut(self.at) {
                    let before = std::mem::replace(row, seen);
                    self.bury(before, sink);
                } else {
                    self.screen.push_back(seen);
                }
            }
        }
        self.at += usize::from(newline);
        self.compact();
        while self.screen.len() > MAX_HELD_LINES {
            if let Some(Some(id)) = self.screen.front() {
                self.release(*id, sink);
            }
            self.screen.pop_front();
            self.at = self.at.saturating_sub(1);
        }
        while self.held > MAX_HELD_BYTES
            && let Some(id) = self.pieces.front().map(|piece| piece.id)
        {
            self.release(id, sink);
        }
    }

    /// The cursor goes up.
    pub(super) fn up(&mut self, lines: u64, sink: &mut impl FnMut(Found<'_>)) {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        let above = lines.saturating_sub(self.at);
        if self.screen.len().saturating_add(above) > MAX_HELD_LINES {
            // Where that is, is not known any more. Nothing that is held stands there.
            self.release(u64::MAX, sink);
            self.screen.clear();
            self.at = 0;
        } else {
            for _ in 0..above {
                self.screen.push_front(None);
            }
            self.at = (self.at + above) - lines;
        }
        self.moved = true;
    }

    /// The cursor goes down, not below what was ever written.
    pub(super) fn down(&mut self, lines: u64) {
        let lines = usize::try_from(lines).unwrap_or(usize::MAX);
        self.at = self.at.saturating_add(lines).min(self.screen.len());
    }

    /// Whether the cursor stands on a line that was written before.
    pub(super) fn is_inside(&self) -> bool {
        self.at < self.screen.len()
    }

    /// All from the cursor's line on is erased.
    pub(super) fn erase_below(&mut self, sink: &mut impl FnMut(Found<'_>)) {
        let erased: Vec<_> = self
            .screen
            .drain(self.at.min(self.screen.len())..)
            .collect();
        for id in erased {
            self.bury(id, sink);
        }
        self.compact();
    }

    /// The cursor's line is erased.
    pub(super) fn erase_line(&mut self, sink: &mut impl FnMut(Found<'_>)) {
        if let Some(row) = self.screen.get_mut(self.at) {
            let id = row.take();
            self.bury(id, sink);
            self.compact();
        }
    }

    /// Text is written at the cursor. A program that redraws goes up to where it begins: what is above is left alone.
    pub(super) fn written(&mut self, sink: &mut impl FnMut(Found<'_>)) {
        if !std::mem::take(&mut self.moved) {
            return;
        }
        while let Some(id) = self.pieces.front().map(|piece| piece.id) {
            if self.row(id).is_some_and(|row| row >= self.at) {
                break;
            }
            self.release(id, sink);
        }
    }

    /// The newest piece, if any of those that are held has not been settled.
    pub(super) fn waiting(&self) -> Option<u64> {
        let unsettled = |piece: &Piece| piece.live && piece.id > self.settled;
        self.pieces.iter().any(unsettled).then_some(self.newest)
    }

    /// The pieces up to `id` have waited long enough: they are given away. Only Nix's bar of several lines stays, as long as
    /// nothing follows it: its states are no lines. They are told as redraws, for nothing draws over the last one.
    pub(super) fn settle(&mut self, id: u64, sink: &mut impl FnMut(Found<'_>)) {
        let block = self.block().unwrap_or(usize::MAX);
        while let Some(piece) = self.pieces.front()
            && piece.id <= id
        {
            let (id, row) = (piece.id, self.row(piece.id));
            if row.is_some_and(|row| row >= block) {
                break;
            }
            self.release(id, sink);
        }
        for piece in &self.pieces {
            if piece.live && piece.id > self.settled && piece.id <= id {
                let visible = &piece.visible;
                sink(Found::Redraw { visible });
            }
        }
        self.settled = self.settled.max(id);
    }

    /// Gives away all lines.
    pub(super) fn release_all(&mut self, sink: &mut impl FnMut(Found<'_>)) {
        self.release(u64::MAX, sink);
    }

    /// Bytes from the end of the last line that was given away to what is shown of the first held one, or to the end of what is
    /// held; and whether one is.
    pub(super) fn skip(&self) -> (u64, bool) {
        let first = self.pieces.front();
        (
            self.carry + first.map_or(0, |piece| piece.skip),
            first.is_some(),
        )
    }

    #[cfg(test)]
    pub(super) fn assert_bounded(&self) {
        assert!(self.screen.len() <= MAX_HELD_LINES);
        assert!(self.pieces.len() <= 2 * MAX_HELD_LINES);
        assert!(self.held <= MAX_HELD_BYTES);
        let held: u64 = self.pieces.iter().map(|piece| piece.len).sum();
        assert_eq!(held, self.held);
        let visible: usize = self.pieces.iter().map(|piece| piece.visible.len()).sum();
        assert!(visible as u64 <= MAX_HELD_BYTES);
    }

    fn row(&self, id: u64) -> Option<usize> {
        self.screen.iter().position(|seen| *seen == Some(id))
    }

    /// The first row of a bar of several lines that the cursor stands below: `[1/2 built]` and an activity in each line.
    fn block(&self) -> Option<usize> {
        if self.is_inside() {
            return None;
        }
        for (row, seen) in self.screen.iter().enumerate().rev() {
            let piece = self.pieces.iter().find(|piece| Some(piece.id) == *seen)?;
            if bar::parse(&piece.visible).is_some() {
                return Some(row);
            }
            if !bar::is_activity(&piece.visible) {
                return None;
            }
        }
        None
    }

    /// Gives away the pieces up to `id`, and those after it that are dead.
    fn release(&mut self, id: u64, sink: &mut impl FnMut(Found<'_>)) {
        while self.pieces.front().is_some_and(|piece| piece.id <= id) {
            let Some(piece) = self.pieces.pop_front() else {
                return;
            };
            self.held -= piece.len;
            if piece.live {
                if let Some(row) = self.row(piece.id) {
                    self.screen[row] = None;
                }
                let carry = std::mem::take(&mut self.carry);
                sink(Found::Line {
                    mark: LineMark {
                        len: carry + piece.len,
                        skip: carry + piece.skip,
                        ago: 0,
                    },
                    visible: &piece.visible,
                });
            } else {
                self.carry += piece.len;
            }
        }
        self.compact();
    }

    /// The piece is not seen any more.
    fn bury(&mut self, id: Option<u64>, sink: &mut impl FnMut(Found<'_>)) {
        let piece = self
            .pieces
            .iter_mut()
            .find(|piece| piece.live && Some(piece.id) == id);
        if let Some(piece) = piece {
            piece.live = false;
            self.died = true;
            let visible = std::mem::take(&mut piece.visible);
            if shows(&visible) == Shows::Text {
                sink(Found::Redraw { visible: &visible });
            }
        }
    }

    /// Dead pieces that follow each other become one, and none stays in front.
    fn compact(&mut self) {
        while self.pieces.front().is_some_and(|piece| !piece.live)
            && let Some(piece) = self.pieces.pop_front()
        {
            self.held -= piece.len;
            self.carry += piece.len;
        }
        if !std::mem::take(&mut self.died) {
            return;
        }
        let mut dead = None;
        for at in 0..self.pieces.len() {
            let piece = &mut self.pieces[at];
            if piece.live {
                dead = None;
            } else if let Some(first) = dead {
                let len = std::mem::take(&mut piece.len);
                self.pieces[first].len += len;
            } else {
                dead = Some(at);
            }
        }
        self.pieces.retain(|piece| piece.live || piece.len > 0);
    }
}

/// How many lines of the terminal a line takes. Not exact for wide characters and escapes: few lines are that long.
fn height(visible: &[u8]) -> usize {
    if visible.len() <= COLUMNS {
        return 1;
    }
    let text = crate::run::ansi::render(visible);
    let columns = crate::run::ansi::strip(&text).chars().count();
    columns.div_ceil(COLUMNS).clamp(1, MAX_HELD_LINES)
}
