//! What lines of the table do to a run: questions, steps, lists.

use super::*;

pub(super) fn after(tool: RebuildTool, action: &str, text: &str) -> Tracker {
    let mut tracker = Tracker::new(&RunKind::Rebuild {
        tool,
        action: action.into(),
    });
    follow(&mut tracker, text);
    tracker
}

pub(super) const MARKER: &str = "building the system configuration...\n";

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
