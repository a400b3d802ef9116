//! Ships runs to an earlier dashboard: each line as a message, and the end as a `status`.
//!
//! Nothing is acknowledged there, so this is what can be promised: lines go in order, none twice while the agent runs, and a
//! new connection continues where the one before stopped. What was in the socket when the link broke is gone, and nobody
//! learns of it. A `status` counts as told once the dashboard has answered pings that were sent after it; until then it is
//! told again on every new connection, also by a new agent.

mod lines;
mod sent;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio_tungstenite::tungstenite::Bytes;

use crate::agent::commands::RESTART;
use crate::agent::journal::{JournalError, JournalReader};
use crate::agent::metrics::Sample;
use crate::agent::runs::{Kept, Runs};
use crate::run::event::{Outcome, Progress, ProgressUnit, RunEvent};
use crate::run::id::{CommandName, RunId, Seq};
use crate::run::phase::RunState;
use crate::wire::v2::{CommandComplete, Output, Status, TestProgress, ToDashboard};
use lines::Lines;
pub use sent::Sent;

/// Bytes that are read of a journal at once.
const AT_ONCE: usize = 64 * 1024;
/// So many pongs after a message say that the dashboard has read it: the first may answer a ping from before.
const PONGS: u64 = 2;

/// What a connection to an earlier dashboard ships with.
#[derive(Debug)]
pub struct Way {
    /// The runs.
    pub runs: Arc<Runs>,
    /// How far they are told.
    pub sent: Arc<Sent>,
    /// The generation that a `status` names.
    pub sample: watch::Receiver<Sample>,
    /// Counts the dashboard's pongs.
    pub pongs: watch::Receiver<u64>,
    /// To the socket.
    pub output: mpsc::Sender<Bytes>,
}

/// One run on its way.
#[derive(Debug)]
struct Shipment {
    run: RunId,
    command: CommandName,
    reader: JournalReader,
    lines: Lines,
    /// That it cannot be read was said.
    warned: bool,
}

/// Ships until the connection's queues are gone: one run after the other, the oldest first, because there is only one at a
/// time for such a dashboard.
pub async fn ship(mut way: Way) {
    let mut changes = way.runs.changes();
    let mut told: VecDeque<(RunId, Seq, u64)> = VecDeque::new();
    let mut current: Option<Shipment> = None;
    // What cannot be read is left alone, and nothing waits for it.
    let mut unreadable: Vec<RunId> = Vec::new();
    let kept: Vec<RunId> = way.runs.kept().iter().map(|kept| kept.run).collect();
    way.sent.keep_only(&kept);
    loop {
        changes.borrow_and_update();
        let kept = way.runs.kept();
        let heard = *way.pongs.borrow_and_update();
        while let Some((run, seq, pongs)) = told.front().copied() {
            if heard < pongs + PONGS && kept.iter().any(|kept| kept.run == run) {
                break;
            }
            told.pop_front();
            way.runs.acknowledged(run, seq).await;
            way.sent.forget(run).await;
        }
        if current.is_none() {
            let waiting = kept.iter().filter(|kept| {
                !unreadable.contains(&kept.run) && !told.iter().any(|told| told.0 == kept.run)
            });
            if let Some(next) = waiting.min_by_key(|kept| kept.run) {
                current = begin(&way, next);
                if current.is_none() {
                    unreadable.push(next.run);
                    continue;
                }
            }
        }
        let more = match current.take() {
            None => false,
            Some(shipment) => match step(&way, shipment).await {
                Ok(Step::More(shipment)) => {
                    current = Some(shipment);
                    true
                }
                Ok(Step::Wait(shipment)) => {
                    current = Some(shipment);
                    false
                }
                Ok(Step::Told(shipment, seq)) => {
                    if shipment.command.as_str() == RESTART {
                        // It is carried out by being told.
                        way.runs.acknowledged(shipment.run, seq).await;
                    } else {
                        told.push_back((shipment.run, seq, *way.pongs.borrow()));
                    }
                    true
                }
                Err(Gone) => return,
            },
        };
        if more {
            continue;
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { return },
            changed = way.pongs.changed() => if changed.is_err() { return },
            () = way.output.closed() => return,
        }
    }
}

/// The connection is gone.
struct Gone;

enum Step {
    /// There may be more at once.
    More(Shipment),
    /// There is nothing more now.
    Wait(Shipment),
    /// Its end was told, with the journal's last record.
    Told(Shipment, Seq),
}

fn begin(way: &Way, kept: &Kept) -> Option<Shipment> {
    let command = way.runs.command(kept.run)?;
    // From the start: marks come later than their bytes, and what was told is known by the lines' numbers.
    match JournalReader::open(&kept.journal, Seq(0)) {
        Ok(reader) => Some(Shipment {
            run: kept.run,
            command,
            reader,
            lines: Lines::default(),
            warned: false,
        }),
        Err(error) => {
            tracing::error!("run {}: {error}", kept.run);
            None
        }
    }
}

/// Tells what one batch of records says.
async fn step(way: &Way, mut shipment: Shipment) -> Result<Step, Gone> {
    // Reading may take milliseconds, on a slow disk more: not on the thread that beats.
    let read = spawn_blocking(move || -> (Shipment, Result<_, JournalError>) {
        let batch = shipment.reader.read_batch(AT_ONCE);
        (shipment, batch)
    });
    let Ok((mut shipment, batch)) = read.await else {
        return Err(Gone);
    };
    let batch = match batch {
        Ok(Some(batch)) => batch,
        Ok(None) => return Ok(Step::Wait(shipment)),
        Err(error) => {
            // Its follower ends a damaged journal; then it is read again.
            if !std::mem::replace(&mut shipment.warned, true) {
                tracing::warn!("run {}: {error}", shipment.run);
            }
            return Ok(Step::Wait(shipment));
        }
    };
    for record in batch.records() {
        let seq = record.seq;
        for line in shipment.lines.take(seq, &record.event, &record.raw) {
            if way.sent.has_told(shipment.run, &line) {
                continue;
            }
            say(
                way,
                &ToDashboard::Output(Output {
                    line: line.text,
                    stream: if line.ours { "stderr" } else { "stdout" }.into(),
                    command: shipment.command.to_string(),
                    is_error: line.ours,
                }),
            )
            .await?;
            let (number, ours) = (line.number, line.ours);
            way.sent.note(shipment.run, number, ours).await;
        }
        match &record.event {
            RunEvent::Progress { progress, .. } if progress.unit == ProgressUnit::Tests => {
                say(way, &ToDashboard::TestProgress(tests(progress))).await?;
            }
            RunEvent::Finished { outcome, .. } => {
                way.runs.until_seen(shipment.run, seq).await;
                let generation = way.sample.borrow().generation.generation.clone();
                let status = status(&shipment.command, outcome, generation);
                let complete = CommandComplete {
                    command: status.command.clone(),
                    exit_code: status.exit_code,
                    fresh_status: None,
                };
                say(way, &ToDashboard::Status(status)).await?;
                say(way, &ToDashboard::CommandComplete(complete)).await?;
                return Ok(Step::Told(shipment, seq));
            }
            _ => {}
        }
    }
    Ok(Step::More(shipment))
}

async fn say(way: &Way, message: &ToDashboard) -> Result<(), Gone> {
    match serde_json::to_vec(message) {
        Ok(text) => way.output.send(text.into()).await.map_err(|_| Gone),
        Err(error) => {
            tracing::error!("a message cannot be written: {error}");
            Ok(())
        }
    }
}

/// How a run ended, in the earlier words.
fn status(command: &CommandName, outcome: &Outcome, generation: String) -> Status {
    let word = match outcome.state {
        RunState::Succeeded => "ok",
        RunState::Degraded | RunState::RebootRequired => "warning",
        RunState::Stopped => "stopped",
        _ => "error",
    };
    // A program that a signal ended has none, and `-1` is what the earlier agent said of it.
    let exit_code = outcome
        .exit_code
        .unwrap_or(if word == "ok" { 0 } else { -1 });
    Status {
        status: word.into(),
        command: command.to_string(),
        exit_code: Some(exit_code),
        message: outcome.reason.clone().unwrap_or_default(),
        generation,
    }
}

fn tests(progress: &Progress) -> TestProgress {
    TestProgress {
        current: progress.done,
        total: progress.total,
        passed: 0.into(),
        running: (progress.done < progress.total).into(),
        result: "".into(),
    }
}
