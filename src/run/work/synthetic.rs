//! Made-up rebuilds whose truth is known: a random graph of derivations, built on simulated machines by a simulated clock, and
//! told in the records of every dialect of Nix. What is made of the records must be the truth.

use std::collections::BTreeMap;

use super::Work;
use crate::run::records::parse;
use crate::run::rules;
use crate::run::work::News;

mod nix;
mod plan;

use nix::{Dialect, Log};
use plan::{Ending, Plan};

/// How many rebuilds are made up.
const CASES: u64 = 10_000;

/// Feeds the log, and holds what is known after each record against what is true then.
#[track_caller]
fn check(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let plan = Plan::random(&mut random);
    let dialect = Dialect::random(&mut random);
    let log = Log::of(&plan, dialect, &mut random);
    let case = format!("seed {seed}: {dialect:?} {plan:?}");
    let mut work = Work::default();
    let mut times = Vec::new();
    let mut done = 0;
    for told in &log.records {
        let record = parse(told.json.as_bytes()).unwrap_or_else(|| panic!("{}", told.json));
        if let News::Message(_, text) = work.take(1, record, told.at) {
            let text = rules::plain_lines(&text);
            if let Some(failure) = rules::failure(&text).filter(|failure| failure.itself) {
                work.failed(failure.drv.as_deref().unwrap(), &failure.cause, told.at);
            } else if let Some(count) = listed(&text) {
                work.listed(1, count);
            }
        }
        times.extend(work.take_built());
        let (builds, fetches) = work.counters();
        assert!(builds.done >= done, "{case}: done fell");
        done = builds.done;
        let Some(truth) = &told.truth else { continue };
        let counts = (builds.done, builds.failed, builds.running);
        assert_eq!(
            counts,
            (truth.done, truth.failed, truth.running.len() as u64),
            "{case}\n{}",
            told.json
        );
        assert_eq!(fetches.bytes_done, truth.bytes, "{case}\n{}", told.json);
        if builds.running > 0 {
            assert_eq!(
                builds.planned,
                plan.builds() as u64,
                "{case}\n{}",
                told.json
            );
        }
        let mut running: Vec<String> = work
            .running()
            .into_iter()
            .map(|running| running.name)
            .collect();
        running.sort();
        if dialect.tells_ends() {
            assert_eq!(running, truth.running, "{case}\n{}", told.json);
        } else {
            assert!(running.len() <= truth.running.len(), "{case}");
        }
    }
    let success = log.ending.failed == 0;
    work.finish(success);
    let (builds, fetches) = work.counters();
    let Ending {
        done,
        failed,
        interrupted,
        ..
    } = log.ending;
    assert_eq!(
        (
            builds.done,
            builds.failed,
            builds.interrupted,
            builds.running
        ),
        (done, failed, interrupted, 0),
        "{case}"
    );
    assert_eq!(fetches.done, plan.fetches.len() as u64, "{case}");
    assert!(work.running().is_empty());
    assert_eq!(
        work.failure().map(|failure| failure.name.as_str()),
        log.ending.first_failure.as_deref(),
        "{case}"
    );
    // The tool itself was built too.
    times.retain(|time| !time.name.starts_with("nixos-rebuild"));
    let mut known: BTreeMap<String, u64> = BTreeMap::new();
    for time in &times {
        assert!(
            known.insert(time.name.clone(), time.ms).is_none(),
            "{case}: {} twice",
            time.name
        );
        assert_eq!(
            log.ending.times.get(&time.name),
            Some(&time.ms),
            "{case}: {}",
            time.name
        );
    }
    if dialect.tells_ends() && failed == 0 {
        assert_eq!(known.len() as u64, done, "{case}");
    }
}

fn listed(text: &str) -> Option<u64> {
    let rest = text.strip_prefix("these ")?;
    rest.strip_suffix(" derivations will be built:")?
        .parse()
        .ok()
}

#[test]
fn what_is_made_of_records_is_the_truth() {
    for seed in 0..CASES {
        check(seed);
    }
}
