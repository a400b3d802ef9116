//! How far runs are told to an earlier dashboard, over connections and over restarts of the agent.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::lines::Line;
use crate::run::id::RunId;

/// The file in the state directory. It is a help: without it lines are told twice.
const FILE: &str = "told-v2.json";
/// The file is written no more often: an agent that is killed tells again what it told since.
const EVERY: Duration = Duration::from_secs(1);

/// The last lines of a run that were told: of its output, and of the agent's own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    lines: u64,
    own: u64,
}

/// How far each run was told.
#[derive(Debug)]
pub struct Sent {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    runs: HashMap<RunId, Told>,
    saved: Option<Instant>,
}

impl Sent {
    /// What an agent before has noted.
    pub fn open(state_dir: &Path) -> Self {
        let path = state_dir.join(FILE);
        let runs = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let state = Mutex::new(State { runs, saved: None });
        Self { path, state }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a line of a run was told.
    pub fn has_told(&self, run: RunId, line: &Line) -> bool {
        let told = self.lock().runs.get(&run).copied().unwrap_or_default();
        line.number <= if line.ours { told.own } else { told.lines }
    }

    /// Forgets runs that are gone.
    pub fn keep_only(&self, runs: &[RunId]) {
        self.lock().runs.retain(|run, _| runs.contains(run));
    }

    /// A line was told.
    pub async fn note(&self, run: RunId, number: u64, ours: bool) {
        let due = {
            let mut state = self.lock();
            let told = state.runs.entry(run).or_default();
            *if ours { &mut told.own } else { &mut told.lines } = number;
            state.saved.is_none_or(|saved| saved.elapsed() >= EVERY)
        };
        if due {
            self.save().await;
        }
    }

    /// A run is told to its end.
    pub async fn forget(&self, run: RunId) {
        if self.lock().runs.remove(&run).is_some() {
            self.save().await;
        }
    }

    async fn save(&self) {
        let bytes = {
            let mut state = self.lock();
            state.saved = Some(Instant::now());
            serde_json::to_vec(&state.runs)
        };
        let path = self.path.clone();
        let written = spawn_blocking(move || -> std::io::Result<()> {
            let new = path.with_extension("new");
            std::fs::write(&new, bytes.unwrap_or_default())?;
            std::fs::rename(&new, &path)
        });
        if let Ok(Err(error)) = written.await {
            tracing::warn!(
                "{}: {error}; a new agent would tell lines twice",
                self.path.display()
            );
        }
    }
}
