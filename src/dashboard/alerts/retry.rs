//! When a delivery that did not arrive is tried again.

use std::time::Duration;

use super::settings::Pace;
use crate::base::clock::Millis;

/// The longest pause that a receiver may ask for.
pub const MAX_ASKED: Duration = Duration::from_secs(3600);

/// What one try came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Sent,
    /// It may work later.
    Retry {
        /// What happened.
        why: String,
        /// The pause that the receiver asked for.
        after: Option<Duration>,
    },
    /// It will never work.
    Refused {
        /// What happened.
        why: String,
    },
}

impl Outcome {
    /// It may work later.
    pub fn retry(why: impl Into<String>) -> Self {
        Self::Retry {
            why: why.into(),
            after: None,
        }
    }

    /// It will never work.
    pub fn refused(why: impl Into<String>) -> Self {
        Self::Refused { why: why.into() }
    }
}

/// The pause after the failure number `failures`, from 1: doubling, and no shorter than the receiver asked for.
pub fn pause(pace: &Pace, failures: u32, asked: Option<Duration>) -> Duration {
    let doubled = 1_u32.checked_shl(failures.saturating_sub(1));
    let own = pace.first.saturating_mul(doubled.unwrap_or(u32::MAX));
    own.min(pace.cap)
        .max(asked.unwrap_or_default().min(MAX_ASKED))
}

/// Whether a delivery that could first be sent at `since` is too old for another try.
pub fn is_too_old(pace: &Pace, since: Millis, now: Millis) -> bool {
    now.saturating_sub(since) >= pace.give_up.as_millis() as Millis
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_to_ten_minutes_and_a_receiver_may_ask_for_more() {
        let pace = Pace::default();
        let seconds: Vec<u64> = (1..10)
            .map(|failures| pause(&pace, failures, None).as_secs())
            .collect();
        assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(pause(&pace, u32::MAX, None), pace.cap);
        let asked = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(pause(&pace, 1, asked(60)).as_secs(), 60);
        assert_eq!(pause(&pace, 4, asked(1)).as_secs(), 40);
        assert_eq!(pause(&pace, 1, asked(1_000_000)), MAX_ASKED);
        let day = 24 * 3600 * 1000;
        assert!(!is_too_old(&pace, 5, day + 4) && is_too_old(&pace, 5, day + 5));
        assert!(!is_too_old(&pace, 100, 5), "a clock that went back");
    }
}
