//! `maintenance` and `absence`: hosts that may be away.

use serde_json::{Value, json};

use super::args::AbsenceIs;
use super::client::Client;
use super::exit::Exit;
use super::output::Output;
use super::text;
use crate::run::id::HostName;
use crate::wire::api::{AbsenceBody, Host, MaintenanceBody};

/// Puts hosts under maintenance for so many seconds, which become whole minutes.
pub fn begin(
    client: &Client,
    out: &Output,
    hosts: &[HostName],
    seconds: u64,
    reason: &str,
) -> anyhow::Result<Exit> {
    let body = MaintenanceBody {
        minutes: Some(seconds.div_ceil(60)),
        reason: reason.to_owned(),
        ..MaintenanceBody::default()
    };
    for host in hosts {
        let path = format!("/api/hosts/{host}/maintenance");
        let answer: Value = client.post(&path, &body)?;
        tell(out, &answer, |shown| {
            let until = shown.liveness.maintenance.as_ref();
            let until = until.map_or_else(String::new, |own| text::minute(&own.until));
            format!("{host} is under maintenance until {until}")
        })?;
    }
    Ok(Exit::Success)
}

/// Ends the maintenance of hosts.
pub fn end(client: &Client, out: &Output, hosts: &[HostName]) -> anyhow::Result<Exit> {
    for host in hosts {
        client.delete(&format!("/api/hosts/{host}/maintenance"))?;
        if out.is_json() {
            out.document(&json!({ "host": host, "maintenance": null }))?;
        } else {
            out.text(&format!("{host} is under no maintenance\n"))?;
        }
    }
    Ok(Exit::Success)
}

/// Says whether the absence of hosts is expected.
pub fn expect(
    client: &Client,
    out: &Output,
    hosts: &[HostName],
    what: AbsenceIs,
) -> anyhow::Result<Exit> {
    let expected = match what {
        AbsenceIs::Expected => Some(true),
        AbsenceIs::Unexpected => Some(false),
        AbsenceIs::Auto => None,
    };
    for host in hosts {
        let path = format!("/api/hosts/{host}/absence");
        let answer: Value = client.post(&path, &AbsenceBody { expected })?;
        tell(out, &answer, |shown| {
            let not = if shown.liveness.expected_absence {
                ""
            } else {
                "not "
            };
            format!("{host} is {not}expected to be away at times")
        })?;
    }
    Ok(Exit::Success)
}

fn tell(out: &Output, answer: &Value, words: impl Fn(&Host) -> String) -> anyhow::Result<()> {
    if out.is_json() {
        return Ok(out.document(answer)?);
    }
    let host: Host = serde_json::from_value(answer.clone())?;
    Ok(out.text(&format!("{}\n", words(&host)))?)
}
