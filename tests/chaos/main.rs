//! One run with hundreds of thousands of lines, while agent, dashboard and the link between them are killed, stopped, cut,
//! delayed, truncated and stalled at random: nothing is lost, nothing is doubled, and it is live again at once.
//!
//! `cargo test --test chaos -- --ignored --exact rounds --nocapture`, and in the environment:
//! - `NIXFLEET_CHAOS_SEED`: of the first round; each further one has the next number. Random, and printed, without it.
//! - `NIXFLEET_CHAOS_ROUNDS`: 4 without it.
//! - `NIXFLEET_PROGRAM`: a `nixfleet` with all features that takes the roles of agent and dashboard; without it they are the
//!   programs of the tests' own build. How soon a run is live again is a promise of a release build.
//! - `NIXFLEET_CHAOS_LINES`: 300000 without it. From 1000000 on, one fault in each round waits for the deadlines of agent and
//!   dashboard.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on should stop loudly"
)]

use std::path::Path;
use std::time::Duration;

use crate::source::Source;

mod checks;
mod ending;
mod faults;
mod figures;
mod proxy;
mod reader;
mod round;
mod schedule;
mod source;
/// Shared with the tests of the whole.
#[path = "../it/support"]
#[expect(dead_code, reason = "not everything that is shared is used here")]
mod support {
    pub mod api;
    pub mod fleet;
    pub mod process;

    pub use fleet::Fleet;
}

fn flag(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text} is not a number"))
    })
}

/// Says how to repeat a round that fails.
struct Repeat(Source);

impl Drop for Repeat {
    fn drop(&mut self) {
        let Source { seed, lines } = self.0;
        if std::thread::panicking() {
            println!(
                "seed {seed} failed; again: NIXFLEET_CHAOS_SEED={seed} NIXFLEET_CHAOS_ROUNDS=1 NIXFLEET_CHAOS_LINES={lines} \
                 cargo test --test chaos -- --ignored --exact rounds --nocapture"
            );
        }
    }
}

#[test]
#[ignore = "takes half a minute a round; tests/steps/52-chaos runs it"]
fn rounds() {
    let first = flag("NIXFLEET_CHAOS_SEED", fastrand::u64(..1_000_000_000));
    let rounds = flag("NIXFLEET_CHAOS_ROUNDS", 4);
    let lines = flag("NIXFLEET_CHAOS_LINES", 300_000);
    println!("chaos: seed {first}, {rounds} rounds of {lines} lines");
    let (mut live, mut hits) = (Vec::new(), 0);
    let (mut agent, mut dashboard) = (0, 0);
    for seed in first..first + rounds {
        println!("round with seed {seed}");
        let source = Source { seed, lines };
        let _repeat = Repeat(source);
        let figures = round::round(source);
        println!("figures: {figures}");
        live.push(figures.live);
        hits += figures.hits;
        agent = agent.max(figures.agent);
        dashboard = dashboard.max(figures.dashboard);
    }
    live.sort();
    let seconds = |live: Option<&Duration>| live.map_or(0.0, Duration::as_secs_f64);
    println!(
        "summary: seed {first}: {rounds} rounds of {lines} lines, {hits} faults that hit, no line lost, none doubled; \
         live again after {:.2} s (median {:.2} s, at most {:.2} s); agent {} KiB, dashboard {} KiB at most",
        seconds(live.first()),
        seconds(live.get(live.len() / 2)),
        seconds(live.last()),
        agent / 1024,
        dashboard / 1024
    );
}

/// Not a test, but the program that the rounds run: it prints on standard error, because the other output is the test runner's.
#[test]
#[ignore = "the program of the other test"]
fn source_program() {
    let Ok(asked) = std::env::var("NIXFLEET_CHAOS_SOURCE") else {
        return;
    };
    let mut words = asked.splitn(3, ' ');
    let mut number = || words.next().unwrap().parse().unwrap();
    let source = Source {
        seed: number(),
        lines: number(),
    };
    let gates = Path::new(words.next().unwrap());
    let code = match source.print(&mut std::io::stderr().lock(), gates) {
        Ok(()) => source.exit_code(),
        Err(_) => 99,
    };
    std::process::exit(code);
}
