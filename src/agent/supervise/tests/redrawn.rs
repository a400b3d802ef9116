//! Lines that a program may still draw over.

use super::*;

/// The lines of the journal so far, by their marks.
fn lines(dir: &RunDir) -> Vec<String> {
    let all = records(dir);
    let bytes = output(&all);
    let mut at = 0;
    let mut lines = Vec::new();
    for record in &all {
        if let RunEvent::Output { lines: marks, .. } = &record.event {
            for mark in marks {
                let raw = &bytes[at..at + mark.len as usize];
                lines.push(crate::run::ansi::line_text(raw, mark));
                at += mark.len as usize;
            }
        }
    }
    lines
}

/// The program waits for the file `go` at each `wait`.
fn waiting(script: &str) -> Setup {
    let setup = shell(script, rebuild);
    let wait = format!(
        "while ! [ -e {}/go ]; do sleep 0.02; done",
        setup.dir.path().display()
    );
    let script = script.replace("wait", &wait);
    let mut request = SupervisorRequest::clone(&request_of(&setup));
    request.argv = vec!["/bin/sh".into(), "-c".into(), script];
    setup.rewrite(&request);
    setup
}

fn request_of(setup: &Setup) -> SupervisorRequest {
    let text = fs::read(setup.dir.path().join("request.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn a_line_is_shown_soon_though_it_may_be_drawn_over() {
    let setup = waiting("printf '\\033[Aone\\ntwo\\n'; wait; printf '\\033[2F\\033[Jthree\\n'");
    let child = start(&setup.dir);
    until("the lines come without the program's end", || {
        lines(&setup.dir) == ["one", "two"]
    });
    fs::write(setup.dir.path().join("go"), "").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert_eq!(lines(&setup.dir), ["one", "two", "three"]);
    let all = records(&setup.dir);
    assert_eq!(view(&all).lines, 3);
    assert_eq!(view(&all).bytes, output(&all).len() as u64);
}

#[test]
fn a_bar_of_several_lines_is_progress_and_no_lines() {
    let bar = "[1/0/2 built]\\nbuilding x (buildPhase)\\n";
    let script = format!(
        "printf 'building the system configuration...\\n\\033[Flog\\n{bar}'; wait; printf '\\033[2F\\033[J[1/1/2 built]\\nbuilding y\\n\\033[2F\\033[Jend\\n'"
    );
    let setup = waiting(&script);
    let child = start(&setup.dir);
    let built = || {
        let progress = view(&records(&setup.dir)).progress;
        progress.and_then(|progress| progress.builds).is_some()
    };
    until("its state is told", built);
    until("the line above it comes", || lines(&setup.dir).len() == 2);
    fs::write(setup.dir.path().join("go"), "").unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    let expected = ["building the system configuration...", "log", "end"];
    assert_eq!(lines(&setup.dir), expected);
    let builds = view(&records(&setup.dir)).progress.unwrap().builds.unwrap();
    assert_eq!((builds.planned, builds.done), (2, 2));
}

#[test]
fn the_rows_are_those_of_the_terminal() {
    assert_eq!(
        crate::run::lines::COLUMNS,
        usize::from(crate::agent::pty::COLUMNS)
    );
    assert_eq!(
        crate::run::lines::MAX_HELD_LINES,
        usize::from(crate::agent::pty::ROWS)
    );
}
