//! `capacity`: where there is room.

use std::fmt::Write as _;

use serde_json::Value;

use super::args::Needs;
use super::client::Client;
use super::exit::Exit;
use super::output::Output;
use super::resources::bytes;
use super::text;
use crate::wire::api::{Capacity, HostCapacity};

pub fn list(client: &Client, out: &Output, needs: &Needs) -> anyhow::Result<Exit> {
    let path = path(needs);
    if out.is_json() {
        out.document(&client.get::<Value>(&path)?)?;
        return Ok(Exit::Success);
    }
    out.text(&shown(&client.get(&path)?))?;
    Ok(Exit::Success)
}

fn path(needs: &Needs) -> String {
    let mut path = String::from("/api/capacity");
    let mut sign = '?';
    let mut add = |name: &str, value: &str| {
        // Numbers are plain; of other texts only what an address may hold goes unescaped.
        let _ = write!(path, "{sign}{name}=");
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.,:".contains(&byte) {
                path.push(char::from(byte));
            } else {
                let _ = write!(path, "%{byte:02X}");
            }
        }
        sign = '&';
    };
    for (name, value) in [
        ("min_cores", needs.cores),
        ("min_memory_gb", needs.memory_gb),
        ("min_vram_gb", needs.vram_gb),
    ] {
        if let Some(value) = value {
            add(name, &value.to_string());
        }
    }
    if !needs.tags.is_empty() {
        add("tag", &needs.tags.join(","));
    }
    for (name, value) in [
        ("location", &needs.location),
        ("device_type", &needs.device_type),
    ] {
        if let Some(value) = value {
            add(name, value);
        }
    }
    path
}

fn shown(capacity: &Capacity) -> String {
    let rows: Vec<Vec<String>> = capacity.hosts.iter().map(row).collect();
    let mut shown = if rows.is_empty() {
        String::from("no host has that free\n")
    } else {
        text::table(
            &["HOST", "CORES", "MEMORY", "VRAM", "RUNNING", "TAGS", "AGE"],
            &rows,
        )
    };
    let left = capacity.left_out;
    let words: Vec<String> = [
        (left.filtered, "without enough"),
        (left.unknown, "without fresh readings"),
        (left.offline, "not online"),
    ]
    .iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, why)| format!("{n} {why}"))
    .collect();
    if !words.is_empty() {
        let _ = writeln!(shown, "left out: {}", words.join(", "));
    }
    shown
}

fn row(host: &HostCapacity) -> Vec<String> {
    let unknown = || String::from("-");
    let cores = host.cores_available.map_or_else(unknown, |free| {
        let all = host.resources.cores;
        all.map_or_else(|| format!("{free:.1}"), |all| format!("{free:.1} of {all}"))
    });
    vec![
        host.host.clone(),
        cores,
        host.memory_available.map_or_else(unknown, bytes),
        host.vram_available.map_or_else(unknown, bytes),
        host.running.clone().unwrap_or_else(unknown),
        host.tags.join(" "),
        text::age(host.resources.age_ms),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::api::LeftOut;
    use crate::wire::resources::Resources;

    #[test]
    fn what_is_asked_for_goes_into_the_address() {
        let needs = Needs {
            cores: Some(4.0),
            memory_gb: Some(0.5),
            vram_gb: None,
            tags: vec!["build".into(), "a&b=c".into()],
            location: Some("rack 2".into()),
            device_type: None,
        };
        assert_eq!(
            path(&needs),
            "/api/capacity?min_cores=4&min_memory_gb=0.5&tag=build,a%26b%3Dc&location=rack%202"
        );
        assert_eq!(path(&Needs::default()), "/api/capacity");
    }

    #[test]
    fn hosts_with_room_as_a_table() {
        let capacity = Capacity {
            hosts: vec![HostCapacity {
                host: "web1".into(),
                tags: vec!["build".into()],
                cores_available: Some(2.5),
                memory_available: Some(8_000_000_000),
                resources: Resources {
                    age_ms: 4000,
                    cores: Some(8),
                    ..Resources::default()
                },
                ..HostCapacity::default()
            }],
            left_out: LeftOut {
                offline: 2,
                unknown: 0,
                filtered: 1,
            },
        };
        expect_test::expect![[r"
            HOST  CORES     MEMORY  VRAM  RUNNING  TAGS   AGE
            web1  2.5 of 8  8.0 GB  -     -        build  4s
            left out: 1 without enough, 2 not online
        "]]
        .assert_eq(&shown(&capacity));
        assert_eq!(shown(&Capacity::default()), "no host has that free\n");
    }
}
