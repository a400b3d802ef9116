use super::*;

#[track_caller]
fn check(line: &str, built: Option<(u64, u64, u64)>, failed: u64, activity: &str) {
    let bar = parse(line.as_bytes()).unwrap();
    let counts = bar.built.map(|c| (c.running, c.done, c.expected));
    assert_eq!(
        (counts, bar.failed, bar.activity.as_str()),
        (built, failed, activity)
    );
}

#[test]
fn states_of_the_bar() {
    check(
        "[\u{1b}[34;1m1\u{1b}[0m/\u{1b}[32;1m2\u{1b}[0m/10 built] building \u{1b}[1mhello-2.12.1\u{1b}[0m (buildPhase):   CC  x.o\u{1b}[0m\u{1b}[K",
        Some((1, 2, 10)),
        0,
        "building hello-2.12.1 (buildPhase):   CC  x.o",
    );
    check("[9/11 built] ", Some((0, 9, 11)), 0, "");
    check("[3 built]", Some((0, 3, 3)), 0, "");
    check("[2/0 built]", Some((2, 0, 0)), 0, "");
    check("[1/7 built (1 failed)] ", Some((0, 1, 7)), 1, "");
    check("[1 built (2 failed)]", Some((0, 1, 1)), 2, "");
    check(
        "[1 built (\u{1b}[31;1m2 failed\u{1b}[0m)]",
        Some((0, 1, 1)),
        2,
        "",
    );
    check("[0.5/2.0 MiB DL] querying", None, 0, "querying");
    check(
        "[3 built, 1 corrupted, 2 untrusted]",
        Some((0, 3, 3)),
        0,
        "",
    );
    check("[5/9 paths verified] verifying x", None, 0, "verifying x");
    check("[5 paths optimised, 1.0 MiB / 3 inodes freed]", None, 0, "");
    check("[2 corrupted]", None, 0, "");
    for line in [
        "[agenix] decrypting secrets...",
        "[",
        "[1/2/3/4 built]",
        "[x built]",
        "[-1 built]",
        "[1 built (x failed)]",
        "[nan MiB DL]",
        "[inf MiB DL]",
        "[DL]",
        "[x untrusted]",
        "x [1 built]",
        "x",
        "",
    ] {
        assert_eq!(parse(line.as_bytes()), None, "{line}");
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

#[track_caller]
fn check_fetch(status: &str, copied: Option<(u64, u64, u64)>, bytes: Option<(u64, u64)>) {
    let bar = parse(format!("[{status}] x").as_bytes()).unwrap();
    let counts = bar.copied.map(|c| (c.running, c.done, c.expected));
    assert_eq!((counts, bar.downloaded), (copied, bytes), "{status}");
}

#[test]
fn copies_and_downloads() {
    let half = MIB / 2;
    check_fetch(
        "1/0/10 built, 2/3/6 copied (0.5/1.0 MiB), 0.5 MiB DL",
        Some((2, 3, 6)),
        Some((half, 0)),
    );
    check_fetch(
        "3/6 copied (0.5/1.0 MiB)",
        Some((0, 3, 6)),
        Some((half, MIB)),
    );
    check_fetch(
        "3/6 copied (1 failed) (0.5/1.0 MiB)",
        Some((0, 3, 6)),
        Some((half, MIB)),
    );
    check_fetch("3/6 copied (1 failed)", Some((0, 3, 6)), None);
    check_fetch("0 copied (0.5 MiB)", Some((0, 0, 0)), Some((half, 0)));
    // Running, done, expected, as of counts.
    check_fetch("0.5/1.0/2.0 MiB DL", None, Some((MIB, 2 * MIB)));
    check_fetch("1.0/2.0 MiB DL (0 failed)", None, Some((MIB, 2 * MIB)));
    // Since 2.33.
    check_fetch("512.0/1024.0 KiB DL", None, Some((half, MIB)));
    check_fetch("0.0 KiB DL", None, Some((0, 0)));
    check_fetch("1.0 KiB/2.0 MiB DL", None, Some((KIB, 2 * MIB)));
    check_fetch(
        "773.7 MiB/2.1 GiB DL",
        None,
        Some((811_283_251, 2_254_857_830)),
    );
    check_fetch(
        "1/2/3 copied (1.0 KiB/2.0 GiB)",
        Some((1, 2, 3)),
        Some((KIB, 2048 * MIB)),
    );
    check_fetch(
        "1.0 KiB/2.0 MiB/1.0 TiB DL",
        None,
        Some((2 * MIB, MIB * MIB)),
    );
}

#[track_caller]
fn check_building(text: &str, expected: (&str, Option<&str>, Option<&str>), shown: &str) {
    let (name, host, phase) = expected;
    let building = Activity::Building { name, host, phase };
    assert_eq!(Activity::parse(text), Some(building), "{text}");
    assert_eq!(Activity::text(text), shown, "{text}");
    assert!(is_activity(format!("\u{1b}[1m{text}\u{1b}[0m").as_bytes()));
}

#[test]
fn builds_by_name_host_and_phase() {
    check_building("building x-1.0", ("x-1.0", None, None), "building x-1.0");
    let shown = "building x (buildPhase)";
    check_building(
        "building x (buildPhase)",
        ("x", None, Some("buildPhase")),
        shown,
    );
    check_building(
        "building x (buildPhase): [1/2/3 built] on y",
        ("x", None, Some("buildPhase")),
        shown,
    );
    check_building("building x: on (y)", ("x", None, None), "building x");
    let host = Some("ssh-ng://root@1.2.3.4:22");
    let shown = "building x on ssh-ng://root@1.2.3.4:22";
    check_building(
        "building x on ssh-ng://root@1.2.3.4:22",
        ("x", host, None),
        shown,
    );
    check_building(
        "building x on ssh-ng://root@1.2.3.4:22: y",
        ("x", host, None),
        shown,
    );
    let shown = "building x on ssh-ng://root@1.2.3.4:22 (unpackPhase)";
    check_building(
        "building x on ssh-ng://root@1.2.3.4:22 (unpackPhase): y",
        ("x", host, Some("unpackPhase")),
        shown,
    );
}

#[test]
fn other_activities() {
    for text in [
        "fetching hello-2.12 from https://cache.nixos.org",
        "copying hello-2.12 from local",
        "copying path '/nix/store/x' to 'ssh://y'",
        "downloading 'https://x'",
        "evaluating derivation 'path:.#x'",
        "fetching git input 'git+file:///x'",
        "querying info about missing paths",
        "querying x on https://cache.nixos.org",
        "waiting for lock on '/nix/store/x'",
        "post-build x",
    ] {
        assert_eq!(Activity::parse(text), Some(Activity::Other), "{text}");
        assert_eq!(Activity::text(text), text);
    }
    assert!(is_activity(b"And 3 more..."));
    for text in [
        "And then some more...",
        "building the system configuration...",
        "building '/nix/store/x.drv'...",
        "building ",
        "copying kernels and initrds to /boot",
        "setting up /etc...",
        "error: x",
        "",
    ] {
        assert_eq!(Activity::parse(text), None, "{text}");
        assert!(!is_activity(text.as_bytes()), "{text}");
        assert_eq!(Activity::text(text), text);
    }
}

#[test]
fn what_a_builder_prints_does_not_change_the_state() {
    let of = |text: &'static str| state(text.as_bytes());
    assert_eq!(
        of("[1/2/9 built] building x (buildPhase): CC a.o"),
        of("[1/2/9 built] building x (buildPhase): [1/3/9 built]: b")
    );
    for other in [
        "[1/3/9 built] building x (buildPhase): CC a.o",
        "[1/2/9 built] building x (installPhase): CC a.o",
        "[1/2/9 built] building y (buildPhase): CC a.o",
    ] {
        assert_ne!(
            of(other),
            of("[1/2/9 built] building x (buildPhase): CC a.o")
        );
    }
    assert_eq!(of("building x: y"), b"");
}
