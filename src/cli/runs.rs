//! `runs` and `stop`, and finding the run that somebody means.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::client::Client;
use super::exit::Exit;
use super::output::Output;
use super::text;
use crate::base::clock;
use crate::run::id::{HostName, RunId};
use crate::wire::api::{Host, Run, Runs, StopBody};

/// How long `stop` waits for what the host makes of it.
const HOST_ANSWERS: Duration = Duration::from_secs(2);
/// After so long, a refusal that stood there before is taken for the answer.
const SAME: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(200);

pub fn list(
    client: &Client,
    out: &Output,
    host: Option<&HostName>,
    limit: u32,
) -> anyhow::Result<Exit> {
    let of_host = host.map_or_else(String::new, |host| format!("host={host}&"));
    let path = format!("/api/runs?{of_host}limit={limit}");
    if out.is_json() {
        out.document(&client.get::<Value>(&path)?)?;
    } else {
        let runs: Runs = client.get(&path)?;
        out.text(&table(&runs.runs, clock::now()))?;
    }
    Ok(Exit::Success)
}

/// The runs as a table, with ages as of `now`.
pub fn table(runs: &[Run], now: clock::Millis) -> String {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|run| {
            let state = match (run.phase, &run.queued_until) {
                (_, Some(until)) => format!("waiting until {}", text::minute(until)),
                (Some(phase), _) if !run.state.is_terminal() => phase.name().into(),
                _ if run.incomplete => format!("{} (incomplete)", run.state.name()),
                _ => run.state.name().into(),
            };
            let age = clock::parse_rfc3339(&run.created_at)
                .map_or_else(|| String::from("?"), |at| text::age(now.saturating_sub(at)));
            vec![
                run.id.to_string(),
                run.host.clone(),
                run.command.clone(),
                state,
                age,
                took(run, now).unwrap_or_default(),
                run.requested_by.clone(),
            ]
        })
        .collect();
    text::table(
        &["RUN", "HOST", "COMMAND", "STATE", "AGE", "TOOK", "BY"],
        &rows,
    )
}

/// How long the run took, or has taken so far.
pub fn took(run: &Run, now: clock::Millis) -> Option<String> {
    let started = clock::parse_rfc3339(run.started_at.as_deref()?)?;
    let ended = match &run.finished_at {
        Some(at) => clock::parse_rfc3339(at)?,
        None => now,
    };
    Some(text::duration(ended.saturating_sub(started)))
}

/// Which run somebody means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Of a host, its newest one.
    Newest,
    /// Of a host, the one that goes on.
    Current,
}

/// The run with that id, or of that host.
///
/// # Errors
/// The text is neither, the host is unknown, or it has no such run.
pub fn find(client: &Client, name: &str, which: Which) -> anyhow::Result<RunId> {
    if let Ok(id) = name.parse() {
        return Ok(id);
    }
    let host: HostName = name.parse().map_err(|_| {
        anyhow::anyhow!(
            "`{}` is neither a run's id nor a host; `nixfleet runs` and `nixfleet hosts` list them",
            text::plain(name)
        )
    })?;
    let known: Host = client.get(&format!("/api/hosts/{host}"))?;
    if let Some(activity) = known.activity {
        return Ok(activity.run);
    }
    if which == Which::Newest {
        let runs: Runs = client.get(&format!("/api/runs?host={host}&limit=1"))?;
        if let Some(run) = runs.runs.first() {
            return Ok(run.id);
        }
        anyhow::bail!("{host} has no runs yet; `nixfleet switch {host}` starts one");
    }
    anyhow::bail!("{host} is not running anything")
}

pub fn stop(client: &Client, out: &Output, name: &str, force: bool) -> anyhow::Result<Exit> {
    let run = find(client, name, Which::Current)?;
    let before = client.get::<Run>(&format!("/api/runs/{run}"))?.stop_refused;
    let answer: Value = client.post(&format!("/api/runs/{run}/stop"), &StopBody { force })?;
    if out.is_json() {
        out.document(&answer)?;
        return Ok(Exit::Success);
    }
    // The host decides: in the middle of an activation it refuses unless forced.
    let asked = Instant::now();
    let until = asked + HOST_ANSWERS;
    while !force && Instant::now() < until {
        let run: Run = client.get(&format!("/api/runs/{run}"))?;
        if run.state.is_terminal() {
            break;
        }
        // One that was there before may be the answer to an earlier question.
        let is_answer = run.stop_refused != before || asked.elapsed() >= SAME;
        if let Some(why) = run.stop_refused.as_ref().filter(|_| is_answer) {
            eprintln!("nixfleet: {}", text::plain(why));
            return Ok(Exit::Error);
        }
        std::thread::sleep(LOOK);
    }
    out.text(&format!("asked to stop {run}\n"))?;
    Ok(Exit::Success)
}

/// A run for tests.
#[cfg(test)]
pub fn sample() -> Run {
    use crate::run::phase::RunState;
    Run {
        id: "019a0000-0000-7000-8000-000000000001".parse().unwrap(),
        host: "web1".into(),
        command: "switch".into(),
        args: Vec::new(),
        state: RunState::Running,
        phase: None,
        phases: Vec::new(),
        progress: None,
        exit_code: None,
        reason: None,
        requested_by: "admin".into(),
        created_at: "2026-01-31T08:15:30.250Z".into(),
        started_at: Some("2026-01-31T08:15:31.000Z".into()),
        finished_at: None,
        lines: 0,
        bytes: 0,
        bytes_missing: 0,
        bytes_pending: 0,
        incomplete: false,
        unheard: None,
        verified: None,
        recovered: false,
        queued_until: None,
        reconnect_deadline_ms: None,
        warnings: 0,
        errors: 0,
        failed_units: Vec::new(),
        generation: None,
        stop_refused: None,
        eta: None,
        failure: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::phase::{Phase, RunState};

    #[test]
    fn runs_as_a_table() {
        let now = clock::parse_rfc3339("2026-01-31T08:17:30.250Z").unwrap();
        let runs = [
            Run {
                phase: Some(Phase::Building),
                ..sample()
            },
            Run {
                state: RunState::Failed,
                phase: Some(Phase::Building),
                finished_at: Some("2026-01-31T08:15:35.000Z".into()),
                requested_by: "token ci".into(),
                incomplete: true,
                ..sample()
            },
            Run {
                state: RunState::Queued,
                started_at: None,
                queued_until: Some("2026-02-01T08:15:30.250Z".into()),
                ..sample()
            },
        ];
        expect_test::expect![[r"
            RUN                                   HOST  COMMAND  STATE                               AGE  TOOK    BY
            019a0000-0000-7000-8000-000000000001  web1  switch   building                            2m   1m 59s  admin
            019a0000-0000-7000-8000-000000000001  web1  switch   failed (incomplete)                 2m   4s      token ci
            019a0000-0000-7000-8000-000000000001  web1  switch   waiting until 2026-02-01 08:15 UTC  2m           admin
        "]]
        .assert_eq(&table(&runs, now));
    }
}
