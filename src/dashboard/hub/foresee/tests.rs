use super::*;
use crate::dashboard::fleet::Fleet;
use crate::dashboard::live::Live;
use crate::dashboard::store::Store;
use crate::dashboard::store::runs::Notes;
use crate::run::id::{RunId, Seq};
use crate::run::view::RunView;

#[tokio::test(start_paused = true)]
async fn a_run_is_looked_at_once_a_second_and_when_its_phase_changes() {
    let said = Said {
        eta: Eta::default(),
        at: Instant::now(),
        n_phases: 2,
        blind: true,
    };
    assert!(said.holds(2, true) && !said.holds(3, true) && !said.holds(2, false));
    tokio::time::advance(Duration::from_millis(999)).await;
    assert!(said.holds(2, true));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert!(!said.holds(2, true));
}

#[test]
fn what_is_only_counted_down_is_no_news() {
    let eta = |percent, seconds, most| Eta {
        percent,
        seconds,
        seconds_most: most,
        overdue: false,
    };
    let before = eta(7, Some(60), None);
    for (now, expected) in [
        (before, false),
        (eta(7, Some(58), None), false),
        (eta(7, Some(66), None), false),
        (eta(7, Some(67), None), true),
        (eta(7, Some(53), None), true),
        (eta(8, Some(60), None), true),
        (eta(7, None, None), true),
        (eta(7, Some(60), Some(200)), true),
        (
            Eta {
                overdue: true,
                ..before
            },
            true,
        ),
    ] {
        assert_eq!(says_more(before, now), expected, "{now:?}");
    }
}

#[tokio::test]
async fn forecasts_and_lookups_have_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).await.unwrap();
    let live = Live::default();
    let fleet = Fleet::new(Vec::new(), 3, live.clone());
    let (mut hub, _handle) = Hub::open(store, fleet, live).await.unwrap();
    let mut row = RunRow {
        id: RunId::new(),
        host: "web1".parse().unwrap(),
        command: "switch".into(),
        args: Vec::new(),
        requested_by: "test".into(),
        created_at: 0,
        view: RunView {
            state: RunState::Running,
            ..RunView::default()
        },
        last_seq: Seq(0),
        notes: Notes::new(),
    };
    let first = row.id;
    for _ in 0..=MAX_FORECASTS {
        hub.begin_forecast(&row, 0);
        row.id = RunId::new();
    }
    assert_eq!(hub.forecasts.len(), MAX_FORECASTS);
    // None of them has had its turn yet.
    assert_eq!(hub.lookups.waiting(), MAX_FORECASTS);
    // There is room again when one ends.
    row.id = first;
    row.view.state = RunState::Succeeded;
    let mut track = Track::new(row, crate::dashboard::store::output::OutputEnd::default());
    hub.foresee(&mut track, 0);
    assert_eq!(hub.forecasts.len(), MAX_FORECASTS - 1);
    track.row.id = RunId::new();
    track.row.view.state = RunState::Running;
    hub.begin_forecast(&track.row, 0);
    assert_eq!(hub.forecasts.len(), MAX_FORECASTS);
    assert_eq!(hub.lookups.waiting(), MAX_FORECASTS);
}
