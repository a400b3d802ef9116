use super::*;

fn recording(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/rebuilds")
        .join(name);
    std::fs::read(path).unwrap()
}

fn follower(draws: bool, shared: bool) -> Follower<Vec<u8>, Vec<u8>> {
    Follower::new(Vec::new(), Vec::new(), Screen { draws, shared })
}

/// The summary and the exit status of a recording, whatever the size of the reads.
#[track_caller]
fn check(name: &str, status: i32, expected: &str) {
    let bytes = recording(name);
    for size in [1, 7, CHUNK] {
        let mut follower = follower(false, false);
        for chunk in bytes.chunks(size) {
            follower.take(chunk).unwrap();
        }
        assert_eq!(follower.finish(), status, "{name} by {size}");
        assert!(follower.out == bytes, "{name} by {size}");
        assert_eq!(String::from_utf8(follower.err).unwrap(), expected);
    }
}

#[test]
fn recordings_end_as_they_say() {
    check(
        "nix2.34-ng-switch-sidechannel-pty.raw",
        0,
        "nixfleet-agent: succeeded; 10 of 10 built\n",
    );
    // The bash tool says nothing when it is done.
    check(
        "nix2.34-sh-switch-pty.raw",
        0,
        "nixfleet-agent: ended while switching, nothing failed; 10 of 10 built\n",
    );
    check(
        "nix2.34-ng-dry-build-pty.raw",
        0,
        "nixfleet-agent: ended while evaluating, nothing failed; 0 of 10 built\n",
    );
    check(
        "nix2.26-ng-act4-pty.raw",
        1,
        "nixfleet-agent: failed while switching; 10 of 10 built\n  \
         first error, while switching: Command '/nix/store/44whihgfyknlsh0n5p941pba0md4fj75-nixos-system-act4-\
         26.05.20260101.5e80dcf/bin/switch-to-configuration switch' returned non-zero exit status 4.\n  \
         failed units: nginx.service\n",
    );
    check(
        "nix2.34-ng-builderr-pty.raw",
        1,
        "nixfleet-agent: failed while building; 1 of 10 built, 1 failed\n  \
         first error, while building: Cannot build '/nix/store/p3fgdy43vkljaxr6qhxrpr88m920gf8k-fleet-agent-0.1.0.drv'. \
         Reason: builder failed with exit code 2.\n",
    );
}

#[test]
fn an_evaluation_error_is_a_failure() {
    let mut follower = follower(false, false);
    follower
        .take(&recording("nix2.26-ng-evalerr-pty.raw"))
        .unwrap();
    assert_eq!(follower.finish(), 1);
    let said = String::from_utf8(follower.err).unwrap();
    assert!(
        said.starts_with(
            "nixfleet-agent: failed while evaluating\n  first error, while evaluating: "
        ),
        "{said}"
    );
}

/// What is drawn after each of the pieces.
#[track_caller]
fn draws(shared: bool, pieces: &[(&str, &str)]) {
    let mut follower = follower(true, shared);
    for (piece, expected) in pieces {
        follower.err.clear();
        follower.take(piece.as_bytes()).unwrap();
        let drawn = String::from_utf8(follower.err.clone()).unwrap();
        assert_eq!(drawn, *expected, "{piece:?}");
    }
}

#[test]
fn an_unfinished_line_is_not_drawn_over() {
    let line = "\r\u{1b}[2K\u{1b}[?7levaluating\u{1b}[?7h";
    let again = format!("{ERASE}{line}");
    draws(
        true,
        &[
            ("warning: x\n", line),
            ("proceed? ", ERASE),
            ("yes", ""),
            ("\n", line),
            ("a\nb\n", &again),
        ],
    );
    // In another place than the output, it is in nobody's way.
    draws(false, &[("proceed? ", line), ("yes", &again)]);
}

#[test]
fn the_line_ticks_while_nothing_comes() {
    let mut follower = follower(true, true);
    follower.draw();
    assert!(follower.err.ends_with(b"evaluating\x1b[?7h"));
    follower.take(b"proceed? ").unwrap();
    follower.err.clear();
    follower.draw();
    assert_eq!(follower.err, b"");
    follower.finish();
    assert!(follower.err.starts_with(b"\nnixfleet-agent: "));
}

#[test]
fn names_cannot_write_on_the_terminal() {
    let mut follower = follower(false, false);
    follower
        .take(b"error: a\x1b]0;title\x07 \xc2\x9b2J here\n")
        .unwrap();
    assert_eq!(follower.finish(), 1);
    let said = String::from_utf8(follower.err).unwrap();
    assert!(
        !said.contains(|letter: char| letter.is_control() && letter != '\n'),
        "{said:?}"
    );
}

#[test]
fn many_failed_units_are_counted() {
    let mut follower = follower(false, false);
    let units: Vec<_> = (1..=12).map(|unit| format!("u{unit}.service")).collect();
    let text = format!(
        "activating the configuration...\nwarning: the following units failed: {}\n",
        units.join(", ")
    );
    follower.take(text.as_bytes()).unwrap();
    assert_eq!(follower.finish(), 1);
    let said = String::from_utf8(follower.err).unwrap();
    assert!(said.ends_with("u10.service and 2 more\n"), "{said}");
}
