//! How a host comes and goes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::absence::{Away, Suppressed};
use super::changes;
use super::entry::Entry;
use super::log::News;
use super::skew::Skew;
use crate::base::clock::{self, Millis};
use crate::dashboard::liveness;
use crate::dashboard::store::events::NewEvent;
use crate::run::id::HostName;
use crate::run::progress_line::duration;
use crate::wire::api::{Absence, HostEventKind, HostLiveness, HostStatus};
use crate::wire::to_dashboard::{Heartbeat, Register};

/// For how long it counts that a host went away.
pub const FLAPS_WITHIN: Duration = Duration::from_secs(3600);
/// So many times are counted.
const MAX_FLAPS: usize = 100;

/// What is known of a host's coming and going.
#[derive(Debug, Clone, Default)]
pub(super) struct Contact {
    /// Its clock.
    pub skew: Skew,
    /// Whether it may be away.
    pub away: Away,
    /// What has just happened, until the change that it is a part of is over.
    pub news: Vec<News>,
    /// Whether it was there when the dashboard started: its coming back is nothing new.
    pub restored: bool,
    /// The system that it was last said to run.
    pub runs: Arc<str>,
    /// When it went away in the last hour, oldest first.
    flaps: VecDeque<Instant>,
    /// When it was last heard before it went away.
    left: Option<Millis>,
}

impl Contact {
    /// It went away unasked.
    pub fn went_away(&mut self, at: Instant) {
        if self.flaps.len() == MAX_FLAPS {
            self.flaps.pop_front();
        }
        self.flaps.push_back(at);
    }

    /// How often it went away in the last hour.
    fn flaps(&self, now: Instant) -> u32 {
        let recent = |at: &&Instant| now.duration_since(**at) < FLAPS_WITHIN;
        self.flaps.iter().rev().take_while(recent).count() as u32
    }

    fn says_it_runs(&mut self, generation: &str) {
        self.news.extend(changes::runs(&self.runs, generation));
        if !generation.is_empty() && *self.runs != *generation {
            self.runs = generation.into();
        }
    }

    fn says_its_time(&mut self, theirs: Option<Millis>, ours: Millis) {
        let said = theirs.and_then(|theirs| self.skew.take(theirs, ours));
        self.news
            .extend(said.map(|detail| News::new(HostEventKind::ClockSkew, detail)));
    }
}

impl Entry {
    /// Compares what it says of itself with what it said before.
    pub fn compare(&mut self, register: &Register, wall: Millis) {
        let news = changes::registered(self.register.as_deref(), register);
        self.contact.news.extend(news);
        self.contact.says_it_runs(&register.generation);
        self.contact.says_its_time(register.at, wall);
    }

    /// The same with a heartbeat.
    pub fn compare_beat(&mut self, heartbeat: &Heartbeat, wall: Millis) {
        self.contact.says_it_runs(&heartbeat.generation);
        self.contact.says_its_time(heartbeat.at, wall);
    }

    /// Looks how it is. Answers the transition, if it is one.
    pub fn update_status(
        &mut self,
        host: &HostName,
        multiplier: u32,
        now: Instant,
    ) -> Option<NewEvent> {
        let (status, _) = liveness::status(&self.signs, self.limit(multiplier), now);
        if status == self.status {
            return None;
        }
        let before = std::mem::replace(&mut self.status, status);
        self.unsaved = true;
        // A host that was there before the dashboard's start has not been away, until it is.
        let restored = std::mem::take(&mut self.contact.restored);
        let news = match status {
            HostStatus::Online => {
                self.signs.grace_until = None;
                self.online(restored)
            }
            HostStatus::NeverSeen => None,
            HostStatus::Reconnecting | HostStatus::Offline => {
                Some(self.away(status, before == HostStatus::Online || restored, now))
            }
        };
        self.contact.news.push(news?);
        Some(NewEvent {
            at: clock::now(),
            host: host.clone(),
            run: None,
            what: liveness::name(status),
        })
    }

    /// When its status may change by itself, or its maintenance ends; none for never.
    pub fn due(&self, multiplier: u32, now: Instant) -> Option<Instant> {
        let (_, until) = liveness::stands(&self.signs, self.limit(multiplier), now);
        until.into_iter().chain(self.contact.away.ends()).min()
    }

    fn online(&mut self, restored: bool) -> Option<News> {
        let left = self.contact.left.take();
        if restored {
            return None;
        }
        let away = left.map(|left| clock::now().saturating_sub(left));
        let detail = away.map_or_else(String::new, |ms| format!("away for {}", duration(ms)));
        Some(News::new(HostEventKind::Online, detail))
    }

    fn away(&mut self, status: HostStatus, just_now: bool, now: Instant) -> News {
        let suppressed = self.suppressed(now);
        let asked = |own: &Suppressed| own.why == Absence::Maintenance;
        let flap = just_now && !self.signs.activating && !suppressed.as_ref().is_some_and(asked);
        if flap {
            self.contact.went_away(now);
        }
        if just_now || self.contact.left.is_none() {
            self.contact.left = self.last_seen();
        }
        let detail = match suppressed {
            Some(own) => own.reason,
            None if self.signs.activating => "in the middle of an activation".into(),
            None => String::new(),
        };
        let kind = if status == HostStatus::Offline {
            HostEventKind::Offline
        } else {
            HostEventKind::Reconnecting
        };
        News {
            kind,
            last_seen: self.last_seen(),
            flap,
            detail,
        }
    }

    /// How well it keeps in touch, as the API shows it.
    pub fn liveness(&self, multiplier: u32, status: HostStatus, now: Instant) -> HostLiveness {
        let device_type = self.register.as_ref();
        let device_type = device_type.map_or("", |register| register.device_type.as_str());
        let away = &self.contact.away;
        let is_away = status == HostStatus::Offline;
        let suppressed = is_away.then(|| self.suppressed(now)).flatten();
        let (absence, absence_reason) =
            suppressed.map_or((None, None), |own| (Some(own.why), Some(own.reason)));
        HostLiveness {
            offline_after: self.times(multiplier),
            clock_skew_ms: self.contact.skew.ms(),
            flaps: self.contact.flaps(now),
            expected_absence: away.is_expected(device_type),
            maintenance: away.show(now),
            absence,
            absence_reason,
        }
    }
}
