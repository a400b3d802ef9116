//! The program that runs during the chaos. What it prints follows from a seed, so all its bytes are known without it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Lines a second.
pub const RATE: u64 = 15_000;
/// Lines a second behind a gate that is not open.
const HELD_RATE: u64 = 1500;
/// After these percents of the lines there is a gate: one for the time before the last fault, one for the time after it.
const GATES: [u64; 2] = [70, 88];
/// Of so many lines one is long.
const LONG_EVERY: u32 = 400;

/// A numbered line.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// As it is written, its end included.
    pub bytes: Vec<u8>,
    /// As readers see it.
    pub shown: String,
}

/// A program's whole output.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// What all follows from.
    pub seed: u64,
    /// How many lines there are.
    pub lines: u64,
}

impl Source {
    /// Line number `n`, from 1.
    pub fn line(&self, n: u64) -> Line {
        let mut random =
            fastrand::Rng::with_seed(self.seed ^ n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let kind = random.u32(..LONG_EVERY);
        let len = if kind == 0 {
            random.usize(2_000..12_000)
        } else {
            random.usize(5..60)
        };
        let filler: String = (0..len)
            .map(|at| if at % 9 == 4 { ' ' } else { random.lowercase() })
            .collect();
        let text = format!("line {n} {filler}.");
        let (mut bytes, shown) = match kind {
            // A progress bar that draws itself over.
            1..=3 => (
                format!("line {n} 10%\rline {n} 55% {filler}\r\u{1b}[K{text}").into_bytes(),
                text,
            ),
            // Latin-1, and a byte that is nothing at all.
            4..=7 => (
                [text.as_bytes(), b" caf\xe9 \xff end"].concat(),
                format!("{text} caf\u{fffd} \u{fffd} end"),
            ),
            8..=11 => {
                let coloured = format!("\u{1b}[1;31m{text}\u{1b}[0m");
                (coloured.clone().into_bytes(), coloured)
            }
            12..=13 => (Vec::new(), String::new()),
            14..=15 => (
                format!("{text} \u{1f980}ü\r").into_bytes(),
                format!("{text} \u{1f980}ü"),
            ),
            _ => (text.clone().into_bytes(), text),
        };
        // Some programs end without a newline.
        if n < self.lines || !self.seed.is_multiple_of(3) {
            bytes.push(b'\n');
        } else if bytes.is_empty() {
            bytes.push(b'.');
            return Line {
                bytes,
                shown: ".".to_owned(),
            };
        }
        Line { bytes, shown }
    }

    /// The program's exit status.
    pub fn exit_code(&self) -> i32 {
        if self.seed.is_multiple_of(2) { 0 } else { 7 }
    }

    /// How long it takes to get to the first gate.
    pub fn time_to_gate(&self) -> Duration {
        Duration::from_millis(self.lines * GATES[0] / 100 * 1000 / RATE)
    }

    /// The file that opens a gate, 0 or 1. Behind a closed one it prints slowly, so that it lasts as long as it is needed.
    pub fn gate(dir: &Path, gate: usize) -> PathBuf {
        dir.join(format!("gate-{gate}"))
    }

    /// The gate that line `n` is behind, if any.
    fn gate_of(&self, n: u64) -> Option<usize> {
        GATES
            .iter()
            .rposition(|percent| n * 100 >= self.lines * percent)
    }

    /// Prints everything: in blocks, some of them bursts, with pauses in the middle of lines. The files that
    /// open the gates are in `gates`.
    pub fn print(&self, out: &mut impl Write, gates: &Path) -> io::Result<()> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let mut due = Instant::now();
        let mut next = 1;
        while next <= self.lines {
            let held = self
                .gate_of(next)
                .is_some_and(|gate| !Self::gate(gates, gate).exists());
            let (block, rate) = match (held, random.u32(..20)) {
                (true, _) => (random.u64(1..100), HELD_RATE),
                (false, 0) => (random.u64(4_000..9_000), RATE),
                (false, _) => (random.u64(1..1_500), RATE),
            };
            let end = (next + block).min(self.lines + 1);
            let mut buffer = Vec::new();
            for n in next..end {
                buffer.extend(self.line(n).bytes);
            }
            let pause = random.u32(..8) == 0;
            let cut = if pause {
                random.usize(..buffer.len())
            } else {
                0
            };
            out.write_all(&buffer[..cut])?;
            if pause {
                std::thread::sleep(Duration::from_millis(random.u64(20..200)));
            }
            out.write_all(&buffer[cut..])?;
            due += Duration::from_micros((end - next) * 1_000_000 / rate);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            next = end;
        }
        Ok(())
    }
}

/// Compares bytes that arrive in pieces with a source's.
pub struct Comparison {
    source: Source,
    next: u64,
    expected: Vec<u8>,
    /// Bytes that were the same so far.
    pub same: u64,
}

impl Comparison {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            next: 1,
            expected: Vec::new(),
            same: 0,
        }
    }

    /// Takes the next piece.
    #[track_caller]
    pub fn take(&mut self, piece: &[u8]) {
        while self.expected.len() < piece.len() && self.next <= self.source.lines {
            self.expected.extend(self.source.line(self.next).bytes);
            self.next += 1;
        }
        if !self.expected.starts_with(piece) {
            let at = self
                .expected
                .iter()
                .zip(piece)
                .take_while(|(a, b)| a == b)
                .count();
            let around = |bytes: &[u8]| {
                let end = bytes.len().min(at + 200);
                String::from_utf8_lossy(&bytes[at.saturating_sub(100).min(end)..end]).into_owned()
            };
            panic!(
                "byte {} differs (before line {}): expected {:?}, found {:?}",
                self.same + at as u64,
                self.next,
                around(&self.expected),
                around(piece)
            );
        }
        self.expected.drain(..piece.len());
        self.same += piece.len() as u64;
    }

    /// Answers whether all has come.
    pub fn is_complete(&self) -> bool {
        self.expected.is_empty() && self.next > self.source.lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_prints_what_is_expected_and_the_comparison_sees_each_change() {
        let dir = tempfile::tempdir().unwrap();
        let source = Source {
            seed: 3,
            lines: 2_000,
        };
        let mut printed = Vec::new();
        for gate in 0..GATES.len() {
            std::fs::write(Source::gate(dir.path(), gate), "").unwrap();
        }
        source.print(&mut printed, dir.path()).unwrap();
        let compare = |bytes: &[u8]| {
            let mut comparison = Comparison::new(source);
            for piece in bytes.chunks(777) {
                comparison.take(piece);
            }
            comparison.is_complete()
        };
        assert!(compare(&printed));
        assert!(!compare(&printed[..printed.len() - 1]));
        assert!(
            !printed.ends_with(b"\n"),
            "this seed ends without a newline"
        );
        printed[1_000] ^= 1;
        assert!(std::panic::catch_unwind(|| compare(&printed)).is_err());
    }

    #[test]
    fn every_kind_of_line_occurs_and_lines_differ() {
        let source = Source {
            seed: 4,
            lines: 10_000,
        };
        let lines: Vec<Line> = (1..=5_000).map(|n| source.line(n)).collect();
        assert!(lines.iter().any(|line| line.bytes.len() > 2_000));
        assert!(
            lines
                .iter()
                .any(|line| std::str::from_utf8(&line.bytes).is_err())
        );
        assert!(lines.iter().any(|line| line.shown.is_empty()));
        assert!(lines.iter().any(|line| line.bytes.ends_with(b"\r\n")));
        assert!(
            lines
                .iter()
                .all(|line| line.bytes.split(|byte| *byte == b'\n').count() == 2)
        );
        assert_ne!(lines[0], Source { seed: 5, ..source }.line(1));
    }
}
