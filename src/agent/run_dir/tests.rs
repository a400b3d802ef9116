use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::run::kind::RunKind;

fn request() -> SupervisorRequest {
    SupervisorRequest {
        run: RunId::new(),
        command: "switch".parse().unwrap(),
        kind: RunKind::Plain,
        argv: vec!["true".into()],
        env: vec![("A".into(), "b".into())],
        inherit_env: true,
        cwd: None,
        timeout_s: Some(5),
        grace_s: 1,
        journal_max: crate::agent::run_dir::DEFAULT_JOURNAL_MAX,
        requested_by: "mba".into(),
        gc_root: None,
    }
}

#[test]
fn a_request_reads_back_and_the_directory_is_private() {
    let state = tempfile::tempdir().unwrap();
    assert_eq!(RunDir::list(state.path()).unwrap(), []);
    let (first, second) = (request(), request());
    // Made in the other order: the list is sorted by the ids' times.
    let later = RunDir::create(state.path(), &second).unwrap();
    let dir = RunDir::create(state.path(), &first).unwrap();
    fs::create_dir(state.path().join("runs/half-made")).unwrap();
    assert_eq!(dir.request().unwrap(), first);
    assert_eq!(dir.run_id(), Some(first.run));
    let mode = fs::metadata(dir.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    assert!(RunDir::create(state.path(), &first).is_err(), "twice");
    assert_eq!(RunDir::list(state.path()).unwrap(), [dir.clone(), later]);
    dir.remove().unwrap();
    dir.remove().unwrap();
    assert!(RunDir::open(dir.path()).is_err());
}

#[test]
fn the_lock_tells_who_lives_and_keeps_a_second_one_out() {
    let state = tempfile::tempdir().unwrap();
    let dir = RunDir::create(state.path(), &request()).unwrap();
    assert!(!dir.is_alive());
    assert!(!dir.request_stop("mba", true).unwrap(), "nobody to stop");
    assert_eq!(
        dir.stop_request().unwrap(),
        Some(StopRequest {
            force: true,
            requested_by: "mba".into()
        })
    );
    let lock = dir.lock().unwrap();
    assert!(dir.is_alive());
    assert_eq!(dir.pid(), Some(std::process::id() as i32));
    let error = dir.lock().unwrap_err().to_string();
    assert!(
        error.ends_with("another supervisor has this run"),
        "{error}"
    );
    drop(lock);
    assert!(!dir.is_alive());
    let _lock = dir.lock_only().unwrap();
    assert_eq!((dir.is_alive(), dir.pid()), (true, None), "no stale number");
}
