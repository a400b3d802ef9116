//! `hosts`, `host` and `open`.

use std::process::Stdio;

use serde_json::{Value, json};

use super::client::Client;
use super::exit::Exit;
use super::output::Output;
use super::{progress, resources, runs, text};
use crate::base::clock;
use crate::run::id::HostName;
use crate::run::progress_line::remaining;
use crate::wire::api::{Absence, Host, HostEdit, HostEvents, HostStatus, Hosts, Runs};

/// Runs that `host` shows, and events.
const NEWEST: usize = 5;
/// A clock that is less wrong is right enough, in milliseconds.
const SKEW: u64 = 2000;

pub fn list(client: &Client, out: &Output) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.document(&client.get::<Value>("/api/hosts")?)?;
    } else {
        let hosts: Hosts = client.get("/api/hosts")?;
        out.text(&table(&hosts.hosts))?;
    }
    Ok(Exit::Success)
}

pub fn show(client: &Client, out: &Output, name: &HostName) -> anyhow::Result<Exit> {
    if out.is_json() {
        out.document(&client.get::<Value>(&format!("/api/hosts/{name}"))?)?;
        return Ok(Exit::Success);
    }
    let host: Host = client.get(&format!("/api/hosts/{name}"))?;
    let newest: Runs = client.get(&format!("/api/runs?host={name}&limit={NEWEST}"))?;
    let mut shown = details(&host);
    if !newest.runs.is_empty() {
        shown.push('\n');
        shown.push_str(&runs::table(&newest.runs, clock::now()));
    }
    let happened: HostEvents = client.get(&format!("/api/hosts/{name}/events?limit={NEWEST}"))?;
    if !happened.events.is_empty() {
        shown.push('\n');
        shown.push_str(&events(&happened, clock::now()));
    }
    out.text(&shown)?;
    Ok(Exit::Success)
}

/// Replaces a host's tags.
pub fn tag(
    client: &Client,
    out: &Output,
    name: &HostName,
    tags: &[String],
) -> anyhow::Result<Exit> {
    let edit = HostEdit {
        tags: Some(tags.to_vec()),
        ..HostEdit::default()
    };
    let changed: Value = client.put(&format!("/api/hosts/{name}"), &edit)?;
    if out.is_json() {
        out.document(&changed)?;
    } else {
        let host: Host = serde_json::from_value(changed)?;
        let words = if host.tags.is_empty() {
            String::from("no tags")
        } else {
            host.tags.join(" ")
        };
        out.text(&format!(
            "{}: {}\n",
            text::plain(&host.hostname),
            text::plain(&words)
        ))?;
    }
    Ok(Exit::Success)
}

fn status(host: &Host) -> &'static str {
    match host.status {
        HostStatus::Online => "online",
        HostStatus::Offline => match host.liveness.absence {
            Some(Absence::Maintenance) => "offline (maintenance)",
            Some(Absence::Expected) => "offline (expected)",
            None => "offline",
        },
        HostStatus::Reconnecting => "reconnecting",
        HostStatus::NeverSeen => "never seen",
    }
}

fn doing(host: &Host) -> String {
    let Some(activity) = &host.activity else {
        return String::from("-");
    };
    let phase = activity.phase.map_or("starting", |phase| phase.name());
    let count = activity.progress.as_ref().and_then(progress::count);
    let count = count.map_or_else(String::new, |count| format!(" {count}"));
    // Nothing is said of what nobody knows, nor of a host that nobody hears from.
    let online = host.status == HostStatus::Online;
    let left = activity.eta.filter(|eta| online && eta.seconds.is_some());
    let left = left.map(|eta| format!(", {}", remaining(progress::left(eta))));
    format!(
        "{}: {phase}{count}{}",
        activity.command,
        left.unwrap_or_default()
    )
}

fn last_seen(host: &Host) -> String {
    host.last_heartbeat_age_ms.map_or_else(
        || {
            let at = host.last_seen.as_deref().and_then(clock::parse_rfc3339);
            at.map_or_else(
                || String::from("never"),
                |at| format!("{} ago", text::age(clock::now().saturating_sub(at))),
            )
        },
        |age| format!("{} ago", text::age(age)),
    )
}

/// How wrong its clock is, if it is.
fn skew(host: &Host) -> String {
    let wrong = host.liveness.clock_skew_ms;
    let Some(ms) = wrong.filter(|ms| ms.unsigned_abs() > SKEW) else {
        return String::new();
    };
    let way = if ms < 0 { "behind" } else { "ahead of" };
    let seconds = ms.unsigned_abs() as f64 / 1000.0;
    format!("{seconds:.1} s {way} the dashboard's")
}

/// What happened, newest first.
fn events(happened: &HostEvents, now: u64) -> String {
    let rows: Vec<Vec<String>> = happened
        .events
        .iter()
        .map(|event| {
            let at = clock::parse_rfc3339(&event.at);
            let age = at.map_or_else(String::new, |at| text::age(now.saturating_sub(at)));
            vec![
                event.kind.name().replace('_', " "),
                format!("{age} ago"),
                event.detail.clone(),
            ]
        })
        .collect();
    text::table(&["EVENT", "WHEN", "DETAIL"], &rows)
}

/// `/nix/store/HASH-NAME` as NAME; anything else as it is.
fn generation(host: &Host) -> &str {
    host.generation
        .strip_prefix("/nix/store/")
        .and_then(|path| path.split_once('-'))
        .map_or(host.generation.as_str(), |(_, name)| name)
}

/// The hosts as a table.
pub fn table(hosts: &[Host]) -> String {
    let rows: Vec<Vec<String>> = hosts
        .iter()
        .map(|host| {
            vec![
                host.hostname.clone(),
                status(host).to_owned(),
                doing(host),
                generation(host).to_owned(),
                last_seen(host),
                host.agent_version.clone(),
            ]
        })
        .collect();
    text::table(
        &[
            "HOST",
            "STATUS",
            "DOING",
            "GENERATION",
            "LAST SEEN",
            "AGENT",
        ],
        &rows,
    )
}

fn details(host: &Host) -> String {
    let metrics = host.metrics.map_or_else(
        || String::from("-"),
        |metrics| {
            format!(
                "cpu {:.0} %, memory {:.0} %, swap {:.0} %, load {:.2}",
                metrics.cpu, metrics.ram, metrics.swap, metrics.load
            )
        },
    );
    let commands: Vec<&str> = host
        .commands
        .iter()
        .map(|command| command.name.as_str())
        .collect();
    let maintenance = host.liveness.maintenance.as_ref();
    let maintenance = maintenance.map_or_else(String::new, |own| {
        let until = text::minute(&own.until);
        format!("by {} until {until} {}", own.by, own.reason)
    });
    let flaps = match host.liveness.flaps {
        0 => String::new(),
        n => format!("{n} times in the last hour"),
    };
    let mut rows = vec![
        ("Host", host.hostname.clone()),
        (
            "Status",
            format!("{}, last seen {}", status(host), last_seen(host)),
        ),
        ("Doing", doing(host)),
        ("System", format!("{} {}", host.host_type, host.os_version)),
        ("Generation", host.generation.clone()),
        ("Metrics", metrics),
        (
            "Agent",
            format!("{}, protocol {}", host.agent_version, host.protocol),
        ),
        ("Clock", skew(host)),
        ("Maintenance", maintenance),
        ("Went away", flaps),
        ("Commands", commands.join(" ")),
        ("Comment", host.comment.clone()),
    ];
    rows.extend(resources::rows(host));
    rows.iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .fold(String::new(), |shown, (name, value)| {
            format!("{shown}{name:13}{}\n", text::plain(value))
        })
}

pub fn open(client: &Client, out: &Output) -> anyhow::Result<Exit> {
    let program = if cfg!(target_os = "macos") {
        "open"
    } else {
        "xdg-open"
    };
    let started = std::process::Command::new(program)
        .arg(client.base())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if out.is_json() {
        out.document(&json!({ "url": client.base(), "opened": started }))?;
    } else if started {
        out.text(&format!("opened {}\n", text::plain(client.base())))?;
    } else {
        out.text(&format!(
            "open {} in a browser\n",
            text::plain(client.base())
        ))?;
    }
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests;
