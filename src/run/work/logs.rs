//! Lines that builders printed, until somebody takes them: in batches, each of one build, and never more than the limits.
//!
//! A line that cannot be kept still has its number, so that whoever reads a log sees where lines are missing.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use crate::run::event::{self, MAX_LOG_BYTES, MAX_LOG_LINE, MAX_LOG_LINES, MAX_TEXT, RunEvent};

/// The most bytes of builds' logs that are kept of one run, counted as JSON; what comes after them is dropped.
pub const MAX_LOGS: u64 = 16 * 1024 * 1024;
/// The most bytes that wait to be taken. Lines beyond it are dropped and counted.
pub const MAX_WAITING: usize = 1024 * 1024;
/// What it costs to know one more build, beside the bytes of its names.
const BUILD_COST: u64 = 256;

/// See the module's text.
#[derive(Debug)]
pub struct Logs {
    /// By derivation.
    known: HashMap<String, Known>,
    /// What waits, oldest first.
    parts: VecDeque<Part>,
    /// How many were taken: the number of the first one that waits.
    taken: u64,
    waiting: usize,
    /// What may still be kept.
    left: u64,
    /// A build that printed nothing before was told to be dropped.
    told: bool,
    /// The names of builds of which lines were dropped after the newest that wait.
    holes: usize,
}

/// A build that has printed something.
#[derive(Debug, Default)]
struct Known {
    name: String,
    /// Its lines so far.
    lines: u64,
    /// The number of the part to which its next line may belong.
    part: u64,
    /// Its last lines were dropped because too much waited.
    hole: bool,
    /// All that comes is dropped.
    over: bool,
}

/// Lines of one build that follow each other.
#[derive(Debug)]
struct Part {
    name: String,
    drv: String,
    first: u64,
    lines: Vec<String>,
    cost: usize,
    rest_dropped: bool,
}

impl Default for Logs {
    fn default() -> Self {
        Self {
            known: HashMap::new(),
            parts: VecDeque::new(),
            taken: 0,
            waiting: 0,
            left: MAX_LOGS,
            told: false,
            holes: 0,
        }
    }
}

impl Logs {
    /// Keeps no more than that many bytes in all.
    pub fn limit(&mut self, bytes: u64) {
        self.left = bytes;
    }

    /// Bytes that wait.
    pub fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether anything does.
    pub fn is_waiting(&self) -> bool {
        !self.parts.is_empty() || self.holes > 0
    }

    /// A build printed a line.
    pub fn push(&mut self, drv: &str, name: &str, line: &str) {
        let mut cut = Cow::Borrowed(drv);
        if drv.len() > MAX_TEXT {
            cut = Cow::Owned(event::cut(drv.to_owned()));
        }
        let drv = &*cut;
        if !self.known.contains_key(drv) && !self.meet(drv, name) {
            return;
        }
        let Some(known) = self.known.get_mut(drv) else {
            return;
        };
        if known.over {
            return;
        }
        let line = bounded(line);
        let cost = cost(&line);
        if cost as u64 > self.left {
            self.left = 0;
            known.over = true;
            self.holes -= usize::from(std::mem::take(&mut known.hole));
            begin(&mut self.parts, drv, &known.name, known.lines + 1, true);
            return;
        }
        known.lines += 1;
        if self.waiting + cost > MAX_WAITING {
            self.holes += usize::from(!std::mem::replace(&mut known.hole, true));
            return;
        }
        let after_hole = std::mem::take(&mut known.hole);
        self.holes -= usize::from(after_hole);
        self.left -= cost as u64;
        self.waiting += cost;
        let fits = |part: &Part| {
            part.lines.len() < MAX_LOG_LINES && part.cost + cost <= MAX_LOG_BYTES && !after_hole
        };
        let at = known.part.checked_sub(self.taken);
        let at = at.and_then(|at| usize::try_from(at).ok());
        let open = at.filter(|at| {
            let part = self.parts.get(*at);
            part.is_some_and(|part| part.drv == drv && fits(part))
        });
        let at = open.unwrap_or_else(|| {
            known.part = self.taken + self.parts.len() as u64;
            begin(&mut self.parts, drv, &known.name, known.lines, false)
        });
        if let Some(part) = self.parts.get_mut(at) {
            part.lines.push(line);
            part.cost += cost;
        }
    }

    /// A build prints its first line. Answers whether there is room for its log.
    fn meet(&mut self, drv: &str, name: &str) -> bool {
        let cost = (drv.len() + name.len()) as u64 + BUILD_COST;
        if cost > self.left {
            self.left = 0;
            if !std::mem::replace(&mut self.told, true) {
                begin(&mut self.parts, drv, name, 1, true);
            }
            return false;
        }
        self.left -= cost;
        let known = Known {
            name: name.to_owned(),
            part: u64::MAX,
            ..Known::default()
        };
        self.known.insert(drv.to_owned(), known);
        true
    }

    /// The next lines that wait, in the order in which their first was printed.
    pub fn take(&mut self, at: u64) -> Option<RunEvent> {
        let part = self.parts.pop_front();
        self.taken += u64::from(part.is_some());
        let part = part.or_else(|| self.hole())?;
        self.waiting -= part.cost;
        Some(RunEvent::BuildLog {
            at,
            name: part.name,
            drv: part.drv,
            first: part.first,
            lines: part.lines,
            rest_dropped: part.rest_dropped,
        })
    }

    /// Lines were dropped, and none came after them that would show it.
    fn hole(&mut self) -> Option<Part> {
        if self.holes == 0 {
            return None;
        }
        let (drv, known) = self.known.iter_mut().find(|(_, known)| known.hole)?;
        known.hole = false;
        self.holes -= 1;
        Some(Part {
            name: known.name.clone(),
            drv: drv.clone(),
            first: known.lines + 1,
            lines: Vec::new(),
            cost: 0,
            rest_dropped: false,
        })
    }
}

/// Begins a part; answers its place.
fn begin(
    parts: &mut VecDeque<Part>,
    drv: &str,
    name: &str,
    first: u64,
    rest_dropped: bool,
) -> usize {
    parts.push_back(Part {
        name: name.to_owned(),
        drv: drv.to_owned(),
        first,
        lines: Vec::new(),
        cost: 0,
        rest_dropped,
    });
    parts.len() - 1
}

/// The line, or as much of it as may be kept and what says that this is not all.
fn bounded(line: &str) -> String {
    if line.len() <= MAX_LOG_LINE {
        return line.to_owned();
    }
    // Room for the longest mark.
    let mut end = MAX_LOG_LINE - 40;
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}… ({} bytes more)", &line[..end], line.len() - end)
}

/// How many bytes the line takes in JSON, quotes and comma too: what a builder prints may be all escapes.
fn cost(line: &str) -> usize {
    let bytes = line.bytes().map(|byte| match byte {
        0..=0x1f => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    });
    bytes.sum::<usize>() + 3
}

#[cfg(test)]
mod tests;
