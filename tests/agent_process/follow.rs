//! `parse --follow` as a process between two pipes.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use super::process::AGENT;

fn follow(file: Option<&Path>) -> Child {
    Command::new(AGENT)
        .args(["parse", "--follow"])
        .args(file)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// What comes of a recording that is written in pieces of `size` bytes.
fn piped(bytes: &[u8], size: usize) -> Output {
    let mut child = follow(None);
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for piece in bytes.chunks(size) {
                input.write_all(piece).unwrap();
            }
        });
        child.wait_with_output().unwrap()
    })
}

#[track_caller]
fn check(name: &str, status: i32, summary: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/rebuilds")
        .join(name);
    let bytes = std::fs::read(&path).unwrap();
    let from_file = follow(Some(&path)).wait_with_output().unwrap();
    for done in [piped(&bytes, 13), piped(&bytes, bytes.len()), from_file] {
        assert!(
            done.stdout == bytes,
            "{name} is not passed through as it is"
        );
        assert_eq!(done.status.code(), Some(status), "{done:?}");
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(said.starts_with(summary), "{said}");
        assert!(
            !said.contains('\u{1b}'),
            "no terminal, no progress: {said:?}"
        );
    }
}

#[test]
fn a_recording_passes_through_byte_for_byte() {
    check(
        "nix2.34-ng-switch-sidechannel-pty.raw",
        0,
        "nixfleet-agent: succeeded; 10 of 10 built\n",
    );
    check(
        "nix2.34-ng-builderr-pty.raw",
        1,
        "nixfleet-agent: failed while building; ",
    );
}

#[test]
fn a_prompt_passes_through_before_its_line_ends() {
    let mut child = follow(None);
    let mut input = child.stdin.take().unwrap();
    input.write_all(b"continue? [y/n] ").unwrap();
    let mut prompt = [0; 16];
    let mut output = child.stdout.take().unwrap();
    output.read_exact(&mut prompt).unwrap();
    assert_eq!(&prompt, b"continue? [y/n] ");
    drop(input);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let mut child = follow(None);
    drop(child.stdout.take());
    let mut input = child.stdin.take().unwrap();
    // It may be gone before all of it is written.
    while input.write_all(&[b'x'; 4096]).is_ok() {}
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_first_interrupt_is_the_rebuilds() {
    let mut child = follow(None);
    let mut input = child.stdin.take().unwrap();
    let mut output = child.stdout.take().unwrap();
    input.write_all(b"a").unwrap();
    // Once something came through, signals are caught.
    output.read_exact(&mut [0]).unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    input
        .write_all(b"\nerror: interrupted by the user\n")
        .unwrap();
    drop(input);
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "\nerror: interrupted by the user\n");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
