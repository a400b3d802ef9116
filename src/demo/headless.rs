//! `demo --headless`: one rebuild through all three programs, measured from outside.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::heartbeats::Heartbeats;
use super::host::HOST;
use super::reader::Reader;
use super::report::{Arrivals, Latency, Report};
use crate::base::clock;
use crate::wire::api::{CommandQueued, Host, HostStatus, LogLines, Run};

/// How long the agent may take to be online.
const ONLINE: Duration = Duration::from_secs(30);
/// How often the host's heartbeats are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until the demo host is online.
///
/// # Errors
/// It is not within 30 s.
pub fn wait_online(reader: &Reader) -> anyhow::Result<()> {
    let deadline = Instant::now() + ONLINE;
    while Instant::now() < deadline {
        let host = reader.get::<Host>(&format!("/api/hosts/{HOST}"));
        if host.is_ok_and(|host| host.status == HostStatus::Online) {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    anyhow::bail!(
        "the demo host was not online within {ONLINE:?}; its log is agent.log in the data directory"
    )
}

/// Rebuilds the demo host and measures it.
///
/// # Errors
/// The dashboard does not answer as it should.
pub fn rebuild(reader: &Reader, rebuild: String) -> anyhow::Result<Report> {
    let queued: CommandQueued = reader.post(
        &format!("/api/hosts/{HOST}/command"),
        &json!({ "command": "switch" }),
    )?;
    let id = queued.command_id;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let beats = scope.spawn(|| watch_heartbeats(reader, &done));
        let watched = watch_lines(reader, &format!("/api/runs/{id}/events"));
        done.store(true, Ordering::Relaxed);
        let heartbeats = beats
            .join()
            .map_err(|_| anyhow::anyhow!("watching the heartbeats failed"))??;
        let (arrivals, latencies) = watched?;
        let run: Run = reader.get(&format!("/api/runs/{id}"))?;
        let stored = reader.count_bytes(&format!("/api/runs/{id}/log.txt"))?;
        Ok(Report {
            run: id,
            state: run.state,
            phases: run.phases.iter().map(|span| span.phase).collect(),
            lines: run.lines,
            bytes: run.bytes,
            lines_lost: arrivals.lost(run.lines) + run.bytes.abs_diff(stored),
            lines_doubled: arrivals.doubled,
            heartbeats_during_run: heartbeats.count(),
            longest_heartbeat_gap_ms: heartbeats.longest_gap().as_millis() as u64,
            line_latency_ms: Latency::of(latencies),
            rebuild,
        })
    })
}

fn watch_heartbeats(reader: &Reader, done: &AtomicBool) -> anyhow::Result<Heartbeats> {
    let mut heartbeats = Heartbeats::default();
    while !done.load(Ordering::Relaxed) {
        let host: Host = reader.get(&format!("/api/hosts/{HOST}"))?;
        let age = host
            .last_heartbeat_age_ms
            .context("an online host without a heartbeat")?;
        heartbeats.look(Instant::now(), host.heartbeats, Duration::from_millis(age));
        std::thread::sleep(LOOK);
    }
    Ok(heartbeats)
}

/// Reads the run's stream to its end: the numbers of its lines, and how long each took from the terminal to here.
fn watch_lines(reader: &Reader, path: &str) -> anyhow::Result<(Arrivals, Vec<u64>)> {
    let mut arrivals = Arrivals::default();
    let mut latencies = Vec::new();
    // The host's clock and this one are the same machine's.
    let mut memory: HashMap<String, Option<u64>> = HashMap::new();
    reader.events(path, |name, data| {
        if name == "lines" {
            let now = clock::now();
            let lines: LogLines = serde_json::from_str(data).context("a `lines` event")?;
            memory.clear();
            for line in lines.lines {
                arrivals.add(line.n);
                let at = memory
                    .entry(line.at)
                    .or_insert_with_key(|at| clock::parse_rfc3339(at));
                latencies.extend(at.map(|at| now.saturating_sub(at)));
            }
        }
        Ok(name != "end")
    })?;
    Ok((arrivals, latencies))
}
