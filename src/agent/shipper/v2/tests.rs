use super::lines::{Line, Lines};
use super::*;
use crate::run::event::LineMark;

fn output(marks: &[(u64, u64)]) -> RunEvent {
    RunEvent::Output {
        at: 1,
        offset: 0,
        first_line: 1,
        lines: marks
            .iter()
            .map(|&(len, skip)| LineMark { len, skip, ago: 0 })
            .collect(),
        tail_skip: 0,
    }
}

fn texts(lines: Vec<Line>) -> Vec<(u64, String)> {
    lines
        .into_iter()
        .map(|line| (line.number, line.text))
        .collect()
}

#[test]
fn lines_are_what_the_marks_say_however_late_they_come() {
    let mut lines = Lines::default();
    let mut seq = 0;
    let mut take = |event: &RunEvent, raw: &[u8]| {
        seq += 1;
        texts(lines.take(Seq(seq), event, raw))
    };
    assert_eq!(take(&output(&[(4, 0)]), b"one\ntw"), [(1, "one".into())]);
    assert_eq!(take(&output(&[]), b"o\n1%\r"), []);
    assert_eq!(
        take(
            &output(&[(4, 0), (9, 3)]),
            b"\x1b[1m2%\x1b[m\n"[..6].as_ref()
        ),
        [(2, "two".into()), (3, "2%".into())]
    );
    let gap = RunEvent::Gap {
        at: 1,
        offset: 0,
        bytes: 100,
        lines: 2,
        reason: "no space".into(),
    };
    assert_eq!(
        take(&gap, b""),
        [(
            1,
            "nixfleet: 2 lines (100 bytes) are missing here: no space".into()
        )]
    );
    assert_eq!(
        take(&output(&[(50, 7)]), b"rest\nnew"),
        [(6, "rest".into())]
    );
    assert_eq!(take(&output(&[(4, 0)]), b"\n"), [(7, "new".into())]);
}

#[test]
fn a_hole_in_the_journal_is_told_and_a_long_line_is_cut() {
    let mut lines = Lines::default();
    lines.take(Seq(1), &output(&[(2, 0)]), b"a\n");
    let checkpoint = RunEvent::Checkpoint {
        at: 1,
        offset: 102,
        lines: 11,
        crc32c: 0,
        view: Box::default(),
    };
    let found = lines.take(Seq(9), &checkpoint, b"");
    assert_eq!((found[0].number, found[0].ours), (1, true));
    assert!(
        found[0].text.contains("10 lines (100 bytes) are missing"),
        "{found:?}"
    );
    let mut long = vec![b'x'; 100_000];
    long.push(b'\n');
    let found = lines.take(Seq(10), &output(&[(100_001, 0)]), &long);
    assert_eq!(found[0].number, 12);
    assert!(found[0].text.ends_with("x … (cut off)") && found[0].text.len() < 40_000);
}

#[test]
fn a_bar_that_is_redrawn_for_long_takes_no_memory() {
    let mut lines = Lines::default();
    let piece = [b"99%\r".as_slice()].concat().repeat(30_000);
    let mut len = 0;
    for seq in 1..=20 {
        len += piece.len() as u64;
        assert_eq!(lines.take(Seq(seq), &output(&[]), &piece), []);
    }
    let found = lines.take(Seq(21), &output(&[(len + 5, len)]), b"done\n");
    assert_eq!(texts(found), [(1, "done".into())]);
}

#[test]
fn ends_in_the_earlier_words() {
    let switch: CommandName = "switch".parse().unwrap();
    for (state, exit_code, word, code) in [
        (RunState::Succeeded, Some(0), "ok", 0),
        (RunState::Succeeded, None, "ok", 0),
        (RunState::Degraded, Some(4), "warning", 4),
        (RunState::RebootRequired, Some(100), "warning", 100),
        (RunState::Stopped, None, "stopped", -1),
        (RunState::Failed, Some(1), "error", 1),
        (RunState::TimedOut, None, "error", -1),
        (RunState::Lost, None, "error", -1),
    ] {
        let outcome = Outcome {
            state,
            exit_code,
            signal: None,
            reason: Some("why".into()),
            failure: None,
        };
        let status = status(&switch, &outcome, "1a2b3c4".into());
        assert_eq!(
            (status.status.as_str(), status.exit_code),
            (word, Some(code))
        );
        assert_eq!(status.message, "why");
    }
}

#[tokio::test]
async fn how_far_a_run_is_told_survives_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let (run, other) = (RunId::new(), RunId::new());
    let sent = Sent::open(dir.path());
    let line = |number, ours| Line {
        number,
        text: String::new(),
        ours,
    };
    sent.note(run, 7, false).await;
    sent.note(run, 1, true).await;
    sent.note(other, 1, false).await;
    sent.forget(other).await;
    let sent = Sent::open(dir.path());
    let told = |run, number, ours| sent.has_told(run, &line(number, ours));
    assert!(told(run, 7, false) && !told(run, 8, false));
    assert!(told(run, 1, true) && !told(run, 2, true));
    assert!(!told(other, 1, false));
    std::fs::write(dir.path().join("told-v2.json"), "{").unwrap();
    assert!(!Sent::open(dir.path()).has_told(run, &line(1, false)));
}
