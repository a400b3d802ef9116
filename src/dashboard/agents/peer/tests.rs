use futures_util::FutureExt as _;

use super::*;

fn peer() -> Peer {
    Peer::new(1, "web1".parse().unwrap(), 3)
}

fn batch(n_bytes: usize) -> FromAgent {
    FromAgent::Records(Batch {
        run: RunId::new(),
        records: Vec::new(),
        damaged: false,
        n_bytes,
    })
}

#[test]
fn an_agent_beyond_its_window_is_refused_and_the_hub_is_told_once() {
    let peer = peer();
    assert_eq!(peer.receive(batch(MAX_IN_FLIGHT)), Ok(true));
    assert_eq!(peer.receive(batch(MAX_BODY)), Ok(false));
    assert_eq!(peer.receive(batch(1)).unwrap_err().code, 1008);
    assert_eq!(peer.take_incoming().len(), 2);
    assert_eq!(peer.receive(batch(1)), Ok(true));
    for _ in 1..MAX_INBOX {
        peer.receive(batch(0)).unwrap();
    }
    assert!(peer.receive(batch(0)).is_err());
}

fn line(n_bytes: usize) -> FromAgent {
    FromAgent::V2(Heard::Line(crate::wire::v2::Output {
        line: "x".repeat(n_bytes),
        stream: "stdout".into(),
        command: "pull".into(),
        is_error: false,
    }))
}

#[tokio::test]
async fn a_line_without_room_waits_until_the_hub_has_taken_what_is_there() {
    let peer = peer();
    peer.receive(line(1)).unwrap();
    peer.take_incoming();
    peer.receive(line(MAX_INBOX_BYTES / 2)).unwrap();
    let long = MAX_INBOX_BYTES / 2;
    let mut room = std::pin::pin!(peer.room(long));
    let before = room.as_mut().now_or_never();
    assert_eq!(before, None, "what was taken before makes no room now");
    peer.take_incoming();
    assert_eq!(room.now_or_never(), Some(()));
    // One that was dropped is not followed by others that wait.
    peer.receive(line(long)).unwrap();
    peer.receive(line(long)).unwrap();
    assert_eq!(peer.room(long).now_or_never(), Some(()));
    let taken = peer.take_incoming();
    assert!(matches!(
        taken[1],
        FromAgent::V2(Heard::Dropped { lines: 1, .. })
    ));
}

#[test]
fn only_the_newest_status_of_a_run_waits_and_only_of_so_many_runs() {
    let peer = peer();
    let run = RunId::new();
    let status = |run, last_seq| {
        let view = crate::run::view::RunView::default();
        let last_seq = crate::run::id::Seq(last_seq);
        FromAgent::Status(Box::new(RunStatus {
            run,
            last_seq,
            view,
        }))
    };
    assert_eq!(peer.receive(status(run, 1)), Ok(true));
    assert_eq!(peer.receive(batch(1)), Ok(false));
    assert_eq!(peer.receive(status(run, 2)), Ok(false));
    let taken = peer.take_incoming();
    assert_eq!(taken.len(), 2);
    assert!(matches!(&taken[1], FromAgent::Status(status) if status.last_seq.0 == 2));
    for n in 0..1000 {
        peer.receive(status(RunId::new(), n)).unwrap();
    }
    assert_eq!(peer.take_incoming().len(), MAX_STATUSES);
}

#[test]
fn an_agent_that_takes_nothing_is_closed() {
    let peer = peer();
    for n in 0..MAX_OUTBOX as u64 {
        peer.send(ToAgent::HeartbeatAck { n });
    }
    assert!(peer.next_outgoing().unwrap().is_ok());
    for n in 0..2 {
        peer.send(ToAgent::HeartbeatAck { n });
    }
    assert_eq!(peer.next_outgoing().unwrap().unwrap_err().code, 1008);
    peer.close(1001, "another reason");
    assert_eq!(peer.next_outgoing().unwrap().unwrap_err().code, 1008);
}
