//! Which error is the cause, and what its text is.

use super::words::{MARKER, after};
use super::*;

#[track_caller]
fn check_cause(text: &str, cause: Option<(&str, Phase)>) {
    let tracker = after(RebuildTool::NixosRebuild, "switch", text);
    let found = tracker.facts().first_error.as_ref();
    assert_eq!(
        found.map(|(text, phase)| (text.as_str(), *phase)),
        cause,
        "{text}"
    );
}

#[test]
fn the_cause_is_not_what_follows_from_it() {
    use Phase::{Activating, Evaluating};
    let dependency = "error: 1 dependencies of derivation '/nix/store/h-y.drv' failed to build\n";
    check_cause(
        &format!("{dependency}error: the cause\nerror: another\n"),
        Some(("the cause", Evaluating)),
    );
    check_cause(
        dependency,
        Some((
            "1 dependencies of derivation '/nix/store/h-y.drv' failed to build",
            Evaluating,
        )),
    );
    // The tool went on.
    check_cause(&format!("error: x\n{MARKER}"), None);
    check_cause(
        &format!("{MARKER}error: x\nactivating the configuration...\n"),
        None,
    );
    check_cause(
        &format!(
            "{MARKER}error: x\nactivating the configuration...\nFailed to run activate script\n"
        ),
        Some(("Failed to run activate script", Activating)),
    );
    // git's words are in the line before Nix's.
    check_cause(
        &format!(
            "{MARKER}fatal: unable to access 'https://x/': Could not resolve host: x\nerror:\n       … while fetching the input 'git+https://x'\n\n       error: program 'git' failed with exit code 128\n"
        ),
        Some((
            "program 'git' failed with exit code 128: unable to access 'https://x/': Could not resolve host: x",
            Evaluating,
        )),
    );
    check_cause(&format!("{MARKER}fatal: not a git repository\n"), None);
    check_cause(
        "usage: nixos-rebuild [-h]\nnixos-rebuild: error: argument action: invalid choice: 'swich'\n",
        Some(("argument action: invalid choice: 'swich'", Evaluating)),
    );
}

#[test]
fn errors_of_an_activation_say_why() {
    use Phase::Activating;
    check_cause(
        &format!(
            "{MARKER}Traceback (most recent call last):\nOSError: [Errno 28] No space left on device: '/boot/EFI/nixos/x.efi'\nFailed to install bootloader\n"
        ),
        Some((
            "Failed to install bootloader: OSError: [Errno 28] No space left on device: '/boot/EFI/nixos/x.efi'",
            Activating,
        )),
    );
    // A line with a meaning of its own is no reason.
    check_cause(
        &format!("{MARKER}setting up /etc...\nActivation script snippet 'users' failed (1)\n"),
        Some(("Activation script snippet 'users' failed (1)", Activating)),
    );
    check_cause(
        &format!("{MARKER}Failed to install bootloader\n"),
        Some(("Failed to install bootloader", Activating)),
    );
    let error = "Error: Failed to open dbus connection\n";
    check_cause(
        &format!("{MARKER}activating the configuration...\n{error}"),
        Some((error.trim(), Activating)),
    );
    check_cause(&format!("{MARKER}{error}"), None);
    // A step's error need not be fatal.
    check_cause(
        &format!(
            "{MARKER}activating the configuration...\nError: a\nError: b\nsetting up /etc...\nActivation script snippet 'x' failed (1)\nError: c\n"
        ),
        Some(("Activation script snippet 'x' failed (1)", Activating)),
    );
    check_cause(
        &format!("{MARKER}activating the configuration...\nError: a\nError: b\n"),
        Some(("Error: a", Activating)),
    );
}

#[test]
fn errors_of_home_manager_are_whole() {
    let text = "Starting Home Manager activation\nActivating checkLinkTargets\nsome advice\nExisting file '/a' would be clobbered\n";
    let tracker = after(RebuildTool::HomeManager, "switch", text);
    let error = tracker.facts().first_error.clone();
    assert_eq!(error.unwrap().0, "Existing file '/a' would be clobbered");
}

#[track_caller]
fn check_error(text: &str, notice: &str) {
    let (_, notices) = follow(&mut tracker(RebuildTool::NixosRebuild), text);
    let errors: Vec<_> = notices
        .iter()
        .filter(|(kind, ..)| *kind == NoticeKind::Error)
        .map(|(_, _, text)| text.as_str())
        .collect();
    assert_eq!(errors, [notice], "{text}");
}

#[test]
fn errors_of_several_lines() {
    check_error(
        "error:\n       Failed assertions:\n       - no root\n         file system\n       - no boot loader\nnext",
        "Failed assertions: - no root file system - no boot loader",
    );
    check_error(
        "error: hash mismatch in fixed-output derivation '/nix/store/h-src.drv':\n         specified: sha256-AAA=\n            got:    sha256-BBB=\n",
        "hash mismatch in fixed-output derivation '/nix/store/h-src.drv': specified: sha256-AAA= got: sha256-BBB=",
    );
    check_error(
        "error: Your local changes to the following files would be overwritten by merge:\n\tflake.lock\n\tx.nix\nPlease commit your changes or stash them before you merge.\n",
        "Your local changes to the following files would be overwritten by merge: flake.lock",
    );
    let many = "       - an assertion\n".repeat(1900);
    let (_, notices) = follow(
        &mut tracker(RebuildTool::NixosRebuild),
        &format!("error:\n       Failed assertions:\n{many}next"),
    );
    assert_eq!(notices[0].2.chars().count(), MAX_TEXT);
}

#[test]
fn failed_builds_of_all_wordings() {
    for (text, name, cause, host) in [
        (
            "error: hash mismatch in fixed-output derivation '/nix/store/h-src.drv':\n         specified: sha256-AAA=\n            got:    sha256-BBB=\nerror: 1 dependencies of derivation '/nix/store/h-y.drv' failed to build",
            "src",
            "hash mismatch: specified sha256-AAA=, got sha256-BBB=",
            None,
        ),
        (
            "error: build of '/nix/store/h-x.drv' on 'ssh://box' failed: builder for '/nix/store/h-x.drv' failed with exit code 1;\n       last 2 log lines:\n       > a\n       > b\n       note: build failure may have been caused by lack of free disk space",
            "x",
            "builder failed with exit code 1; the disk may be full",
            Some("ssh://box"),
        ),
        (
            "error: output '/nix/store/h-x-1' is not allowed to refer to the following paths:\n         /nix/store/h-gcc-14",
            "x-1",
            "its output may not refer to gcc-14",
            None,
        ),
    ] {
        let tracker = after(
            RebuildTool::NixosRebuild,
            "switch",
            &format!("{MARKER}{text}\n"),
        );
        let failure = tracker.failure().expect(text);
        assert_eq!(
            (
                failure.name.as_str(),
                failure.cause.as_str(),
                failure.host.as_deref()
            ),
            (name, cause, host),
            "{text}"
        );
        assert_eq!(tracker.progress().builds.unwrap().failed, 1, "{text}");
    }
}

/// nixos-rebuild goes on when it cannot build itself.
#[test]
fn a_build_that_did_not_matter_is_not_the_cause() {
    let own = "error: builder for '/nix/store/h-nixos-rebuild-ng.drv' failed with exit code 1\n";
    let name = |text: &str| {
        let tracker = after(RebuildTool::NixosRebuild, "switch", text);
        tracker.failure().map(|failure| failure.name)
    };
    assert_eq!(name(own).as_deref(), Some("nixos-rebuild-ng"));
    assert_eq!(
        name(&format!("{own}{MARKER}error: attribute 'x' missing\n")),
        None
    );
    let x = "error: builder for '/nix/store/h-x.drv' failed with exit code 2\n";
    assert_eq!(name(&format!("{own}{MARKER}{x}")).as_deref(), Some("x"));
}
