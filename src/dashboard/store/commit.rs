//! What the hub writes at once: everything or nothing.

use super::build_logs::{self, BuildLines};
use super::events::{self, NewEvent};
use super::output::{self, chunk::Chunk};
use super::runs::{self, RunRow};
use super::{Store, StoreError, build_times, hosts, v2_lines};
use crate::base::clock::Millis;
use crate::dashboard::history::Learnt;
use crate::run::id::HostName;
use crate::wire::api::MarkedLines;
use crate::wire::to_dashboard::Register;

/// One step in a run's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputStep {
    /// Adds a chunk.
    Add(Chunk),
    /// Adds lines of one build's log, which are no part of the output.
    Build(BuildLines),
    /// Says where lines come from, beside their text.
    Mark(MarkedLines),
    /// Makes all chunks from this position one.
    Merge(u64),
    /// Puts all output aside, to begin again.
    SetAside,
    /// Puts what was set aside in the place of all output.
    TakeBack,
    /// Removes what was set aside.
    DropAside,
}

/// How a run stands after the commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunUpdate {
    /// The run.
    pub row: RunRow,
    /// What its output gains.
    pub output: Vec<OutputStep>,
}

/// One transaction of the hub.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// Hosts that registered.
    pub hosts: Vec<(HostName, Register)>,
    /// Runs that are new.
    pub runs: Vec<RunRow>,
    /// Runs that changed, new ones too.
    pub updates: Vec<RunUpdate>,
    /// Build times that the records of `updates` told.
    pub learnt: Learnt,
    /// Transitions.
    pub events: Vec<NewEvent>,
    /// The time, by the dashboard's clock.
    pub now: Millis,
}

impl Commit {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.hosts.is_empty()
            && self.runs.is_empty()
            && self.updates.is_empty()
            && self.learnt.is_empty()
            && self.events.is_empty()
    }
}

impl Store {
    /// Writes `commit` in one transaction; when this returns, it is on the disk. Answers the position of its last event,
    /// or 0 if it has none.
    ///
    /// # Errors
    /// Nothing of it is written then.
    pub async fn commit(&self, commit: &Commit) -> Result<u64, StoreError> {
        let mut write = self.writer.begin().await?;
        for (host, register) in &commit.hosts {
            hosts::upsert(&mut write, host, register, commit.now).await?;
        }
        for run in &commit.runs {
            runs::insert(&mut write, run).await?;
        }
        for update in &commit.updates {
            let run = update.row.id.to_string();
            for step in &update.output {
                match step {
                    OutputStep::Add(chunk) => output::add(&mut write, &run, chunk).await?,
                    OutputStep::Build(lines) => build_logs::add(&mut write, &run, lines).await?,
                    OutputStep::Mark(marked) => v2_lines::add(&mut write, &run, marked).await?,
                    OutputStep::Merge(offset) => output::merge(&mut write, &run, *offset).await?,
                    OutputStep::SetAside => output::set_aside(&mut write, &run).await?,
                    OutputStep::TakeBack => output::take_back(&mut write, &run).await?,
                    OutputStep::DropAside => output::drop_aside(&mut write, &run).await?,
                }
            }
            runs::update(&mut write, &update.row).await?;
        }
        build_times::write(&mut write, &commit.learnt).await?;
        let mut last = 0;
        for event in &commit.events {
            last = events::insert(&mut write, event).await?;
        }
        write.commit().await?;
        Ok(last)
    }
}
