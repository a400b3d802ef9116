//! Nix's progress bar, the only thing that a flake's build prints on a terminal.
//!
//! `[` status `] ` activity (Nix src/libmain/progress-bar.cc, 2.18 to 2.36). Status: `R/D/E built`, `D/E built` or
//! `D built`, then perhaps ` (F failed)`, `, R/D/E copied (x/y MiB)`, `, a/b MiB DL`. R running, D done, E expected.

use crate::run::ansi::after_escapes;
use crate::run::rules::{bytes, plain};

/// One state of the bar.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Bar {
    pub(super) built: Option<Counts>,
    pub(super) failed: u64,
    pub(super) copied: Option<Counts>,
    /// Downloaded and to be downloaded, in bytes.
    pub(super) downloaded: Option<(u64, u64)>,
    /// `building hello-2.12 (buildPhase): last line`
    pub(super) activity: String,
}

/// Three counters; what is not shown is 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) running: u64,
    pub(super) done: u64,
    pub(super) expected: u64,
}

/// The bar that these shown bytes are, if they are one.
pub(super) fn parse(visible: &[u8]) -> Option<Bar> {
    if after_escapes(visible).first() != Some(&b'[') {
        return None;
    }
    let text = plain(visible);
    let (status, activity) = text.strip_prefix('[')?.split_once(']')?;
    let mut bar = Bar {
        activity: activity.trim().to_owned(),
        ..Bar::default()
    };
    for item in status.split(", ") {
        if let Some((counts, rest)) = item.split_once(" built") {
            bar.built = Some(counts_of(counts)?);
            if let Some(failed) = rest.trim().strip_prefix('(') {
                bar.failed = failed.split(' ').next()?.parse().ok()?;
            }
        } else if let Some((counts, rest)) = item.split_once(" copied") {
            bar.copied = Some(counts_of(counts)?);
            if let Some(sizes) = rest.trim().strip_prefix('(') {
                bar.downloaded = sizes_of(sizes.trim_end_matches(')'));
            }
        } else if let Some(sizes) = item.strip_suffix(" DL") {
            bar.downloaded = sizes_of(sizes);
        }
    }
    (bar.built.is_some() || bar.copied.is_some() || bar.downloaded.is_some()).then_some(bar)
}

fn counts_of(text: &str) -> Option<Counts> {
    let mut numbers = [0; 3];
    let mut count = 0;
    for part in text.split('/') {
        *numbers.get_mut(count)? = part.parse().ok()?;
        count += 1;
    }
    let [a, b, c] = numbers;
    Some(match count {
        3 => Counts {
            running: a,
            done: b,
            expected: c,
        },
        2 => Counts {
            running: 0,
            done: a,
            expected: b,
        },
        _ => Counts {
            running: 0,
            done: a,
            expected: a,
        },
    })
}

/// `1.5/20.0 MiB` or `1.5 MiB`
fn sizes_of(text: &str) -> Option<(u64, u64)> {
    let (numbers, unit) = text.split_once(' ')?;
    let size = |number: &str| Some(bytes(number.parse().ok()?, unit));
    match numbers.split_once('/') {
        Some((done, total)) => Some((size(done)?, size(total)?)),
        None => Some((size(numbers)?, 0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, built: Option<(u64, u64, u64)>, failed: u64, activity: &str) {
        let bar = parse(line.as_bytes()).unwrap();
        let counts = bar.built.map(|c| (c.running, c.done, c.expected));
        assert_eq!(
            (counts, bar.failed, bar.activity.as_str()),
            (built, failed, activity)
        );
    }

    #[test]
    fn states_of_the_bar() {
        check(
            "[\u{1b}[34;1m1\u{1b}[0m/\u{1b}[32;1m2\u{1b}[0m/10 built] building \u{1b}[1mhello-2.12.1\u{1b}[0m (buildPhase):   CC  x.o\u{1b}[0m\u{1b}[K",
            Some((1, 2, 10)),
            0,
            "building hello-2.12.1 (buildPhase):   CC  x.o",
        );
        check("[9/11 built] ", Some((0, 9, 11)), 0, "");
        check("[1/7 built (1 failed)] ", Some((0, 1, 7)), 1, "");
        check("[1 built (2 failed)]", Some((0, 1, 1)), 2, "");
        check("[0.5/2.0 MiB DL] querying", None, 0, "querying");
        let bar = parse(b"[1/0/10 built, 2/3/6 copied (0.5/1.0 MiB), 0.5 MiB DL] x").unwrap();
        assert_eq!(
            bar.copied,
            Some(Counts {
                running: 2,
                done: 3,
                expected: 6
            })
        );
        assert_eq!(bar.downloaded, Some((524_288, 0)));
        for line in [
            "[agenix] decrypting secrets...",
            "[",
            "[1/2/3/4 built]",
            "[x built]",
            "x",
            "",
        ] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }
}
