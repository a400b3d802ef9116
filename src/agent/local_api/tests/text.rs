//! The figures as Prometheus reads them, looked at by a strict reader of its text format.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::agent::runs::Current;
use crate::run::event::Progress;
use crate::run::phase::Phase;
use crate::wire::resources::{Amount, Disk, Resources};
use crate::wire::resources::{FailedUnits, Gpu, GpuKind};

/// Reads the text; any line that is not as it should be ends the test. Answers samples by name and labels.
fn read(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let (mut family, mut kind, mut helped) = (String::new(), String::new(), String::new());
    assert!(text.ends_with('\n'), "the last line ends");
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert!(help.ends_with('.') && help.len() > 8, "{line}");
            helped = name.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, is) = rest.split_once(' ').unwrap();
            assert_eq!(name, helped, "HELP comes before TYPE");
            assert!(["gauge", "counter"].contains(&is), "{line}");
            assert_eq!(name.ends_with("_total"), is == "counter", "{line}");
            assert!(seen.insert(name.to_owned()), "{name} twice");
            let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(
                name.starts_with("nixfleet_agent_") && name.chars().all(valid),
                "{name}"
            );
            for unit in ["percent", "_ms", "_kb", "minutes"] {
                assert!(!name.contains(unit), "{name}: base units");
            }
            (family, kind) = (name.to_owned(), is.to_owned());
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert_eq!(name, family, "{line}");
            if let Some(labels) = series
                .strip_prefix(name)
                .filter(|labels| !labels.is_empty())
            {
                let inner = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap();
                let (label, text) = inner.split_once("=\"").unwrap();
                let text = text.strip_suffix('"').unwrap();
                assert!(label.chars().all(|c| c.is_ascii_lowercase()), "{line}");
                let plain = text
                    .replace("\\\\", "")
                    .replace("\\\"", "")
                    .replace("\\n", "");
                assert!(!plain.contains(['"', '\\', '\n']), "{line}");
            }
            let value: f64 = value.parse().unwrap();
            assert!(
                value.is_finite() && (kind != "counter" || value >= 0.0),
                "{line}"
            );
            assert!(
                samples.insert(series.to_owned(), value).is_none(),
                "{series} twice"
            );
        }
    }
    samples
}

#[tokio::test]
async fn an_agent_that_knows_nothing_has_a_text_as_well() {
    let api = Api::new(Arc::new(told().status));
    let samples = read(&prometheus::text(&api));
    for series in ["connected", "healthy", "run_active"] {
        let value = samples[&format!("nixfleet_agent_{series}")];
        assert!(value.abs() < 1e-9, "{series} {value}");
    }
    assert!(!samples.contains_key("nixfleet_agent_last_ack_age_seconds"));
    assert!(
        samples
            .keys()
            .any(|key| key.starts_with("nixfleet_agent_build_info{version="))
    );
}

#[tokio::test]
async fn a_run_and_the_connection_are_told() {
    let told = told();
    told.health.send_modify(|health| {
        health.connected = true;
        health.last_ack = Some(Instant::now());
        (health.sent, health.acknowledged, health.attempts) = (9, 8, 3);
    });
    let mut current = Current::for_test("switch", 7);
    current.activity.phase = Some(Phase::Building);
    current.activity.since = 1_700_000_000_500;
    current.activity.progress = Some(Progress {
        done: 3,
        total: 10,
        ..Progress::default()
    });
    told.current.send_replace(Some(current));
    told.sample.send_replace(Sample::for_test(Some(metrics())));
    let api = Api::new(Arc::new(told.status));
    let samples = read(&prometheus::text(&api));
    for (series, value) in [
        ("connected", 1.0),
        ("healthy", 1.0),
        ("heartbeats_sent_total", 9.0),
        ("heartbeats_acknowledged_total", 8.0),
        ("reconnect_attempts", 3.0),
        ("run_active", 1.0),
        ("run_info{command=\"switch\"}", 1.0),
        ("run_phase{phase=\"building\"}", 1.0),
        ("run_phase{phase=\"evaluating\"}", 0.0),
        ("run_progress_done", 3.0),
        ("run_progress_expected", 10.0),
        ("run_start_time_seconds", 1_700_000_000.5),
        ("stasysmo_cpu_ratio", 0.1234),
    ] {
        assert!(
            (samples[&format!("nixfleet_agent_{series}")] - value).abs() < 1e-6,
            "{series}"
        );
    }
}

#[test]
fn all_figures_of_a_host() {
    let amount = |total, available| Amount { total, available };
    let resources = Resources {
        age_ms: 1500,
        load: Some([1.0, 2.0, 3.0]),
        cores: Some(8),
        cores_available: Some(7.0),
        memory: Some(amount(16_000_000_000, 8_000_000_000)),
        swap: Some(amount(4, 4)),
        disks: vec![
            Disk {
                mount: "/".into(),
                amount: amount(100, 50),
                store: true,
            },
            Disk {
                mount: "/a \"b\"\\\n".into(),
                amount: amount(10, 5),
                store: false,
            },
        ],
        uptime_s: Some(3600),
        gpu: Some(GpuKind::Amd),
        gpus: vec![
            Gpu {
                name: "x".into(),
                vram: Some(amount(8, 2)),
                percent: Some(50.0),
                temperature: None,
            },
            Gpu::default(),
        ],
        temperature: Some(61.5),
        failed_units: Some(FailedUnits {
            count: 2,
            names: vec![],
        }),
        reboot_for: Some(vec!["kernel".into()]),
    };
    let samples = read(&prometheus::host_text(&resources));
    for (series, value) in [
        ("resources_age_seconds", 1.5),
        ("host_load15", 3.0),
        ("host_memory_size_bytes", 16e9),
        ("host_disk_available_bytes{mount=\"/\"}", 50.0),
        ("host_disk_size_bytes{mount=\"/a \\\"b\\\"\\\\\\n\"}", 10.0),
        ("host_gpu_busy_ratio{gpu=\"0\"}", 0.5),
        ("host_gpu_memory_available_bytes{gpu=\"0\"}", 2.0),
        ("host_temperature_celsius", 61.5),
        ("host_failed_units", 2.0),
        ("host_reboot_needed", 1.0),
    ] {
        assert!(
            (samples[&format!("nixfleet_agent_{series}")] - value).abs() < 1e-6,
            "{series}"
        );
    }
    assert!(
        !samples.keys().any(|key| key.contains("gpu=\"1\"")),
        "unknown is absent"
    );
}
