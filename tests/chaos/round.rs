//! One run through all faults of one seed.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::checks;
use crate::ending::{end_of_chaos, newest, run_of};
use crate::faults::{Chronicle, Victim, disturb};
use crate::figures::Figures;
use crate::proxy::{Cut, Proxy};
use crate::reader::{Seen, watch};
use crate::schedule::{LEAST, Schedule};
use crate::source::Source;
use crate::support::Fleet;
use crate::support::api::Api;
use crate::support::process::wait_until;

/// Within this after the last reconnection, what is printed is seen.
const LIVE: Duration = Duration::from_secs(2);
/// The most memory of an agent, in bytes.
const AGENT_MEMORY: u64 = 20 << 20;
/// The most memory of a dashboard, in bytes.
const DASHBOARD_MEMORY: u64 = 150 << 20;
/// A round of so many lines or more waits for the deadlines of agent and dashboard once.
const PATIENT: u64 = 1_000_000;
/// How long the reader may take to see the rest of a run that is over.
const READER: Duration = Duration::from_secs(120);
/// The host's name.
const HOST: &str = "web1";

/// What is left behind by no failure: the supervisor, which outlives its agent by design.
struct Supervisor(PathBuf);

impl Drop for Supervisor {
    fn drop(&mut self) {
        let pid = std::fs::read_to_string(&self.0).unwrap_or_default();
        if let (true, Ok(pid)) = (std::thread::panicking(), pid.trim().parse()) {
            let _ = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
    }
}

fn address(base: &str) -> SocketAddr {
    base.trim_start_matches("http://").parse().unwrap()
}

/// The configuration of the command that prints a source: this test's own program, which prints on standard error.
fn command(fleet: &Fleet, source: Source) -> String {
    let program = fleet.script(
        "source",
        &format!(
            "#!/bin/sh\nexport NIXFLEET_CHAOS_SOURCE='{} {} {}'\nexec '{}' --ignored --exact source_program --nocapture >/dev/null\n",
            source.seed,
            source.lines,
            fleet.dir.path().display(),
            std::env::current_exe().unwrap().display()
        ),
    );
    format!(
        "[commands.chaos]\nargv = [\"{}\"]\ndescription = \"prints numbered lines\"\n",
        program.display()
    )
}

/// One round; panics when anything is lost, doubled, changed, late or too large.
pub fn round(source: Source) -> Figures {
    let start = Instant::now();
    let patient = source.lines >= PATIENT;
    let window = source
        .time_to_gate()
        .saturating_sub(Duration::from_millis(1500));
    let schedule = Schedule::new(source.seed, window, patient);
    let mut fleet = Fleet::start();
    fleet.dashboard.take().unwrap().kill();
    let dashboard_at = address(&fleet.api.base);
    let link = Proxy::start(dashboard_at, source.seed);
    let reader_link = Proxy::start(dashboard_at, !source.seed);
    let config = fleet.agent_config_at(
        &format!("http://{}", link.address()),
        HOST,
        &command(&fleet, source),
    );
    let api = fleet.api.clone();
    let gates = fleet.dir.path().to_owned();
    let state = fleet.path(&format!("state-{HOST}"));

    let setting_up = Chronicle::new();
    let mut agent = Victim::new("agent", &setting_up, || Fleet::start_agent(&config));
    let mut dashboard = Victim::new("dashboard", &setting_up, || {
        fleet.start_dashboard();
        fleet.dashboard.take().unwrap()
    });
    wait_until("the agent to be online", || is_online(&api).then_some(()));
    let answer = api.post(
        &format!("/api/hosts/{HOST}/command"),
        &serde_json::json!({ "command": "chaos" }),
    );
    assert_eq!(answer.status, 202, "{}", answer.body);
    let run = answer.body["command_id"].as_str().unwrap().to_owned();
    let run_dir = state.join("runs").join(&run);
    let supervisor = Supervisor(run_dir.join("pid"));
    wait_until("the first line", || {
        (run_of(&api, &run)?["lines"].as_u64()? > 0).then_some(())
    });

    let chronicle = Chronicle::new();
    let seen = Arc::new(Seen::default());
    let mut live = (Duration::ZERO, Duration::ZERO);
    // The last fault is one too.
    let mut hits = schedule.agent.len() + schedule.dashboard.len() + 1;
    std::thread::scope(|scope| {
        let give_up = GiveUp(Arc::clone(&seen));
        let watching = {
            let (seen, run) = (Arc::clone(&seen), run.clone());
            let api = Api::new(&format!("http://{}", reader_link.address()), &api.token);
            scope.spawn(move || watch(&api, &run, source, &seen))
        };
        std::thread::scope(|scope| {
            scope.spawn(|| agent.suffer(&schedule.agent, &chronicle));
            scope.spawn(|| dashboard.suffer(&schedule.dashboard, &chronicle));
            let on_link = scope.spawn(|| disturb("link", &link, &schedule.link, &chronicle));
            scope.spawn(|| disturb("reader's link", &reader_link, &schedule.reader, &chronicle));
            hits += on_link.join().expect("all faults were performed");
        });
        while hits < LEAST {
            wait_until("a connection to cut", || (link.open() > 0).then_some(()));
            chronicle.fault(
                "cut",
                "link: one fault more, because some found no connection",
            );
            link.cut(Cut::Rst);
            hits += 1;
        }
        live = end_of_chaos(
            &schedule,
            &chronicle,
            &mut agent,
            &mut dashboard,
            &link,
            || open_gate(&gates, 0),
            || newest(&api, &run),
        );
        open_gate(&gates, 1);
        let finished = finished(&api, &run);
        checks::outcome(&finished, source);
        let deadline = Instant::now() + READER;
        while !watching.is_finished() {
            assert!(
                Instant::now() < deadline,
                "the reader saw {} of {} lines, and no end",
                seen.lines.load(Ordering::Relaxed),
                source.lines
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        drop(give_up);
    });
    assert_eq!(
        seen.lines.load(Ordering::Relaxed),
        source.lines,
        "lines that the reader saw"
    );
    let bytes = checks::log_text(&api, &run, source);
    checks::log_lines(&api, &run, source);
    checks::heartbeats(&api, HOST);
    agent.weigh();
    dashboard.weigh();
    let transcripts = [setting_up.transcripts(), chronicle.transcripts()].concat();
    checks::nobody_panicked(&transcripts, &run_dir);
    assert!(
        agent.peak < AGENT_MEMORY,
        "the agent took {} bytes",
        agent.peak
    );
    assert!(
        dashboard.peak < DASHBOARD_MEMORY,
        "the dashboard took {} bytes",
        dashboard.peak
    );
    assert!(
        live.1 <= LIVE,
        "live again only {:?} after the last reconnection",
        live.1
    );
    drop(supervisor);
    let counts = chronicle.counts();
    let by_kind: Vec<String> = counts
        .iter()
        .map(|(kind, n)| format!("{n} {kind}"))
        .collect();
    Figures {
        seed: source.seed,
        faults: schedule.faults() + schedule.reader.len(),
        hits,
        by_kind: by_kind.join(", "),
        lines: source.lines,
        bytes,
        connections: link.accepted(),
        streams: seen.streams.load(Ordering::Relaxed),
        reconnect: live.0,
        live: live.1,
        agent: agent.peak,
        dashboard: dashboard.peak,
        took: start.elapsed(),
    }
}

/// Lets the reader go when something fails.
struct GiveUp(Arc<Seen>);

impl Drop for GiveUp {
    fn drop(&mut self) {
        self.0.give_up.store(true, Ordering::Relaxed);
    }
}

fn is_online(api: &Api) -> bool {
    let answer = api.try_get(&format!("/api/hosts/{HOST}"));
    answer.is_ok_and(|answer| answer.body["status"] == "online")
}

/// Lets the program go on at its full rate.
fn open_gate(dir: &Path, gate: usize) {
    std::fs::write(Source::gate(dir, gate), "").unwrap();
}

/// Waits for the run's end, all of its output and the verdict on it: a run's state may be ahead of its lines, and the last
/// lines are there before the record that they are checked against.
#[track_caller]
fn finished(api: &Api, run: &str) -> Value {
    wait_until("the end of the run", || {
        let body = run_of(api, run)?;
        let state = body["state"].as_str()?;
        let over = !matches!(state, "queued" | "starting" | "running");
        let judged =
            body["incomplete"] == false || body["bytes_missing"] != 0 || body["verified"] == false;
        (over && body["bytes_pending"] == 0 && judged).then_some(body)
    })
}
