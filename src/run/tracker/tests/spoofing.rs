//! A builder prints what Nix, the rebuild tool and the activation print.
//!
//! Where records tell what is built, in the output or beside it, nothing of this changes a phase, a counter, a unit or how the
//! run ends. Where Nix itself frames what builders print (the end of its bar, `name> ` with `-L`), nothing does either. What
//! `nix-build` passes on as it is, without records, cannot be told from its own lines: such a text may begin a phase, add a
//! notice and name a reason. A run that failed did not succeed whatever it says: that is the exit status, held against the
//! host's links.

use super::*;
use crate::run::phase::RunState;
use crate::run::summary::{Ended, Interference, outcome};
use crate::run::system::{GroundTruth, SystemState};

const SPOOFS: &[&str] = &[
    "these 7 derivations will be built:",
    "  /nix/store/dddddddddddddddddddddddddddddddd-y.drv",
    "these 3 paths will be fetched (1.0 MiB download, 5.0 MiB unpacked):",
    "building '/nix/store/dddddddddddddddddddddddddddddddd-y.drv'...",
    "copying path '/nix/store/dddddddddddddddddddddddddddddddd-y' from 'https://x'...",
    "building the system configuration...",
    "updating GRUB 2 menu...",
    "stopping the following units: a.service",
    "activating the configuration...",
    "setting up /etc...",
    "restarting systemd...",
    "starting the following units: a.service",
    "Failed to start sshd.service",
    "warning: the following units failed: sshd.service",
    "warning: error(s) occurred while switching to the new configuration",
    "Activation script snippet 'x' failed (1)",
    "Failed to run activate script",
    "Warning: the new NixOS configuration has an ‘init’ that is",
    "Command 'switch-to-configuration switch' returned non-zero exit status 4.",
    "Done. The new configuration is /nix/store/dddddddddddddddddddddddddddddddd-y",
    "[1/2/3 built]",
    "[7/8/9 built (6 failed), 1/2/3 copied (1.0/2.0 GiB)] building y",
    "@nix {\"action\":\"start\",\"id\":9,\"level\":3,\"parent\":0,\"text\":\"\",\"type\":104}",
    "@nix {\"action\":\"result\",\"id\":1,\"type\":105,\"fields\":[7,8,9,6]}",
    "@nix {\"action\":\"stop\",\"id\":2}",
    "@nix {\"action\":\"msg\",\"level\":0,\"msg\":\"error: no\"}",
];
/// These are an error or a warning wherever they stand; of a line that no record frames, nobody can tell whose it is.
const ERRORS: &[&str] = &[
    "error: Cannot build '/nix/store/dddddddddddddddddddddddddddddddd-x.drv'.",
    "error: interrupted by the user",
    "error: no, aborting activation",
    "warning: x",
];
const HARMLESS: &[&str] = &["checking for gcc... yes"];

const STARTS: &[&str] = &[
    r#"{"action":"start","id":1,"level":0,"parent":0,"text":"","type":104}"#,
    r#"{"action":"result","id":1,"type":105,"fields":[0,2,1,0]}"#,
    r#"{"action":"start","id":2,"level":3,"parent":0,"text":"building '/nix/store/dddddddddddddddddddddddddddddddd-x.drv'","type":105,"fields":["/nix/store/dddddddddddddddddddddddddddddddd-x.drv","",1,1]}"#,
];
const ENDS: &[&str] = &[
    r#"{"action":"result","id":1,"type":105,"fields":[1,2,0,0]}"#,
    r#"{"action":"stop","id":2}"#,
];

/// How what a builder prints reaches the terminal.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Records in the output.
    Log,
    /// At the end of the bar, with records beside the output or without.
    Bar,
    /// With `-L`.
    Prefixed,
    /// As it is.
    Raw,
}

/// All that is made of a build that prints `printed`, but for the last line.
fn build(way: Way, side: bool, printed: &[&str]) -> String {
    let mut tracker = tracker(RebuildTool::NixosRebuild);
    let mut found = Vec::new();
    let mut seen = Vec::new();
    tracker.start(&mut found);
    let line = |tracker: &mut Tracker, text: &str, found: &mut Vec<Tracked>| {
        tracker.line(1, text.as_bytes(), found);
    };
    let records = |tracker: &mut Tracker, records: &[&str], found: &mut Vec<Tracked>| {
        for record in records {
            if side {
                tracker.side_record(1, record.as_bytes(), found);
            } else if matches!(way, Way::Log) {
                tracker.line(1, format!("@nix {record}").as_bytes(), found);
            }
        }
    };
    line(
        &mut tracker,
        "building the system configuration...",
        &mut found,
    );
    records(&mut tracker, STARTS, &mut found);
    let bar = |text: &str| format!("[1/0/2 built] building x (buildPhase){text}");
    if matches!(way, Way::Bar | Way::Prefixed) {
        tracker.redraw(1, bar("").as_bytes(), &mut found);
    }
    for text in printed {
        match way {
            Way::Log => {
                let fields = serde_json::json!([text]);
                let record =
                    serde_json::json!({"action": "result", "id": 2, "type": 101, "fields": fields});
                line(&mut tracker, &format!("@nix {record}"), &mut found);
            }
            Way::Bar => {
                let state = bar(&format!(": {text}"));
                tracker.redraw(1, state.as_bytes(), &mut found);
                line(&mut tracker, &state, &mut found);
            }
            Way::Prefixed => line(
                &mut tracker,
                &format!("\u{1b}[2mx> \u{1b}[0m{text}"),
                &mut found,
            ),
            Way::Raw => line(&mut tracker, text, &mut found),
        }
        seen.push(format!("{:?} {:?}", tracker.phase(), tracker.progress()));
    }
    seen.dedup();
    records(&mut tracker, ENDS, &mut found);
    line(&mut tracker, "activating the configuration...", &mut found);
    tracker.finish(true, &mut found);
    let (facts, failure) = (tracker.facts(), tracker.failure());
    format!(
        "{found:#?} {seen:#?} {:#?} {facts:#?} {failure:?}",
        tracker.progress()
    )
}

#[track_caller]
fn check(way: Way, side: bool, printed: &[&str]) {
    let expected = build(way, side, HARMLESS);
    for text in printed {
        assert_eq!(
            build(way, side, &[text]),
            expected,
            "{way:?} {side}: {text}"
        );
    }
    assert_eq!(build(way, side, printed), expected, "{way:?} {side}");
}

#[test]
fn with_records_in_the_output() {
    check(Way::Log, false, SPOOFS);
    check(Way::Log, false, ERRORS);
}

#[test]
fn with_records_beside_the_output() {
    for way in [Way::Bar, Way::Prefixed, Way::Raw] {
        check(way, true, SPOOFS);
    }
    for way in [Way::Bar, Way::Prefixed] {
        check(way, true, ERRORS);
    }
}

#[test]
fn without_records_where_nix_frames_the_text() {
    for way in [Way::Bar, Way::Prefixed] {
        check(way, false, SPOOFS);
        check(way, false, ERRORS);
    }
}

/// How a switch ends that printed this, as nothing frames it, and left the links as they were.
fn ended(printed: &[&str], code: i32) -> RunState {
    let mut tracker = tracker(RebuildTool::NixosRebuild);
    follow(&mut tracker, &printed.join("\n"));
    let links = SystemState {
        current: Some("/nix/store/old".into()),
        profile: Some("/nix/store/old".into()),
        generation: Some(41),
        ..SystemState::default()
    };
    let truth = GroundTruth {
        before: Some(&links),
        after: Some(&links),
        elsewhere: false,
    };
    let kind = RunKind::Rebuild {
        tool: RebuildTool::NixosRebuild,
        action: "switch".into(),
    };
    let ended = Ended::Exited(code);
    let interference = Interference::default();
    let outcome = outcome(Some(&kind), &ended, &tracker, &interference, &truth);
    assert_eq!(outcome.exit_code, Some(code));
    outcome.state
}

#[test]
fn without_records_and_frame_no_text_makes_a_failure_a_success() {
    let all: Vec<_> = SPOOFS.iter().chain(ERRORS).copied().collect();
    for code in [1, 2, 4, 100] {
        assert_ne!(ended(&all, code), RunState::Succeeded, "{code}");
    }
}

/// What Nix and the tool say at last is theirs: the build failed, and nothing was activated.
#[test]
fn without_records_and_frame_a_failed_build_is_a_failure() {
    let error = "error: Cannot build '/nix/store/dddddddddddddddddddddddddddddddd-x.drv'.";
    let python = "Command 'nix build' returned non-zero exit status 1.";
    for last in [[error].as_slice(), &[error, python]] {
        let printed: Vec<_> = SPOOFS.iter().chain(last).copied().collect();
        assert_eq!(ended(&printed, 1), RunState::Failed, "{last:?}");
    }
}

/// What a builder printed of a switch counts no more once the switch begins.
#[test]
fn a_builder_does_not_say_how_the_switch_ended() {
    let spoof = "subprocess.CalledProcessError: Command '['git']' returned non-zero exit status 4.";
    let stopped = [
        spoof,
        "building the system configuration...",
        "activating the configuration...",
        "Failed to run activate script",
    ];
    let bash = "warning: error(s) occurred while switching to the new configuration";
    let failed: Vec<_> = stopped.iter().copied().chain([bash]).collect();
    assert_eq!(ended(&failed, 1), RunState::Failed);
    let units = [
        spoof,
        "activating the configuration...",
        "warning: the following units failed: a.service",
        bash,
    ];
    assert_eq!(ended(&units, 1), RunState::Degraded);
}
