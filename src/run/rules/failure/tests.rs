use super::*;

#[track_caller]
fn check(text: &str, expected: Option<(&str, &str, bool)>) {
    let found = failure(text);
    let found = found
        .as_ref()
        .map(|found| (found.name.as_str(), found.cause.as_str(), found.itself));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn builders() {
    for (text, cause) in [
        (
            "error: builder for '/nix/store/h-x-1.drv' failed with exit code 2;\n       last 10 log lines:",
            "builder failed with exit code 2",
        ),
        (
            "builder for '/nix/store/h-x-1.drv' failed due to signal 9 (Killed)",
            "builder failed due to signal 9 (Killed)",
        ),
        (
            "builder for '/nix/store/h-x-1.drv' failed to produce output path for output 'out' at '/nix/store/h-x-1'",
            "builder failed to produce output path for output 'out' at '/nix/store/h-x-1'",
        ),
        (
            "builder for '/nix/store/h-x-1.drv' failed on remote builder",
            "builder failed on remote builder",
        ),
        (
            "error: error: Cannot build '/nix/store/h-x-1.drv'.\nReason: builder failed with exit code 2.\nOutput paths:\n  /nix/store/h-x-1",
            "builder failed with exit code 2",
        ),
        (
            "Cannot build '/nix/store/h-x-1.drv'.\nReason: platform mismatch\nRequired system: 'aarch64-linux'\nCurrent system: 'x86_64-linux'",
            "platform mismatch (required system: 'aarch64-linux')",
        ),
        (
            "Cannot build '/nix/store/h-x-1.drv'.\nReason: missing system features\nRequired features: {kvm}\nAvailable features: {}",
            "missing system features (required features: {kvm})",
        ),
        (
            "Cannot build '/nix/store/h-x-1.drv'.\nReason: required system or feature not available\nRequired system: 'aarch64-linux' with features {}\nCurrent system: 'x86_64-linux' with features {kvm}",
            "required system or feature not available (required system: 'aarch64-linux')",
        ),
        (
            "Cannot build '/nix/store/h-x-1.drv'.\nReason: local builds are disabled (max-jobs = 0)\nHint: set 'max-jobs'",
            "local builds are disabled (max-jobs = 0)",
        ),
        (
            "a 'aarch64-linux' with features {} is required to build '/nix/store/h-x-1.drv', but I am a 'x86_64-linux' with features {kvm}",
            "it needs a 'aarch64-linux' to be built on",
        ),
        (
            "a 'x86_64-linux' with features {kvm} is required to build '/nix/store/h-x-1.drv', but I am a 'x86_64-linux' with features {}",
            "it needs a 'x86_64-linux' with features {kvm} to be built on",
        ),
        (
            "building of '/nix/store/h-x-1.drv^out' from .drv file timed out after 5 seconds of silence",
            "timed out after 5 seconds of silence",
        ),
        (
            "building derivation '/nix/store/h-x-1.drv' killed after writing more than 10 bytes of log output",
            "killed after writing more than 10 bytes of log output",
        ),
        (
            "cycle detected in build of '/nix/store/h-x-1.drv' in the references of output 'out' from output 'dev'",
            "cycle detected in the references of output 'out' from output 'dev'",
        ),
        (
            "builder for '/nix/store/h-x-1.drv' failed with exit code 1\nnote: build failure may have been caused by lack of free disk space",
            "builder failed with exit code 1; the disk may be full",
        ),
    ] {
        check(text, Some(("x-1", cause, true)));
        let drv = failure(text).unwrap().drv;
        assert_eq!(drv.as_deref(), Some("/nix/store/h-x-1.drv"), "{text}");
    }
}

#[test]
fn outputs() {
    check(
        "hash mismatch in fixed-output derivation '/nix/store/h-src.drv':\n         specified: sha256-AAA=\n            got:    sha256-BBB=",
        Some((
            "src",
            "hash mismatch: specified sha256-AAA=, got sha256-BBB=",
            true,
        )),
    );
    check(
        "hash mismatch in fixed-output derivation '/nix/store/h-src.drv':\n  likely URL: https://x\n specified: sha256-AAA=\n got: sha256-BBB=",
        Some((
            "src",
            "hash mismatch: specified sha256-AAA=, got sha256-BBB=",
            true,
        )),
    );
    check(
        "hash mismatch in fixed-output derivation '/nix/store/h-src.drv':",
        Some(("src", "hash mismatch", true)),
    );
    check(
        "output '/nix/store/h-x-1' is not allowed to refer to the following paths:\n  /nix/store/h-gcc-14",
        Some(("x-1", "its output may not refer to gcc-14", true)),
    );
    assert_eq!(
        failure("output '/nix/store/h-x' is not allowed to refer to the following paths:")
            .unwrap()
            .drv,
        None
    );
}

#[test]
fn remote_builders() {
    let text = "build of '/nix/store/h-x-1.drv' on 'ssh://box' failed: error: builder for '/nix/store/h-x-1.drv' failed with exit code 3";
    check(text, Some(("x-1", "builder failed with exit code 3", true)));
    assert_eq!(failure(text).unwrap().host.as_deref(), Some("ssh://box"));
    check(
        "build of '/nix/store/h-x-1.drv' on 'ssh://box' failed: connection closed.",
        Some(("x-1", "connection closed", true)),
    );
}

#[test]
fn dependencies_and_other_errors() {
    check(
        "Cannot build '/nix/store/h-y.drv'.\nReason: 1 dependency failed.",
        Some(("y", "1 dependency failed", false)),
    );
    check(
        "2 dependencies of derivation '/nix/store/h-y.drv' failed to build",
        Some(("y", "2 dependencies failed", false)),
    );
    for text in [
        "",
        "error:",
        "attribute 'x' missing",
        "builder for 'x",
        "builder for 'x' failed with exit code 1",
        "Cannot build '/nix/store/h-y.drv'.",
        "build of '/nix/store/h-y.drv' failed",
        "building of '/nix/store/h-y.drv' goes on",
        "some dependencies of derivation '/nix/store/h-y.drv' failed",
        "cannot build on 'ssh://box': no",
    ] {
        check(text, None);
    }
}
