//! What agents read of their hosts, one family after the other.

use super::text::{Kind, Text};
use crate::wire::resources::{Amount, MAX_DISKS, MAX_GPUS, Resources};

/// A number of a host, where there is one.
type Value = fn(&Resources) -> Option<f64>;

const SINGLE: &[(&str, &str, Value)] = &[
    (
        "nixfleet_host_resources_age_seconds",
        "How old the oldest of the host's readings was when its heartbeat was made.",
        |own| Some(own.age_ms as f64 / 1000.0),
    ),
    (
        "nixfleet_host_load1",
        "Load average over 1 minute.",
        |own| Some(own.load?[0]),
    ),
    (
        "nixfleet_host_load5",
        "Load average over 5 minutes.",
        |own| Some(own.load?[1]),
    ),
    (
        "nixfleet_host_load15",
        "Load average over 15 minutes.",
        |own| Some(own.load?[2]),
    ),
    (
        "nixfleet_host_cores",
        "Processors that may be used.",
        |own| own.cores.map(f64::from),
    ),
    (
        "nixfleet_host_cores_available",
        "Cores less the load of the last minute.",
        |own| own.cores_available,
    ),
    ("nixfleet_host_memory_size_bytes", "Main memory.", |own| {
        size(own.memory)
    }),
    (
        "nixfleet_host_memory_available_bytes",
        "Main memory that could still be used.",
        |own| available(own.memory),
    ),
    ("nixfleet_host_swap_size_bytes", "Swap.", |own| {
        size(own.swap)
    }),
    (
        "nixfleet_host_swap_available_bytes",
        "Swap that could still be used.",
        |own| available(own.swap),
    ),
    (
        "nixfleet_host_uptime_seconds",
        "Time since the host started.",
        |own| own.uptime_s.map(|seconds| seconds as f64),
    ),
    (
        "nixfleet_host_temperature_celsius",
        "The hottest sensor.",
        |own| own.temperature,
    ),
    (
        "nixfleet_host_failed_units",
        "systemd units that have failed.",
        |own| Some(f64::from(own.failed_units.as_ref()?.count)),
    ),
    (
        "nixfleet_host_reboot_needed",
        "Whether the next boot starts another kernel, initrd or modules than those that run.",
        |own| Some(f64::from(u8::from(!own.reboot_for.as_ref()?.is_empty()))),
    ),
    (
        "nixfleet_host_nix_store_size_bytes",
        "The file system that holds the Nix store.",
        |own| size(store(own)),
    ),
    (
        "nixfleet_host_nix_store_available_bytes",
        "What could still be written on the file system that holds the Nix store.",
        |own| available(store(own)),
    ),
];

fn size(amount: Option<Amount>) -> Option<f64> {
    Some(amount?.total as f64)
}

fn available(amount: Option<Amount>) -> Option<f64> {
    Some(amount?.available as f64)
}

fn store(own: &Resources) -> Option<Amount> {
    let disk = own.disks.iter().find(|disk| disk.store);
    disk.map(|disk| disk.amount)
}

/// A number of a disk.
type OfDisk = fn(Amount) -> u64;
const DISKS: &[(&str, &str, OfDisk)] = &[
    (
        "nixfleet_host_disk_size_bytes",
        "A file system, by where it is mounted.",
        |own| own.total,
    ),
    (
        "nixfleet_host_disk_available_bytes",
        "What an ordinary user could still write on a file system.",
        |own| own.available,
    ),
];

/// A number of a GPU.
type OfGpu = fn(&crate::wire::resources::Gpu) -> Option<f64>;
const GPUS: &[(&str, &str, OfGpu)] = &[
    (
        "nixfleet_host_gpu_memory_size_bytes",
        "A GPU's own memory.",
        |own| size(own.vram),
    ),
    (
        "nixfleet_host_gpu_memory_available_bytes",
        "A GPU's memory that could still be used.",
        |own| available(own.vram),
    ),
    (
        "nixfleet_host_gpu_used_ratio",
        "How busy a GPU is.",
        |own| Some(own.percent? / 100.0),
    ),
    (
        "nixfleet_host_gpu_temperature_celsius",
        "A GPU's temperature.",
        |own| own.temperature,
    ),
];

/// Writes the readings of `hosts`, each with its name.
pub fn write(text: &mut Text, hosts: &[(&str, &Resources)]) {
    for (name, help, value) in SINGLE {
        let mut family = text.family(name, Kind::Gauge, help);
        for (host, own) in hosts {
            if let Some(value) = value(own).filter(|value| value.is_finite()) {
                family.sample(&[("host", host)], value);
            }
        }
    }
    for (name, help, value) in DISKS {
        let mut family = text.family(name, Kind::Gauge, help);
        for (host, own) in hosts {
            for (n, disk) in own.disks.iter().take(MAX_DISKS).enumerate() {
                // Two series of one name would cost all of them.
                if own.disks[..n].iter().all(|other| other.mount != disk.mount) {
                    family.count(
                        &[("host", host), ("mount", &disk.mount)],
                        value(disk.amount),
                    );
                }
            }
        }
    }
    for (name, help, value) in GPUS {
        let mut family = text.family(name, Kind::Gauge, help);
        for (host, own) in hosts {
            for (n, gpu) in own.gpus.iter().take(MAX_GPUS).enumerate() {
                if let Some(value) = value(gpu).filter(|value| value.is_finite()) {
                    let n = n.to_string();
                    family.sample(&[("host", host), ("gpu", &n), ("name", &gpu.name)], value);
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::wire::resources::{Disk, FailedUnits, Gpu};

    /// As many as a host can have.
    pub fn most() -> Resources {
        let amount = Amount {
            total: 100,
            available: 25,
        };
        let disk = |n: usize| Disk {
            mount: format!("/disk{n}"),
            amount,
            store: n == 0,
        };
        let gpu = |n: usize| Gpu {
            name: format!("GPU {n}"),
            vram: Some(amount),
            percent: Some(50.0),
            temperature: Some(40.5),
        };
        Resources {
            age_ms: 1500,
            load: Some([0.5, 1.0, 1.5]),
            cores: Some(8),
            cores_available: Some(7.5),
            memory: Some(amount),
            swap: Some(amount),
            disks: (0..MAX_DISKS + 3).map(disk).collect(),
            uptime_s: Some(60),
            gpu: None,
            gpus: (0..MAX_GPUS + 3).map(gpu).collect(),
            temperature: Some(55.0),
            failed_units: Some(FailedUnits {
                count: 2,
                names: vec!["a.service".into()],
            }),
            reboot_for: Some(vec!["kernel".into()]),
        }
    }

    fn written(hosts: &[(&str, &Resources)]) -> String {
        let mut text = Text::default();
        write(&mut text, hosts);
        text.finish()
    }

    #[test]
    fn what_is_read_has_a_series_and_what_is_not_has_none() {
        let text = written(&[("web1", &most())]);
        for line in [
            "nixfleet_host_load1{host=\"web1\"} 0.5",
            "nixfleet_host_memory_available_bytes{host=\"web1\"} 25",
            "nixfleet_host_disk_size_bytes{host=\"web1\",mount=\"/disk15\"} 100",
            "nixfleet_host_nix_store_available_bytes{host=\"web1\"} 25",
            "nixfleet_host_gpu_used_ratio{host=\"web1\",gpu=\"0\",name=\"GPU 0\"} 0.5",
            "nixfleet_host_failed_units{host=\"web1\"} 2",
            "nixfleet_host_reboot_needed{host=\"web1\"} 1",
            "nixfleet_host_resources_age_seconds{host=\"web1\"} 1.5",
        ] {
            assert!(text.lines().any(|own| own == line), "{line}: {text}");
        }
        let little = Resources {
            reboot_for: Some(Vec::new()),
            temperature: Some(f64::NAN),
            ..Resources::default()
        };
        let text = written(&[("a", &little)]);
        let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(
            samples,
            [
                "nixfleet_host_resources_age_seconds{host=\"a\"} 0",
                "nixfleet_host_reboot_needed{host=\"a\"} 0"
            ]
        );
    }

    #[test]
    fn no_series_comes_twice_and_a_host_has_a_limit() {
        let mut own = most();
        own.disks[1].mount = own.disks[0].mount.clone();
        let text = written(&[("web1", &own), ("web2", &most())]);
        let mut names: Vec<_> = text
            .lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.rsplit_once(' ').unwrap().0)
            .collect();
        let of_web2 = names.iter().filter(|name| name.contains("web2")).count();
        assert_eq!(of_web2, SINGLE.len() + 2 * MAX_DISKS + 4 * MAX_GPUS);
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
