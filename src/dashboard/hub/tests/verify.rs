//! Output that is, and is not, the host's.

use serde_json::Value;

use super::text;
use crate::dashboard::testing::{Agent, House, Journal, register};
use crate::run::event::RunEvent;
use crate::run::phase::RunState;
use crate::wire::record;

/// The same records with a checksum at the end that is not theirs.
fn forged(mut journal: Journal) -> Vec<u8> {
    journal.crc32c ^= 1;
    journal.finished(RunState::Succeeded)
}

#[track_caller]
fn check(shown: &Value, verified: &Value, incomplete: bool, missing: u64) {
    assert_eq!(
        (
            &shown["verified"],
            shown["incomplete"].as_bool(),
            shown["bytes_missing"].as_u64()
        ),
        (verified, Some(incomplete), Some(missing)),
        "{shown}"
    );
}

#[tokio::test]
async fn output_that_differs_is_asked_for_again_once_and_then_said_to_differ() {
    for second_is_good in [true, false] {
        let house = House::start().await;
        let (mut agent, _) = Agent::join(&house, register("web1")).await;
        let run = house.start_run(&mut agent, "web1").await;
        let path = format!("/api/runs/{run}");
        let mut journal = Journal::new(run);
        let first = [
            journal.started(),
            journal.output(b"one\n"),
            journal.output(b"two\n"),
        ]
        .concat();
        agent.send(journal.frame(&first)).await;
        agent.acked(3).await;
        let mut ahead = journal.clone();
        let good = ahead.finished(RunState::Succeeded);
        let bad = forged(journal.clone());
        agent.send(ahead.frame(&bad)).await;
        assert_eq!(agent.ack().await, (0, true));
        // Its end is known meanwhile, and nobody takes it for whole; a restart forgets nothing of that.
        let shown = house.get(&path).await;
        assert_eq!(
            (&shown["state"], &shown["bytes_pending"]),
            (&"succeeded".into(), &8.into()),
            "{shown}"
        );
        check(&shown, &Value::Null, true, 0);
        let house = house.restart().await;
        let mut message = register("web1");
        message.runs = vec![ahead.known()];
        let (mut agent, registered) = Agent::join(&house, message).await;
        assert_eq!(registered.resume[0].seq.0, 0);
        let end = if second_is_good { &good } else { &bad };
        agent
            .send(ahead.frame(&[first.as_slice(), end].concat()))
            .await;
        assert_eq!(agent.ack().await, (4, false));
        let shown = house.get(&path).await;
        check(&shown, &second_is_good.into(), !second_is_good, 0);
        assert_eq!(shown["lines"], 2);
        assert_eq!(text(&house, run).await, "one\ntwo\n");
        let reason = shown["reason"].as_str().unwrap_or_default();
        assert_eq!(reason.contains("checksum"), !second_is_good, "{shown}");
    }
}

#[tokio::test]
async fn a_second_copy_with_a_hole_does_not_replace_the_first() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let started = journal.started();
    let first = [started.clone(), journal.output(b"one\n")].concat();
    let hole = journal.checkpoint();
    let rest = journal.output(b"two\n");
    let all = [first, hole.clone(), rest.clone()].concat();
    agent.send(journal.frame(&all)).await;
    agent.acked(4).await;
    let bad = forged(journal.clone());
    let end = journal.finished(RunState::Failed);
    agent.send(journal.frame(&bad)).await;
    assert_eq!(agent.ack().await, (0, true));
    agent
        .send(journal.frame(&[started, hole, rest, end].concat()))
        .await;
    agent.acked(5).await;
    assert_eq!(text(&house, run).await, "one\ntwo\n");
    let shown = house.get(&format!("/api/runs/{run}")).await;
    check(&shown, &false.into(), true, 0);
    assert_eq!(
        (&shown["state"], &shown["lines"]),
        (&"failed".into(), &2.into())
    );
}

#[tokio::test]
async fn bytes_that_the_host_could_not_keep_are_counted_and_not_asked_for() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let first = [
        journal.started(),
        journal.output(b"one\n"),
        journal.gap(50, 3),
        journal.output(b"five\n"),
        forged(journal.clone()),
    ];
    let last = journal.finished(RunState::Succeeded);
    assert_eq!(first[4].len(), last.len());
    agent.send(journal.frame(&first.concat())).await;
    assert_eq!(agent.ack().await, (5, false));
    let shown = house.get(&format!("/api/runs/{run}")).await;
    check(&shown, &Value::Null, true, 50);
    assert_eq!((&shown["lines"], &shown["bytes"]), (&5.into(), &59.into()));
}

#[tokio::test]
async fn a_hole_in_a_journal_becomes_one_gap_that_says_what_is_gone() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}");
    let mut journal = Journal::new(run);
    let first = [journal.started(), journal.output(b"one\ntw")].concat();
    agent.send(journal.frame(&first)).await;
    agent.acked(2).await;
    let lost = journal.output(b"o\nthree\nfour\nfi");
    journal.output(b"ve\n");
    let after = [
        journal.checkpoint(),
        journal.output(b"six\n"),
        journal.checkpoint(),
        journal.finished(RunState::Succeeded),
    ];
    // Only a checkpoint may follow a hole.
    agent.send(journal.frame(&after[1])).await;
    assert_eq!(agent.ack().await, (2, true));
    agent.send(journal.frame(&after.concat())).await;
    assert_eq!(agent.ack().await, (8, false));
    let shown = house.get(&path).await;
    check(&shown, &Value::Null, true, 18);
    assert_eq!(
        (&shown["state"], &shown["lines"], &shown["bytes"]),
        (&"succeeded".into(), &6.into(), &28.into()),
        "{shown}"
    );
    assert!(!lost.is_empty());
    let log = house.get(&format!("{path}/log")).await;
    let lines: Vec<(u64, &str)> = log["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["n"].as_u64().unwrap(), line["text"].as_str().unwrap()))
        .collect();
    assert_eq!(lines.first(), Some(&(1, "one")));
    assert_eq!(lines.last(), Some(&(6, "six")));
    assert!(
        lines[1]
            .1
            .contains("the journal's limit: 4 lines, 18 bytes"),
        "{lines:?}"
    );
    assert_eq!(log["complete"], true);
}

#[tokio::test]
async fn a_checkpoint_that_contradicts_what_is_stored_starts_over_once_and_is_then_passed() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    for follows in [true, false] {
        let run = house.start_run(&mut agent, "web1").await;
        let mut journal = Journal::new(run);
        let mut all = [journal.started(), journal.output(b"one\n")].concat();
        let mut small = Journal::new(run);
        small.seq = if follows { 2 } else { 6 };
        let bad = small.checkpoint();
        journal.seq = small.seq;
        agent
            .send(journal.frame(&[all.as_slice(), &bad].concat()))
            .await;
        assert_eq!(agent.ack().await, (0, true));
        all.extend(bad);
        all.extend(journal.output(b"two\n"));
        all.extend(journal.finished(RunState::Succeeded));
        agent.send(journal.frame(&all)).await;
        assert_eq!(agent.ack().await, (journal.seq, false));
        let shown = house.get(&format!("/api/runs/{run}")).await;
        // Nothing but the checkpoint was wrong.
        check(&shown, &true.into(), false, 0);
        assert_eq!(text(&house, run).await, "one\ntwo\n");
    }
}

#[tokio::test]
async fn no_checkpoint_breaks_anything() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let mut all = journal.started();
    for (n, (offset, lines)) in [
        (u64::MAX, 1),
        (5, u64::MAX),
        (u64::MAX, u64::MAX),
        (0, 0),
        (1 << 50, 1 << 50),
        (7, 2),
    ]
    .into_iter()
    .enumerate()
    {
        let event = RunEvent::Checkpoint {
            at: u64::MAX,
            offset,
            lines,
            crc32c: 7,
            view: Box::new(journal.view(RunState::Queued)),
        };
        journal.seq = 10 * (n as u64 + 1);
        record::encode(crate::run::id::Seq(journal.seq), &event, b"", &mut all).unwrap();
    }
    agent.send(journal.frame(&all)).await;
    assert_eq!(agent.ack().await, (0, true));
    agent.send(journal.frame(&all)).await;
    assert_eq!(agent.ack().await, (60, false));
    let end = journal.finished(RunState::Succeeded);
    agent.send(journal.frame(&end)).await;
    agent.acked(61).await;
    let shown = house.get(&format!("/api/runs/{run}")).await;
    assert_eq!(
        (&shown["state"], &shown["incomplete"]),
        (&"succeeded".into(), &true.into()),
        "{shown}"
    );
}
