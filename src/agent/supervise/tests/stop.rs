//! Stopping: who is heard when, and what is left.

use std::path::PathBuf;

use nix::sys::signal::Signal;

use super::*;

#[test]
fn a_stop_climbs_until_the_program_is_gone() {
    for (script, signal) in [
        ("echo up; sleep 60", Signal::SIGINT),
        ("trap '' INT; echo up; sleep 60", Signal::SIGTERM),
        (
            "trap '' INT TERM; echo up; while :; do sleep 1; done",
            Signal::SIGKILL,
        ),
    ] {
        let setup = shell(script, |_| {});
        let child = start(&setup.dir);
        until("output", || output(&records(&setup.dir)) == b"up\n");
        assert!(setup.dir.request_stop("mba", false).unwrap());
        child.wait_with_output().unwrap();
        let all = records(&setup.dir);
        assert!(all.iter().any(|record| matches!(&record.event,
            RunEvent::StopRequested { by, force: false, .. } if by == "mba")));
        let outcome = outcome_of(&all);
        assert_eq!(outcome.state, RunState::Stopped, "{script}");
        assert_eq!(outcome.signal, Some(signal as i32), "{script}");
        assert_eq!(
            outcome.reason.as_deref(),
            Some("stopped by mba while running")
        );
    }
}

#[test]
fn an_activation_is_stopped_only_by_force() {
    let setup = shell("echo 'activating the configuration...'; sleep 60", rebuild);
    let child = start(&setup.dir);
    let activating = || view(&records(&setup.dir)).phase() == Some(Phase::Activating);
    until("the activation", activating);
    setup.dir.request_stop("mba", false).unwrap();
    let refused = || view(&records(&setup.dir)).stop_refused;
    until("the refusal", || refused().is_some());
    assert_eq!(
        refused().as_deref(),
        Some(
            "stop asked for by mba is refused: the activation has begun, and stopping it would leave the host half-way; \
             ask with force if you must"
        )
    );
    setup.dir.request_stop("mba", true).unwrap();
    child.wait_with_output().unwrap();
    let outcome = outcome_of(&records(&setup.dir));
    assert_eq!(outcome.state, RunState::Stopped);
    let reason = outcome.reason.unwrap();
    assert!(
        reason.contains("while activating; the host may be between"),
        "{reason}"
    );
}

#[test]
fn a_run_has_a_limit() {
    let setup = shell("sleep 60", |request| request.timeout_s = Some(1));
    let outcome = outcome_of(&finished(&setup.dir));
    assert_eq!(outcome.state, RunState::TimedOut);
    let reason = outcome.reason.unwrap();
    assert!(reason.contains("its limit of 1 s"), "{reason}");
}

#[test]
fn a_limit_does_not_cut_an_activation_off() {
    let setup = shell(
        "echo 'activating the configuration...'; sleep 2; echo activated",
        |request| {
            rebuild(request);
            request.timeout_s = Some(1);
        },
    );
    let all = finished(&setup.dir);
    assert!(output(&all).ends_with(b"activated\n"));
    let view = view(&all);
    assert_eq!(view.state, RunState::Succeeded);
    let refused = view.stop_refused.unwrap();
    assert!(
        refused.contains("by the limit of 1 s is refused: the activation has begun"),
        "{refused}"
    );
}

/// The process whose number stands in the run's directory, once it does.
#[track_caller]
fn pid_in(setup: &Setup, name: &str) -> PathBuf {
    let path = setup.dir.path().join(name);
    let read = || fs::read_to_string(&path).ok()?.trim().parse::<u32>().ok();
    until("a process", || read().is_some());
    PathBuf::from(format!("/proc/{}", read().unwrap()))
}

#[test]
#[cfg(target_os = "linux")]
fn children_in_sessions_of_their_own_end_with_the_run() {
    // One keeps the terminal and heeds nothing, one has left it, one has lost its parent.
    let script = "setsid sh -c 'trap \"\" INT TERM HUP; echo $$ >\"$DIR/holds\"; while :; do sleep 1; done' &
        setsid sh -c 'exec >/dev/null 2>&1; echo $$ >\"$DIR/left\"; sleep 600' &
        sh -c 'setsid sh -c \"exec >/dev/null 2>&1; echo \\$\\$ >\\\"$DIR/orphan\\\"; sleep 600\" &'
        STUBBORN; echo up; while :; do sleep 1; done";
    for stubborn in ["trap '' INT TERM", ":"] {
        let setup = shell(&script.replace("STUBBORN", stubborn), |_| {});
        let mut request = setup.dir.request().unwrap();
        request.env = vec![("DIR".into(), setup.dir.path().to_str().unwrap().into())];
        setup.rewrite(&request);
        let child = start(&setup.dir);
        let processes = ["holds", "left", "orphan"].map(|name| pid_in(&setup, name));
        assert!(processes.iter().all(|process| process.exists()));
        setup.dir.request_stop("mba", false).unwrap();
        child.wait_with_output().unwrap();
        for process in &processes {
            assert!(!process.exists(), "{} lives", process.display());
        }
        assert_eq!(
            outcome_of(&records(&setup.dir)).state,
            RunState::Stopped,
            "{stubborn}"
        );
    }
}

#[test]
#[cfg(target_os = "linux")]
fn orphans_are_buried_while_the_run_goes_on() {
    let script = "i=0; while [ $i -lt 50 ]; do sh -c 'setsid true &'; i=$((i+1)); done; sleep 1.2; echo counted;
        ps -o stat= --ppid $PPID | grep -c Z; exit 0";
    let all = finished(&shell(script, |_| {}).dir);
    assert_eq!(output(&all), b"counted\n0\n");
    assert_eq!(outcome_of(&all).exit_code, Some(0));
}

#[test]
fn a_stop_takes_effect_in_a_flood_onto_a_full_disk() {
    let setup = shell(
        "echo $$ >\"$PROGRAM\"; exec yes 0123456789012345678901234567890123456789",
        |_| {},
    );
    let mut request = setup.dir.request().unwrap();
    let program = setup.dir.path().join("program");
    request.env = vec![("PROGRAM".into(), program.to_str().unwrap().into())];
    setup.rewrite(&request);
    let child = command(&setup.dir)
        .env(FILE_LIMIT, "20000")
        .spawn()
        .unwrap();
    let process = pid_in(&setup, "program");
    let journal = || fs::metadata(setup.dir.journal()).map_or(0, |file| file.len());
    until("a full journal", || {
        let before = journal();
        std::thread::sleep(Duration::from_millis(300));
        before > 0 && journal() == before
    });
    let asked = Instant::now();
    assert!(setup.dir.request_stop("mba", false).unwrap());
    until("the end of the program", || !process.exists());
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    fs::write(setup.dir.path().join("freed"), "").unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    let all = records(&setup.dir);
    assert_eq!(outcome_of(&all).state, RunState::Stopped);
    let view = view(&all);
    let kept = output(&all).len() as u64;
    assert!(view.bytes_missing > 1_000_000, "{}", view.bytes_missing);
    assert_eq!(view.bytes, kept + view.bytes_missing);
}

/// A control group of that name, with one below it; none where that is not ours to make.
#[cfg(target_os = "linux")]
fn control_group(name: &str) -> Option<PathBuf> {
    let mounts = ["/sys/fs/cgroup/systemd", "/sys/fs/cgroup"].map(PathBuf::from);
    let mount = mounts
        .iter()
        .find(|mount| mount.join("cgroup.procs").exists())?;
    let group = mount.join(name);
    fs::create_dir_all(group.join("below")).ok()?;
    Some(group)
}

#[test]
#[cfg(target_os = "linux")]
fn whoever_is_in_the_units_control_group_ends_with_it() {
    use std::io::Write as _;
    let setup = shell(
        "trap '' INT TERM; echo up; while :; do sleep 1; done",
        |_| {},
    );
    let unit = format!("nixfleet-run-{}.service", setup.dir.run_id().unwrap());
    let Some(group) = control_group(&unit) else {
        writeln!(std::io::stderr(), "skipped: no control group can be made").unwrap();
        return;
    };
    // No descendant of the supervisor: only its control group tells that it belongs to the run.
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    fs::write(group.join("below/cgroup.procs"), other.id().to_string()).unwrap();
    let mut supervisor = command(&setup.dir);
    let inside = "echo $$ >\"$0\" && exec \"$@\"";
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", inside]).arg(group.join("cgroup.procs"));
    shell
        .arg(supervisor.get_program())
        .args(supervisor.get_args());
    for (name, value) in supervisor.get_envs() {
        shell.env(name, value.unwrap());
    }
    supervisor = shell;
    let supervisor = supervisor.stdout(std::process::Stdio::null()).spawn();
    let mut supervisor = supervisor.unwrap();
    until("output", || output(&records(&setup.dir)) == b"up\n");
    assert!(other.try_wait().unwrap().is_none());
    setup.dir.request_stop("mba", false).unwrap();
    supervisor.wait().unwrap();
    let ended = other.try_wait().unwrap();
    other.kill().ok();
    other.wait().ok();
    for dir in [group.join("below"), group] {
        fs::remove_dir(dir).unwrap();
    }
    assert!(ended.is_some(), "it lives");
    assert_eq!(outcome_of(&records(&setup.dir)).state, RunState::Stopped);
}
