//! Whether a host is there, from monotonic clocks alone.

use std::time::Duration;

use tokio::time::Instant;

use crate::wire::api::HostStatus;

/// A host may be away this long in the middle of an activation before it counts as offline.
pub const ACTIVATION: Duration = Duration::from_secs(5 * 60);
/// What counts as an interval where an agent names none (protocol 2 agents may not).
pub const DEFAULT_INTERVAL: u32 = 30;
/// The longest interval that is believed, in seconds.
pub const MAX_INTERVAL: u32 = 3600;

/// The least and the most intervals that a host may name for itself.
pub const TIMES: std::ops::RangeInclusive<u32> = 2..=100;

/// What is known of a host's signs of life.
#[derive(Debug, Clone, Copy, Default)]
pub struct Signs {
    /// Whether it ever sent a heartbeat.
    pub known: bool,
    /// Whether its connection is open. Only a heartbeat makes it online.
    pub connected: bool,
    /// Whether its heartbeats are pushed and need no connection.
    pub pushes: bool,
    /// When its last heartbeat came.
    pub last_beat: Option<Instant>,
    /// Until when a host that was there before the dashboard started may take to come back.
    pub grace_until: Option<Instant>,
    /// Whether its own units are being replaced, so that it may go away.
    pub activating: bool,
}

/// The interval in seconds that an agent's own is taken for.
pub fn interval(named: u32) -> u32 {
    if named == 0 {
        DEFAULT_INTERVAL
    } else {
        named.min(MAX_INTERVAL)
    }
}

/// After how many intervals a host is offline: what it names itself, within [`TIMES`], else the dashboard's `own`.
pub fn times(named: Option<u32>, own: u32) -> u32 {
    named.map_or(own.max(1), |named| {
        named.clamp(*TIMES.start(), *TIMES.end())
    })
}

/// How long a host with that interval may be silent.
pub fn limit(interval_secs: u32, multiplier: u32) -> Duration {
    Duration::from_secs(u64::from(interval(interval_secs)) * u64::from(multiplier.max(1)))
}

/// The status at `now`, and how long a reconnecting host still has.
pub fn status(signs: &Signs, limit: Duration, now: Instant) -> (HostStatus, Option<Duration>) {
    let (status, until) = stands(signs, limit, now);
    let left = until.filter(|_| status == HostStatus::Reconnecting);
    (status, left.map(|until| until.duration_since(now)))
}

/// The status at `now`, and the last moment at which it holds while nothing is heard; none for ever.
pub fn stands(signs: &Signs, limit: Duration, now: Instant) -> (HostStatus, Option<Instant>) {
    let silent_at = signs.last_beat.map(|at| at + limit);
    if (signs.connected || signs.pushes) && silent_at.is_some_and(|at| now <= at) {
        return (HostStatus::Online, silent_at);
    }
    let patience = if signs.activating {
        limit.max(ACTIVATION)
    } else {
        limit
    };
    let deadline = signs
        .last_beat
        .map(|at| at + patience)
        .max(signs.grace_until);
    match deadline {
        Some(deadline) if now <= deadline => (HostStatus::Reconnecting, Some(deadline)),
        _ if signs.known => (HostStatus::Offline, None),
        _ => (HostStatus::NeverSeen, None),
    }
}

/// The status's name, as in JSON.
pub fn name(status: HostStatus) -> &'static str {
    match status {
        HostStatus::Online => "online",
        HostStatus::Offline => "offline",
        HostStatus::Reconnecting => "reconnecting",
        HostStatus::NeverSeen => "never_seen",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(90);

    #[track_caller]
    fn check(signs: &Signs, after_secs: u64, expected: HostStatus, left_secs: Option<u64>) {
        let base = signs.last_beat.unwrap_or_else(Instant::now);
        let (found, left) = status(signs, LIMIT, base + Duration::from_secs(after_secs));
        assert_eq!(
            (found, left.map(|left| left.as_secs())),
            (expected, left_secs)
        );
    }

    #[test]
    fn online_until_three_intervals_and_not_a_moment_longer() {
        let now = Instant::now();
        let signs = Signs {
            known: true,
            connected: true,
            last_beat: Some(now),
            ..Signs::default()
        };
        check(&signs, 90, HostStatus::Online, None);
        check(&signs, 91, HostStatus::Offline, None);
        let cut = Signs {
            connected: false,
            ..signs
        };
        check(&cut, 0, HostStatus::Reconnecting, Some(90));
        check(&cut, 91, HostStatus::Offline, None);
    }

    #[test]
    fn pushes_need_no_connection() {
        let signs = Signs {
            known: true,
            pushes: true,
            last_beat: Some(Instant::now()),
            ..Signs::default()
        };
        check(&signs, 90, HostStatus::Online, None);
        check(&signs, 91, HostStatus::Offline, None);
    }

    #[test]
    fn an_activation_may_take_five_minutes() {
        let signs = Signs {
            known: true,
            last_beat: Some(Instant::now()),
            activating: true,
            ..Signs::default()
        };
        check(&signs, 100, HostStatus::Reconnecting, Some(200));
        check(&signs, 301, HostStatus::Offline, None);
    }

    #[test]
    fn a_name_alone_was_never_seen_and_a_start_gives_grace() {
        check(&Signs::default(), 5, HostStatus::NeverSeen, None);
        let fresh = Signs {
            connected: true,
            ..Signs::default()
        };
        check(&fresh, 0, HostStatus::NeverSeen, None);
        let now = Instant::now();
        let grace = Signs {
            known: true,
            grace_until: Some(now + LIMIT),
            ..Signs::default()
        };
        assert_eq!(status(&grace, LIMIT, now).0, HostStatus::Reconnecting);
        let later = now + LIMIT + Duration::from_millis(1);
        assert_eq!(status(&grace, LIMIT, later).0, HostStatus::Offline);
    }

    #[test]
    fn intervals_that_nobody_can_mean_are_bounded() {
        for (named, seconds) in [(0, 90), (1, 3), (30, 90), (u32::MAX, 10_800)] {
            assert_eq!(limit(named, 3).as_secs(), seconds);
        }
    }

    #[test]
    fn a_host_may_name_how_many_intervals_within_bounds() {
        for (named, own, expected) in [
            (None, 3, 3),
            (None, 0, 1),
            (Some(10), 3, 10),
            (Some(0), 3, 2),
            (Some(u32::MAX), 3, 100),
        ] {
            assert_eq!(times(named, own), expected);
        }
    }
}
