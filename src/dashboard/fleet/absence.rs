//! Hosts that may be away: somebody works on them, or they come and go as they like.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::entry::Entry;
use super::log::News;
use super::{Fleet, State};
use crate::base::clock::{self, Millis, rfc3339};
use crate::dashboard::live::{Change, lock};
use crate::dashboard::store::host_absence::{AbsenceRow, MaintenanceRow};
use crate::run::id::HostName;
use crate::wire::api::{Absence, HostEventKind, Maintenance};

/// A maintenance that goes on.
#[derive(Debug)]
struct Planned {
    row: MaintenanceRow,
    /// Its end by the clock that nobody sets.
    ends: Instant,
}

/// What operators said of a host's being away.
#[derive(Debug, Clone, Default)]
pub(super) struct Away {
    expected: Option<bool>,
    planned: Option<Arc<Planned>>,
}

/// Why nobody is to be alarmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suppressed {
    /// A maintenance speaks against every alert about the host, an expected absence only against those that it is away.
    pub why: Absence,
    /// In words.
    pub reason: String,
}

impl Away {
    fn maintenance(&self, now: Instant) -> Option<&MaintenanceRow> {
        let planned = self.planned.as_deref()?;
        (now < planned.ends).then_some(&planned.row)
    }

    /// When the maintenance ends that was planned last.
    pub fn ends(&self) -> Option<Instant> {
        self.planned.as_ref().map(|planned| planned.ends)
    }

    /// The maintenance that goes on, as the API shows it.
    pub fn show(&self, now: Instant) -> Option<Maintenance> {
        let row = self.maintenance(now)?;
        Some(Maintenance {
            since: rfc3339(row.since),
            until: rfc3339(row.until),
            reason: row.reason.clone(),
            by: row.by.clone(),
        })
    }

    /// Whether nobody needs to know when a host of that kind is away.
    pub fn is_expected(&self, device_type: &str) -> bool {
        self.expected
            .unwrap_or_else(|| device_type.eq_ignore_ascii_case("laptop"))
    }

    /// Why a host of that kind may be away now.
    pub fn suppressed(&self, device_type: &str, now: Instant) -> Option<Suppressed> {
        if let Some(row) = self.maintenance(now) {
            let mut reason = format!("maintenance by {} until {}", row.by, rfc3339(row.until));
            if !row.reason.is_empty() {
                reason.push_str(": ");
                reason.push_str(&row.reason);
            }
            let why = Absence::Maintenance;
            return Some(Suppressed { why, reason });
        }
        let reason = match self.expected {
            Some(true) => "an operator expects it to be away at times",
            None if self.is_expected(device_type) => "it is a laptop",
            _ => return None,
        };
        Some(Suppressed {
            why: Absence::Expected,
            reason: reason.into(),
        })
    }

    /// Takes a maintenance that is over, and says when it was to end.
    pub fn take_ended(&mut self, now: Instant) -> Option<Millis> {
        let ended = self.planned.take_if(|planned| now >= planned.ends);
        ended.map(|planned| planned.row.until)
    }
}

impl Fleet {
    /// Why nobody is to be alarmed about a host at `now`; none if somebody is, or if there is no such host.
    pub fn suppressed(&self, host: &HostName, now: Instant) -> Option<Suppressed> {
        lock(&self.state).hosts.get(host)?.suppressed(now)
    }

    /// Puts a host under maintenance, in place of one before.
    pub fn begin_maintenance(&self, host: &HostName, row: MaintenanceRow) {
        self.change(host, false, |entry, now| {
            let mut detail = format!("by {} until {}", row.by, rfc3339(row.until));
            if !row.reason.is_empty() {
                detail.push_str(": ");
                detail.push_str(&row.reason);
            }
            entry
                .contact
                .news
                .push(News::new(HostEventKind::MaintenanceBegun, detail));
            entry.contact.away.planned = Some(Arc::new(planned(row, now)));
        });
    }

    /// Ends a maintenance. Says whether there was one.
    pub fn end_maintenance(&self, host: &HostName, by: &str) -> bool {
        let ended = self.change(host, false, |entry, now| {
            let was = entry.contact.away.maintenance(now).is_some();
            entry.contact.away.planned = None;
            if was {
                let detail = format!("by {by}");
                let news = News::new(HostEventKind::MaintenanceEnded, detail);
                entry.contact.news.push(news);
            }
            was
        });
        ended.unwrap_or(false)
    }

    /// Whether a host's absence is expected; none leaves it to what kind of device it is.
    pub fn expect_absence(&self, host: &HostName, expected: Option<bool>) {
        self.change(host, false, |entry, _| {
            entry.contact.away.expected = expected;
        });
    }

    /// Takes up what the store has, at the start: what operators said, and who went away when in the last hour.
    pub fn restore(
        &self,
        absences: HashMap<HostName, AbsenceRow>,
        flaps: &[(HostName, Millis)],
        wall: Millis,
    ) {
        let now = Instant::now();
        let mut state = lock(&self.state);
        let State {
            hosts,
            unsaved,
            due,
        } = &mut *state;
        let log = &mut unsaved.log;
        *due = Some(now);
        for (host, absence) in absences {
            let Some(entry) = hosts.get_mut(&host) else {
                continue;
            };
            let away = &mut entry.contact.away;
            away.expected = absence.expected;
            match absence.maintenance {
                Some(row) if row.until <= wall => {
                    // It ended while no dashboard was there to see it.
                    let until = row.until;
                    log.take(&host, until, &mut vec![ended()]);
                    log.ended.push((host, until));
                }
                row => {
                    let left = |row: MaintenanceRow| {
                        Arc::new(Planned {
                            ends: now + Duration::from_millis(row.until - wall),
                            row,
                        })
                    };
                    away.planned = row.map(left);
                }
            }
        }
        for (host, at) in flaps {
            let age = Duration::from_millis(wall.saturating_sub(*at));
            if let (Some(entry), Some(at)) = (hosts.get_mut(host), now.checked_sub(age)) {
                entry.contact.went_away(at);
            }
        }
    }

    /// Ends maintenances that are over; part of the sweep.
    pub(super) fn end_maintenances(&self, state: &mut State, now: Instant) {
        let State { hosts, unsaved, .. } = state;
        let log = &mut unsaved.log;
        for (host, entry) in hosts {
            if let Some(until) = entry.contact.away.take_ended(now) {
                log.take(host, clock::now(), &mut vec![ended()]);
                log.ended.push((host.clone(), until));
                self.live.changed(Change::Host(host.clone()));
            }
        }
    }
}

fn ended() -> News {
    News::new(HostEventKind::MaintenanceEnded, "its time is over")
}

fn planned(row: MaintenanceRow, now: Instant) -> Planned {
    let left = row.until.saturating_sub(clock::now());
    Planned {
        ends: now + Duration::from_millis(left),
        row,
    }
}

impl Entry {
    /// Why nobody is to be alarmed about it.
    pub fn suppressed(&self, now: Instant) -> Option<Suppressed> {
        let device_type = self.register.as_ref();
        let device_type = device_type.map_or("", |register| register.device_type.as_str());
        self.contact.away.suppressed(device_type, now)
    }
}
