//! What lines of the table do to a run: errors and their causes, questions, steps, lists.

use super::*;

fn after(tool: RebuildTool, action: &str, text: &str) -> Tracker {
    let mut tracker = Tracker::new(&RunKind::Rebuild {
        tool,
        action: action.into(),
    });
    follow(&mut tracker, text);
    tracker
}

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

const MARKER: &str = "building the system configuration...\n";

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

#[test]
fn questions_are_told_once_each() {
    let text = format!(
        "{MARKER}sudo: a password is required\nsudo: a password is required\nHost key verification failed.\n"
    );
    let (_, notices) = follow(&mut tracker(RebuildTool::NixosRebuild), &text);
    let told: Vec<_> = notices
        .iter()
        .map(|(kind, line, text)| (*kind, *line, text.split(": it asks").next().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            (NoticeKind::Warning, 2, "`sudo: a password is required`"),
            (NoticeKind::Warning, 4, "`Host key verification failed.`"),
        ]
    );
    let mut plain = Tracker::new(&RunKind::Plain);
    let text = "fatal: could not read Username for 'https://x': terminal prompts disabled\nfatal: x\nCONFLICT (content): Merge conflict in flake.lock";
    let (_, notices) = follow(&mut plain, text);
    assert_eq!(notices[0].0, NoticeKind::Warning);
    assert_eq!(notices[1], (NoticeKind::Error, 2, "x".to_owned()));
    assert_eq!(plain.facts().question.as_ref().unwrap().1, Phase::Running);
    assert_eq!(notices.len(), 3);
}

#[test]
fn steps_belong_to_an_activation() {
    let text =
        "Homebrew bundle...\nUsing git\nInstalling firefox\nInstalling firefox has failed!\n";
    let tracker = after(RebuildTool::DarwinRebuild, "switch", text);
    let facts = tracker.facts();
    assert_eq!(facts.last_step.as_deref(), Some("Installing firefox"));
    assert_eq!(
        facts.first_error,
        Some((
            "Installing firefox has failed!".to_owned(),
            Phase::Activating
        ))
    );
    // Before it, a builder printed them.
    let early = "Using git\nError: x\nInstalling x has failed!\n";
    let tracker = after(RebuildTool::DarwinRebuild, "switch", early);
    assert_eq!(
        (&tracker.facts().last_step, tracker.facts().errors),
        (&None, 0)
    );
}

#[test]
fn what_activates_nothing_never_does() {
    let text = format!(
        "{MARKER}Checking switch inhibitors... done\nwould activate the configuration...\nsetting up /etc...\nrestarting systemd...\n"
    );
    for action in ["dry-activate", "build", "dry-build"] {
        let tracker = after(RebuildTool::NixosRebuild, action, &text);
        assert_eq!(tracker.phase(), Some(Phase::Evaluating), "{action}");
    }
    for action in ["switch", "boot", "test"] {
        let tracker = after(RebuildTool::NixosRebuild, action, &text);
        assert!(tracker.is_activating(), "{action}");
    }
    // A check of nix-darwin that refuses.
    let text = "error: Unexpected files in /etc, aborting activation\n";
    assert!(!after(RebuildTool::DarwinRebuild, "build", text).is_activating());
}

#[test]
fn a_list_says_which_builds_are_the_systems() {
    let build = |name: &str| format!("building '/nix/store/h-{name}.drv'...\n");
    let list = "these 2 derivations will be built:\n  /nix/store/h-a.drv\n  /nix/store/h-b.drv\n";
    let builds = |text: &str| {
        let tracker = after(RebuildTool::HomeManager, "switch", text);
        let builds = tracker.progress().builds.unwrap();
        (builds.planned, builds.done + builds.interrupted)
    };
    let text = format!(
        "{list}{}{}{}{}",
        build("a"),
        build("x"),
        build("x"),
        build("b")
    );
    assert_eq!(builds(&text), (2, 2));
    // Without the entries, nothing is told apart.
    let text = text.replace("  /nix", " /nix");
    assert_eq!(builds(&text), (4, 4));
    // The list of the tool's own build: what it builds does not count.
    let own = "these 2 derivations will be built:\n  /nix/store/h-a.drv\n  /nix/store/h-nixos-rebuild-ng-26.05.drv\n";
    for text in [
        format!("{own}{}error: x\n", build("a")),
        format!("building Nix...\n{}error: x\n", build("a")),
    ] {
        let tracker = after(RebuildTool::NixosRebuild, "switch", &text);
        assert_eq!(tracker.phase(), Some(Phase::Evaluating), "{text}");
    }
    let remote = "building '/nix/store/h-a.drv' on 'ssh://box'...\nwaiting for a machine to build '/nix/store/h-b.drv'\n";
    let mut tracker = tracker(RebuildTool::HomeManager);
    let mut found = Vec::new();
    tracker.start(&mut found);
    let mut activity = Vec::new();
    for (number, line) in remote.lines().enumerate() {
        tracker.line(number as u64, line.as_bytes(), &mut found);
        activity.push(tracker.progress().activity.unwrap());
    }
    assert_eq!(
        activity,
        [
            "building a on ssh://box",
            "waiting for a machine to build '/nix/store/h-b.drv'"
        ]
    );
}
