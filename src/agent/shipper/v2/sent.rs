//! How far runs are told to an earlier dashboard, over connections and over restarts of the agent.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::run::id::RunId;

/// The file in the state directory. It is a help: without it lines are told twice.
const FILE: &str = "told-v2.json";
/// The file is written no more often: an agent that is killed tells again what it told since.
const EVERY: Duration = Duration::from_secs(1);

/// The last line of each run that was told.
#[derive(Debug)]
pub struct Sent {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    lines: HashMap<RunId, u64>,
    saved: Option<Instant>,
}

impl Sent {
    /// What an agent before has noted.
    pub fn open(state_dir: &Path) -> Self {
        let path = state_dir.join(FILE);
        let lines = std::fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default();
        let state = Mutex::new(State { lines, saved: None });
        Self { path, state }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last line of a run that was told; 0 for none.
    pub fn lines(&self, run: RunId) -> u64 {
        self.lock().lines.get(&run).copied().unwrap_or(0)
    }

    /// Forgets runs that are gone.
    pub fn keep_only(&self, runs: &[RunId]) {
        self.lock().lines.retain(|run, _| runs.contains(run));
    }

    /// A line was told.
    pub async fn note(&self, run: RunId, line: u64) {
        let due = {
            let mut state = self.lock();
            state.lines.insert(run, line);
            state.saved.is_none_or(|saved| saved.elapsed() >= EVERY)
        };
        if due {
            self.save().await;
        }
    }

    /// A run is told to its end.
    pub async fn forget(&self, run: RunId) {
        if self.lock().lines.remove(&run).is_some() {
            self.save().await;
        }
    }

    async fn save(&self) {
        let bytes = {
            let mut state = self.lock();
            state.saved = Some(Instant::now());
            serde_json::to_vec(&state.lines)
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
