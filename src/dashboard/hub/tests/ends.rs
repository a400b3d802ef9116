//! When runs will end, as hosts and readers have it.

use serde_json::Value;

use crate::dashboard::testing::{Agent, House, Journal, jump, register};
use crate::run::event::{BuildTime, Builds, Progress, RunEvent, RunningBuild};
use crate::run::id::RunId;
use crate::run::phase::{Phase, RunState};

pub(super) fn built(times: &[(&str, u64)]) -> RunEvent {
    let build = |(name, ms): &(&str, u64)| BuildTime {
        name: (*name).into(),
        ms: *ms,
        host: None,
    };
    RunEvent::Built {
        at: 6000,
        builds: times.iter().map(build).collect(),
    }
}

pub(super) fn phase(at: u64, phase: Phase) -> RunEvent {
    RunEvent::Phase { at, phase, line: 1 }
}

/// `hello` is being built since `since`, and of three builds none is done.
pub(super) fn building(at: u64, since: u64) -> RunEvent {
    let progress = Progress {
        builds: Some(Builds {
            planned: 3,
            running: 1,
            ..Builds::default()
        }),
        running: vec![RunningBuild {
            name: "hello-2.13".into(),
            host: None,
            phase: None,
            since,
        }],
        ..Progress::default()
    };
    RunEvent::Progress { at, progress }
}

/// Evaluation, then a minute and a half of building, then ten seconds of activation, by the host's clock.
pub(super) fn events() -> Vec<RunEvent> {
    vec![
        phase(2000, Phase::Evaluating),
        phase(4000, Phase::Building),
        building(4000, 4000),
        built(&[("hello-2.12", 30_000), ("world-1", 50_000), ("etc", 10_000)]),
        phase(94_000, Phase::Activating),
    ]
}

pub(super) fn records(journal: &mut Journal, events: &[RunEvent]) -> Vec<u8> {
    events
        .iter()
        .flat_map(|event| journal.event(event))
        .collect()
}

/// The end of a run at `at`.
pub(super) fn finished(journal: &mut Journal, at: u64, state: RunState) -> Vec<u8> {
    journal.event(&RunEvent::Finished {
        at,
        outcome: crate::run::event::Outcome {
            state,
            exit_code: Some(0),
            signal: None,
            reason: None,
            failure: None,
        },
        lines: 0,
        bytes: 0,
        crc32c: 0,
        generation: None,
        system: None,
    })
}

/// A run of `switch` from start to end.
pub(super) async fn rebuild(house: &House, agent: &mut Agent, state: RunState) -> RunId {
    let run = house.start_run(agent, "web1").await;
    let mut journal = Journal::new(run);
    let mut all = journal.started();
    all.extend(records(&mut journal, &events()));
    all.extend(finished(&mut journal, 104_000, state));
    agent.send(journal.frame(&all)).await;
    agent.acked(journal.seq).await;
    run
}

pub(super) async fn times(house: &House, name: &str) -> Vec<u64> {
    let rows = house.app.store.build_times().await.unwrap();
    let row = rows.into_iter().find(|row| &*row.name == name);
    row.map(|row| row.ms).unwrap_or_default()
}

#[track_caller]
fn check(eta: &Value, percent: std::ops::RangeInclusive<u64>, seconds: u64) {
    let found = (
        eta["percent"].as_u64().unwrap(),
        eta["seconds"].as_u64().unwrap(),
    );
    // A slow machine takes its time between the record and the question.
    let near = found.1 <= seconds && found.1 + 5 >= seconds;
    assert!(percent.contains(&found.0) && near, "{eta}");
}

/// The run once it is told by the runs before it, which are looked up while it goes on.
async fn told(house: &House, path: &str) -> Value {
    house.wait(path, |run| run["eta"]["seconds"].is_u64()).await
}

#[tokio::test]
async fn a_second_run_is_told_by_the_first_one_and_a_restart_forgets_nothing() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let first = house.start_run(&mut agent, "web1").await;
    let mut journal = Journal::new(first);
    let begin = [
        journal.started(),
        journal.event(&phase(2000, Phase::Evaluating)),
    ]
    .concat();
    agent.send(journal.frame(&begin)).await;
    agent.acked(2).await;
    // Nothing is known of the first run of all.
    let path = format!("/api/runs/{first}");
    let shown = house.get(&path).await;
    assert_eq!(
        shown["eta"],
        serde_json::json!({"percent": 0, "seconds": null})
    );
    let mut rest = records(&mut journal, &events()[1..]);
    rest.extend(finished(&mut journal, 104_000, RunState::Succeeded));
    agent.send(journal.frame(&rest)).await;
    agent.acked(journal.seq).await;
    assert!(house.get(&path).await.get("eta").is_none(), "it is over");
    assert_eq!(times(&house, "hello").await, [30_000]);

    // 2 s, 90 s and 10 s are what it took.
    let second = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{second}");
    assert!(house.get(&path).await.get("eta").is_none(), "not started");
    let mut journal = Journal::new(second);
    let begin = [
        journal.started(),
        journal.event(&phase(1000, Phase::Evaluating)),
    ]
    .concat();
    agent.send(journal.frame(&begin)).await;
    agent.acked(2).await;
    check(&told(&house, &path).await["eta"], 0..=5, 102);
    // 30 of them later, one builder has 90 s of work, 20 of which are over; the earlier run says the same.
    let later = [phase(3000, Phase::Building), building(23_000, 3000)];
    let later = records(&mut journal, &later);
    agent.send(journal.frame(&later)).await;
    agent.acked(4).await;
    let shown = house.get(&path).await;
    check(&shown["eta"], 20..=30, 80);
    check(&house.get("/api/runs").await["runs"][0]["eta"], 20..=30, 80);
    let host = house.get("/api/hosts/web1").await;
    check(&host["activity"]["eta"], 20..=30, 80);
    assert_eq!(
        host["activity"]["progress"]["running"][0]["name"],
        "hello-2.13"
    );
    let live = house.app.live.watch(second).unwrap();
    let eta = live.tips.borrow().run.eta.unwrap();
    check(&serde_json::to_value(eta).unwrap(), 20..=30, 80);

    let house = house.restart().await;
    let mut message = register("web1");
    message.runs = vec![journal.known()];
    let (mut agent, _) = Agent::join(&house, message).await;
    // Without a word of the host nobody knows what time it is there.
    let shown = house.get(&path).await;
    assert!(shown["eta"]["seconds"].is_null(), "{shown}");
    assert!(shown["eta"]["percent"].as_u64() >= Some(20), "{shown}");
    let more = journal.event(&building(53_000, 3000));
    agent.send(journal.frame(&more)).await;
    agent.acked(5).await;
    // Overdue by half: 60 s of what waits and a little of what runs, where the earlier run had 40 s left.
    let near = |eta: &Value| (57..=62).contains(&eta["seconds"].as_u64().unwrap_or(0));
    let shown = house.wait(&path, |run| near(&run["eta"])).await;
    check(&shown["eta"], 44..=48, 62);
    assert_eq!(times(&house, "world").await, [50_000]);
}

#[tokio::test]
async fn a_silent_run_is_looked_at_again_and_never_goes_back() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    rebuild(&house, &mut agent, RunState::Succeeded).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}");
    let mut journal = Journal::new(run);
    let mut begin = journal.started();
    begin.extend(records(&mut journal, &events()[..2]));
    agent.send(journal.frame(&begin)).await;
    agent.acked(3).await;
    let before = told(&house, &path).await["eta"].clone();
    check(&before, 1..=5, 100);
    // The time of the estimate passes at once, and the time of the clock does not: half of what it had come down to.
    jump(std::time::Duration::from_secs(60)).await;
    let found = house
        .wait(&path, |run| run["eta"]["seconds"].as_u64().unwrap() > 60)
        .await;
    assert!(found["eta"]["percent"].as_u64() >= before["percent"].as_u64());
    jump(std::time::Duration::from_secs(4)).await;
    let aged = house.get(&path).await["eta"]["seconds"].as_u64().unwrap();
    assert!(aged >= 1 && aged < found["eta"]["seconds"].as_u64().unwrap());
    // What readers have seen is in the store: a restart takes nothing back.
    let found = &house.get(&path).await["eta"]["percent"];
    let house = house.restart().await;
    let after = &house.get(&path).await["eta"]["percent"];
    assert!(
        after.as_u64() >= found.as_u64() && found.as_u64() >= Some(1),
        "{found} {after}"
    );
}
