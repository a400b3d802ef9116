use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::agent::config::Execution;

/// A server whose runs are supervised by a script, which is given the run's directory as `$2`; it offers `hello`.
fn server(state_dir: &Path, script: &str) -> Server {
    let program = state_dir.join("supervisor");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let text = "[commands.hello]\nargv = [\"true\"]\nallow_args = true";
    let file: crate::agent::config_file::ConfigFile =
        crate::base::config_file::parse(text).unwrap();
    let sections = crate::agent::config_file::Sections {
        commands: file.commands,
        ..Default::default()
    };
    let self_command = SelfCommand {
        program,
        leading_args: Vec::new(),
    };
    let execution = Execution::check(sections, true).unwrap();
    Server {
        direct: Direct::detached(state_dir, self_command, execution),
        client: nix::unistd::geteuid(),
        children: Vec::new(),
        newest: None,
    }
}

/// What the server answers to these bytes.
fn ask(server: &mut Server, bytes: &[u8]) -> Answer {
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    ours.write_all(bytes).unwrap();
    ours.shutdown(Shutdown::Write).unwrap();
    server.take(theirs);
    let mut answer = String::new();
    ours.read_to_string(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}

fn start(run: RunId) -> Vec<u8> {
    let run = RunCommand {
        run,
        command: "hello".parse().unwrap(),
        args: Vec::new(),
        requested_by: "ann".into(),
    };
    serde_json::to_vec(&Request::Start { run }).unwrap()
}

#[track_caller]
fn refused(answer: Answer, part: &str) {
    let Answer::Refused { reason } = answer else {
        panic!("{answer:?}")
    };
    assert!(reason.contains(part), "{reason}");
}

#[test]
fn who_systemd_started_goes_when_nobody_asks_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(dir.path().join("sock")).unwrap();
    let mut server = server(dir.path(), "exec sleep 600");
    let mut client = UnixStream::connect(dir.path().join("sock")).unwrap();
    client.write_all(b"{\"request\":\"list\"}\n").unwrap();
    server
        .serve(&listener, Some(Duration::from_millis(200)))
        .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "{\"answer\":\"runs\",\"runs\":[]}\n");
    // A supervisor that is its child keeps it.
    assert_eq!(ask(&mut server, &start(RunId::new())), Answer::Done);
    let pid = nix::unistd::Pid::from_raw(server.children[0].id() as i32);
    let killer = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(600));
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    });
    let begun = Instant::now();
    server
        .serve(&listener, Some(Duration::from_millis(200)))
        .unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(600));
    killer.join().unwrap();
}

#[test]
fn one_run_goes_on_at_a_time_and_none_is_given_up_before_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server(dir.path(), "exec sleep 600");
    let run = RunId::new();
    assert_eq!(ask(&mut server, &start(run)), Answer::Done);
    // It has not come up yet; then its lock is held; then it is gone without its end.
    refused(ask(&mut server, &start(RunId::new())), "goes on");
    let release = serde_json::to_vec(&Request::Release { run }).unwrap();
    refused(ask(&mut server, &release), "has no end");
    let run_dir =
        crate::agent::run_dir::RunDir::open(&dir.path().join("runs").join(run.to_string()))
            .unwrap();
    let lock = run_dir.lock().unwrap();
    server.newest = None;
    refused(ask(&mut server, &start(RunId::new())), "goes on");
    drop(lock);
    refused(ask(&mut server, &release), "has no end");
    let conclude = serde_json::to_vec(&Request::Conclude { run }).unwrap();
    assert_eq!(ask(&mut server, &conclude), Answer::Done);
    assert_eq!(ask(&mut server, &release), Answer::Done);
    assert!(run_dir.acknowledged().is_some());
    // The same id, however it is written, is another run's never again.
    let again = String::from_utf8(start(run)).unwrap();
    let id = run.to_string();
    for other in [id.clone(), id.to_uppercase(), format!("urn:uuid:{id}")] {
        let again = again.replace(&id, &other);
        refused(ask(&mut server, again.as_bytes()), "cannot be made");
    }
    let next = RunId::new();
    assert_eq!(ask(&mut server, &start(next)), Answer::Done);
    for mut child in server.children {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn what_is_quoted_stays_in_one_line() {
    let dir = tempfile::tempdir().unwrap();
    let mut server = server(dir.path(), "exit 1");
    let forged = "{\"request\":\"x\\n2026 INFO run 1: all is well\\u001b[2J\\u202e\"}";
    let answer = ask(&mut server, forged.as_bytes());
    let Answer::Refused { reason } = answer else {
        panic!("{answer:?}")
    };
    assert!(reason.contains("`x\\n2026 INFO"), "{reason}");
    assert!(
        !reason.contains(|c: char| c.is_control() || c == '\u{202e}'),
        "{reason}"
    );
    assert_eq!(shown("it's \"é\\\""), "it's \"é\\\"");
    assert_eq!(shown(&"ü".repeat(9999)).chars().count(), MAX_REASON);
}
