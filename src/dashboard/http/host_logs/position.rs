//! Where a reader of a host's lines is.

use std::fmt;
use std::str::FromStr;

use crate::base::clock::{Millis, parse_rfc3339};
use crate::run::id::RunId;

/// The most runs in a position: as many as can be open at once, with room.
pub(super) const MAX_RUNS: usize = 200;

/// From when or where on lines are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Since {
    /// Lines of that time and later, by the host's clock.
    Time(Millis),
    /// What comes after an answer before.
    Position(Position),
}

/// For each run that may get further lines, and for the newest one, the number of its next line; oldest run first.
/// As text `RUN:LINE`, several with a comma between.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Position(Vec<(RunId, u64)>);

impl Position {
    /// Adds a run, which is newer than those before it.
    pub fn push(&mut self, run: RunId, next: u64) {
        self.0.push((run, next));
    }

    /// The runs and the numbers of their next lines.
    pub fn runs(&self) -> &[(RunId, u64)] {
        &self.0
    }

    /// The newest run.
    pub fn last(&self) -> Option<RunId> {
        self.0.last().map(|(run, _)| *run)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (run, next)) in self.0.iter().enumerate() {
            let comma = if n > 0 { "," } else { "" };
            write!(formatter, "{comma}{run}:{next}")?;
        }
        Ok(())
    }
}

impl FromStr for Since {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text
                .parse()
                .map(Self::Time)
                .map_err(|_| String::from("`since` is too large a number"));
        }
        // A `+` that was not escaped arrives as a space.
        if let Some(at) = parse_rfc3339(&text.replace(' ', "+")) {
            return Ok(Self::Time(at));
        }
        let wrong = || String::from("`since` is neither a time nor a position");
        let mut position = Position::default();
        for pair in text.split(',') {
            let (run, next) = pair.split_once(':').ok_or_else(wrong)?;
            let (run, next): (RunId, u64) = (
                run.parse().map_err(|_| wrong())?,
                next.parse().map_err(|_| wrong())?,
            );
            if position.last().is_some_and(|last| run <= last) || position.0.len() >= MAX_RUNS {
                return Err(wrong());
            }
            position.push(run, next);
        }
        Ok(Self::Position(position))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_positions_are_read_and_nothing_else() {
        let time = |text: &str| text.parse() == Ok(Since::Time(1_769_847_330_250));
        assert!(time("1769847330250"));
        assert!(time("2026-01-31T08:15:30.250Z"));
        assert!(time("2026-01-31T09:15:30.250 01:00"));
        let (first, second) = (RunId::new(), RunId::new());
        let text = format!("{first}:4,{second}:1");
        let Ok(Since::Position(position)) = text.parse() else {
            panic!("no position");
        };
        assert_eq!(position.runs(), [(first, 4), (second, 1)]);
        assert_eq!(position.to_string(), text);
        for bad in [
            "",
            "yesterday",
            "-5",
            "99999999999999999999",
            &format!("{first}"),
            &format!("{first}:x"),
            &format!("{second}:1,{first}:1"),
            &format!("{first}:1,"),
        ] {
            assert!(bad.parse::<Since>().is_err(), "{bad}");
        }
    }
}
