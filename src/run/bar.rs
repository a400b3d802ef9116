//! Nix's progress bar, the only thing that a flake's build prints on a terminal.
//!
//! `[` status `] ` activity (Nix src/libmain/progress-bar.cc, 2.18 to 2.36; Lix lix/libmain/progress-bar.cc, whose `multiline`
//! bar has the status alone in a line and one activity in each line below). The status is made of, each where it is not zero:
//!
//! | part | since | meaning |
//! |---|---|---|
//! | `R/D/E built` | | R running, D done, E expected; see [`Counts`] for fewer numbers |
//! | `R/D/E copied (x/y MiB)` | | paths, and bytes of them; `0 copied` where only bytes are known |
//! | `x/y MiB DL` | | bytes downloaded |
//! | `… paths optimised, x MiB / n inodes freed` | | |
//! | `… paths verified`, `n corrupted`, `n untrusted` | | `nix store verify` |
//! | ` (n failed)` behind any of them | | |
//!
//! Sizes are in MiB before 2.33 and in Lix. Since then they have the unit that fits, each number its own where they differ:
//! `773.7 MiB/2.1 GiB`.

use crate::run::ansi::after_escapes;
use crate::run::rules::{bytes, plain};

mod activity;

pub(super) use activity::{Activity, is_activity};

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

/// Three counters; what is not shown is 0. `R/D/E` while something runs, else `D/E`, and `D` when D is E. `R/0` when
/// nothing is expected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) running: u64,
    pub(super) done: u64,
    pub(super) expected: u64,
}

/// The bar that these shown bytes are, if they are one.
pub(super) fn parse(visible: &[u8]) -> Option<Bar> {
    // Builders print `[ 42%] …` and `[12/345] …` by the million.
    let inner = after_escapes(visible).strip_prefix(b"[")?;
    if !after_escapes(inner).first()?.is_ascii_digit() {
        return None;
    }
    let status = &inner[..memchr::memchr(b']', inner)?];
    if !WORDS
        .iter()
        .any(|word| memchr::memmem::find(status, word).is_some())
    {
        return None;
    }
    let text = plain(visible);
    let (status, activity) = text.strip_prefix('[')?.split_once(']')?;
    let mut bar = Bar {
        activity: activity.trim().to_owned(),
        ..Bar::default()
    };
    let mut known = false;
    for item in status.split(", ") {
        if let Some((counts, rest)) = item.split_once(" built") {
            bar.built = Some(counts_of(counts)?);
            bar.failed = failed_of(rest)?;
        } else if let Some((counts, rest)) = item.split_once(" copied") {
            bar.copied = Some(counts_of(counts)?);
            // How many failed may stand before the sizes, and again behind them.
            let sizes = rest.split('(').nth(1 + usize::from(failed_of(rest)? > 0));
            bar.downloaded = sizes.and_then(|sizes| sizes_of(sizes.trim_end_matches([')', ' '])));
        } else if let Some((sizes, _)) = item.split_once(" DL") {
            bar.downloaded = sizes_of(sizes);
            known |= bar.downloaded.is_some();
        } else {
            known |= is_other(item);
        }
    }
    (known || bar.built.is_some() || bar.copied.is_some()).then_some(bar)
}

/// What decides the meaning of a bar: its bytes up to the builder's last line, which is drawn anew with every line that a
/// builder prints. Empty for bytes that begin with no bar.
pub(super) fn state(visible: &[u8]) -> &[u8] {
    if after_escapes(visible).first() != Some(&b'[') {
        return &[];
    }
    let end = memchr::memmem::find(visible, b": ").unwrap_or(visible.len());
    &visible[..end]
}

/// One of these is in every status.
const WORDS: &[&[u8]] = &[
    b" built",
    b" copied",
    b" DL",
    b" paths ",
    b" corrupted",
    b" untrusted",
];

/// The parts that say nothing about a rebuild.
fn is_other(item: &str) -> bool {
    let numbers = |text: &str| counts_of(text).is_some();
    [" paths optimised", " paths verified"]
        .iter()
        .any(|end| item.split_once(end).is_some_and(|(n, _)| numbers(n)))
        || [" corrupted", " untrusted"]
            .iter()
            .any(|end| item.strip_suffix(end).is_some_and(numbers))
}

/// ` (2 failed)` and what may follow.
fn failed_of(text: &str) -> Option<u64> {
    match text.trim_start().strip_prefix('(') {
        Some(inner) if inner.split(')').next()?.ends_with(" failed") => {
            inner.split(' ').next()?.parse().ok()
        }
        _ => Some(0),
    }
}

fn counts_of(text: &str) -> Option<Counts> {
    let numbers = text
        .split('/')
        .map(|part| part.parse().ok())
        .collect::<Option<Vec<u64>>>()?;
    let (running, done, expected) = three(&numbers)?;
    Some(Counts {
        running,
        done,
        expected: expected.unwrap_or(done),
    })
}

/// Running, done and expected, of as many numbers as are shown.
fn three(numbers: &[u64]) -> Option<(u64, u64, Option<u64>)> {
    match *numbers {
        [done] => Some((0, done, None)),
        [running, 0] => Some((running, 0, Some(0))),
        [done, expected] => Some((0, done, Some(expected))),
        [running, done, expected] => Some((running, done, Some(expected))),
        _ => None,
    }
}

/// `1.5/20.0 MiB`, `773.7 MiB/2.1 GiB` or `1.5 MiB`: done and expected, which is 0 where it is not shown.
fn sizes_of(text: &str) -> Option<(u64, u64)> {
    // The last number always has a unit; those before it may have one.
    let last = text.rsplit_once(' ')?.1;
    let size = |part: &str| {
        let (number, unit) = part.split_once(' ').unwrap_or((part, last));
        let number: f64 = number.parse().ok()?;
        number.is_finite().then(|| bytes(number, unit))
    };
    let sizes = text.split('/').map(size).collect::<Option<Vec<u64>>>()?;
    let (_, done, expected) = three(&sizes)?;
    Some((done, expected.unwrap_or(0)))
}

#[cfg(test)]
mod tests;
