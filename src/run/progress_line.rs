//! How far a run is, in one line for a terminal: the same words in the command line and beside a pipe.

use super::event::{Fetches, Progress, ProgressUnit, RunningBuild};
use super::phase::Phase;

/// The longest line, in characters. Whoever draws it lets the terminal cut it at its own width.
pub const MAX_WIDTH: usize = 500;

/// Back to the first column, erase the line.
pub const ERASE: &str = "\r\u{1b}[2K";

/// What draws `text` over the line that the cursor is in. Without wrapping, a text that is wider than the terminal is cut
/// by it and stays one line, which [`ERASE`] can erase.
pub fn drawing(text: &str) -> String {
    format!("{ERASE}\u{1b}[?7l{text}\u{1b}[?7h")
}

/// How long a run may still take. What was counted down since it was told is the caller's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remaining {
    /// Seconds; none while nothing is known to tell them from.
    pub seconds: Option<u64>,
    /// The most seconds, where that is much more.
    pub most: Option<u64>,
    /// It takes longer than nine of ten times before: nobody knows how much longer, and no number is shown.
    pub overdue: bool,
}

impl Remaining {
    /// The same, `seconds` later.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        let rest = |value: u64| value.saturating_sub(seconds);
        Self {
            seconds: self.seconds.map(rest),
            most: self.most.map(rest),
            ..self
        }
    }
}

/// `building 37 of 112 · 214 MB of 1.2 GB fetched · 12 MB/s · about 6 minutes · hello-2.12 buildPhase 1m 05s`. What is not
/// known is left out. `now` is in milliseconds since the epoch; a host whose clock is ahead counts as just begun. Control
/// characters in names are replaced, for a name comes from the host.
pub fn progress_line(
    phase: Phase,
    progress: &Progress,
    now: u64,
    left: Option<Remaining>,
) -> String {
    let mut parts = vec![phase.name().to_owned()];
    // What was built and fetched is over once the activation begins.
    if !phase.expects_disconnect() {
        if let Some(count) = count(phase, progress) {
            parts[0] = format!("{} {count}", parts[0]);
        }
        if let Some(failed) = progress.builds.map(|builds| builds.failed)
            && failed > 0
        {
            parts.push(format!("{failed} failed"));
        }
        parts.extend(progress.fetches.iter().flat_map(fetched));
    }
    parts.extend(left.map(remaining));
    parts.extend(current(phase, progress, now));
    let shown = parts.join(" · ");
    let visible = |letter: char| {
        if letter.is_control() {
            '\u{fffd}'
        } else {
            letter
        }
    };
    shown.chars().map(visible).take(MAX_WIDTH).collect()
}

/// `37 of 112`, `3 of 10 paths`; none where nothing is counted but bytes, which have a part of their own.
fn count(phase: Phase, progress: &Progress) -> Option<String> {
    let (done, total, unit) = match progress.fetches {
        // Builds may be planned by then, but none of them has begun.
        Some(fetches) if phase == Phase::Fetching && fetches.planned > 0 => {
            (fetches.done, fetches.planned, ProgressUnit::Paths)
        }
        _ => (progress.done, progress.total, progress.unit),
    };
    let word = match unit {
        ProgressUnit::Builds => "",
        ProgressUnit::Paths => " paths",
        ProgressUnit::Tests => " tests",
        ProgressUnit::Bytes => return None,
    };
    match (done, total) {
        (0, 0) => None,
        (done, 0) => Some(format!("{done}{word}")),
        (done, total) => Some(format!("{done} of {total}{word}")),
    }
}

/// Bytes, and how fast they come while some are still to come.
fn fetched(fetches: &Fetches) -> Vec<String> {
    let (done, total) = (fetches.bytes_done, fetches.bytes_total);
    if done == 0 && total == 0 {
        return Vec::new();
    }
    if done >= total && total > 0 {
        return vec![format!("{} fetched", bytes(done))];
    }
    let mut parts = vec![if total == 0 {
        format!("{} fetched", bytes(done))
    } else {
        format!("{} of {} fetched", bytes(done), bytes(total))
    }];
    if fetches.bytes_per_second > 0 {
        parts.push(format!("{}/s", bytes(fetches.bytes_per_second)));
    }
    parts
}

/// The build that has been going on for longest, or what Nix says that it does.
fn current(phase: Phase, progress: &Progress, now: u64) -> Option<String> {
    let built = progress.running.first();
    // The phase may be told before the end of the last build.
    let Some(build) = built.filter(|_| !phase.expects_disconnect()) else {
        return progress.activity.clone();
    };
    let RunningBuild {
        name,
        host,
        phase,
        since,
    } = build;
    let phase = phase.as_ref().map(|phase| format!(" {phase}"));
    let host = host.as_ref().map(|host| format!(" on {host}"));
    let others = match progress.running.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} more"),
    };
    Some(format!(
        "{name}{}{} {}{others}",
        phase.unwrap_or_default(),
        host.unwrap_or_default(),
        duration(now.saturating_sub(*since))
    ))
}

/// Bytes in decimal units, as download sizes are told: `812 B`, `1.2 GB`, `214 MB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    // Tenths of the unit, so that no fraction is computed.
    let mut unit = 0;
    let mut size = 1000_u64;
    loop {
        let tenths = (u128::from(number) * 10 + u128::from(size) / 2) / u128::from(size);
        let whole = (u128::from(number) + u128::from(size) / 2) / u128::from(size);
        if tenths < 100 {
            return format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit]);
        }
        if whole < 1000 || unit + 1 == UNITS.len() {
            return format!("{whole} {}", UNITS[unit]);
        }
        unit += 1;
        size *= 1000;
    }
}

/// A duration: `4s`, `2m 05s`, `1h 02m`.
pub fn duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// From here on, hours are said, in halves.
const HOURS_FROM: u64 = 90 * 60;

/// `about 6 minutes`, `4 to 9 minutes`, `calculating`, `longer than usual`. Less time left never reads as more.
pub fn remaining(left: Remaining) -> String {
    if left.overdue {
        return "longer than usual".to_owned();
    }
    let Some(seconds) = left.seconds else {
        return "calculating".to_owned();
    };
    match left.most {
        Some(most) if most > seconds => range(seconds, most),
        _ => about(seconds),
    }
}

fn about(seconds: u64) -> String {
    match seconds {
        0..10 => "a few seconds".to_owned(),
        10..55 => format!("about {} seconds", (seconds + 5) / 10 * 10),
        55..HOURS_FROM => {
            let minutes = seconds.saturating_add(30) / 60;
            format!("about {minutes} {}", plural(minutes, "minute"))
        }
        _ => {
            let halves = seconds.saturating_add(900) / 1800;
            format!("about {} hours", half(halves))
        }
    }
}

fn range(seconds: u64, most: u64) -> String {
    let (low, high, unit) = match most {
        0..60 => (seconds / 10 * 10, most.div_ceil(10) * 10, "second"),
        60..HOURS_FROM => (seconds / 60, most.div_ceil(60), "minute"),
        _ => {
            let (low, high) = (seconds / 1800, most.div_ceil(1800));
            let start = if low == 0 {
                "up to".to_owned()
            } else {
                format!("{} to", half(low))
            };
            return format!("{start} {} hours", half(high));
        }
    };
    let unit = plural(high, unit);
    match low {
        0 => format!("up to {high} {unit}"),
        low if low == high => format!("about {high} {unit}"),
        low => format!("{low} to {high} {unit}"),
    }
}

/// `2`, `2.5`.
fn half(halves: u64) -> String {
    let rest = if halves % 2 == 1 { ".5" } else { "" };
    format!("{}{rest}", halves / 2)
}

fn plural(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{one}{end}")
}

#[cfg(test)]
mod tests;
