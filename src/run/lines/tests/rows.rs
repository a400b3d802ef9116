//! Programs that redraw several lines.

use std::fmt::Write as _;

use super::*;

/// The lines that are shown, and what was drawn over; the marks must add up.
#[track_caller]
fn check_rows(bytes: &str, lines: &[&str], redraws: &[&str]) {
    let (found, _) = assemble([bytes.as_bytes()]);
    let texts: Vec<_> = found
        .0
        .iter()
        .map(|line| strip(&line.2).into_owned())
        .collect();
    assert_eq!(texts, lines, "{bytes:?}");
    let seen: Vec<_> = found.1.iter().map(|text| strip(text)).collect();
    assert_eq!(seen, redraws, "{bytes:?}");
    let mut at = 0;
    for (len, skip, text) in &found.0 {
        let (len, skip) = (*len, *skip);
        let raw = &bytes.as_bytes()[at..at + len as usize];
        let mark = LineMark { len, skip, ago: 0 };
        assert_eq!(&line_text(raw, &mark), text);
        at += len as usize;
    }
    assert_eq!(assemble(bytes.as_bytes().chunks(1)).0, found);
}

/// As Lix draws: before each state and each line of its log it erases the lines of the state before.
fn lix(frames: &[&str]) -> String {
    let mut out = String::new();
    let mut height = 0;
    for frame in frames {
        if height == 0 {
            out.push_str("\r\u{1b}[K");
        } else {
            write!(out, "\u{1b}[G\u{1b}[{height}F\u{1b}[J").unwrap();
        }
        height = 0;
        if let Some(log) = frame.strip_prefix("log: ") {
            write!(out, "{log}\u{1b}[0m\r\n").unwrap();
        } else {
            for line in frame.lines() {
                write!(out, "{line}\u{1b}[0m\r\n").unwrap();
                height += 1;
            }
        }
    }
    out
}

#[test]
fn the_bar_of_lix() {
    check_rows(
        &lix(&[
            "[0/2 built]\nbuilding a",
            "[1/2 built]\nbuilding b",
            "",
            "log: done",
        ]),
        // The first state is known to be one only when the cursor goes up for the first time.
        &["[0/2 built]", "building a", "done"],
        &["[1/2 built]", "building b"],
    );
    // Lines of the log come out once, whatever is drawn below them before and after.
    let block = "[1/2 built]\nbuilding b";
    check_rows(
        &lix(&[
            block,
            block,
            "log: one",
            block,
            block,
            "log: two",
            "log: three",
            block,
            "",
            "log: end",
        ]),
        &["[1/2 built]", "building b", "one", "two", "three", "end"],
        &["[1/2 built]", "building b"].repeat(4),
    );
    // It grows and shrinks.
    check_rows(
        &lix(&["a", "[1]\na\nb\nc", "[2]\na", "log: x", "[3]\na\nb", ""]),
        &["a", "x"],
        &["[1]", "a", "b", "c", "[2]", "a", "[3]", "a", "b"],
    );
    // Killed in the middle: what was on the screen stays.
    check_rows(
        &lix(&["a", "[1]\na", "[2]\nb", "log: x", "[3]\nc"]),
        &["a", "x", "[3]", "c"],
        &["[1]", "a", "[2]", "b"],
    );
}

#[test]
fn what_does_not_fit_the_screen_of_lix() {
    let more = "\u{1b}[G\u{1b}[1F\u{1b}[J[1 built]\r\nAnd 3 more...";
    check_rows(
        &format!(
            "[0 built]\r\n{}\u{1b}[G\u{1b}[1F\u{1b}[Jend\n",
            more.repeat(3)
        ),
        &["[0 built]", "end"],
        &["[1 built]", "And 3 more..."].repeat(3),
    );
}

#[test]
fn downloads_of_homebrew() {
    // The last line has no newline; each line is written over, and what is finished goes first.
    let frames = [
        "\u{1b}[?2026h⠋ a 1%\n\u{1b}[K⠋ b 1%\u{1b}[K\u{1b}[1F\u{1b}[?2026l",
        "\u{1b}[?2026h⠙ a 2%\n\u{1b}[K⠙ b 2%\u{1b}[K\u{1b}[1F\u{1b}[?2026l",
        "\u{1b}[?2026h✔ b\n\u{1b}[K⠚ a 3%\u{1b}[K\u{1b}[1G\u{1b}[?2026l",
        "\u{1b}[?2026h✔ a\n\u{1b}[K\u{1b}[?25h",
    ];
    check_rows(
        &format!(
            "==> Fetching\n\u{1b}[?25l{}==> Installing\n",
            frames.concat()
        ),
        &["==> Fetching", "⠋ a 1%", "✔ b", "✔ a", "==> Installing"],
        &["⠋ b 1%", "⠙ a 2%", "⠙ b 2%", "⠚ a 3%"],
    );
}

#[test]
fn what_is_not_drawn_over_stays() {
    let up = |n: u32| format!("\u{1b}[{n}A");
    // The first lines are given away before the cursor goes up.
    let start = format!("{}a\nb\nc\n", up(1));
    check_rows(
        &format!("{start}{}\n\n\nd\n", up(3)),
        &["a", "b", "c", "d"],
        &[],
    );
    check_rows(
        &format!("{start}{}\u{1b}[3Bd\n", up(3)),
        &["a", "b", "c", "d"],
        &[],
    );
    check_rows(
        &format!("{start}{}B\n\nd\n", up(2)),
        &["a", "c", "B", "d"],
        &["b"],
    );
    check_rows(
        &format!("{start}{}\rB\u{1b}[K\u{1b}[2E", up(2)),
        &["a", "c", "B"],
        &["b"],
    );
    check_rows(&format!("{start}{}", up(3)), &["a", "b", "c"], &[]);
    // Erased ones do not; a newline in one makes it an empty line.
    check_rows(
        &format!("{start}{}\u{1b}[2K\n\nd\n", up(2)),
        &["a", "c", "", "d"],
        &["b"],
    );
    check_rows(
        &format!("{start}{}\u{1b}[Jd\n", up(2)),
        &["a", "d"],
        &["b", "c"],
    );
    let back = "\u{1b}[2K\u{1b}[1A".repeat(3);
    check_rows(
        &format!("{start}{back}\u{1b}[2K\u{1b}[Gd\n"),
        &["d"],
        &["c", "b", "a"],
    );
    // In the middle of a line, the rest of it is erased, and not the line.
    check_rows(
        &format!("{start}xy{}\u{1b}[K\n\n", up(1)),
        &["a", "b", "c", "xy"],
        &[],
    );
    check_rows(
        &format!("{start}{}\u{1b}[2;1Hx\n", up(1)),
        &["a", "b", "x"],
        &["c"],
    );
}

#[test]
fn what_was_given_away_stays() {
    check_rows("a\nb\n\u{1b}[2F\u{1b}[Jc\n", &["a", "b", "c"], &[]);
    check_rows("a\nb\n\u{1b}[2FA\nB\n", &["a", "b", "A", "B"], &[]);
    // The place of a line that was given away is known: what is drawn there covers no other.
    check_rows(
        "a\n\u{1b}[1Ab\nc\n\u{1b}[3Ad\n\n\n",
        &["a", "b", "c", "d"],
        &[],
    );
    // Further up than is known.
    check_rows(
        "a\n\u{1b}[1Ab\nc\n\u{1b}[99Ad\n",
        &["a", "b", "c", "d"],
        &[],
    );
}

#[test]
fn a_line_may_take_several_rows() {
    let long = "x".repeat(COLUMNS + 1);
    let up = "\u{1b}[1A";
    check_rows(
        &format!("{up}a\n{long}\n\u{1b}[2F\u{1b}[Jb\n"),
        &["a", "b"],
        &[&long],
    );
    // Half of it is erased: what is left of it is the line.
    check_rows(
        &format!("{up}a\n{long}\n\u{1b}[1F\u{1b}[Jb\n"),
        &["a", &long, "b"],
        &[],
    );
    check_rows(
        &format!("{up}a\n{long}\n\u{1b}[3F\u{1b}[Jb\n"),
        &["b"],
        &["a", &long],
    );
}

/// Feeds parts; after each one, lines are settled if it begins with `!`. Returns the lines with the part they came with.
fn settled(parts: &[&str]) -> (Vec<(usize, String)>, Vec<u64>) {
    let (mut lines, mut skips) = (Vec::new(), Vec::new());
    let mut assembler = LineAssembler::default();
    for (n, part) in parts.iter().enumerate() {
        let mut sink = |found: Found<'_>| {
            if let Found::Line { visible, .. } = found {
                lines.push((n, strip(&render(visible)).into_owned()));
            }
        };
        if let Some(part) = part.strip_prefix('!') {
            assembler.push(part.as_bytes(), &mut sink);
            if let Some(newest) = assembler.waiting() {
                assembler.settle(newest, &mut sink);
            }
            assert_eq!(assembler.waiting(), None);
        } else {
            assembler.push(part.as_bytes(), &mut sink);
        }
        skips.push(assembler.tail_skip());
    }
    assembler.finish(&mut |found| {
        if let Found::Line { visible, .. } = found {
            lines.push((parts.len(), strip(&render(visible)).into_owned()));
        }
    });
    (lines, skips)
}

#[track_caller]
fn check_settled(parts: &[&str], expected: &[(usize, &str)]) {
    let (lines, _) = settled(parts);
    let lines: Vec<_> = lines.iter().map(|(n, text)| (*n, text.as_str())).collect();
    assert_eq!(lines, expected, "{parts:?}");
}

#[test]
fn lines_are_not_held_back_for_long() {
    check_settled(
        &["\u{1b}[Aa\nb\n", "c\n", "!"],
        &[(2, "a"), (2, "b"), (2, "c")],
    );
    // What was settled stays a line, and what is drawn there is another one.
    check_settled(
        &["!\u{1b}[Aa\nb\n", "\u{1b}[2F\u{1b}[JA\nB\n", "!"],
        &[(0, "a"), (0, "b"), (2, "A"), (2, "B")],
    );
    // In the middle of a redraw.
    check_settled(
        &["\u{1b}[Aa\nb\n", "!\u{1b}[2FA\n", "B\n"],
        &[(1, "b"), (1, "A"), (3, "B")],
    );
    // Without a cursor that went up, nothing waits.
    check_settled(&["a\nb\n", "!c\n"], &[(0, "a"), (0, "b"), (1, "c")]);
}

#[test]
fn the_bar_of_nix_waits_until_something_follows_it() {
    let bar = "\u{1b}[2F\u{1b}[J[1/2 built]\nbuilding x (buildPhase): y\n";
    let first = "\u{1b}[1Flog\n[0/2 built]\nbuilding x\n";
    check_settled(
        &[
            &format!("!{first}"),
            &format!("!{bar}"),
            "!\u{1b}[2F\u{1b}[Jend\n",
        ],
        &[(0, "log"), (2, "end")],
    );
    // It was killed, and another program says so.
    check_settled(
        &[&format!("!{first}"), "!error: x\n"],
        &[
            (0, "log"),
            (1, "[0/2 built]"),
            (1, "building x"),
            (1, "error: x"),
        ],
    );
    // At the end it is a line like any other.
    check_settled(
        &[&format!("!{first}")],
        &[(0, "log"), (1, "[0/2 built]"), (1, "building x")],
    );
}

#[test]
fn the_tail_begins_with_the_first_held_line() {
    let (_, skips) = settled(&[
        "x\n\u{1b}[A",
        "ab\n",
        "cd\n",
        "\u{1b}[2F\u{1b}[J",
        "!ef\n",
        "gh",
    ]);
    // Bytes since `x`: three of the escape, then `ab`; when that is erased, all of it and the escapes that did it.
    assert_eq!(skips, [0, 0, 0, 9, 0, 0]);
}

#[test]
fn the_state_of_a_bar_that_waits_is_told() {
    let mut redraws = Vec::new();
    let mut assembler = LineAssembler::default();
    assembler.push(b"\x1b[A[1/2 built]\nbuilding x\n", &mut |_| {
        panic!("not yet")
    });
    for _ in 0..2 {
        if let Some(newest) = assembler.waiting() {
            assembler.settle(newest, &mut |found| match found {
                Found::Redraw { visible } => redraws.push(render(visible)),
                Found::Line { .. } => panic!("it is a bar"),
            });
        }
    }
    assert_eq!(redraws, ["[1/2 built]", "building x"]);
}
