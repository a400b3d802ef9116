//! What an agent reads of its host, in the two messages that carry it.

use super::check;
use crate::wire::resources::{
    AgentUsage, Amount, Disk, FailedUnits, Gpu, GpuKind, HostFacts, Resources,
};
use crate::wire::to_dashboard::{Heartbeat, Register, ToDashboard};

fn mebibytes(total: u64, available: u64) -> Amount {
    Amount {
        total: total << 20,
        available: available << 20,
    }
}

#[test]
fn in_a_heartbeat() {
    let disk = |mount: &str, amount, store| Disk {
        mount: mount.into(),
        amount,
        store,
    };
    check(
        "heartbeat_resources",
        &ToDashboard::Heartbeat(Box::new(Heartbeat {
            n: 7,
            at: Some(1_769_847_330_250),
            resources: Some(Resources {
                age_ms: 2500,
                load: Some([0.52, 1.0, 0.44]),
                cores: Some(16),
                cores_available: Some(15.48),
                memory: Some(mebibytes(32_013, 20_480)),
                swap: Some(mebibytes(8191, 8191)),
                disks: vec![
                    disk("/", mebibytes(475_766, 189_664), false),
                    disk("/nix", mebibytes(952_603, 475_766), true),
                    disk(
                        "/odd",
                        Amount {
                            total: 1_000_001,
                            available: 17,
                        },
                        false,
                    ),
                ],
                uptime_s: Some(864_000),
                gpu: Some(GpuKind::Nvidia),
                gpus: vec![
                    Gpu {
                        name: "NVIDIA GeForce RTX 4090".into(),
                        vram: Some(mebibytes(24_564, 23_552)),
                        percent: Some(3.0),
                        temperature: Some(45.0),
                    },
                    Gpu {
                        name: "NVIDIA T4".into(),
                        ..Gpu::default()
                    },
                ],
                temperature: Some(52.25),
                failed_units: Some(FailedUnits {
                    count: 1,
                    names: vec!["nginx.service".into()],
                }),
                reboot_for: Some(vec!["kernel".into(), "modules".into()]),
            }),
            agent: Some(AgentUsage {
                memory: 4_915_200,
                cpu_ms: 12_345,
            }),
            ..Heartbeat::default()
        })),
    );
}

#[test]
fn in_a_registration() {
    check(
        "register_facts",
        &ToDashboard::Register(Box::new(Register {
            hostname: "web1".into(),
            protocol: Some(3),
            offline_after: Some(3),
            at: Some(1_769_847_330_250),
            facts: Some(HostFacts {
                os: "NixOS 26.05 (Yarara)".into(),
                kernel: "6.18.2".into(),
                architecture: "x86_64".into(),
                boot_id: Some("5f0c2b1a-7a5c-4d3e-8b1f-2f6c9e4d5a10".into()),
            }),
            ..Register::default()
        })),
    );
}
