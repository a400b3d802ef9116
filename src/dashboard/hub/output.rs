//! From `output` and `gap` events to chunks, line ends and the unfinished line.

use crate::dashboard::store::commit::OutputStep;
use crate::dashboard::store::output::chunk::{Chunk, Gap, LineEnd, MAX_CHUNK};
use crate::dashboard::store::output::lines::{MAX_VISIBLE, StoredLine, show};
use crate::dashboard::store::output::{OutputEnd, Sizes};
use crate::run::event::LineMark;
use crate::wire::api::LogLine;

/// One `output` event with its bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written<'a> {
    /// When the last byte was read.
    pub at: u64,
    /// The lines that end in the bytes.
    pub marks: &'a [LineMark],
    /// See [`RunEvent::Output`](crate::run::event::RunEvent::Output).
    pub tail_skip: u64,
    /// The bytes.
    pub raw: &'a [u8],
}

/// The output that one draft adds to one run.
#[derive(Debug, Default)]
pub(super) struct Added {
    /// What is complete.
    pub steps: Vec<OutputStep>,
    /// The newest lines, for readers; only while somebody reads.
    pub lines: Vec<LogLine>,
    /// Whether somebody does.
    pub watched: bool,
    /// Grows until it is full: small events of one transaction become one chunk.
    pending: Option<Chunk>,
}

impl Added {
    /// Nothing yet.
    pub fn new(watched: bool) -> Self {
        Self {
            watched,
            ..Self::default()
        }
    }

    /// Takes the bytes of one event. The dashboard counts positions itself and believes no mark beyond the bytes it has.
    pub fn output(&mut self, end: &mut OutputEnd, sizes: &mut Sizes, written: &Written<'_>) {
        let Written {
            at,
            marks,
            tail_skip,
            raw,
        } = *written;
        let stop = end.bytes + raw.len() as u64;
        let mut marks = marks.iter();
        let mut lines = Vec::with_capacity(marks.len());
        if end.start_unknown
            && let Some(mark) = marks.next()
        {
            end.start_unknown = false;
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
            self.piece(end, sizes, at, &lines[..n], skip, piece);
            (rest, lines) = (&rest[piece.len()..], &lines[n..]);
            if rest.is_empty() {
                break;
            }
        }
    }

    fn piece(
        &mut self,
        end: &mut OutputEnd,
        sizes: &mut Sizes,
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
        if self.watched {
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
            Some(pending) => pending.append(&chunk),
            None => self.pending = Some(chunk),
        }
    }

    /// Takes bytes that no journal could keep.
    pub fn gap(&mut self, end: &mut OutputEnd, sizes: &mut Sizes, at: u64, gap: &Gap) {
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

    /// Notes a step after which the output is another one.
    pub fn restart(&mut self, step: OutputStep) {
        self.pending = None;
        self.lines.clear();
        self.steps.push(step);
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chunks(added: &mut Added, sizes: &mut Sizes) -> Vec<Chunk> {
        added.flush(sizes);
        let steps = std::mem::take(&mut added.steps);
        let chunk = |step| match step {
            OutputStep::Add(chunk) => Some(chunk),
            _ => None,
        };
        steps.into_iter().filter_map(chunk).collect()
    }

    proptest! {
        /// Whatever marks an agent sends: no panic, every byte kept, positions that follow each other.
        #[test]
        fn no_marks_break_the_books(
            events in proptest::collection::vec((
                proptest::collection::vec(any::<u8>(), 0..50),
                proptest::collection::vec((0_u64..80, 0_u64..80, any::<u32>()), 0..6),
                prop_oneof![Just(0_u64), 0_u64..80, Just(u64::MAX)],
                prop_oneof![9 => Just(None), 1 => (1_u64..9, 0_u64..3).prop_map(Some)],
            ), 1..20),
            huge in any::<bool>(),
        ) {
            let (mut end, mut sizes) = (OutputEnd::default(), Sizes::default());
            let mut added = Added::new(true);
            let (mut all, mut found) = (Vec::new(), Vec::new());
            for (raw, marks, tail_skip, gap) in events {
                if let Some((bytes, lines)) = gap {
                    let gap = Gap { bytes, lines, reason: String::new() };
                    added.gap(&mut end, &mut sizes, 5, &gap);
                }
                let grow = |number: u64| if huge && number > 70 { u64::MAX } else { number };
                let marks: Vec<LineMark> = marks.into_iter()
                    .map(|(len, skip, ago)| LineMark { len: grow(len), skip: grow(skip), ago })
                    .collect();
                let written = Written { at: 5, marks: &marks, tail_skip, raw: &raw };
                added.output(&mut end, &mut sizes, &written);
                all.extend(raw);
                found.extend(chunks(&mut added, &mut sizes));
            }
            let (mut at, mut line) = (0, 1);
            for chunk in &found {
                prop_assert_eq!((chunk.offset, chunk.first_line), (at, line));
                (at, line) = (chunk.end(), line + chunk.n_lines());
                let ends: Vec<u64> = chunk.lines.iter().map(|line| line.end).collect();
                prop_assert!(ends.is_sorted() && ends.iter().all(|to| *to <= at));
                let mut back = Chunk { line_start: chunk.line_start, at: chunk.at, ..Chunk::default() };
                back.decode_marks(&chunk.encode_marks().unwrap()).unwrap();
                prop_assert_eq!(&back.lines, &chunk.lines);
            }
            prop_assert_eq!((at, line), (end.bytes, end.lines + 1));
            let bytes: Vec<u8> = found.into_iter().flat_map(|chunk| chunk.bytes).collect();
            prop_assert_eq!(bytes, all);
        }
    }

    #[test]
    fn one_large_event_becomes_several_chunks_and_small_ones_one() {
        let (mut end, mut sizes) = (OutputEnd::default(), Sizes::default());
        let mut added = Added::default();
        let raw = vec![b'x'; MAX_CHUNK * 2 + 5];
        let mark = |len| LineMark {
            len,
            skip: 0,
            ago: 0,
        };
        let written = Written {
            at: 1,
            marks: &[mark(3), mark(raw.len() as u64 - 3)],
            tail_skip: 0,
            raw: &raw,
        };
        added.output(&mut end, &mut sizes, &written);
        let found = chunks(&mut added, &mut sizes);
        let shape: Vec<_> = found
            .iter()
            .map(|chunk| (chunk.bytes.len(), chunk.lines.len()))
            .collect();
        assert_eq!(shape, [(MAX_CHUNK, 1), (MAX_CHUNK, 0), (5, 1)]);
        for n in 0..20 {
            let small = Written {
                at: 1,
                marks: &[mark(2)],
                tail_skip: 0,
                raw: b"y\n",
            };
            added.output(&mut end, &mut sizes, &small);
            assert_eq!(end.lines, 3 + n);
        }
        assert_eq!(chunks(&mut added, &mut sizes).len(), 1);
    }

    /// A line that its program may still draw over is marked later than its bytes come.
    #[test]
    fn lines_may_be_marked_after_their_bytes() {
        let (mut end, mut sizes) = (OutputEnd::default(), Sizes::default());
        let mut added = Added::new(true);
        let mut add = |raw: &[u8], marks: &[(u64, u64)], tail_skip| {
            let marks: Vec<_> = marks
                .iter()
                .map(|&(len, skip)| LineMark { len, skip, ago: 0 })
                .collect();
            let written = Written {
                at: 1,
                marks: &marks,
                tail_skip,
                raw,
            };
            added.output(&mut end, &mut sizes, &written);
        };
        add(b"over\none\ntwo\nthr", &[], 5);
        add(b"ee\n", &[(9, 5)], 0);
        add(b"", &[(4, 0), (6, 0)], 0);
        let lines: Vec<_> = added.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines, ["one", "two", "three"]);
        assert!(end.tail.is_empty());
        assert_eq!((end.lines, end.line_start), (3, end.bytes));
    }
}
