//! From `output` and `gap` events to chunks, line ends and the unfinished line.

use crate::dashboard::store::commit::OutputStep;
use crate::dashboard::store::output::chunk::{Chunk, Gap, LineEnd, MAX_CHUNK};
use crate::dashboard::store::output::lines::{MAX_VISIBLE, StoredLine, show};
use crate::dashboard::store::output::{OutputEnd, Sizes};
use crate::run::event::LineMark;
use crate::wire::api::LogLine;

/// The output that one draft adds to one run.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// What is complete.
    pub steps: Vec<OutputStep>,
    /// The newest lines, for readers; only while somebody reads.
    pub lines: Vec<LogLine>,
    /// Grows until it is full: small events of one transaction become one chunk.
    pending: Option<Chunk>,
}

impl Added {
    /// Takes the bytes of one event. The dashboard counts positions itself and believes no mark beyond the bytes it has.
    pub fn output(
        &mut self,
        end: &mut OutputEnd,
        sizes: &mut Sizes,
        watched: bool,
        at: u64,
        marks: &[LineMark],
        tail_skip: u64,
        raw: &[u8],
    ) {
        let stop = end.bytes + raw.len() as u64;
        let mut marks = marks.iter();
        let mut lines = Vec::with_capacity(marks.len());
        if std::mem::take(&mut end.start_unknown)
            && let Some(mark) = marks.next()
        {
            // The line began somewhere in a gap: its end is the first newline after it.
            let newline = memchr::memchr(b'\n', raw).map_or(raw.len(), |at| at + 1);
            lines.push(LineEnd {
                end: end.bytes + newline as u64,
                visible: end.bytes,
                at: at.saturating_sub(u64::from(mark.ago)),
            });
        }
        for mark in marks {
            let start = lines
                .last()
                .map_or(end.line_start, |line: &LineEnd| line.end);
            let to = start.saturating_add(mark.len).min(stop);
            let visible = start.saturating_add(mark.skip).min(to);
            lines.push(LineEnd {
                end: to,
                visible: visible.max(to.saturating_sub(MAX_VISIBLE)),
                at: at.saturating_sub(u64::from(mark.ago)),
            });
        }
        let mut rest = raw;
        let mut lines = lines.as_slice();
        loop {
            let piece = &rest[..rest.len().min(MAX_CHUNK)];
            let piece_end = end.bytes + piece.len() as u64;
            let n = lines.partition_point(|line| line.end <= piece_end);
            let last = piece.len() == rest.len();
            let skip = if last { tail_skip } else { 0 };
            self.piece(end, sizes, watched, at, &lines[..n], skip, piece);
            (rest, lines) = (&rest[piece.len()..], &lines[n..]);
            if rest.is_empty() {
                break;
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one event's parts, used once")]
    fn piece(
        &mut self,
        end: &mut OutputEnd,
        sizes: &mut Sizes,
        watched: bool,
        at: u64,
        lines: &[LineEnd],
        tail_skip: u64,
        bytes: &[u8],
    ) {
        if bytes.is_empty() && lines.is_empty() {
            return;
        }
        let mut chunk = Chunk {
            offset: end.bytes,
            first_line: end.lines + 1,
            line_start: end.line_start,
            tail_visible: 0,
            at,
            lines: lines.to_vec(),
            bytes: bytes.to_vec(),
            gap: None,
        };
        // What was visible of the unfinished line, and everything after it.
        let base = end.bytes - end.tail.len() as u64;
        let mut window = std::mem::take(&mut end.tail);
        window.extend_from_slice(bytes);
        if watched {
            for (n, line) in (chunk.first_line..).zip(lines) {
                let from = line.visible.saturating_sub(base) as usize;
                let to = line.end.saturating_sub(base) as usize;
                let raw = window.get(from..to).unwrap_or_default().to_vec();
                self.lines.push(show(&StoredLine {
                    n,
                    at: line.at,
                    raw,
                }));
            }
        }
        end.bytes += bytes.len() as u64;
        end.lines += lines.len() as u64;
        end.line_start = lines.last().map_or(end.line_start, |line| line.end);
        let visible = end
            .line_start
            .saturating_add(tail_skip)
            .max(end.bytes.saturating_sub(MAX_VISIBLE))
            .max(base)
            .min(end.bytes);
        window.drain(..(visible - base) as usize);
        end.tail = window;
        chunk.tail_visible = visible;
        let full = |pending: &Chunk| pending.bytes.len() + chunk.bytes.len() > MAX_CHUNK;
        if self.pending.as_ref().is_some_and(full) {
            self.flush(sizes);
        }
        match &mut self.pending {
            Some(pending) => pending.append(chunk),
            None => self.pending = Some(chunk),
        }
    }

    /// Takes bytes that no journal could keep.
    pub fn gap(&mut self, end: &mut OutputEnd, sizes: &mut Sizes, at: u64, gap: Gap) {
        self.flush(sizes);
        let stop = end.bytes + gap.bytes;
        let chunk = Chunk {
            offset: end.bytes,
            first_line: end.lines + 1,
            line_start: end.line_start,
            tail_visible: stop,
            at,
            gap: Some(gap.clone()),
            ..Chunk::default()
        };
        end.bytes = stop;
        end.lines += gap.lines;
        if gap.lines > 0 {
            end.line_start = stop;
            end.start_unknown = true;
        }
        end.tail.clear();
        self.lines.clear();
        self.pending = Some(chunk);
        self.flush(sizes);
    }

    /// Ends the chunk that grows.
    pub fn flush(&mut self, sizes: &mut Sizes) {
        if let Some(chunk) = self.pending.take() {
            let merge = (chunk.n_bytes() > 0).then(|| sizes.push(&chunk)).flatten();
            self.steps.push(OutputStep::Add(chunk));
            self.steps.extend(merge.map(OutputStep::Merge));
        }
    }
}
