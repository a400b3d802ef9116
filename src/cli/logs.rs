//! `logs`: a run's output, as far as it is there or until it ends.

use serde_json::Value;

use super::client::Client;
use super::exit::Exit;
use super::follow::{Watch, watch};
use super::output::Output;
use super::runs::{Which, find};
use super::text;
use crate::run::id::RunId;
use crate::wire::api::LogLines;

/// Lines asked for at a time.
const PAGE: u64 = 1000;

pub fn show(client: &Client, out: &Output, name: &str, follow: bool) -> anyhow::Result<Exit> {
    let run = find(client, name, Which::Newest)?;
    if follow {
        watch(client, out, &run, &Watch::alone())?;
        return Ok(Exit::Success);
    }
    let mut from = 1;
    let mut all: Vec<Value> = Vec::new();
    loop {
        let page: LogLines = client.get(&page_path(run, from))?;
        if page.lines.is_empty() || page.next <= from {
            break;
        }
        if out.is_json() {
            for line in &page.lines {
                all.push(serde_json::to_value(line)?);
            }
        } else {
            let mut shown = String::new();
            for line in &page.lines {
                shown.push_str(&text::line(&line.text, out.has_colour()));
                shown.push('\n');
            }
            out.text(&shown)?;
        }
        from = page.next;
    }
    if out.is_json() {
        out.document(&serde_json::json!({ "run": run, "lines": all, "next": from }))?;
    }
    Ok(Exit::Success)
}

fn page_path(run: RunId, from: u64) -> String {
    format!("/api/runs/{run}/log?from={from}&limit={PAGE}")
}
