//! What runs teach of how long the next ones take.

use super::ends::{building, built, phase, rebuild, records, times};
use crate::dashboard::history::{History, LONGEST, Machine};
use crate::dashboard::testing::{Agent, House, Journal, SOON, register};
use crate::run::event::{BuildTime, RunEvent};
use crate::run::phase::{Phase, RunState};

#[tokio::test]
async fn what_is_sent_again_teaches_nothing_new() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let mut first = journal.started();
    first.extend(journal.event(&built(&[("hello-2.12", 30_000)])));
    first.extend(journal.output(b"one\n"));
    for _ in 0..2 {
        agent.send(journal.frame(&first)).await;
        assert_eq!(agent.ack().await, (3, false));
    }
    assert_eq!(times(&house, "hello").await, [30_000], "a double");
    // The output is not what the host has: all of it is asked for again.
    let mut forged = journal.clone();
    forged.crc32c ^= 1;
    let bad = forged.finished(RunState::Succeeded);
    agent.send(forged.frame(&bad)).await;
    assert_eq!(agent.ack().await, (0, true));
    first.extend(journal.event(&built(&[("hello-2.12", 40_000)])));
    first.extend(journal.finished(RunState::Succeeded));
    agent.send(journal.frame(&first)).await;
    agent.acked(5).await;
    // The fourth record is another one now, and the first three were known.
    assert_eq!(times(&house, "hello").await, [30_000, 40_000]);
}

#[tokio::test]
async fn times_are_stored_with_the_records_that_tell_them_or_not_at_all() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let started = journal.started();
    agent.send(journal.frame(&started)).await;
    agent.acked(1).await;
    house
        .sql("CREATE TRIGGER no BEFORE INSERT ON build_times BEGIN SELECT RAISE(ABORT, 'no'); END")
        .await;
    let taught = journal.event(&built(&[("hello-2.12", 30_000)]));
    agent.send(journal.frame(&taught)).await;
    assert_eq!(agent.ack().await, (1, true), "to be sent again");
    house.sql("DROP TRIGGER no").await;
    agent.send(journal.frame(&taught)).await;
    assert_eq!(agent.ack().await, (2, false));
    assert_eq!(times(&house, "hello").await, [30_000]);
}

/// Whether a second run is told how long its phases take, after one that ended so.
async fn check(state: RunState, expected: bool) {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    rebuild(&house, &mut agent, state).await;
    assert_eq!(
        times(&house, "hello").await,
        [30_000],
        "builds that were done"
    );
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let begin = [
        journal.started(),
        journal.event(&phase(1000, Phase::Activating)),
    ];
    agent.send(journal.frame(&begin.concat())).await;
    agent.acked(2).await;
    let path = format!("/api/runs/{run}");
    if expected {
        let told = |run: &serde_json::Value| run["eta"]["seconds"].is_u64();
        house.wait(&path, told).await;
        return;
    }
    let host = "web1".parse().unwrap();
    let found = house.app.store.finished_well(&host, "switch").await;
    assert_eq!(found.unwrap().len(), 0);
    assert!(house.get(&path).await["eta"]["seconds"].is_null());
}

#[tokio::test]
async fn only_runs_that_came_to_their_own_end_teach_their_phases() {
    check(RunState::Succeeded, true).await;
    check(RunState::Degraded, true).await;
    check(RunState::Failed, false).await;
    check(RunState::Stopped, false).await;
}

#[tokio::test]
async fn another_command_and_another_host_teach_no_phases() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    rebuild(&house, &mut agent, RunState::Succeeded).await;
    for (host, command, expected) in [
        ("web1", "switch", 1),
        ("web1", "pull", 0),
        ("web2", "switch", 0),
    ] {
        let of = host.parse().unwrap();
        let found = house.app.store.finished_well(&of, command).await;
        assert_eq!(found.unwrap().len(), expected, "{host} {command}");
    }
}

#[tokio::test]
async fn a_host_cannot_break_what_others_are_told() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(run);
    let name = "ö".repeat(3000);
    let mut wild = journal.started();
    wild.extend(journal.event(&built(&[(&name, u64::MAX), ("", 5), ("-1", 5), ("a", 0)])));
    let many: Vec<String> = (0..600).map(|n| format!("x{n}x")).collect();
    let many: Vec<(&str, u64)> = many.iter().map(|name| (name.as_str(), 1)).collect();
    wild.extend(journal.event(&built(&many)));
    wild.extend(journal.event(&RunEvent::Built {
        at: u64::MAX,
        builds: vec![BuildTime {
            name: "hello-1".into(),
            ms: 5,
            host: Some("x".repeat(5000)),
        }],
    }));
    wild.extend(records(
        &mut journal,
        &[phase(u64::MAX, Phase::Building), building(0, u64::MAX)],
    ));
    agent.send(journal.frame(&wild)).await;
    agent.acked(journal.seq).await;
    assert_eq!(times(&house, &"ö".repeat(100)).await, [LONGEST]);
    assert_eq!(times(&house, "a").await, [1]);
    let rows = house.app.store.build_times().await.unwrap();
    assert_eq!(rows.len(), 2 + 256 + 1);
    let builder = rows.iter().map(|row| row.machine.builder.len()).max();
    assert_eq!(builder, Some(100));
    let shown = house.get(&format!("/api/runs/{run}")).await;
    assert!(shown["eta"]["percent"].as_u64().unwrap() <= 99, "{shown}");
    // What the store reads back is the same history.
    let history = History::new(rows);
    assert_eq!(history.len(), 259);
    let known = history.build(&Machine::new("web1", None), 1.0, "a");
    assert_eq!(known.map(|known| known.ms), Some(1));
    // With the host, all that it told goes.
    drop(agent);
    let host = "web1".parse().unwrap();
    let gone = async {
        while house.app.fleet.peer(&host).is_some() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, gone).await.unwrap();
    let (status, body) = house.ask("DELETE", "/api/hosts/web1", "").await;
    assert_eq!(status, 204, "{body}");
    assert!(house.app.store.build_times().await.unwrap().is_empty());
}
