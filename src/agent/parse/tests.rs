//! Recordings of real rebuilds (real Nix, real nixos-rebuild; the activation prints switch-to-configuration's texts).
//! `X.raw` are the exact bytes, `X.events` what is made of them. `UPDATE_EXPECT=1 cargo test` writes the latter anew.

use std::path::PathBuf;

use super::*;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/rebuilds")
        .join(name)
}

fn parse(name: &str, exit: Option<i32>, structured: Option<&Path>) -> String {
    let mut out = Vec::new();
    run(&data(&format!("{name}.raw")), exit, structured, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Progress is left out of the golden files: there is one event for each state of the bar.
#[track_caller]
fn check(name: &str, exit: i32) {
    let text = parse(name, Some(exit), None);
    let told: String = text
        .lines()
        .filter(|line| !line.contains(r#""event":"progress""#))
        .flat_map(|line| [line, "\n"])
        .collect();
    expect_test::expect_file![data(&format!("{name}.events"))].assert_eq(&told);
    for line in text.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "{line}");
    }
}

#[test]
fn switches() {
    check("nix2.34-ng-switch-sidechannel-pty", 0);
    check("nix2.34-sh-switch-pty", 0);
    check("nix2.26-ng-classic-switch-pty", 0);
    check("nix2.34-sh-switch-json-v-pty", 0);
    check("nix2.34-ng-fetchall-termdumb-pty", 0);
    check("nix2.34-ng-dry-build-pty", 0);
}

#[test]
fn failures() {
    check("nix2.26-ng-act4-pty", 4);
    check("nix2.34-sh-act4-pty", 1);
    check("nix2.34-ng-act2-pty", 2);
    check("nix2.26-ng-act100-pty", 100);
    check("nix2.34-ng-builderr-pty", 1);
    check("nix2.26-ng-evalerr-pty", 1);
}

fn summary(text: &str) -> Value {
    serde_json::from_str(text.lines().last().unwrap()).unwrap()
}

#[test]
fn records_beside_the_recording_count() {
    let name = "nix2.34-ng-switch-sidechannel-pty";
    let side = data(&format!("{name}.json"));
    let summary = summary(&parse(name, Some(0), Some(&side)));
    assert_eq!(summary["builds"]["planned"], 10);
    assert_eq!(summary["builds"]["done"], 10);
    let mut out = Vec::new();
    let raw = data(&format!("{name}.raw"));
    let error = run(&raw, None, Some(&raw), &mut out)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no internal-json records"), "{error}");
}

#[test]
fn the_end_that_a_recording_names_is_used() {
    for (name, state) in [
        ("nix2.26-ng-act4-pty", "degraded"),
        ("nix2.34-ng-switch-sidechannel-pty", "succeeded"),
        ("nix2.34-sh-switch-pty", "lost"),
    ] {
        assert_eq!(summary(&parse(name, None, None))["state"], state, "{name}");
    }
}
