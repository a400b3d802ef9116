//! The one task that looks at the rules: every few seconds, and soon after a run has ended.

mod tell;

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::engine::{Engine, Firing, Moment};
use super::memory::{Memory, RunEnd};
use super::metric::Metric;
use super::reading::Reading;
use super::rules::{Condition, Rule};
use super::settings::AlertSettings;
use super::settings::written::MAX_WITHIN;
use super::{Alerts, CertificateEnd};
use crate::base::clock::{self, Millis};
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::{self, Live};
use crate::dashboard::store::alerts::{AlertCommit, MAX_RECOVERED};
use crate::dashboard::store::events::StoredEvent;
use crate::dashboard::store::{Store, StoreError};
use crate::run::id::HostName;
use crate::run::phase::RunState;
use crate::wire::api::{Absence, HostStatus};

/// Events that are read at once.
const EVENTS: u32 = 500;
/// The newest events that a start looks through for hosts that went away.
const LOOKED_BACK: u64 = 20_000;
/// The most looks for one reason, so that a thousand runs that end at once are not a thousand looks.
const CALM: Duration = Duration::from_millis(200);
/// One look in so many times what it takes, so that a large fleet's rules cost a quarter of a percent of a core.
const SELDOM: u32 = 400;
/// But at least one in that time.
const SELDOMEST: Duration = Duration::from_secs(10);
/// How often values are learnt, and what was learnt is stored.
const LEARN: Duration = Duration::from_secs(30);
/// How often old alerts are looked for.
const BOUND: Duration = Duration::from_secs(600);

/// The task.
pub(super) struct Watch {
    alerts: Alerts,
    every: Duration,
    engine: Engine,
    memory: Memory,
    /// Metrics whose usual values are learnt.
    learnt: Vec<Metric>,
    /// The last event that was looked at, and the last one that the store knows to be.
    cursor: u64,
    stored_cursor: u64,
    /// The dashboard's own certificate.
    pub(super) certificate: Option<CertificateEnd>,
    store: Store,
    fleet: Fleet,
    live: Live,
    /// Whether the last look worked.
    is_failing: bool,
}

impl Watch {
    /// With what fired before the start, and the departures of the last day.
    pub(super) async fn open(
        alerts: Alerts,
        settings: &AlertSettings,
        store: Store,
        fleet: Fleet,
        live: Live,
    ) -> Result<Self, StoreError> {
        let mut learnt: Vec<Metric> = settings.rules.iter().filter_map(learns).collect();
        learnt.sort_unstable();
        learnt.dedup();
        let cursor = store.alert_cursor().await?;
        let mut watch = Self {
            alerts,
            every: settings.pace.every,
            engine: Engine::new(settings.rules.clone()),
            memory: Memory::default(),
            learnt,
            cursor,
            stored_cursor: cursor,
            certificate: None,
            store,
            fleet,
            live,
            is_failing: false,
        };
        watch.restore().await?;
        Ok(watch)
    }

    async fn restore(&mut self) -> Result<(), StoreError> {
        let now = clock::now();
        let mut ended = Vec::new();
        for row in self.store.firing_alerts().await? {
            if let (Some(host), Some(run)) = (&row.host, row.run) {
                let state = if row.kind == "run_degraded" {
                    RunState::Degraded
                } else {
                    RunState::Failed
                };
                self.memory
                    .ran(host, &row.object, RunEnd::new(run, state, ""));
            }
            let firing = Firing {
                id: row.id.clone(),
                started_at: row.started_at,
                summary: row.summary.clone(),
                run: row.run,
            };
            let host = row.host.clone();
            let object = &row.object;
            if !self
                .engine
                .restore(&row.rule, &row.kind, host, object, firing)
            {
                ended.push(self.ruleless(&row, now));
            }
        }
        for (host, metric, hours) in self.store.baselines().await? {
            if let Some(metric) = self.learnt.iter().find(|own| own.name() == metric) {
                let baseline = super::baseline::Baseline::read(&hours);
                self.memory.know(host, *metric, baseline);
            }
        }
        let oldest = now.saturating_sub(MAX_WITHIN.as_millis() as Millis);
        let mut from = self.cursor.saturating_sub(LOOKED_BACK);
        while from < self.cursor {
            let events = self.store.events_after(from, None, EVENTS).await?;
            let Some(last) = events.last().map(|event| event.id) else {
                break;
            };
            for event in &events {
                if event.id <= self.cursor && event.at >= oldest && event.run.is_none() {
                    self.memory.became(&event.host, &event.what, event.at);
                }
            }
            from = last;
        }
        // With the cursor, also where nothing has ended: what happens from now on must not be missed by the next start.
        let commit = AlertCommit {
            recovered: ended,
            cursor: self.cursor,
            now,
            ..AlertCommit::default()
        };
        if let Err(error) = self.store.commit_alerts(&commit).await {
            // On a full disk what is stored can still be read.
            tracing::error!("where the alerts stand is not stored: {error}");
            self.stored_cursor = 0;
        }
        Ok(())
    }

    /// Works until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let every = |period: Duration| {
            let mut timer = tokio::time::interval(period.max(Duration::from_millis(10)));
            timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
            timer
        };
        let (mut tick, mut learn, mut bound) = (every(self.every), every(LEARN), every(BOUND));
        let mut transitions = self.live.transitions();
        let mut before = Duration::ZERO;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = tick.tick() => {}
                _ = learn.tick() => {
                    self.learn().await;
                    continue;
                }
                _ = bound.tick() => {
                    self.bound().await;
                    continue;
                }
                changed = transitions.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    tokio::time::sleep(CALM.min(self.every)).await;
                    transitions.mark_unchanged();
                }
            }
            let looked = self.look().await;
            if let Ok(took) = looked {
                // One look that the machine held up is no large fleet: two in a row are.
                tick.reset_after(pause(took.min(before), self.every));
                before = took;
            }
            if let Err(error) = &looked
                && !self.is_failing
            {
                tracing::error!("alerts are not looked at, and will be again: {error}");
            }
            self.is_failing = looked.is_err();
        }
    }

    /// How the dashboard itself is.
    async fn own(&self) -> Result<Reading, StoreError> {
        let mut own = Reading::of(None, HostStatus::Online);
        let end = self.certificate.as_ref().and_then(|end| *end.borrow());
        own.certificates
            .extend(end.map(|end| ("tls_cert_file".into(), end)));
        own.tokens = Some(self.store.token_ends().await?);
        Ok(own)
    }

    /// One look: what happened, what of it counts, and the commit. Answers how long it computed: a slow disk is no reason to
    /// look less often.
    async fn look(&mut self) -> Result<Duration, StoreError> {
        self.take_events().await?;
        let own = self.own().await?;
        let now = Moment {
            instant: Instant::now(),
            wall: clock::now(),
        };
        let mut readings = self.fleet.readings();
        readings.push(own);
        let fleet = &self.fleet;
        // Under maintenance nothing is told of a host; of one that comes and goes only that it has gone.
        let suppressed = |host: &HostName, of: &Condition| {
            let why = fleet.suppressed(host, now.instant).map(|own| own.why);
            why == Some(Absence::Maintenance) || (why.is_some() && of.is_absence())
        };
        let changes = self.engine.look(&readings, &self.memory, now, suppressed);
        let took = now.instant.elapsed();
        if changes.is_empty() && self.cursor == self.stored_cursor {
            return Ok(took);
        }
        let (commit, ids) = self.commit(&changes, now.wall);
        self.store
            .watched(self.store.commit_alerts(&commit))
            .await?;
        self.stored_cursor = self.cursor;
        for (change, id) in changes.iter().zip(&ids) {
            self.engine.accept(change, id);
        }
        if !changes.is_empty() {
            self.alerts.wake();
            self.live.changed(live::Change::Alerts);
        }
        Ok(took)
    }

    async fn take_events(&mut self) -> Result<(), StoreError> {
        loop {
            let events = self.store.events_after(self.cursor, None, EVENTS).await?;
            for event in &events {
                self.take(event).await?;
                self.cursor = event.id;
            }
            if events.len() < EVENTS as usize {
                return Ok(());
            }
        }
    }

    async fn take(&mut self, event: &StoredEvent) -> Result<(), StoreError> {
        let Some(run) = event.run else {
            self.memory.became(&event.host, &event.what, event.at);
            return Ok(());
        };
        let Some(state) = RunState::from_name(&event.what).filter(|state| state.is_terminal())
        else {
            return Ok(());
        };
        // A run that is removed meanwhile is nobody's concern any more.
        if let Some(row) = self.store.run(run).await? {
            let view = row.shown();
            let reason = view.outcome.as_ref().and_then(|end| end.reason.as_deref());
            let end = RunEnd::new(run, state, reason.unwrap_or_default());
            self.memory.ran(&row.host, &row.command, end);
        }
        Ok(())
    }

    /// Learns what is usual, forgets hosts that are no more, and stores what is new of it.
    async fn learn(&mut self) {
        let readings = self.fleet.readings();
        let known: HashSet<&HostName> = readings
            .iter()
            .filter_map(|reading| reading.host.as_ref())
            .collect();
        self.memory.keep(|host| known.contains(host));
        self.memory.learn(&readings, &self.learnt, clock::now());
        let rows: Vec<_> = self
            .memory
            .unsaved()
            .into_iter()
            .map(|(host, metric, hours)| (host, metric.name(), hours))
            .collect();
        if !rows.is_empty()
            && let Err(error) = self.store.save_baselines(&rows).await
        {
            tracing::warn!(
                "what is usual for metrics is not stored; it will be with the next hour: {error}"
            );
        }
    }

    async fn bound(&self) {
        let done: Result<(), StoreError> = async {
            while self.store.bound_alerts(MAX_RECOVERED).await? {}
            Ok(())
        }
        .await;
        if let Err(error) = done {
            tracing::warn!("old alerts are not removed, and will be tried again: {error}");
        }
    }
}

/// Until the next look, after one that took so long.
fn pause(took: Duration, every: Duration) -> Duration {
    took.saturating_mul(SELDOM).min(SELDOMEST).max(every)
}

fn learns(rule: &Rule) -> Option<Metric> {
    match rule.condition {
        Condition::Unusual { metric, .. } => Some(metric),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_that_takes_long_is_taken_less_often_within_bounds() {
        let ms = Duration::from_millis;
        for (took, every, expected) in [
            (0, 2000, 2000),
            (5, 2000, 2000),
            (20, 2000, 8000),
            (60_000, 2000, 10_000),
            (60_000, 30_000, 30_000),
        ] {
            assert_eq!(pause(ms(took), ms(every)), ms(expected), "{took} {every}");
        }
    }
}
