//! One host in memory.

mod reading;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::contact::Contact;
use super::v2::Extra;
use crate::base::clock::{Millis, rfc3339};
use crate::dashboard::agents::peer::Peer;
use crate::dashboard::eta::aged;
use crate::dashboard::liveness::{self, Signs};
use crate::dashboard::metrics::series::FRESH_MS;
use crate::dashboard::store::hosts::{Beat, HostRow};
use crate::run::id::{HostName, RunId};
use crate::wire::api::{Host, HostActivity, HostResources, HostStatus};
use crate::wire::to_dashboard::{Heartbeat, Register};

/// A host. Cheap to clone: all that is large is shared.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// What it said of itself.
    pub register: Option<Arc<Register>>,
    /// The protocol of its last connection.
    pub protocol: u32,
    /// Its open connection.
    pub peer: Option<Arc<Peer>>,
    /// The interval that it pushes at, where its heartbeats come without a connection.
    pub pushed: Option<u32>,
    /// Its signs of life.
    pub signs: Signs,
    /// Its status when it was last looked at.
    pub status: HostStatus,
    /// An operator's note.
    pub comment: Arc<str>,
    /// An operator's words for it.
    pub tags: Arc<[String]>,
    /// How many runs wait for it.
    pub queued: usize,
    /// Whether the store does not have all of it.
    pub unsaved: bool,
    /// Whether it is on the list of those.
    pub listed: bool,
    /// How it comes and goes.
    pub contact: Contact,
    /// What agents of the earlier protocol add.
    pub extra: Extra,
    heartbeat: Option<Arc<Heartbeat>>,
    last_seen: Option<Millis>,
    n_beats: u64,
    /// What the hub knows; newer than what a heartbeat says.
    activity: Option<Arc<HostActivity>>,
    /// When the hub said so.
    told: Option<Instant>,
    /// The last run that the hub saw end: a heartbeat sent before that may still name it.
    ended: Option<RunId>,
}

impl Default for Entry {
    fn default() -> Self {
        Self {
            register: None,
            protocol: 0,
            peer: None,
            pushed: None,
            signs: Signs::default(),
            status: HostStatus::NeverSeen,
            comment: Arc::from(""),
            tags: Arc::from([]),
            queued: 0,
            unsaved: false,
            listed: false,
            contact: Contact::default(),
            extra: Extra::default(),
            heartbeat: None,
            last_seen: None,
            n_beats: 0,
            activity: None,
            told: None,
            ended: None,
        }
    }
}

impl Entry {
    /// A stored host, as the dashboard starts.
    pub fn restore(row: HostRow, multiplier: u32, now: Instant) -> Self {
        let known = row.register.is_some();
        let was_there = matches!(row.status.as_deref(), Some("online" | "reconnecting"));
        let mut entry = Self {
            protocol: row
                .register
                .as_ref()
                .map_or(0, |register| register.protocol.unwrap_or(2)),
            register: row.register.map(Arc::new),
            heartbeat: row.heartbeat.map(Arc::new),
            last_seen: row.last_seen_at,
            comment: row.comment.into(),
            tags: row.tags.into(),
            ..Self::default()
        };
        entry.signs.known = known;
        entry.contact.restored = known && was_there;
        entry.contact.runs = entry.generation().into();
        if known && was_there {
            entry.signs.grace_until = Some(now + entry.limit(multiplier));
            entry.status = HostStatus::Reconnecting;
        } else if known {
            entry.status = HostStatus::Offline;
        }
        entry
    }

    /// How long it may be silent.
    pub fn limit(&self, multiplier: u32) -> Duration {
        liveness::limit(self.interval(), self.times(multiplier))
    }

    /// After how many intervals of silence it is offline.
    pub fn times(&self, multiplier: u32) -> u32 {
        let named = self.register.as_ref();
        liveness::times(
            named.and_then(|register| register.offline_after),
            multiplier,
        )
    }

    /// When it was last heard, by the dashboard's clock.
    pub fn last_seen(&self) -> Option<Millis> {
        self.last_seen
    }

    /// Its last heartbeat.
    pub fn heartbeat(&self) -> Option<Arc<Heartbeat>> {
        self.heartbeat.clone()
    }

    /// The system that it last said to run.
    fn generation(&self) -> &str {
        let beat = self.heartbeat.as_ref().map(|beat| beat.generation.as_str());
        let register = self.register.as_ref();
        beat.filter(|generation| !generation.is_empty())
            .or(register.map(|register| register.generation.as_str()))
            .unwrap_or_default()
    }

    fn interval(&self) -> u32 {
        let registered = self
            .register
            .as_ref()
            .map_or(0, |register| register.heartbeat_interval);
        liveness::interval(self.pushed.unwrap_or(registered))
    }

    /// Whether `peer` is its open connection.
    pub fn is_current(&self, peer: &Peer) -> bool {
        self.peer.as_ref().is_some_and(|own| own.id == peer.id)
    }

    /// Takes a heartbeat.
    pub fn beat(&mut self, heartbeat: Heartbeat, now: Instant, wall: Millis) {
        self.compare_beat(&heartbeat, wall);
        self.signs.known = true;
        self.signs.last_beat = Some(now);
        self.last_seen = Some(wall);
        self.n_beats += 1;
        self.unsaved = true;
        self.heartbeat = Some(Arc::new(heartbeat));
        self.look_at_phase(now);
    }

    /// Takes what the hub knows of a run here.
    pub fn set_activity(&mut self, run: RunId, activity: Option<HostActivity>, now: Instant) {
        if activity.is_some() {
            // What another run says does not make what this one said newer.
            self.told = Some(now);
            self.activity = activity.map(Arc::new);
        } else {
            self.activity.take_if(|own| own.run == run);
            self.ended = Some(run);
        }
        self.look_at_phase(now);
    }

    /// A command of an agent that does not say which run it was.
    pub fn command_ended(&mut self, generation: &str) {
        if let Some(heartbeat) = &mut self.heartbeat {
            let heartbeat = Arc::make_mut(heartbeat);
            heartbeat.pending_command = None;
            heartbeat.command_pid = None;
            if !generation.is_empty() {
                generation.clone_into(&mut heartbeat.generation);
            }
            self.unsaved = true;
        }
    }

    /// A host that the dashboard's own start found in an activation may take as long as any other.
    pub fn extend_grace(&mut self, now: Instant) {
        let grace = self.signs.grace_until.filter(|until| *until >= now);
        if self.signs.activating && self.signs.last_beat.is_none() {
            self.signs.grace_until = grace.map(|until| until.max(now + liveness::ACTIVATION));
        }
    }

    pub fn look_at_phase(&mut self, now: Instant) {
        let phase = self.activity().and_then(|activity| activity.phase);
        self.signs.activating = phase.is_some_and(crate::run::phase::Phase::expects_disconnect)
            || self.extra.is_leaving(now);
    }

    /// What it is doing: as the hub knows it, else as the last heartbeat says it.
    fn activity(&self) -> Option<HostActivity> {
        if let Some(activity) = &self.activity {
            return Some(HostActivity::clone(activity));
        }
        let activity = self.heartbeat.as_ref()?.activity.as_ref()?;
        if self.ended == Some(activity.run) {
            return None;
        }
        Some(HostActivity {
            run: activity.run,
            command: activity.command.to_string(),
            phase: activity.phase,
            progress: activity.progress.clone(),
            since: rfc3339(activity.since),
            eta: None,
        })
    }

    /// The newest readings of a host that is there, with their age; nothing of one that is away.
    pub fn resources(
        &self,
        status: HostStatus,
        multiplier: u32,
        now: Instant,
    ) -> Option<HostResources> {
        let known = self.heartbeat.as_ref()?.resources.as_ref()?;
        let beaten = self.signs.last_beat?;
        if status != HostStatus::Online {
            return None;
        }
        let mut resources = known.clone();
        let since = now.duration_since(beaten).as_millis() as u64;
        resources.age_ms = resources.age_ms.saturating_add(since);
        let limit = self.limit(multiplier).as_millis() as u64;
        Some(HostResources {
            stale: resources.age_ms > limit.max(FRESH_MS),
            resources,
        })
    }

    /// The command that runs there.
    pub fn running(&self) -> Option<String> {
        self.activity().map(|activity| activity.command)
    }

    /// What the store is to have, if it does not have it.
    pub fn take_unsaved(&mut self, host: &HostName) -> Option<Beat> {
        self.listed = false;
        std::mem::take(&mut self.unsaved).then(|| Beat {
            host: host.clone(),
            heartbeat: self.heartbeat.clone(),
            last_seen_at: self.last_seen,
            status: liveness::name(self.status),
        })
    }

    /// As the API shows it.
    pub fn show(&self, host: &HostName, multiplier: u32, now: Instant) -> Host {
        let empty = Register::default();
        let register = self.register.as_deref().unwrap_or(&empty);
        let heartbeat = self.heartbeat.as_deref();
        let (status, left) = liveness::status(&self.signs, self.limit(multiplier), now);
        let newer = |from_beat: Option<&String>, from_register: &String| {
            from_beat
                .filter(|text| !text.is_empty())
                .unwrap_or(from_register)
                .clone()
        };
        let mut activity = self.activity();
        if let (Some(activity), Some(told)) = (&mut activity, self.told) {
            let age = now.duration_since(told);
            activity.eta = activity.eta.map(|eta| aged(eta, age));
        }
        Host {
            id: host.to_string(),
            hostname: host.to_string(),
            host_type: register.host_type.clone(),
            agent_version: register.agent_version.clone(),
            os_version: register.os_version.clone(),
            nixpkgs_version: newer(
                heartbeat.map(|beat| &beat.nixpkgs_version),
                &register.nixpkgs_version,
            ),
            generation: self.generation().to_owned(),
            last_seen: self.last_seen.map(rfc3339),
            status,
            pending_command: activity
                .as_ref()
                .map(|activity| activity.command.clone())
                .or_else(|| {
                    let beat = heartbeat.filter(|beat| beat.activity.is_none())?;
                    beat.pending_command.clone()
                }),
            comment: self.comment.to_string(),
            activity,
            last_heartbeat_age_ms: self
                .signs
                .last_beat
                .map(|at| now.duration_since(at).as_millis() as u64),
            reconnect_deadline_ms: left.map(|left| left.as_millis() as u64),
            heartbeats: self.n_beats,
            heartbeat_interval: self.interval(),
            // Numbers of a host that is away are not its numbers now.
            metrics: heartbeat
                .filter(|_| status == HostStatus::Online)
                .and_then(|beat| beat.metrics),
            resources: self.resources(status, multiplier, now),
            facts: register.facts.clone(),
            agent: heartbeat
                .filter(|_| status == HostStatus::Online)
                .and_then(|beat| beat.agent),
            tags: self.tags.to_vec(),
            status_text: heartbeat
                .filter(|_| status == HostStatus::Online)
                .and_then(|beat| beat.status_text.clone()),
            custom_metrics: heartbeat
                .filter(|_| status == HostStatus::Online)
                .map(|beat| beat.custom_metrics.clone())
                .unwrap_or_default(),
            protocol: self.protocol,
            update_status: self.extra.show(now),
            queued: self.queued,
            theme_color: register.theme_color.clone(),
            location: register.location.clone(),
            device_type: register.device_type.clone(),
            commands: register.commands.clone(),
            liveness: self.liveness(multiplier, status, now),
        }
    }
}
