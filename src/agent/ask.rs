//! `nixfleet-agent status`: asks the agent that runs here how it is.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::agent::config_file::ConfigFile;
use crate::agent::environment::Environment;
use crate::agent::{local_api, state_dir};
use crate::base::config_file;

/// How long the agent may take for each part of its answer.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024;
/// Where the agent of a system keeps its state.
const SYSTEM: &str = "/var/lib/nixfleet-agent";

/// What the exit status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// The agent is connected and acknowledged.
    Healthy = 0,
    /// It runs, and is not.
    Unhealthy = 1,
    /// No agent answers.
    None = 2,
}

/// Asks, prints and answers the exit status.
pub fn run(config: Option<&Path>, json: bool) -> ExitCode {
    let exit = match status(config) {
        Ok(status) => {
            let text = if json {
                format!("{status:#}")
            } else {
                shown(&status)
            };
            // Whoever closed the pipe has read enough.
            let _ = writeln!(std::io::stdout(), "{text}");
            if status["connection"]["healthy"] == true {
                Exit::Healthy
            } else {
                Exit::Unhealthy
            }
        }
        Err(error) => {
            eprintln!("nixfleet-agent: {error:#}");
            Exit::None
        }
    };
    ExitCode::from(exit as u8)
}

fn status(config: Option<&Path>) -> anyhow::Result<Value> {
    let sockets = sockets(config)?;
    let mut refused = Vec::new();
    for socket in &sockets {
        match UnixStream::connect(socket) {
            Ok(stream) => return ask(stream).with_context(|| socket.display().to_string()),
            Err(error) => refused.push(format!("{}: {error}", socket.display())),
        }
    }
    bail!(
        "no agent answers here ({}); is it running, and are you its user or root? `systemctl status nixfleet-agent` may say more; --config names the file of another agent",
        refused.join("; ")
    )
}

/// Where the agent could be: as the file or the environment says, else where agents usually are.
fn sockets(config: Option<&Path>) -> anyhow::Result<Vec<PathBuf>> {
    let environment = Environment::of_process();
    let file = config.map(Path::to_owned).or(environment.config);
    let named = match &file {
        Some(path) => config_file::read::<ConfigFile>(path)?.state_dir,
        None => None,
    };
    let dirs = match environment.state_dir.or(named) {
        Some(dir) => vec![dir],
        None => state_dir::default_dir()
            .into_iter()
            .chain([SYSTEM.into()])
            .collect(),
    };
    let mut sockets: Vec<PathBuf> = dirs.iter().map(|dir| local_api::own_socket(dir)).collect();
    sockets.dedup();
    Ok(sockets)
}

/// What the agent says of itself, an [`AgentStatus`](crate::wire::local_api::AgentStatus). It is read field by field: the
/// agent may be of another version.
fn ask(mut stream: UnixStream) -> anyhow::Result<Value> {
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream
        .write_all(b"GET /agent/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .context("the agent does not listen")?;
    let mut text = String::new();
    stream
        .take(MAX_ANSWER)
        .read_to_string(&mut text)
        .context("the agent does not answer")?;
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body);
    let answer: Option<Value> = body.and_then(|body| serde_json::from_str(body).ok());
    let data = answer.map(|mut answer| answer["data"].take());
    data.filter(Value::is_object)
        .context("something else than an agent answers")
}

/// For people.
fn shown(status: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => "?".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let connection = &status["connection"];
    let is = |key: &str| connection[key] == true;
    let how = match (is("connected"), is("healthy")) {
        (true, true) => "connected",
        (true, false) => "connected, but the dashboard acknowledges no heartbeats",
        (false, _) => "not connected",
    };
    let mut lines = vec![format!("{}: {how}", text(&status["hostname"]))];
    let mut line = |name: &str, value: String| {
        // Reasons come from others: nothing in them may move the cursor.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        lines.push(format!("  {name:<12} {value}"));
    };
    line("dashboard", text(&status["monitor_url"]));
    if let Some(error) = connection["error"].as_str() {
        let attempts = text(&connection["reconnect_attempts"]);
        line(
            "attempts",
            format!("{attempts} failed; the last one: {error}"),
        );
    }
    let ack = connection["seconds_since_ack"].as_u64();
    line(
        "last ack",
        ack.map_or_else(
            || "none yet".to_owned(),
            |seconds| format!("{seconds} s ago"),
        ),
    );
    let heartbeats = &status["heartbeats"];
    line(
        "heartbeats",
        format!(
            "{} sent, {} acknowledged, one every {} s",
            text(&heartbeats["sent"]),
            text(&heartbeats["acknowledged"]),
            text(&status["interval"])
        ),
    );
    let activity = &status["activity"];
    if activity.is_object() {
        let phase = activity["phase"].as_str().unwrap_or("starting");
        let (command, run) = (text(&activity["command"]), text(&activity["run"]));
        line("run", format!("{command} ({phase}), {run}"));
    }
    for push in status["pushes"].as_array().into_iter().flatten() {
        let how = match push["error"].as_str() {
            Some(error) => format!("failing: {error}"),
            None => format!("{} delivered", text(&push["delivered"])),
        };
        line("push", format!("{}: {how}", text(&push["url"])));
    }
    let log = &status["heartbeat_log"];
    if log.is_object() {
        let how = match log["error"].as_str() {
            Some(error) => format!("failing: {error}"),
            None => format!("{} lines", text(&log["written"])),
        };
        line("log", format!("{}: {how}", text(&log["dir"])));
    }
    let usage = &status["usage"];
    if let (Some(bytes), Some(ms)) = (usage["memory"].as_u64(), usage["cpu_ms"].as_u64()) {
        let tenths = |number: u64, of: u64| format!("{}.{}", number / of, number % of * 10 / of);
        let (memory, seconds) = (tenths(bytes, 1_000_000), tenths(ms, 1000));
        line("needs", format!("{memory} MB, {seconds} s of CPU"));
    }
    line(
        "agent",
        format!(
            "{}, process {}, up {} s",
            text(&status["version"]),
            text(&status["pid"]),
            text(&status["uptime_s"])
        ),
    );
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_see() {
        let status = serde_json::json!({
            "hostname": "web1", "monitor_url": "wss://dash/ws", "interval": 30, "version": "1.0", "pid": 7, "uptime_s": 9,
            "connection": {"connected": false, "healthy": false, "reconnect_attempts": 2, "error": "no\u{1b}[2J route"},
            "heartbeats": {"sent": 5, "acknowledged": 4},
            "activity": {"command": "switch", "phase": null, "run": "id"},
            "usage": {"memory": 5_430_000, "cpu_ms": 1250},
            "pushes": [{"url": "http://a/", "delivered": 3, "error": null}, {"url": "http://b/", "error": "401"}],
            "heartbeat_log": {"dir": "/l", "written": 8, "error": null}
        });
        let expected = "\
web1: not connected
  dashboard    wss://dash/ws
  attempts     2 failed; the last one: no[2J route
  last ack     none yet
  heartbeats   5 sent, 4 acknowledged, one every 30 s
  run          switch (starting), id
  push         http://a/: 3 delivered
  push         http://b/: failing: 401
  log          /l: 8 lines
  needs        5.4 MB, 1.2 s of CPU
  agent        1.0, process 7, up 9 s";
        assert_eq!(shown(&status), expected);
        // An agent that says less is shown as well.
        assert!(shown(&serde_json::json!({})).starts_with("?: not connected\n"));
    }
}
