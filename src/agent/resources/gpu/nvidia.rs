//! NVIDIA's GPUs. The driver's library cannot be loaded into a static program: `nvidia-smi` is asked, and where it cannot answer,
//! as in a sandbox without the devices, the driver's files still tell which GPUs there are.

use std::path::Path;
use std::time::Instant;

use crate::agent::resources::{KEEP, file, program, rounded};
use crate::wire::resources::{Amount, Gpu};

const ARGS: [&str; 2] = [
    "--query-gpu=name,memory.total,memory.free,utilization.gpu,temperature.gpu",
    "--format=csv,noheader,nounits",
];
/// Beside the usual places: WSL has it where nothing else is.
const PLACES: [&str; 4] = [
    "run/opengl-driver/bin",
    "usr/bin",
    "opt/bin",
    "usr/lib/wsl/lib",
];
/// The longest name that is told, in characters.
const MAX_NAME: usize = 100;

/// Whether the driver is loaded.
pub fn driver(root: &Path) -> bool {
    root.join("proc/driver/nvidia/version").exists()
}

/// All GPUs. Those that sleep are not asked, and not woken up.
///
/// # Errors
/// No answer, but there was one not long ago: it is better than names alone.
pub fn read(root: &Path, asleep: bool, answered: &mut Option<Instant>) -> anyhow::Result<Vec<Gpu>> {
    if asleep || !driver(root) {
        return Ok(named(root));
    }
    let Some(nvidia_smi) = program::find(root, "nvidia-smi", &PLACES) else {
        return Ok(named(root));
    };
    match program::output(&nvidia_smi, &ARGS, program::LIMIT) {
        Ok(text) => {
            *answered = Some(Instant::now());
            Ok(parse(&text))
        }
        Err(error) if answered.is_some_and(|at| at.elapsed() < KEEP) => Err(error),
        Err(error) => {
            tracing::debug!("gpu: {error:#}");
            Ok(named(root))
        }
    }
}

fn parse(text: &str) -> Vec<Gpu> {
    text.lines().filter_map(gpu).collect()
}

/// `NVIDIA GeForce RTX 3090, 24576, 23012, 3, 41`; what a GPU does not tell is `[N/A]`. A name may have commas.
fn gpu(line: &str) -> Option<Gpu> {
    let mut values = line.rsplitn(5, ',').map(str::trim);
    let mut number = || values.next().map(|value| value.parse::<f64>().ok());
    let (temperature, percent, free, total) = (number()?, number()?, number()?, number()?);
    let name = short(values.next()?);
    let mebibytes = |value: f64| (value as u64) << 20;
    let vram = total
        .zip(free)
        .filter(|(total, free)| *total > 0.0 && (0.0..=*total).contains(free));
    Some(Gpu {
        name,
        vram: vram.map(|(total, free)| Amount {
            total: mebibytes(total.min(1e9)),
            available: mebibytes(free.min(1e9)),
        }),
        percent: percent
            .filter(|value| (0.0..=100.0).contains(value))
            .map(rounded),
        temperature: temperature
            .filter(|value| (1.0..150.0).contains(value))
            .map(rounded),
    })
}

/// The names alone, from `/proc/driver/nvidia/gpus/*/information`.
fn named(root: &Path) -> Vec<Gpu> {
    let model = |text: String| -> Option<Gpu> {
        let name = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(Gpu {
            name: short(name.trim()),
            ..Gpu::default()
        })
    };
    file::entries(&root.join("proc/driver/nvidia/gpus"))
        .into_iter()
        .filter_map(|(_, dir)| model(file::read(&dir.join("information"), 4096).ok()?))
        .collect()
}

fn short(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(MAX_NAME)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nvidia_smi_says() {
        let all =
            parse("NVIDIA GeForce RTX 3090, 24576, 23012, 3, 41\nTesla, T4, 15360, 15360, 0, 30\n");
        assert_eq!(all.len(), 2);
        let vram = all[0].vram.unwrap();
        assert_eq!((vram.total, vram.available), (24576 << 20, 23012 << 20));
        assert_eq!(
            (all[0].percent, all[0].temperature),
            (Some(3.0), Some(41.0))
        );
        assert_eq!(all[1].name, "Tesla, T4");
        let silent = parse("NVIDIA GB10, [N/A], [N/A], [N/A], [Unknown Error]\n");
        let expected = Gpu {
            name: "NVIDIA GB10".into(),
            ..Gpu::default()
        };
        assert_eq!(silent, [expected]);
        for nonsense in [
            "",
            "No devices were found",
            "a, b, c",
            "x, -5, 3, 200, 900",
            "x, 5, 10, nan, inf",
        ] {
            let all = parse(nonsense);
            assert!(
                all.iter().all(|gpu| gpu.vram.is_none()
                    && gpu.percent.is_none()
                    && gpu.temperature.is_none()),
                "{all:?}"
            );
        }
        assert!(parse("No devices were found").is_empty());
    }
}
