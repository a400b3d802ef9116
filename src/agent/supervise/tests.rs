//! Each test starts real supervisors: this test program again, in the role of `as_supervisor`.

use std::fs;
use std::process::Command;

use nix::sys::signal::Signal;

use super::*;
use crate::run::event::LineMark;
use crate::run::kind::RunKind;
use crate::run::phase::{Phase, RunState};

mod harness;
mod redrawn;
mod stop;

use harness::*;

#[test]
fn a_plain_command_from_start_to_end() {
    let setup = shell("printf 'one\\ntwo\\r\\033[Kthree\\nrest'", |_| {});
    let all = finished(&setup.dir);
    assert!(matches!(all[0].event, RunEvent::Started { .. }));
    assert_eq!(output(&all), b"one\ntwo\r\x1b[Kthree\nrest");
    let view = view(&all);
    assert_eq!(view.state, RunState::Succeeded);
    assert_eq!((view.lines, view.bytes), (3, 21));
    assert_eq!(view.phase(), Some(Phase::Running));
    let marks: Vec<LineMark> = all
        .iter()
        .flat_map(|record| match &record.event {
            RunEvent::Output { lines, .. } => lines.clone(),
            _ => Vec::new(),
        })
        .collect();
    let marks: Vec<_> = marks.iter().map(|mark| (mark.len, mark.skip)).collect();
    assert_eq!(marks, [(4, 0), (13, 4), (4, 0)]);
    let error = run(setup.dir.path()).unwrap_err().to_string();
    assert!(error.contains("was started before"), "{error}");
}

#[test]
fn the_program_finds_a_terminal_and_no_secret() {
    let script = "[ -t 1 ] && [ -t 2 ] && [ ! -t 0 ] && stty size <&1; echo $TERM $NIX_PAGER $OWN;
        env | grep -c -e NIXFLEET -e NO_COLOR; (: </dev/tty) 2>/dev/null || echo no tty; ls /proc/self/fd | wc -l; kill -PIPE $$; echo no";
    let setup = shell(script, |request| {
        request.env = vec![("OWN".into(), "x".into())];
    });
    let all = finished(&setup.dir);
    let text = String::from_utf8(output(&all)).unwrap();
    // 0, 1, 2 and the one that `ls` opens: nothing of ours.
    assert_eq!(text, "100 250\nxterm-256color cat x\n0\nno tty\n4\n");
    assert_eq!(outcome_of(&all).signal, Some(Signal::SIGPIPE as i32));
}

#[test]
fn a_rebuild_has_its_phases_after_the_output_that_shows_them() {
    let script = "printf 'building the system configuration...\\n\\r[1/0/2 built] building a\\r\\033[K';
        printf 'stopping the following units: a.service\\nactivating the configuration...\\nrestarting systemd...\\n'";
    let setup = shell(script, rebuild);
    let all = finished(&setup.dir);
    let mut lines = 0;
    let mut phases = Vec::new();
    for record in &all {
        match &record.event {
            RunEvent::Output { lines: marks, .. } => lines += marks.len() as u64,
            RunEvent::Phase { phase, line, .. } => {
                assert!(*line <= lines + 1, "{phase:?} before its line {line}");
                phases.push((*phase, *line));
            }
            _ => {}
        }
    }
    assert_eq!(
        phases,
        [
            (Phase::Evaluating, 1),
            (Phase::Building, 2),
            (Phase::Activating, 2),
            (Phase::Switching, 4)
        ]
    );
    let progress = view(&all).progress.unwrap();
    assert_eq!((progress.done, progress.total), (2, 2));
}

#[test]
fn failures_say_why() {
    let missing = setup(&["no-such-rebuild", "switch"], rebuild);
    let outcome = outcome_of(&finished(&missing.dir));
    assert_eq!(outcome.state, RunState::Failed);
    let reason = outcome.reason.unwrap();
    assert!(
        reason.contains("no-such-rebuild is not there; install it, or set `program`"),
        "{reason}"
    );

    let failed = shell("echo some words; exit 3", |_| {});
    let outcome = outcome_of(&finished(&failed.dir));
    assert_eq!(outcome.exit_code, Some(3));
    assert_eq!(
        outcome.reason.as_deref(),
        Some("failed with exit status 3; its last line: some words")
    );

    let nowhere = shell("true", |request| {
        request.cwd = Some("/no/such/place".into());
    });
    let reason = outcome_of(&finished(&nowhere.dir)).reason.unwrap();
    assert!(
        reason.contains("working directory /no/such/place"),
        "{reason}"
    );
}

#[test]
fn large_output_arrives_byte_for_byte() {
    // 20 MB of lines of all lengths, the same in every run.
    let script =
        "awk 'BEGIN{for(i=0;n<20000000;i++){s=sprintf(\"%*d\",i%180,i);n+=length(s)+1;print s}}'";
    let expected = Command::new("/bin/sh")
        .args(["-c", script])
        .output()
        .unwrap()
        .stdout;
    assert!(expected.len() >= 20_000_000);
    let setup = shell(script, |_| {});
    let all = finished(&setup.dir);
    assert!(output(&all) == expected, "bytes differ");
    let RunEvent::Finished {
        lines,
        bytes,
        crc32c,
        ..
    } = &all.last().unwrap().event
    else {
        panic!("no end");
    };
    assert_eq!(*bytes, expected.len() as u64);
    assert_eq!(*crc32c, crc32c::crc32c(&expected));
    assert_eq!(*lines, memchr::memchr_iter(b'\n', &expected).count() as u64);
}

#[test]
fn a_flood_with_nobody_to_take_it_keeps_its_head_and_tail_and_takes_no_longer() {
    const LINES: u64 = 800_000;
    // About 64 MiB.
    let script = format!("awk 'BEGIN{{for(i=1;i<={LINES};i++)printf \"%08d %071d\\n\",i,i}}'");
    let flood = |limit: u64| {
        let setup = shell(&script, |request| request.journal_max = limit);
        let began = Instant::now();
        let kept = finished(&setup.dir);
        let took = began.elapsed();
        let files = fs::read_dir(setup.dir.path()).unwrap();
        let journal: u64 = files
            .map(Result::unwrap)
            .filter(|file| file.file_name().to_string_lossy().starts_with("journal"))
            .map(|file| file.metadata().unwrap().len())
            .sum();
        assert!(journal <= limit, "{journal} bytes");
        (kept, took)
    };
    // Both are printed and read alike; what differs is that old parts are deleted. A machine that does something else
    // during one of the two is no reason: then it is looked at again.
    let (mut kept, mut tries) = (Vec::new(), Vec::new());
    while tries.len() < 4 {
        let (_, whole) = flood(u64::MAX);
        let (limited, took) = flood(4 << 20);
        kept = limited;
        tries.push((took, whole));
        if took < whole * 2 + Duration::from_secs(1) {
            break;
        }
    }
    assert!(tries.len() < 4, "{tries:?}");
    let line = |n: u64| format!("{n:08} {n:071}\n");
    let text = output(&kept);
    assert!(text.starts_with(line(1).as_bytes()) && text.ends_with(line(LINES).as_bytes()));
    assert!(text.len() > 3 << 20, "{} bytes are left", text.len());
    let holes: Vec<_> = kept
        .windows(2)
        .filter(|pair| pair[1].seq != pair[0].seq.next())
        .map(|pair| &pair[1].event)
        .collect();
    let [
        RunEvent::Checkpoint {
            offset,
            lines,
            crc32c: _,
            view,
            ..
        },
    ] = holes[..]
    else {
        panic!("{holes:?}");
    };
    assert_eq!((view.bytes, view.lines), (*offset, *lines));
    let expected: String = (offset / 81 + 1..=LINES).map(line).collect();
    let expected = &expected.as_bytes()[(offset % 81) as usize..];
    assert!(
        text.ends_with(expected),
        "the tail is what was printed last"
    );
    let RunEvent::Finished { lines, bytes, .. } = kept.last().unwrap().event else {
        panic!("no end");
    };
    assert_eq!((lines, bytes), (LINES, LINES * 81));
}

#[test]
fn a_killed_supervisor_leaves_a_readable_journal() {
    let setup = shell("echo begun; sleep 60", |_| {});
    let mut child = start(&setup.dir);
    until("output", || output(&records(&setup.dir)) == b"begun\n");
    assert!(setup.dir.is_alive());
    let again = start(&setup.dir).wait_with_output().unwrap();
    assert_eq!(again.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&again.stderr).contains("another supervisor has this run"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!setup.dir.is_alive());
    let lock = setup.dir.lock_only().unwrap();
    let why = "its supervisor ended without a word";
    journal::conclude(&setup.dir.journal(), 1, why).unwrap();
    drop(lock);
    let all = records(&setup.dir);
    assert_eq!(output(&all), b"begun\n");
    let outcome = outcome_of(&all);
    assert_eq!(outcome.state, RunState::Lost);
    assert_eq!(
        outcome.reason.as_deref(),
        Some(
            "lost while running: its supervisor ended without a word, and the host was not rebooted; its one line is kept; \
             see how far it came before you run it again"
        )
    );
}

#[test]
fn the_ground_truth_stands_at_both_ends() {
    let all = finished(&shell("true", |_| {}).dir);
    let now = ground_truth::read(Path::new("/"));
    assert!(now.boot_id.is_some());
    assert!(matches!(&all[0].event,
        RunEvent::Started { system: Some(system), .. } if **system == now));
    assert!(matches!(&all.last().unwrap().event,
        RunEvent::Finished { system: Some(system), .. } if **system == now));
}

#[test]
fn a_full_disk_leaves_a_gap_and_the_run_goes_on() {
    let script = "i=0; while [ $i -lt 2000 ]; do echo \"line $i ................................................\"; i=$((i+1)); done;
        touch \"$FREED\"; sleep 1; echo last; exit 0";
    let setup = shell(script, |_| {});
    let freed = setup.dir.path().join("freed");
    let mut request = setup.dir.request().unwrap();
    request.env = vec![("FREED".into(), freed.to_str().unwrap().into())];
    fs::write(
        setup.dir.path().join("request.json"),
        serde_json::to_vec(&request).unwrap(),
    )
    .unwrap();
    let done = command(&setup.dir)
        .env(FILE_LIMIT, "20000")
        .spawn()
        .unwrap()
        .wait_with_output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let all = records(&setup.dir);
    let gap = all.iter().find_map(|record| match &record.event {
        RunEvent::Gap {
            offset,
            bytes,
            lines,
            ..
        } => Some((*offset, *bytes, *lines)),
        _ => None,
    });
    let (offset, bytes, lines) = gap.expect("a gap");
    assert!(bytes > 0 && lines > 0);
    let view = view(&all);
    assert_eq!((view.state, view.lines), (RunState::Succeeded, 2001));
    assert_eq!(view.bytes_missing, bytes);
    let kept = output(&all);
    assert!(kept.ends_with(b"last\n"));
    assert_eq!(view.bytes, kept.len() as u64 + bytes);
    // What stands before the gap is what was written first.
    let before: usize = all
        .iter()
        .take_while(|record| !matches!(record.event, RunEvent::Gap { .. }))
        .map(|record| record.raw.len())
        .sum();
    assert_eq!(before as u64, offset);
}

#[test]
fn a_background_child_does_not_keep_the_run_for_ever() {
    let setup = shell("(sleep 60; echo late) & echo done", |_| {});
    let began = Instant::now();
    let all = finished(&setup.dir);
    assert!(began.elapsed() >= DRAIN && began.elapsed() < DRAIN * 2);
    assert_eq!(output(&all), b"done\n");
    assert_eq!(outcome_of(&all).state, RunState::Succeeded);
}
