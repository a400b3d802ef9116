//! The last fault, the reconnection after it, and how soon the run is live again.

use std::time::{Duration, Instant};

use nixfleet::base::clock;
use serde_json::Value;

use crate::faults::{Chronicle, Victim};
use crate::proxy::{Cut, Proxy, Stall, Treatment};
use crate::schedule::{Last, Schedule};
use crate::support::api::Api;
use crate::support::process::wait_until;

/// How long the last fault lasts.
const OUTAGE: Duration = Duration::from_secs(2);
/// A look at the tail that takes longer is worth a word.
const SLOW: Duration = Duration::from_secs(1);
/// What an agent says when the dashboard has answered `register`.
const CONNECTED: &str = "connected to ws:";
/// What it says when a connection is gone.
const GONE: &str = "; trying again in";
/// The run, if the dashboard answers.
pub fn run_of(api: &Api, run: &str) -> Option<Value> {
    let answer = api.try_get(&format!("/api/runs/{run}")).ok()?;
    (answer.status == 200).then_some(answer.body)
}

/// When the newest line of the run was printed that somebody sees who opens it now, by the host's clock.
pub fn newest(api: &Api, run: &str) -> Option<u64> {
    let lines = run_of(api, run)?["lines"].as_u64()?;
    let from = lines.saturating_sub(20).max(1);
    let mut newest = None;
    let path = format!("/api/runs/{run}/events?from={from}");
    let _ = api.try_events(&path, None, |name, _, data| {
        if name == "lines" {
            let lines = data["lines"].as_array().unwrap();
            // Somebody who opens the tail is not shown the beginning first.
            assert_eq!(lines[0]["n"].as_u64(), Some(from), "the tail is not first");
            let at = lines.last().and_then(|line| line["at"].as_str());
            newest = at.and_then(clock::parse_rfc3339);
        }
        name == "run"
    });
    newest
}

/// How often the agent's process has said something.
fn said(agent: &mut Victim<'_>, what: &str) -> usize {
    agent.process().output().matches(what).count()
}

/// The last fault, which ends with a reconnection. The program prints at its full rate from the fault's beginning on, so there
/// is much to catch up with. Answers how long the reconnection took, and how long after it a line was seen that was printed
/// after it.
pub fn end_of_chaos(
    schedule: &Schedule,
    chronicle: &Chronicle,
    agent: &mut Victim<'_>,
    dashboard: &mut Victim<'_>,
    link: &Proxy,
    full_rate: impl Fn(),
    newest: impl Fn() -> Option<u64>,
) -> (Duration, Duration) {
    wait_until("the agent to be connected before the last fault", || {
        let output = agent.process().output();
        (output.rfind(CONNECTED)? > output.rfind(GONE).unwrap_or(0)).then_some(())
    });
    let before = said(agent, CONNECTED);
    chronicle.fault("last", &format!("last: {:?}", schedule.last));
    let both = Treatment {
        stall: Some(Stall {
            to_server: true,
            to_client: true,
            swallow: true,
        }),
        ..Treatment::default()
    };
    let mut expected = before + 1;
    full_rate();
    match schedule.last {
        Last::KillAgent => {
            agent.kill();
            std::thread::sleep(OUTAGE);
            agent.start(chronicle);
            expected = 1;
        }
        Last::KillDashboard => {
            dashboard.kill();
            std::thread::sleep(OUTAGE);
            dashboard.start(chronicle);
        }
        Last::Cut(cut) => {
            link.treat_all(Treatment {
                cut: Some(cut),
                ..Treatment::default()
            });
            std::thread::sleep(OUTAGE);
            link.heal();
        }
        Last::Stall => {
            link.treat_open(both);
            std::thread::sleep(OUTAGE);
            link.cut(Cut::Rst);
        }
        Last::Abandon => link.treat_open(both),
    }
    let fault = Instant::now();
    wait_until("the last reconnection", || {
        (said(agent, CONNECTED) >= expected).then_some(())
    });
    let (back, at) = (Instant::now(), clock::now());
    chronicle.say("connected again");
    let mut said = back;
    wait_until(
        "a line that was printed after the last reconnection",
        || {
            let asked = Instant::now();
            let newest = newest();
            if asked.elapsed() > SLOW {
                // A stream that stands still and output that is late are different faults.
                chronicle.say(&format!("the tail took {:?}", asked.elapsed()));
            }
            if said.elapsed() > SLOW {
                said = Instant::now();
                // How far behind tells output that comes slowly from output that does not come.
                let behind = newest.map(|newest| at.saturating_sub(newest));
                chronicle.say(&format!(
                    "not live yet: the newest line was printed so many ms before: {behind:?}"
                ));
            }
            newest.filter(|newest| *newest >= at)
        },
    );
    let live = back.elapsed();
    chronicle.say("live again");
    (back - fault, live)
}
