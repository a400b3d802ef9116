use super::*;

/// `NAME FIRST+COUNT`, with `!` where the rest is dropped.
fn taken(logs: &mut Logs) -> Vec<String> {
    let mut all = Vec::new();
    while let Some(event) = logs.take(7) {
        let RunEvent::BuildLog {
            at: 7,
            name,
            drv,
            first,
            lines,
            rest_dropped,
        } = event
        else {
            panic!("{event:?}");
        };
        assert_eq!(drv, format!("/nix/store/h-{name}.drv"));
        let json: usize = lines.iter().map(|line| cost(line)).sum();
        assert!(lines.len() <= MAX_LOG_LINES && json <= MAX_LOG_BYTES);
        let end = if rest_dropped { "!" } else { "" };
        all.push(format!("{name} {first}+{}{end}", lines.len()));
    }
    assert!(!logs.is_waiting() && logs.waiting() == 0);
    all
}

/// `(build, how many lines, their length)` one after the other, and what is taken of it then.
#[track_caller]
fn check(limit: u64, said: &[(&str, usize, usize)], expected: &[&str]) {
    let mut logs = Logs::default();
    logs.limit(limit);
    for (name, count, len) in said {
        for _ in 0..*count {
            let line = "x".repeat(*len);
            logs.push(&format!("/nix/store/h-{name}.drv"), name, &line);
            assert!(logs.waiting() <= MAX_WAITING);
        }
    }
    assert_eq!(logs.is_waiting(), !expected.is_empty());
    assert_eq!(taken(&mut logs), expected);
    assert_eq!(logs.take(7), None);
}

#[test]
fn batches_are_of_one_build_and_have_limits() {
    check(MAX_LOGS, &[], &[]);
    check(
        MAX_LOGS,
        &[("a", 2, 5), ("b", 1, 5), ("a", 1, 0)],
        &["a 1+3", "b 1+1"],
    );
    check(
        MAX_LOGS,
        &[("a", 600, 5), ("b", 1, 5)],
        &["a 1+256", "a 257+256", "a 513+88", "b 1+1"],
    );
    // 64 KiB: sixteen lines of 4,096 bytes and what JSON adds are more.
    check(MAX_LOGS, &[("a", 17, 4096)], &["a 1+15", "a 16+2"]);
    check(MAX_LOGS, &[("a", 3, 9000)], &["a 1+3"]);
}

#[test]
fn beyond_the_runs_limit_each_build_says_so_once() {
    // Two builds are known; then there is room for ten lines of 100 bytes in JSON, and a little more.
    let names = 2 * ("/nix/store/h-a.drv".len() as u64 + 1 + BUILD_COST);
    check(
        names + 1050,
        &[
            ("a", 6, 97),
            ("b", 4, 97),
            ("a", 9, 97),
            ("b", 1, 1),
            ("c", 2, 1),
            ("d", 1, 1),
        ],
        &["a 1+6", "b 1+4", "a 7+0!", "b 5+0!", "c 1+0!"],
    );
    check(10, &[("a", 5, 1), ("b", 1, 1)], &["a 1+0!"]);
}

#[test]
fn what_waits_has_a_limit_and_what_is_dropped_is_counted() {
    let mut logs = Logs::default();
    let line = "x".repeat(4093);
    let push = |logs: &mut Logs, name: &str| {
        logs.push(&format!("/nix/store/h-{name}.drv"), name, &line);
    };
    for _ in 0..260 {
        push(&mut logs, "a");
    }
    assert_eq!(logs.waiting(), MAX_WAITING);
    push(&mut logs, "b");
    // Room for some more: `a` goes on after a hole of four lines, and of `b` nothing else comes.
    let first = logs.take(7).unwrap();
    assert!(matches!(first, RunEvent::BuildLog { first: 1, .. }));
    push(&mut logs, "a");
    let left = taken(&mut logs);
    assert_eq!(left.first().unwrap(), "a 17+16");
    assert_eq!(left[left.len() - 2..], ["a 261+1", "b 2+0"]);
    push(&mut logs, "b");
    assert_eq!(taken(&mut logs), ["b 2+1"]);
}

#[test]
fn long_lines_are_cut_between_characters_and_say_so() {
    for (line, expected) in [
        ("\u{1b}[31mred\u{1b}[0m".to_owned(), None),
        ("x".repeat(MAX_LOG_LINE), None),
        ("x".repeat(MAX_LOG_LINE + 1), Some("x… (41 bytes more)")),
        ("é".repeat(MAX_LOG_LINE), Some("é… (4136 bytes more)")),
        ("x".repeat(1 << 20), Some("x… (1044520 bytes more)")),
    ] {
        let kept = bounded(&line);
        assert!(kept.len() <= MAX_LOG_LINE, "{}", kept.len());
        match expected {
            None => assert_eq!(kept, line),
            Some(end) => assert!(kept.ends_with(end), "{}", &kept[kept.len() - 60..]),
        }
    }
}

#[test]
fn cost_is_what_json_takes() {
    for line in [
        "",
        "plain",
        "\u{1b}[1mé\u{1b}[0m\t\"q\" \\",
        "\u{0}\u{7f}\u{2028}",
    ] {
        let json = serde_json::to_string(line).unwrap();
        assert!(cost(line) > json.len(), "{line:?}");
    }
}
