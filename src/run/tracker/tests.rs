use super::*;
use crate::run::event::{Builds, MAX_TEXT, ProgressUnit};

mod causes;
mod words;

fn tracker(tool: RebuildTool) -> Tracker {
    Tracker::new(&RunKind::Rebuild {
        tool,
        action: "switch".into(),
    })
}

mod spoofing;

type Notices = Vec<(NoticeKind, u64, String)>;

/// Feeds lines; those that begin with `\r` are redraws. Returns the phases with their lines, and the notices.
fn follow(tracker: &mut Tracker, text: &str) -> (Vec<(Phase, u64)>, Notices) {
    let mut found = Vec::new();
    tracker.start(&mut found);
    let mut number = 1;
    for line in text.lines() {
        if let Some(redraw) = line.strip_prefix("\\r") {
            tracker.redraw(number, redraw.as_bytes(), &mut found);
        } else {
            tracker.line(number, line.as_bytes(), &mut found);
            number += 1;
        }
    }
    tracker.finish(false, &mut found);
    let (mut phases, mut notices) = (Vec::new(), Vec::new());
    for found in found {
        match found {
            Tracked::Phase { phase, line } => phases.push((phase, line)),
            Tracked::Notice { kind, line, text } => notices.push((kind, line, text)),
        }
    }
    (phases, notices)
}

#[track_caller]
fn check_phases(tool: RebuildTool, text: &str, expected: &[(Phase, u64)]) {
    let (phases, _) = follow(&mut tracker(tool), text);
    assert_eq!(phases, expected, "{text}");
}

#[test]
fn phases_of_a_switch() {
    use Phase::{Activating, Building, Evaluating, Fetching, Switching};
    check_phases(
        RebuildTool::NixosRebuild,
        "\\r[1/0/2 built] building nixos-rebuild-ng\nbuilding the system configuration...\n\\r[0/3 copied]\n\\r[1/0/3 built] building a\nupdating GRUB 2 menu...\nactivating the configuration...\nrestarting systemd...\nbuilding '/nix/store/x-late.drv'...\nactivating the configuration...",
        &[
            (Evaluating, 1),
            (Fetching, 2),
            (Building, 2),
            (Activating, 2),
            (Switching, 4),
        ],
    );
    // A plan is no build; dry-activate activates nothing.
    check_phases(
        RebuildTool::NixosRebuild,
        "building the system configuration...\nthese 10 derivations will be built:\n  /nix/store/x-a.drv\nwould activate the configuration...",
        &[(Evaluating, 1)],
    );
    // The tool's own build failed before the marker.
    check_phases(
        RebuildTool::NixosRebuild,
        "\\r[1/0/2 built] building nixos-rebuild-ng\nerror: no",
        &[(Evaluating, 1)],
    );
    check_phases(
        RebuildTool::DarwinRebuild,
        "building the system configuration...\n\\r[1/0/3 built] building a\nsetting up groups...\nsetting up launchd services...",
        &[(Evaluating, 1), (Building, 2), (Activating, 2)],
    );
    check_phases(
        RebuildTool::HomeManager,
        "\\r[1/0/3 built] building a\nStarting Home Manager activation\nActivating writeBoundary",
        &[(Evaluating, 1), (Building, 1), (Activating, 1)],
    );
    // Downloads alone are flake inputs.
    check_phases(
        RebuildTool::HomeManager,
        "\\r[1.5 MiB DL] x",
        &[(Evaluating, 1)],
    );
}

#[test]
fn a_recording_without_marker_counts_what_it_built() {
    let text = "\\r[1/0/3 built] building a\n\\r[1/1/3 built] building b\nStarting Home Manager activation";
    let mut tracker = Tracker::for_recording();
    let (phases, _) = follow(&mut tracker, text);
    assert_eq!(phases[1], (Phase::Building, 1));
    assert_eq!(tracker.progress().builds.unwrap().planned, 3);
}

#[track_caller]
fn check_builds(text: &str, expected: (u64, u64, u64, u64)) {
    let mut tracker = tracker(RebuildTool::HomeManager);
    let mut found = Vec::new();
    tracker.start(&mut found);
    let mut done = 0;
    for redraw in text.split('|') {
        tracker.redraw(1, redraw.as_bytes(), &mut found);
        tracker.line(1, redraw.as_bytes(), &mut found);
        let builds = tracker.progress().builds.unwrap_or_default();
        assert!(
            builds.done >= done && builds.planned >= builds.done + builds.running + builds.failed
        );
        done = builds.done;
    }
    let Builds {
        planned,
        running,
        done,
        failed,
        ..
    } = tracker.progress().builds.unwrap();
    assert_eq!((planned, running, done, failed), expected, "{text}");
}

#[test]
fn counters_do_not_follow_the_jitter_of_nix() {
    check_builds("[0/1 built]|[1/0/10 built] x|[9/11 built]", (10, 0, 9, 0));
    check_builds("[0/12 built]|[1/0/10 built] x", (10, 1, 0, 0));
    check_builds("[1/4/10 built] x|[1/2/10 built] y", (10, 1, 4, 0));
    // Two at a time: one has ended, is counted twice, and is drawn twice.
    check_builds(
        "[2/0/10 built] x|[1/1/11 built] x|[1/1/11 built] y|[2/1/10 built] y",
        (10, 2, 1, 0),
    );
    // More is to be built: two states say so.
    check_builds(
        "[2/0/10 built] x|[2/1/14 built] x|[2/2/15 built] y",
        (14, 2, 2, 0),
    );
    check_builds(
        "[1/1/10 built] x|[1/7 built (1 failed)]|[1 built (1 failed)]",
        (10, 0, 1, 1),
    );
    check_builds(
        "these 4 derivations will be built:|[1/0/9 built] x",
        (4, 1, 0, 0),
    );
    check_builds(
        "these 4 derivations will be built:|building '/nix/store/a-b.drv'...|building '/nix/store/a-c.drv'...",
        (4, 1, 1, 0),
    );
}

#[test]
fn the_same_bar_behind_the_marker_is_the_systems() {
    check_phases(
        RebuildTool::NixosRebuild,
        "\\r[1/0/2 built] building x: a\nbuilding the system configuration...\n\\r[1/0/2 built] building x: b",
        &[(Phase::Evaluating, 1), (Phase::Building, 2)],
    );
}

#[test]
fn progress_names_what_goes_on() {
    let mut tracker = tracker(RebuildTool::HomeManager);
    let mut found = Vec::new();
    tracker.start(&mut found);
    assert_eq!(tracker.take_progress(), None);
    tracker.redraw(1, b"[1/2/6 copied (0.5/1.0 MiB)] copying x", &mut found);
    let progress = tracker.take_progress().unwrap();
    assert_eq!(
        (progress.done, progress.total, progress.unit),
        (2, 6, ProgressUnit::Paths)
    );
    assert_eq!(progress.fetches.unwrap().bytes_total, 1 << 20);
    assert_eq!(progress.activity.as_deref(), Some("copying x"));
    assert_eq!(tracker.take_progress(), None);
}

#[track_caller]
fn check_notices(text: &str, expected: &[(NoticeKind, u64, &str)]) {
    let (_, notices) = follow(&mut tracker(RebuildTool::NixosRebuild), text);
    let notices: Vec<_> = notices
        .iter()
        .map(|(kind, line, text)| (*kind, *line, text.as_str()))
        .collect();
    assert_eq!(notices, expected, "{text}");
}

#[test]
fn errors_are_kept_together_and_name_their_cause() {
    use NoticeKind::{Error, FailedUnit, Warning};
    check_notices(
        "error:\n       … while calling x\n         at y:1:2:\n            1| z\nquoted source at the margin\n       error: the cause\nnext line",
        &[(Error, 1, "the cause")],
    );
    check_notices(
        "error:\n       … while calling x\n       error:\n       Failed assertions:\n       - no root",
        &[(Error, 1, "Failed assertions: - no root")],
    );
    check_notices(
        "error: Cannot build 'a.drv'.\n       Reason: builder failed with exit code 2.\n       > x: error: y\nerror: Cannot build 'b.drv'.",
        &[
            (
                Error,
                1,
                "Cannot build 'a.drv'. Reason: builder failed with exit code 2.",
            ),
            (Error, 4, "Cannot build 'b.drv'."),
        ],
    );
    check_notices(
        "error: x\nCommand 'nix' returned non-zero exit status 1.",
        &[(Error, 1, "x")],
    );
    check_notices(
        "Command 'nix' returned non-zero exit status 1.",
        &[(Error, 1, "Command 'nix' returned non-zero exit status 1.")],
    );
    check_notices(
        "warning: a\nevaluation warning: b\nactivating the configuration...\nFailed to start a.service\nwarning: the following units failed: a.service, b.timer",
        &[
            (Warning, 1, "warning: a"),
            (Warning, 2, "evaluation warning: b"),
            (FailedUnit, 4, "a.service"),
            (FailedUnit, 5, "b.timer"),
            (
                Warning,
                5,
                "warning: the following units failed: a.service, b.timer",
            ),
        ],
    );
}

#[test]
fn notices_and_texts_have_limits() {
    let mut tracker = tracker(RebuildTool::NixosRebuild);
    let text = format!("warning: {}\n", "ü".repeat(5000)).repeat(MAX_NOTICES + 5);
    let (_, notices) = follow(&mut tracker, &text);
    assert_eq!(notices.len(), MAX_NOTICES);
    assert_eq!(notices[0].2.chars().count(), MAX_TEXT);
    assert_eq!(tracker.facts().warnings, MAX_NOTICES as u64 + 5);
}

#[test]
fn a_plain_command_has_one_phase_and_its_errors() {
    let mut tracker = Tracker::new(&RunKind::Plain);
    let text = "building the system configuration...\nbuilding '/nix/store/a-b.drv'...\nactivating the configuration...\nerror: x";
    let (phases, notices) = follow(&mut tracker, text);
    assert_eq!(phases, [(Phase::Running, 1)]);
    assert_eq!(notices.len(), 1);
    assert_eq!(tracker.last_line(), "error: x");
}
