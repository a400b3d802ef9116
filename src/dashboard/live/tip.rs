//! How a run stands, for its readers.

use std::sync::Arc;

use tokio::time::Instant;

use crate::dashboard::eta::aged;
use crate::wire::api::Run;

/// How a run stands after the last commit.
#[derive(Debug, Clone)]
pub struct Tip {
    /// The run.
    pub run: Arc<Run>,
    /// Lines in the store.
    pub lines: u64,
    /// The line that is not finished yet.
    pub partial: Arc<str>,
    /// Whether nothing more will come. A run can have ended while output of it is still on its way.
    pub over: bool,
    /// When its end was told.
    pub at: Instant,
}

impl Tip {
    /// The run with the time that is left now.
    pub fn now(&self) -> Arc<Run> {
        let age = self.at.elapsed();
        match self.run.eta {
            Some(eta) if age.as_secs() > 0 => Arc::new(Run {
                eta: Some(aged(eta, age)),
                ..Run::clone(&self.run)
            }),
            _ => Arc::clone(&self.run),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::run::id::RunId;
    use crate::wire::api::Eta;

    pub fn tip() -> Tip {
        let row = crate::dashboard::store::runs::RunRow {
            id: RunId::new(),
            host: "web1".parse().unwrap(),
            command: "switch".into(),
            args: Vec::new(),
            requested_by: "test".into(),
            created_at: 0,
            view: crate::run::view::RunView::default(),
            last_seq: crate::run::id::Seq(0),
            notes: crate::dashboard::store::runs::Notes::new(),
        };
        Tip {
            run: Arc::new(Run::from(&row)),
            lines: 0,
            partial: "".into(),
            over: false,
            at: Instant::now(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_estimate_is_as_old_as_it_is() {
        let mut tip = tip();
        Arc::make_mut(&mut tip.run).eta = Some(Eta {
            percent: 7,
            seconds: Some(60),
            ..Eta::default()
        });
        let seconds = |tip: &Tip| tip.now().eta.unwrap().seconds;
        tokio::time::advance(std::time::Duration::from_millis(2500)).await;
        assert_eq!(seconds(&tip), Some(58));
        tokio::time::advance(std::time::Duration::from_secs(600)).await;
        assert_eq!(seconds(&tip), Some(1));
    }
}
