use super::*;
use crate::wire::to_dashboard::{Heartbeat, Metrics, ToDashboard};

fn amount(total: u64, available: u64) -> Amount {
    Amount { total, available }
}

/// Two disks, a GPU, nothing wrong.
fn typical() -> Resources {
    Resources {
        age_ms: 29_876,
        load: Some([0.52, 0.48, 0.44]),
        cores: Some(16),
        cores_available: Some(15.48),
        memory: Some(bytes(32_013, 20_480)),
        swap: Some(bytes(8191, 8191)),
        disks: vec![
            Disk {
                mount: "/".into(),
                amount: bytes(475_766, 189_664),
                store: false,
            },
            Disk {
                mount: "/nix".into(),
                amount: bytes(952_603, 475_766),
                store: true,
            },
        ],
        uptime_s: Some(8_640_000),
        gpu: Some(GpuKind::Nvidia),
        gpus: vec![Gpu {
            name: "NVIDIA GeForce RTX 4090".into(),
            vram: Some(bytes(24_564, 23_552)),
            percent: Some(3.0),
            temperature: Some(45.0),
        }],
        temperature: Some(52.25),
        failed_units: Some(FailedUnits::default()),
        reboot_for: Some(Vec::new()),
    }
}

fn heartbeat(resources: Option<Resources>) -> Heartbeat {
    Heartbeat {
        n: 100_000,
        generation: "1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b".into(),
        nixpkgs_version: "25.11.20260101.abcdef1".into(),
        at: Some(1_769_847_330_250),
        resources,
        agent: Some(crate::wire::resources::AgentUsage {
            memory: 4_915_200,
            cpu_ms: 123_456,
        }),
        ..Heartbeat::default()
    }
}

fn json(resources: Resources) -> String {
    let heartbeat = heartbeat(Some(resources));
    let text = serde_json::to_string(&heartbeat).unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        serde_json::from_str::<Heartbeat>(&text).unwrap(),
        heartbeat,
        "{text}"
    );
    value["resources"].to_string()
}

#[test]
fn a_heartbeat_with_resources_has_at_most_600_bytes_and_300_without() {
    let size = |heartbeat| {
        let message = ToDashboard::Heartbeat(Box::new(heartbeat));
        serde_json::to_string(&message).unwrap().len()
    };
    let (without, with) = (size(heartbeat(None)), size(heartbeat(Some(typical()))));
    println!("heartbeat: {without} bytes, with resources {with}");
    assert!(without <= 300, "{without} bytes");
    assert!(with <= 600, "{with} bytes");
    // With StaSysMo's numbers beside them.
    let all = size(Heartbeat {
        metrics: Some(Metrics {
            cpu: 12.5,
            ram: 48.5,
            swap: 0.0,
            load: 1.24,
        }),
        ..heartbeat(Some(typical()))
    });
    assert!(all <= 650, "{all} bytes");
}

#[test]
fn what_is_written_is_read_back() {
    let text = json(typical());
    assert!(text.contains(r#""memory":[32013,20480]"#), "{text}");
    assert!(
        text.contains(r#"["/",475766,189664],["/nix",952603,475766,1]"#),
        "{text}"
    );
    assert!(
        text.contains(r#"["NVIDIA GeForce RTX 4090",24564,23552,3,45]"#),
        "{text}"
    );
    assert!(!text.contains("cores_available"), "{text}");
    assert_eq!(json(Resources::default()), r#"{"age_ms":0}"#);
}

#[test]
fn what_has_no_short_form_is_written_at_length() {
    let odd = Resources {
        cores: Some(4),
        load: Some([1.0, 1.0, 1.0]),
        cores_available: Some(2.0),
        memory: Some(amount(1_000_001, 17)),
        disks: vec![Disk {
            mount: "/".into(),
            amount: amount(5, 2),
            store: true,
        }],
        gpus: vec![
            Gpu {
                vram: Some(amount(7, 3)),
                ..Gpu::default()
            },
            Gpu {
                percent: Some(0.5),
                ..Gpu::default()
            },
        ],
        failed_units: Some(FailedUnits {
            count: 12,
            names: vec!["a.service".into()],
        }),
        reboot_for: Some(vec!["kernel".into()]),
        ..Resources::default()
    };
    let text = json(odd.clone());
    assert!(text.contains(r#""cores_available":2"#), "{text}");
    assert!(text.contains(r#""total":1000001"#), "{text}");
    // No number of cores, and they are none of our business.
    json(Resources {
        cores: None,
        load: None,
        ..odd
    });
}

#[test]
fn what_others_write_at_length_is_read() {
    let long = serde_json::to_string(&typical()).unwrap();
    let text = format!(r#"{{"n":1,"resources":{long}}}"#);
    let read: Heartbeat = serde_json::from_str(&text).unwrap();
    assert_eq!(read.resources, Some(typical()));
    // What cannot be read is none: it costs no sign of life.
    for (text, some) in [
        ("{}", true),
        (r#"{"memory":[99999999999999,1],"unknown":{"a":1}}"#, true),
        (r#"{"memory":[1]}"#, false),
        (r#"{"memory":"much"}"#, false),
        (r#"{"disks":[["/",1]]}"#, false),
        ("7", false),
    ] {
        let text = format!(r#"{{"n":7,"resources":{text}}}"#);
        let read: Heartbeat = serde_json::from_str(&text).unwrap();
        assert_eq!((read.n, read.resources.is_some()), (7, some), "{text}");
    }
    assert_eq!(
        serde_json::from_str::<Heartbeat>("{}").unwrap().resources,
        None
    );
}
