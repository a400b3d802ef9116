//! Replays a recorded rebuild with its timing: each read's bytes after the time that passed before it.

use std::io::Write;
use std::time::Duration;

use anyhow::Context as _;

/// What a real rebuild of the demo host wrote to its terminal.
const RECORDING: &[u8] = include_bytes!("fixture/recording.raw");
/// A line per read: seconds since the one before, and bytes.
const TIMING: &str = include_str!("fixture/recording.timing");

/// One read of the recording.
#[derive(Debug, PartialEq)]
struct Read<'a> {
    after: Duration,
    bytes: &'a [u8],
}

fn reads<'a>(timing: &str, mut bytes: &'a [u8]) -> anyhow::Result<Vec<Read<'a>>> {
    let mut reads = Vec::new();
    for (index, line) in timing.lines().enumerate() {
        let parsed = line
            .split_once(' ')
            .and_then(|(seconds, len)| Some((seconds.parse::<f64>().ok()?, len.parse().ok()?)));
        let (seconds, len) =
            parsed.with_context(|| format!("line {} of the timing is `{line}`", index + 1))?;
        let (read, rest) = bytes
            .split_at_checked(len)
            .context("the timing counts more bytes than were recorded")?;
        reads.push(Read {
            after: Duration::try_from_secs_f64(seconds)?,
            bytes: read,
        });
        bytes = rest;
    }
    anyhow::ensure!(bytes.is_empty(), "the timing counts too few bytes");
    Ok(reads)
}

/// Writes the recording to `out`, waiting with `wait`.
///
/// # Errors
/// `out` cannot be written to.
pub fn run(out: &mut impl Write, wait: impl Fn(Duration)) -> anyhow::Result<()> {
    for read in reads(TIMING, RECORDING)? {
        wait(read.after);
        out.write_all(read.bytes)?;
        out.flush()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn the_recording_comes_whole_and_takes_its_time() {
        let waited = Cell::new(Duration::ZERO);
        let mut out = Vec::new();
        run(&mut out, |time| waited.set(waited.get() + time)).unwrap();
        assert_eq!(out, RECORDING);
        assert!(waited.get() > Duration::from_secs(2), "{:?}", waited.get());
    }

    #[test]
    fn a_timing_that_does_not_fit_is_refused() {
        for (timing, part) in [
            ("0.1 2\n", "too few"),
            ("0.1 9\n", "more bytes"),
            ("soon 1\n", "line 1"),
            ("-1 3\n", "negative"),
        ] {
            let error = format!("{:#}", reads(timing, b"abc").unwrap_err());
            assert!(error.contains(part), "{error}");
        }
    }
}
