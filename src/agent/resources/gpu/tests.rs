use super::*;
use crate::wire::resources::{Gpu, Resources};
use std::os::unix::fs::PermissionsExt as _;

/// A host with those files.
fn host(files: &[(&str, &str)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        if name.ends_with("nvidia-smi") {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
    }
    root
}

fn resources(files: &[(&str, &str)]) -> Resources {
    let root = host(files);
    let mut resources = Resources::default();
    read(root.path(), &mut None)
        .unwrap()
        .unwrap()
        .put(&mut resources);
    resources
}

const SMI: &str = "run/current-system/sw/bin/nvidia-smi";
const DRIVER: (&str, &str) = ("proc/driver/nvidia/version", "NVRM version: 570\n");
const MODEL: (&str, &str) = (
    "proc/driver/nvidia/gpus/0000:01:00.0/information",
    "Model: \t\t NVIDIA GeForce RTX 3090\nIRQ: 88\n",
);
const NVIDIA: (&str, &str) = ("sys/class/drm/card1/device/vendor", "0x10de\n");
const AMD: [(&str, &str); 6] = [
    ("sys/class/drm/card0/device/vendor", "0x1002\n"),
    (
        "sys/class/drm/card0/device/mem_info_vram_total",
        "17163091968\n",
    ),
    (
        "sys/class/drm/card0/device/mem_info_vram_used",
        "1073741824\n",
    ),
    ("sys/class/drm/card0/device/gpu_busy_percent", "7\n"),
    (
        "sys/class/drm/card0/device/hwmon/hwmon3/temp1_input",
        "48000\n",
    ),
    ("sys/class/drm/card0-HDMI-A-1/device/vendor", "0x10de\n"),
];

#[test]
fn gpu_type_detected_correctly() {
    let answers = (
        SMI,
        "#!/bin/sh\necho 'NVIDIA GeForce RTX 3090, 24576, 23012, 3, 41'\n",
    );
    let intel = ("sys/class/drm/card0/device/vendor", "0x8086\n");
    let cases: [(&[(&str, &str)], GpuKind); 8] = [
        (&[], GpuKind::None),
        (
            &[("sys/class/drm/card0/device/vendor", "0x1af4\n")],
            GpuKind::None,
        ),
        (
            &[("sys/class/drm/card0/device/vendor", "what?\n")],
            GpuKind::None,
        ),
        (&[intel], GpuKind::Intel),
        (&AMD, GpuKind::Amd),
        (&[intel, NVIDIA, DRIVER, answers], GpuKind::Nvidia),
        // A compute card without an output; and one without NVIDIA's driver.
        (&[DRIVER, answers], GpuKind::Nvidia),
        (&[NVIDIA], GpuKind::Nvidia),
    ];
    for (files, expected) in cases {
        assert_eq!(resources(files).gpu, Some(expected), "{files:?}");
    }
}

#[test]
fn gpu_vram_metrics_present() {
    let nvidia = resources(&[
        DRIVER,
        (
            SMI,
            "#!/bin/sh\n[ \"$2\" = --format=csv,noheader,nounits ] || exit 1\necho 'RTX, 24576, 23012, 3, 41'\n",
        ),
    ]);
    let vram = nvidia.gpus[0].vram.unwrap();
    assert_eq!((vram.total >> 20, vram.available >> 20), (24576, 23012));
    let amd = resources(&AMD);
    let gpu = &amd.gpus[0];
    let vram = gpu.vram.unwrap();
    assert_eq!((vram.total >> 20, vram.available >> 20), (16368, 15344));
    assert_eq!((gpu.percent, gpu.temperature), (Some(7.0), Some(48.0)));
    assert!(
        resources(&[("sys/class/drm/card0/device/vendor", "0x8086")])
            .gpus
            .is_empty()
    );
}

#[test]
fn broken_files_of_amds_leave_values_out() {
    let broken = [
        AMD[0],
        ("sys/class/drm/card0/device/mem_info_vram_total", "lots\n"),
        AMD[2],
        ("sys/class/drm/card0/device/gpu_busy_percent", "900\n"),
    ];
    assert_eq!(resources(&broken).gpus, [Gpu::default()]);
}

#[test]
fn where_nvidia_smi_cannot_answer_the_driver_names_the_gpu() {
    let named = [Gpu {
        name: "NVIDIA GeForce RTX 3090".into(),
        ..Gpu::default()
    }];
    let fails = (SMI, "#!/bin/sh\nexit 9\n");
    assert_eq!(resources(&[DRIVER, MODEL, fails]).gpus, named);
    // An answer of a moment ago is better.
    let root = host(&[DRIVER, MODEL, fails]);
    assert!(read(root.path(), &mut Some(Instant::now())).is_err());
    let long_ago = Instant::now().checked_sub(crate::agent::resources::KEEP);
    assert!(long_ago.is_some() && read(root.path(), &mut { long_ago }).is_ok());
}

#[test]
fn a_gpu_that_sleeps_is_not_woken() {
    let root = host(&[
        DRIVER,
        MODEL,
        NVIDIA,
        (
            "sys/class/drm/card1/device/power/runtime_status",
            "suspended\n",
        ),
        (SMI, "#!/bin/sh\necho 'RTX, 1, 1, 1, 1'\n"),
    ]);
    let Some(Reading::Gpu(GpuKind::Nvidia, gpus)) = read(root.path(), &mut None).unwrap() else {
        panic!("no NVIDIA");
    };
    assert_eq!(gpus[0].vram, None);
    let status = root
        .path()
        .join("sys/class/drm/card1/device/power/runtime_status");
    std::fs::write(status, "active\n").unwrap();
    let Some(Reading::Gpu(_, gpus)) = read(root.path(), &mut None).unwrap() else {
        panic!("no GPU");
    };
    assert_eq!(gpus[0].vram.unwrap().total, 1 << 20);
}
