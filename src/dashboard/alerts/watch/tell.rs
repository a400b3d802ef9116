//! What is written and told of what changes.

use uuid::Uuid;

use super::Watch;
use crate::base::clock::{Millis, rfc3339};
use crate::dashboard::alerts::engine::{Change, Firing, What};
use crate::dashboard::alerts::message::{Event, Notice, duration};
use crate::dashboard::alerts::rules::{Rule, Severity};
use crate::dashboard::store::alerts::{AlertCommit, AlertRow, Recovery, Renewal};
use crate::dashboard::store::deliveries::NewDelivery;
use crate::run::id::HostName;

/// What is said of an alert whose rule was taken away.
const NO_RULE: &str = "the rule is no longer in the configuration";

impl Watch {
    /// What is written for these changes, and the id of each one's alert.
    pub(super) fn commit(&self, changes: &[Change], now: Millis) -> (AlertCommit, Vec<String>) {
        let mut commit = AlertCommit {
            cursor: self.cursor,
            now,
            ..AlertCommit::default()
        };
        let mut ids = Vec::new();
        for change in changes {
            let rule = &self.engine.rules()[change.rule];
            let host = change.host.as_ref().map(HostName::as_str);
            match &change.what {
                What::Fire { found, started_at } => {
                    tracing::info!(host, rule = %rule.name, "alert: {}", found.summary);
                    let row = AlertRow {
                        id: Uuid::now_v7().to_string(),
                        rule: rule.name.clone(),
                        kind: rule.condition.kind().to_owned(),
                        host: change.host.clone(),
                        object: change.object.clone(),
                        severity: rule.severity.name().to_owned(),
                        summary: found.summary.clone(),
                        value: found.value,
                        run: found.run,
                        started_at: *started_at,
                        fired_at: now,
                        recovered_at: None,
                        ended: None,
                    };
                    ids.push(row.id.clone());
                    let told = self.deliveries(Some(rule), &self.notice(&row, None), now);
                    commit.fired.push((row, told));
                }
                What::Renew { id, found } => {
                    ids.push(id.clone());
                    commit.renewed.push(Renewal {
                        id: id.clone(),
                        summary: found.summary.clone(),
                        run: found.run,
                    });
                }
                What::Recover { firing, ended } => {
                    tracing::info!(host, rule = %rule.name, "alert is over: {}", firing.summary);
                    ids.push(firing.id.clone());
                    let row = over(rule, change, firing, *ended);
                    commit.recovered.push(self.recovery(Some(rule), &row, now));
                }
            }
        }
        (commit, ids)
    }

    /// The end of an alert whose rule is gone. It is told wherever its beginning was.
    pub(super) fn ruleless(&self, row: &AlertRow, now: Millis) -> Recovery {
        let row = AlertRow {
            ended: Some(NO_RULE.to_owned()),
            ..row.clone()
        };
        self.recovery(None, &row, now)
    }

    fn recovery(&self, rule: Option<&Rule>, row: &AlertRow, now: Millis) -> Recovery {
        Recovery {
            id: row.id.clone(),
            ended: row.ended.clone(),
            deliveries: self.deliveries(rule, &self.notice(row, Some(now)), now),
        }
    }

    /// The facts of an alert that fires, or that is over since `recovered`.
    fn notice(&self, row: &AlertRow, recovered: Option<Millis>) -> Notice {
        let host = row.host.as_ref().map(HostName::to_string);
        let run = row.run.map(|run| run.to_string());
        let path = match (&run, &host) {
            (Some(run), _) => format!("/runs/{run}"),
            (None, Some(host)) => format!("/hosts/{host}"),
            (None, None) => String::from("/alerts"),
        };
        let base = self.alerts.link_base.as_deref();
        Notice {
            event: recovered.map_or(Event::Firing, |_| Event::Recovered),
            alert: row.id.clone(),
            rule: row.rule.clone(),
            on: row.kind.clone(),
            severity: Severity::from_name(&row.severity).unwrap_or(Severity::Warning),
            host: host.unwrap_or_default(),
            object: row.object.clone(),
            summary: match &row.ended {
                Some(why) => format!("{} ({why})", row.summary),
                None => row.summary.clone(),
            },
            value: row.value,
            run: run.unwrap_or_default(),
            started_at: rfc3339(row.started_at),
            recovered_at: recovered.map(rfc3339).unwrap_or_default(),
            duration: recovered
                .map(|at| duration(at.saturating_sub(row.started_at)))
                .unwrap_or_default(),
            url: base.map(|base| format!("{base}{path}")).unwrap_or_default(),
        }
    }

    /// The facts in the words of each channel: of those that `rule` names for a beginning, of all for an end. The store
    /// tells an end only where the beginning was told.
    fn deliveries(&self, rule: Option<&Rule>, facts: &Notice, now: Millis) -> Vec<NewDelivery> {
        let mut told = Vec::new();
        for one in self.alerts.channels() {
            let channel = &one.channel.settings;
            let is_named = rule.is_none_or(|rule| rule.is_told_on(&channel.name));
            if facts.event == Event::Firing && !is_named {
                continue;
            }
            let quiet = [
                rule.and_then(|rule| rule.quiet.as_ref()),
                channel.quiet.as_ref(),
            ];
            let ends = quiet
                .into_iter()
                .flatten()
                .filter_map(|quiet| quiet.end(now));
            let held = ends.max().filter(|_| facts.severity < Severity::Critical);
            let message = channel.templates.message(facts.clone());
            let message = match serde_json::to_string(&message) {
                Ok(message) => message,
                Err(error) => {
                    tracing::error!(channel = %channel.name, "an alert cannot be written down: {error}");
                    continue;
                }
            };
            told.push(NewDelivery {
                delivery: Uuid::new_v4().to_string(),
                channel: channel.name.clone(),
                event: facts.event.name(),
                message,
                created_at: now,
                not_before: held.unwrap_or(now),
            });
        }
        told
    }
}

/// An alert that is over, as far as its telling needs it.
fn over(rule: &Rule, change: &Change, firing: &Firing, ended: Option<&str>) -> AlertRow {
    AlertRow {
        id: firing.id.clone(),
        rule: rule.name.clone(),
        kind: rule.condition.kind().to_owned(),
        host: change.host.clone(),
        object: change.object.clone(),
        severity: rule.severity.name().to_owned(),
        summary: firing.summary.clone(),
        value: None,
        run: firing.run,
        started_at: firing.started_at,
        fired_at: firing.started_at,
        recovered_at: None,
        ended: ended.map(str::to_owned),
    }
}
