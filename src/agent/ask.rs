//! `nixfleet-agent status`: asks the agent that runs here how it is.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::agent::config_file::ConfigFile;
use crate::agent::environment::Environment;
use crate::agent::{local_api, state_dir};
use crate::base::config_file;
use crate::wire::local_api::{AgentStatus, Answer};

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
                serde_json::to_string_pretty(&status).unwrap_or_default()
            } else {
                shown(&status)
            };
            // Whoever closed the pipe has read enough.
            let _ = writeln!(std::io::stdout(), "{text}");
            if status.connection.healthy {
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

fn status(config: Option<&Path>) -> anyhow::Result<AgentStatus> {
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

fn ask(mut stream: UnixStream) -> anyhow::Result<AgentStatus> {
    stream.set_read_timeout(Some(DEADLINE))?;
    stream.set_write_timeout(Some(DEADLINE))?;
    stream
        .write_all(b"GET /agent/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .context("the agent does not listen")?;
    let mut bytes = Vec::new();
    stream
        .take(MAX_ANSWER)
        .read_to_end(&mut bytes)
        .context("the agent does not answer")?;
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut headers);
    let Ok(httparse::Status::Complete(length)) = head.parse(&bytes) else {
        bail!("something else than an agent answers");
    };
    let answer: Answer<AgentStatus> =
        serde_json::from_slice(&bytes[length..]).context("an agent of another version answers")?;
    Ok(answer.data)
}

/// For people.
fn shown(status: &AgentStatus) -> String {
    let connection = &status.connection;
    let how = match (connection.connected, connection.healthy) {
        (true, true) => "connected",
        (true, false) => "connected, but the dashboard acknowledges no heartbeats",
        (false, _) => "not connected",
    };
    let mut lines = vec![format!("{}: {how}", status.hostname)];
    let mut line = |name: &str, value: String| {
        // Reasons come from others: nothing in them may move the cursor.
        let value: String = value.chars().filter(|c| !c.is_control()).collect();
        lines.push(format!("  {name:<12} {value}"));
    };
    line("dashboard", status.monitor_url.clone());
    if let Some(error) = &connection.error {
        let attempts = connection.reconnect_attempts;
        line(
            "attempts",
            format!("{attempts} failed; the last one: {error}"),
        );
    }
    line(
        "last ack",
        connection.seconds_since_ack.map_or_else(
            || "none yet".to_owned(),
            |seconds| format!("{seconds} s ago"),
        ),
    );
    line(
        "heartbeats",
        format!(
            "{} sent, {} acknowledged, one every {} s",
            status.heartbeats.sent, status.heartbeats.acknowledged, status.interval
        ),
    );
    if let Some(activity) = &status.activity {
        let phase = activity.phase.map_or("starting", |phase| phase.name());
        line(
            "run",
            format!("{} ({phase}), {}", activity.command, activity.run),
        );
    }
    for push in &status.pushes {
        let how = match &push.error {
            Some(error) => format!("failing: {error}"),
            None if push.delivered > 0 => format!("{} delivered", push.delivered),
            None => "none delivered yet".to_owned(),
        };
        line("push", format!("{}: {how}", push.url));
    }
    if let Some(log) = &status.heartbeat_log {
        let how = match &log.error {
            Some(error) => format!("failing: {error}"),
            None => format!("{} lines", log.written),
        };
        line("log", format!("{}: {how}", log.dir));
    }
    if let Some(usage) = &status.usage {
        let (megabytes, seconds) = (usage.memory as f64 / 1e6, usage.cpu_ms as f64 / 1000.0);
        line("needs", format!("{megabytes:.1} MB, {seconds:.1} s of CPU"));
    }
    line(
        "agent",
        format!(
            "{}, process {}, up {} s",
            status.version, status.pid, status.uptime_s
        ),
    );
    lines.join("\n")
}
