use proptest::prelude::*;

use super::*;
use crate::run::ansi::{line_text, render, strip};
use crate::run::event::MAX_LINE;

mod controls;
mod limits;
mod rows;

/// Lines as (len, skip, shown), and the redraws.
type Seen = (Vec<(u64, u64, String)>, Vec<String>);

fn assemble<'a>(reads: impl IntoIterator<Item = &'a [u8]>) -> (Seen, u64) {
    let (mut lines, mut redraws) = (Vec::new(), Vec::new());
    let mut sink = |found: Found<'_>| match found {
        Found::Line { mark, visible } => lines.push((mark.len, mark.skip, render(visible))),
        Found::Redraw { visible } => redraws.push(render(visible)),
    };
    let mut assembler = LineAssembler::default();
    for read in reads {
        assembler.push(read, &mut sink);
        assembler.assert_bounded();
    }
    let tail_skip = assembler.tail_skip();
    assembler.finish(&mut sink);
    ((lines, redraws), tail_skip)
}

#[track_caller]
fn check(bytes: &str, expected: &[(u64, u64, &str)], redraws: &[&str]) {
    let ((lines, seen), _) = assemble([bytes.as_bytes()]);
    let lines: Vec<_> = lines
        .iter()
        .map(|(len, skip, text)| (*len, *skip, text.as_str()))
        .collect();
    assert_eq!(lines, expected, "{bytes:?}");
    assert_eq!(seen, redraws, "{bytes:?}");
}

#[test]
fn lines_and_redraws() {
    check("ok\r\nb\n", &[(4, 0, "ok"), (2, 0, "b")], &[]);
    check("\n\r\n", &[(1, 0, ""), (2, 0, "")], &[]);
    check("a\r\r\n", &[(4, 0, "a")], &[]);
    check("1%\r2%\r3%\n", &[(9, 6, "3%")], &["1%", "2%"]);
    check("1%\r\u{1b}[K\n", &[(7, 3, "")], &["1%"]);
    check("1%\r\u{1b}[0m\n", &[(8, 0, "1%\u{1b}[0m")], &["1%"]);
    check("1%\r\u{1b}[0m\r2%\n", &[(11, 8, "2%")], &["1%"]);
    check("\r\u{1b}[0m\u{1b}[K\r\u{1b}[Kx\n", &[(14, 9, "x")], &[]);
    check("no end", &[(6, 0, "no end")], &[]);
    check("bar\r", &[(4, 0, "bar")], &[]);
    check("x\n\r\u{1b}[K", &[(2, 0, "x")], &[]);
    check("", &[], &[]);
}

#[test]
fn the_tail_says_where_its_text_begins() {
    for (bytes, skip) in [("1%\r2%", 3), ("1%\r", 0), ("1%\r\u{1b}[0m", 0), ("a\n", 0)] {
        assert_eq!(assemble([bytes.as_bytes()]).1, skip, "{bytes:?}");
    }
}

#[test]
fn long_lines_are_cut_and_no_byte_is_lost() {
    let long = "a".repeat(MAX_LINE);
    check(
        &format!("{long}\n"),
        &[(MAX_LINE as u64 + 1, 0, &long)],
        &[],
    );
    check(
        &format!("x\r{long}bc\r\n"),
        &[(MAX_LINE as u64 + 2, 2, &long), (4, 0, "bc")],
        &["x"],
    );
    // Neither a character nor a colour is split.
    for tail in ["漢", "\u{1b}[31m"] {
        let head = "a".repeat(MAX_LINE - 2);
        let ((lines, _), _) = assemble([format!("{head}{tail}b\n").as_bytes()]);
        assert_eq!(lines[0].0, MAX_LINE as u64 - 2, "{tail:?}");
        assert_eq!(lines[1].2, format!("{tail}b"));
    }
    let ((lines, _), _) = assemble([vec![b'\r'; 3 * MAX_LINE].as_slice(), b"x\n"]);
    assert_eq!(
        lines,
        [(3 * MAX_LINE as u64 + 2, 3 * MAX_LINE as u64, "x".into())]
    );
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"\r".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\x1b[K".to_vec()),
        Just(b"\x1b[31m".to_vec()),
        Just(b"\x1b[".to_vec()),
        Just(b"\x1b[A".to_vec()),
        Just(b"\x1b[2F\x1b[J".to_vec()),
        Just(b"\x1b[B".to_vec()),
        Just(b"ab\ncd\r\n[1/2 built]\n".to_vec()),
        Just("漢字".as_bytes().to_vec()),
        Just(vec![b'z'; MAX_LINE - 3]),
        proptest::collection::vec(any::<u8>(), 0..12),
    ];
    proptest::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn any_cut_gives_the_same_and_the_marks_add_up(
        bytes in stream(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let whole = assemble([bytes.as_slice()]);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let cut = assemble(cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]));
        prop_assert_eq!(&whole, &cut);
        let single = assemble(bytes.chunks(1));
        prop_assert_eq!(&whole, &single);

        let ((lines, _), _) = whole;
        let mut at = 0;
        let moves = memchr::memchr_iter(b'\x1b', &bytes)
            .any(|at| moves::first_move(&bytes[at..]) == (0, true));
        for (len, skip, text) in lines {
            let raw = &bytes[at..at + len as usize];
            let mark = LineMark { len, skip, ago: 0 };
            prop_assert_eq!(&line_text(raw, &mark), &text);
            // Where the line is not cut and the cursor stays in it, the whole of it shows the same text.
            if len < MAX_LINE as u64 && skip > 0 && !moves {
                let rendered = render(raw);
                prop_assert_eq!(strip(&rendered), strip(&text));
            }
            at += len as usize;
        }
        // Where the cursor went up, a newline alone is a way down.
        prop_assert!(moves || !bytes[at..].contains(&b'\n'));
    }
}

/// Found by made-up bytes: what stands before a return was taken for where the cursor is, unless a read ended there.
#[test]
fn a_return_before_bytes_that_move_nothing_counts_as_one() {
    let bytes = b"a\nb\n\x1b[Av\n\r\0\x1b[K\x1b[A\r(\r\r\x01\x01\x1b[K\0\x1b[Ax\n";
    assert_eq!(assemble(bytes.chunks(1)), assemble([bytes.as_slice()]));
    let crash: Vec<u8> = [
        &[0xff; 26][..],
        b"\r\x12@\x02=\0\xaa\xaa\xaa\xaa\xaa\xaa\xaa\n\x1b[F\xff\xfe\xff\xffv\xff\xff:\n\r\0\x01\x1b[K\0\0\x1b[A\x01\r(\0\r\r\x01\0\x01\0\x01\x1b[K\0\0\x1b[A\xff\xff\x01\xff\xff\xff\0\x01\n\r\x03",
    ]
    .concat();
    assert_eq!(assemble(crash.chunks(7)), assemble([crash.as_slice()]));
}
