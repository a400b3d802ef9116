//! What else a terminal understands: none of it ends a line, and none of it loses one.

use super::*;

/// What is shown of the lines.
#[track_caller]
fn shows(bytes: &[u8], expected: &[&str]) {
    let ((lines, _), _) = assemble([bytes]);
    let texts: Vec<_> = lines.iter().map(|line| line.2.as_str()).collect();
    assert_eq!(texts, expected, "{:?}", bytes.escape_ascii().to_string());
    let single = assemble(bytes.chunks(1)).0;
    assert_eq!(single.0, lines);
}

#[test]
fn ends_of_lines() {
    shows(b"a\nb\r\nc\r\r\nd\r\r\r\n", &["a", "b", "c", "d"]);
    shows(b"\n\r\n\r\r\n", &["", "", ""]);
    shows(b"a\rb\n", &["b"]);
    shows(b"a\r\rb\r\n", &["b"]);
    shows(b"a\n\rb\n", &["a", "b"]);
    shows(b"a\x0bb\x0cc\n", &["abc"]);
}

#[test]
fn erased_lines() {
    shows(b"50%\x1b[K\n", &["50%"]);
    shows(b"50%\r\x1b[Kdone\n", &["done"]);
    shows(b"50%\r\x1b[2Kdone\n", &["done"]);
    shows(b"50%\r\x1b[1K\x1b[0Kdone\n", &["done"]);
    shows(b"50%\r\x1b[K\n", &[""]);
    shows(b"50%\x1b[2K\x1b[Gdone\n", &["done"]);
    shows(b"50%\x1b[1Gdone\n", &["done"]);
    shows(b"50%\x1b[G\n", &["50%"]);
    // Without a way back to its start, the text before stands in the line's bytes and is shown.
    shows(b"50%\x1b[2Kdone\n", &["50%done"]);
}

#[test]
fn strings_of_the_terminal() {
    shows(b"\x1b]0;title\x07a\n", &["a"]);
    shows(b"\x1b]2;title\x1b\\a\n", &["a"]);
    shows(
        b"\x1b]8;;https://x.org\x1b\\text\x1b]8;;\x1b\\!\n",
        &["text!"],
    );
    shows(
        b"\x1b]8;id=1;https://x.org\x07text\x1b]8;;\x07!\n",
        &["text!"],
    );
    // One that never ends hides no line, nor what stands behind it.
    shows(b"\x1b]0;title\nb\n", &["0;title", "b"]);
    shows(b"\x1b]8;;https://x\x1b[31mred\nb\n", &["\x1b[31mred", "b"]);
    shows(b"\x1bPq#0\nb\n", &["q#0", "b"]);
    // A newline in one is a line's end all the same: lines are for people to find.
    shows(b"\x1b]0;a\nb\x07c\n", &["0;a", "bc"]);
}

#[test]
fn colours_and_the_cursor() {
    shows(b"\x1b[1;31mred\x1b[0m\r\n", &["\x1b[1;31mred\x1b[0m"]);
    shows(b"\x1b[38;2;1;2;3mrgb\n", &["\x1b[38;2;1;2;3mrgb"]);
    shows(b"\x1b[?25lhidden\x1b[?25h\n", &["hidden"]);
    shows(b"\x1b[?2026ha\x1b[?2026l\n", &["a"]);
    shows(b"\x1b7a\x1b8b\x1b[s\x1b[u\x1bMc\n", &["abc"]);
    // Of moves within the line only a carriage return counts.
    shows(b"ab\x1b[1Dc\x1b[5Gd\n", &["abcd"]);
}

#[test]
fn bytes_that_are_no_text() {
    shows(b"a\0b\0\n\0\n", &["ab", ""]);
    shows(b"a\xff\xfeb\n", &["a\u{fffd}\u{fffd}b"]);
    shows(b"\xc3\n\xa4\n", &["\u{fffd}", "\u{fffd}"]);
    shows(b"\xe2\x80\x1b[0mx\n", &["\u{fffd}\x1b[0mx"]);
    shows(b"\x9b31mx\n", &["\u{fffd}31mx"]);
    shows("a\u{9b}31mx\u{202e}y\n".as_bytes(), &["a31mx\u{202e}y"]);
    shows(b"\x07a\x08b\x7f\n", &["b"]);
}

#[test]
fn an_escape_that_a_read_has_cut_is_whole_again() {
    let bytes = b"x\n\x1b[1mab\x1b[0m\ny\n\x1b[2F\x1b[Jz\n";
    let whole = assemble([bytes.as_slice()]);
    for at in 0..bytes.len() {
        let cut = assemble([&bytes[..at], &bytes[at..]]);
        assert_eq!(cut.0, whole.0, "{at}");
        for again in at..bytes.len() {
            let cut = assemble([&bytes[..at], &bytes[at..again], &bytes[again..]]);
            assert_eq!(cut.0, whole.0, "{at} {again}");
        }
    }
    // One that is cut by the end of the output is no text.
    for bytes in [b"a\x1b".as_slice(), b"a\x1b[", b"a\x1b[12"] {
        let ((lines, _), _) = assemble([bytes]);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0].0, bytes.len() as u64);
    }
}
