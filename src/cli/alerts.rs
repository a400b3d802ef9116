//! `alerts`.

use serde_json::Value;

use super::client::Client;
use super::exit::Exit;
use super::output::Output;
use super::text;
use crate::base::clock;
use crate::wire::api::{Alert, AlertChannel, AlertChannels, Alerts, ChannelTest};

pub fn list(client: &Client, out: &Output, all: bool, limit: u32) -> anyhow::Result<Exit> {
    let state = if all { "" } else { "&state=firing" };
    let path = format!("/api/alerts?limit={limit}{state}");
    if out.is_json() {
        out.document(&client.get::<Value>(&path)?)?;
        return Ok(Exit::Success);
    }
    let found: Alerts = client.get(&path)?;
    if found.alerts.is_empty() {
        out.text("nothing fires\n")?;
    } else {
        out.text(&table(&found.alerts, clock::now()))?;
    }
    Ok(Exit::Success)
}

pub fn channels(client: &Client, out: &Output) -> anyhow::Result<Exit> {
    let path = "/api/alerts/channels";
    if out.is_json() {
        out.document(&client.get::<Value>(path)?)?;
        return Ok(Exit::Success);
    }
    let found: AlertChannels = client.get(path)?;
    if found.channels.is_empty() {
        out.text(
            "no channel is configured: write [[channel]] into the dashboard's configuration\n",
        )?;
    } else {
        out.text(&channel_table(&found.channels, clock::now()))?;
    }
    Ok(Exit::Success)
}

pub fn test(client: &Client, out: &Output, channel: &str) -> anyhow::Result<Exit> {
    let path = format!("/api/alerts/channels/{}/test", in_path(channel));
    let tested: ChannelTest = client.post(&path, &serde_json::json!({}))?;
    if out.is_json() {
        out.document(&tested)?;
    } else if let Some(why) = &tested.error {
        eprintln!("nixfleet: the test did not arrive: {}", text::plain(why));
    } else {
        out.text("the test has arrived\n")?;
    }
    Ok(if tested.error.is_some() {
        Exit::Error
    } else {
        Exit::Success
    })
}

/// A name as a part of a path.
fn in_path(name: &str) -> String {
    use std::fmt::Write as _;
    let mut path = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

fn ago(at: Option<&str>, now: u64) -> String {
    let at = at.and_then(clock::parse_rfc3339);
    at.map_or_else(
        || String::from("-"),
        |at| format!("{} ago", text::age(now.saturating_sub(at))),
    )
}

fn table(alerts: &[Alert], now: u64) -> String {
    let rows: Vec<Vec<String>> = alerts
        .iter()
        .map(|alert| {
            let state = alert.recovered_at.as_ref().map_or("firing", |_| "over");
            vec![
                alert.severity.clone(),
                state.to_owned(),
                alert.host.clone().unwrap_or_else(|| String::from("-")),
                ago(Some(&alert.started_at), now),
                alert.rule.clone(),
                alert.summary.clone(),
            ]
        })
        .collect();
    text::table(
        &["SEVERITY", "STATE", "HOST", "BEGAN", "RULE", "WHAT"],
        &rows,
    )
}

fn channel_table(channels: &[AlertChannel], now: u64) -> String {
    let rows: Vec<Vec<String>> = channels
        .iter()
        .map(|channel| {
            vec![
                channel.name.clone(),
                channel.kind.clone(),
                channel.queued.to_string(),
                channel.failed.to_string(),
                ago(channel.last_sent_at.as_deref(), now),
                channel.last_error.clone().unwrap_or_default(),
            ]
        })
        .collect();
    text::table(
        &[
            "CHANNEL",
            "KIND",
            "WAITING",
            "GIVEN UP",
            "LAST TOLD",
            "LAST ERROR",
        ],
        &rows,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_as_a_table_with_nothing_that_a_terminal_obeys() {
        let alert = |host: Option<&str>, recovered: Option<&str>, summary: &str| Alert {
            id: String::new(),
            rule: "disk".into(),
            on: "disk".into(),
            severity: "warning".into(),
            state: "firing".into(),
            host: host.map(str::to_owned),
            object: "/".into(),
            summary: summary.into(),
            value: None,
            run: None,
            started_at: "1970-01-01T00:00:01.000Z".into(),
            fired_at: "1970-01-01T00:00:01.000Z".into(),
            recovered_at: recovered.map(str::to_owned),
            ended: None,
            deliveries: Vec::new(),
        };
        let alerts = [
            alert(Some("web1"), None, "the disk /\u{1b}[2J is 93 % full"),
            alert(None, Some("1970-01-01T00:00:02.000Z"), "ended"),
        ];
        expect_test::expect![[r"
            SEVERITY  STATE   HOST  BEGAN   RULE  WHAT
            warning   firing  web1  2m ago  disk  the disk /\u{1b}[2J is 93 % full
            warning   over    -     2m ago  disk  ended
        "]]
        .assert_eq(&table(&alerts, 121_000));
        assert_eq!(in_path("on call/ä"), "on%20call%2F%C3%A4");
    }
}
