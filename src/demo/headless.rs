//! `demo --headless`: one rebuild through all three programs, measured from outside.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::json;

use super::heartbeats::Heartbeats;
use super::host::HOST;
use super::report::{Arrivals, Latency, Report};
use crate::base::clock;
use crate::cli::client::Client;
use crate::cli::sse::Events;
use crate::wire::api::{CommandQueued, Host, HostStatus, LogLines, Run};

/// How long the agent may take to be online.
const ONLINE: Duration = Duration::from_secs(30);
/// How often the host's heartbeats are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Waits until the demo host is online.
///
/// # Errors
/// It is not within 30 s.
pub fn wait_online(client: &Client) -> anyhow::Result<()> {
    let deadline = Instant::now() + ONLINE;
    while Instant::now() < deadline {
        let host = client.get::<Host>(&format!("/api/hosts/{HOST}"));
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
pub fn rebuild(client: &Client, rebuild: String) -> anyhow::Result<Report> {
    let queued: CommandQueued = client.post(
        &format!("/api/hosts/{HOST}/command"),
        &json!({ "command": "switch" }),
    )?;
    let id = queued.command_id;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let beats = scope.spawn(|| watch_heartbeats(client, &done));
        let watched = watch_lines(client, &format!("/api/runs/{id}/events"));
        done.store(true, Ordering::Relaxed);
        let heartbeats = beats
            .join()
            .map_err(|_| anyhow::anyhow!("watching the heartbeats failed"))??;
        let (arrivals, latencies) = watched?;
        let run: Run = client.get(&format!("/api/runs/{id}"))?;
        let mut log = client.download(&format!("/api/runs/{id}/log.txt"))?;
        let stored = std::io::copy(&mut log, &mut std::io::sink())?;
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

fn watch_heartbeats(client: &Client, done: &AtomicBool) -> anyhow::Result<Heartbeats> {
    let mut heartbeats = Heartbeats::default();
    while !done.load(Ordering::Relaxed) {
        let host: Host = client.get(&format!("/api/hosts/{HOST}"))?;
        let age = host
            .last_heartbeat_age_ms
            .context("an online host without a heartbeat")?;
        heartbeats.look(Instant::now(), host.heartbeats, Duration::from_millis(age));
        std::thread::sleep(LOOK);
    }
    Ok(heartbeats)
}

/// Reads the run's stream to its end: the numbers of its lines, and how long each took from the terminal to here. The
/// host's clock and this one are the same machine's.
fn watch_lines(client: &Client, path: &str) -> anyhow::Result<(Arrivals, Vec<u64>)> {
    let mut arrivals = Arrivals::default();
    let mut latencies = Vec::new();
    let mut events = Events::open(client, path.to_owned())?;
    loop {
        let event = events.next_event()?;
        match event.event.as_str() {
            "end" => return Ok((arrivals, latencies)),
            "lines" => {}
            _ => continue,
        }
        let now = clock::now();
        let lines: LogLines = serde_json::from_str(&event.data).context("a `lines` event")?;
        for line in lines.lines {
            arrivals.add(line.n);
            let at = clock::parse_rfc3339(&line.at).context("a line without its time")?;
            latencies.push(now.saturating_sub(at));
        }
    }
}
