//! An end goes out when the agent itself knows it: who hears of it may ask for the next run at once.

use tokio::sync::{self, mpsc};
use tokio_tungstenite::tungstenite::Bytes;

use super::*;
use crate::agent::metrics::Sample;
use crate::agent::shipper;

/// A run whose journal has its end, and an agent whose follower has not come so far.
fn ended_behind_the_follower(state: &Path) -> (Arc<Runs>, RunDir) {
    let dir = adopted(state, "hello");
    let mut writer = JournalWriter::open(&dir.journal()).unwrap();
    writer.append(&started(), &[]);
    let restart = tokio_util::sync::CancellationToken::new();
    let runs = open(state, "exit 1", &restart);
    writer.append(&finished(RunState::Succeeded), &[]);
    (runs, dir)
}

/// What a shipper says while nothing follows the journals, by a clock that stands still while it reads them; then what is
/// known of the run when the next message goes out.
async fn shipped(
    runs: &Arc<Runs>,
    ship: impl Future<Output = ()>,
    mut output: mpsc::Receiver<Bytes>,
) {
    tokio::pin!(ship);
    tokio::select! {
        () = &mut ship => panic!("the shipper ended"),
        said = tokio::time::timeout(DEADLINE, output.recv()) => {
            assert!(said.is_err(), "an end that the agent does not know was told: {said:?}");
        }
    }
    assert!(!runs.is_idle());
    tokio::select! {
        () = &mut ship => panic!("the shipper ended"),
        () = watch(runs.clone()) => panic!("the watch ended"),
        said = tokio::time::timeout(DEADLINE, output.recv()) => assert!(matches!(said, Ok(Some(_)))),
    }
    assert!(runs.is_idle(), "the next run may be asked for");
}

#[tokio::test(start_paused = true)]
async fn no_end_is_told_that_the_agent_does_not_know() {
    let state = tempfile::tempdir().unwrap();
    let (runs, _dir) = ended_behind_the_follower(state.path());
    let (_words, words) = mpsc::channel(1);
    let (output, said) = mpsc::channel(4);
    let ship = shipper::ship(runs.clone(), Vec::new(), words, output);
    shipped(&runs, ship, said).await;
}

#[tokio::test(start_paused = true)]
async fn no_end_is_told_to_an_earlier_dashboard_that_the_agent_does_not_know() {
    let state = tempfile::tempdir().unwrap();
    let (runs, _dir) = ended_behind_the_follower(state.path());
    let (output, said) = mpsc::channel(4);
    let (_sample, sample) = sync::watch::channel(Sample::none());
    let (_pongs, pongs) = sync::watch::channel(0);
    let way = shipper::v2::Way {
        runs: runs.clone(),
        sent: Arc::new(shipper::v2::Sent::open(state.path())),
        sample,
        pongs,
        output,
    };
    shipped(&runs, shipper::v2::ship(way), said).await;
}
