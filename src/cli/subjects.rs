//! `publish`, `subscribe`, `request`: messages by subject.

use std::io::Read as _;

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::client::Client;
use super::exit::Exit;
use super::output::Output;
use super::sse::Events;
use super::text;
use crate::wire::MAX_PAYLOAD;
use crate::wire::subject::{Organization, Pattern, Subject};
use crate::wire::to_agent::Message;

/// How long a request may wait, in seconds: as long as the dashboard takes it.
const MAX_TIMEOUT: f64 = 25.0;

/// The message on the command line or, for `-`, on standard input.
fn payload(written: &str) -> anyhow::Result<Value> {
    let mut read = String::new();
    let json = if written == "-" {
        // One byte more than may be, so that too much is told from just enough.
        std::io::stdin()
            .take(MAX_PAYLOAD as u64 + 1)
            .read_to_string(&mut read)
            .context("reading the message from standard input")?;
        read.as_str()
    } else {
        written
    };
    anyhow::ensure!(
        json.len() <= MAX_PAYLOAD,
        "the message has more than {MAX_PAYLOAD} bytes; send less, or where to fetch it"
    );
    serde_json::from_str(json).with_context(|| {
        format!(
            "the message is no JSON; write such as '{{\"id\": 7}}', or '\"{}\"' for a text",
            text::plain(&json.chars().take(20).collect::<String>())
        )
    })
}

pub fn publish(
    client: &Client,
    out: &Output,
    subject: &Subject,
    written: &str,
    organization: &Organization,
) -> anyhow::Result<Exit> {
    #[derive(Deserialize, serde::Serialize)]
    struct Answer {
        delivered: u32,
    }
    let body = json!({
        "subject": subject,
        "payload": payload(written)?,
        "organization": organization,
    });
    let answer: Answer = client.post("/api/publish", &body)?;
    if out.is_json() {
        out.document(&answer)?;
    } else {
        let line = match answer.delivered {
            0 => "nobody listens".to_owned(),
            1 => "1 listener has it".to_owned(),
            n => format!("{n} listeners have it"),
        };
        out.text(&format!("{line}\n"))?;
    }
    Ok(Exit::Success)
}

pub fn request(
    client: &Client,
    out: &Output,
    (subject, written): (&Subject, &str),
    timeout: f64,
    organization: &Organization,
) -> anyhow::Result<Exit> {
    anyhow::ensure!(
        timeout > 0.0 && timeout <= MAX_TIMEOUT,
        "--timeout {timeout}: write seconds, more than 0 and at most {MAX_TIMEOUT}"
    );
    let body = json!({
        "subject": subject,
        "payload": payload(written)?,
        "organization": organization,
        "timeout_ms": (timeout * 1000.0).ceil() as u64,
    });
    let answer: Message = client.post("/api/request", &body)?;
    if out.is_json() {
        out.document(&answer)?;
    } else {
        out.text(&format!("{}\n", shown(&answer.payload)))?;
    }
    Ok(Exit::Success)
}

pub fn subscribe(
    client: &Client,
    out: &Output,
    patterns: &[Pattern],
    organization: &Organization,
) -> anyhow::Result<Exit> {
    let mut events = Events::open(client, path(patterns, organization))?;
    loop {
        let event = events.next_event()?;
        match event.event.as_str() {
            "message" => {
                let message: Message = serde_json::from_str(&event.data)
                    .context("the dashboard sent a message that is none")?;
                if out.is_json() {
                    out.document(&message)?;
                } else {
                    let (from, payload) = (text::plain(&message.from), shown(&message.payload));
                    out.text(&format!("{}  {from}  {payload}\n", message.subject))?;
                }
            }
            // On standard error: what is counted here is not a message.
            "dropped" => eprintln!(
                "nixfleet: too slow, messages were dropped: {}",
                text::plain(&event.data)
            ),
            "listening" => eprintln!("nixfleet: listening"),
            _ => {}
        }
    }
}

/// JSON on one line, safe on a terminal.
fn shown(payload: &Value) -> String {
    text::plain(&payload.to_string()).into_owned()
}

fn path(patterns: &[Pattern], organization: &Organization) -> String {
    // The other characters of a pattern stand for themselves in a query.
    let patterns: String = patterns
        .iter()
        .map(|pattern| pattern.as_str().replace('>', "%3E"))
        .flat_map(|pattern| ["subject=".to_owned(), pattern, "&".to_owned()])
        .collect();
    format!("/api/subscribe?{patterns}organization={organization}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_json_and_not_too_large() {
        assert_eq!(payload(r#"{"a": [1]}"#).unwrap(), json!({ "a": [1] }));
        let error = format!("{:#}", payload("hello").unwrap_err());
        assert!(
            error.contains("is no JSON") && error.contains("'\"hello\"'"),
            "{error}"
        );
        let error = payload(&"1".repeat(MAX_PAYLOAD + 1))
            .unwrap_err()
            .to_string();
        assert!(error.contains("more than 65536 bytes"), "{error}");
    }

    #[test]
    fn the_address_of_a_subscription() {
        let patterns = ["a.*", "b:1.$x.>"].map(|text| text.parse().unwrap());
        let path = path(&patterns, &"acme".parse().unwrap());
        assert_eq!(
            path,
            "/api/subscribe?subject=a.*&subject=b:1.$x.%3E&organization=acme"
        );
    }

    #[test]
    fn what_an_agent_says_does_not_reach_the_terminal_as_it_is() {
        let shown = shown(&json!("\u{1b}[31m\u{9b}31m\u{202e}"));
        assert!(!shown.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{shown}");
    }
}
