//! All recordings, against what the recorded flake holds: 10 derivations, and one that is the rebuild tool's own.

use std::path::{Path, PathBuf};

use super::*;

pub(super) fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/rebuilds")
}

/// What a recording's name says of it: `nix2.34-ng-switch-L-pty`.
pub(super) struct Recording<'a> {
    /// `ng`, the Python tool, or `sh`, the bash one.
    tool: &'a str,
    /// `switch-L-pty`
    what: &'a str,
}

impl<'a> Recording<'a> {
    pub(super) fn of(name: &'a str) -> Self {
        let mut parts = name.splitn(3, '-').skip(1);
        let (tool, what) = (parts.next().unwrap(), parts.next().unwrap());
        Self { tool, what }
    }

    pub(super) fn has(&self, part: &str) -> bool {
        self.what.contains(part)
    }

    /// The exit status of the recorded command.
    pub(super) fn exit(&self) -> Option<i32> {
        let python = self.tool == "ng";
        Some(match self.what {
            // Cut off while it ran.
            what if what.starts_with("ctrlc") => return None,
            what if what.starts_with("switch-sigint") => 124,
            what if what.starts_with("classic-builderr") => 100,
            what if what.starts_with("badarg") && python => 2,
            what if what.starts_with("nom-missing") => 127,
            // The bash tool makes 1 of all of them.
            what if what.starts_with("act") => {
                if python {
                    what.split('-').next().unwrap()["act".len()..]
                        .parse()
                        .unwrap()
                } else {
                    1
                }
            }
            what if what.starts_with("switch-rollback") && !python => 1,
            what if [
                "builderr",
                "evalerr",
                "evalundef",
                "assertfail",
                "noattr",
                "noflake",
                "badarg",
            ]
            .iter()
            .any(|failing| what.starts_with(failing))
                || what.starts_with("switch-multiline") =>
            {
                1
            }
            _ => 0,
        })
    }

    /// How it must end.
    fn state(&self) -> RunState {
        match (self.what, self.exit()) {
            (what, _) if what.starts_with("act4") => RunState::Degraded,
            (what, _) if what.starts_with("act100") => RunState::RebootRequired,
            (what, _) if what.starts_with("ctrlc-build") => RunState::Stopped,
            (_, None) => RunState::Lost,
            (_, Some(0)) => RunState::Succeeded,
            _ => RunState::Failed,
        }
    }

    /// Builds: planned, done, failed. None where the recording does not tell, and what it tells is in the golden file only.
    fn builds(&self) -> Option<(u64, u64, u64)> {
        let nothing = [
            "noop",
            "rollback",
            "raw",
            "fetch",
            "noattr",
            "noflake",
            "badarg",
            "eval",
            "assertfail",
            "list",
            "nom",
            "multiline",
        ];
        if nothing.iter().any(|nothing| self.has(nothing)) {
            return Some((0, 0, 0));
        }
        if self.has("dry-build") {
            return Some((10, 0, 0));
        }
        if self.has("builderr") {
            return Some((10, if self.has("keepgoing") { 6 } else { 1 }, 1));
        }
        if self.has("sigint") || self.has("ctrlc-build") {
            return None;
        }
        Some((10, 10, 0))
    }
}

/// The names of all recordings.
pub(super) fn names() -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(data())
        .unwrap()
        .filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".raw").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() >= 120, "{} recordings", names.len());
    names
}

fn summary_of(name: &str, exit: Option<i32>) -> (String, Value) {
    let mut out = Vec::new();
    run(&data().join(format!("{name}.raw")), exit, None, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let summary = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    (text, summary)
}

#[test]
fn every_recording_ends_as_it_did() {
    let names = names();
    let mut wrong = Vec::new();
    for name in &names {
        let recording = Recording::of(name);
        let (text, summary) = summary_of(name, recording.exit());
        let told: String = text
            .lines()
            .filter(|line| !line.contains(r#""event":"progress""#))
            .flat_map(|line| [line, "\n"])
            .collect();
        expect_test::expect_file![data().join(format!("{name}.events"))].assert_eq(&told);
        let mut expect = |what: &str, found: Value, expected: Value| {
            if found != expected {
                wrong.push(format!("{name}: {what} is {found} instead of {expected}"));
            }
        };
        expect(
            "state",
            summary["state"].clone(),
            recording.state().name().into(),
        );
        if let Some((planned, done, failed)) = recording.builds() {
            let expected = serde_json::json!({"planned": planned, "done": done, "failed": failed});
            expect("builds", summary["builds"].clone(), expected);
        }
        let phases: Vec<&str> = summary["phases"]
            .as_array()
            .unwrap()
            .iter()
            .map(|phase| phase["phase"].as_str().unwrap())
            .collect();
        let order = [
            "evaluating",
            "fetching",
            "building",
            "activating",
            "switching",
        ];
        let places: Vec<usize> = phases
            .iter()
            .map(|phase| order.iter().position(|known| known == phase).unwrap())
            .collect();
        expect("the first phase", phases[0].into(), "evaluating".into());
        expect("the phases' order", places.is_sorted().into(), true.into());
        let units: &[&str] = if recording.has("act4") {
            &["nginx.service"]
        } else {
            &[]
        };
        expect(
            "failed_units",
            summary["failed_units"].clone(),
            units.into(),
        );
        if recording.has("builderr") {
            let reason = "failed while building fleet-agent-0.1.0: builder failed with exit code 2";
            expect("reason", summary["reason"].clone(), reason.into());
        }
        let active = !recording.has("dry-")
            && !recording.has("list")
            && !recording.has("boot")
            && !recording.has("nom");
        if active && recording.exit() == Some(0) && !recording.has("build-") {
            expect(
                "the last phase",
                (*phases.last().unwrap()).into(),
                "switching".into(),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn text_and_records_of_the_same_rebuild_agree() {
    for (name, exit) in [
        ("nix2.34-ng-switch-sidechannel-pty", 0),
        ("nix2.34-ng-builderr-sidechannel-pty", 1),
    ] {
        let file = data().join(format!("{name}.raw"));
        let records = data().join(format!("{name}.json"));
        let mut out = Vec::new();
        run(&file, Some(exit), Some(&records), &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let structured: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(structured, summary_of(name, Some(exit)).1, "{name}");
    }
}
