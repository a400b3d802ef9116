//! What is kept is bounded, whatever comes.

use super::*;

const MIB: usize = 1 << 20;

/// Feeds `bytes` in reads of a terminal's size; returns how many lines and redraws came, and the sum of the lines' lengths.
fn feed(bytes: &[u8]) -> (usize, usize, u64) {
    let (mut lines, mut redraws, mut total) = (0, 0, 0);
    let mut assembler = LineAssembler::default();
    let mut sink = |found: Found<'_>| match found {
        Found::Line { mark, visible } => {
            assert!(visible.len() <= MAX_LINE && mark.skip <= mark.len);
            lines += 1;
            total += mark.len;
        }
        Found::Redraw { visible } => {
            assert!(visible.len() <= MAX_LINE);
            redraws += 1;
        }
    };
    for read in bytes.chunks(4095) {
        assembler.push(read, &mut sink);
        assembler.assert_bounded();
    }
    assembler.finish(&mut sink);
    (lines, redraws, total)
}

#[test]
fn a_line_without_end() {
    let long = vec![b'x'; 16 * MIB];
    assert_eq!(feed(&long), (16 * MIB / MAX_LINE, 0, 16 * MIB as u64));
    // The same where lines are held back.
    let mut after_up = b"a\x1b[A".to_vec();
    after_up.extend_from_slice(&long);
    let (lines, redraws, total) = feed(&after_up);
    assert!(lines > 16 * MIB / MAX_LINE);
    // It covers all of the screen, and so the line `a`.
    assert_eq!((redraws, total), (1, 16 * MIB as u64 + 4));
}

#[test]
fn redraws_without_end() {
    let bar = b"[1/2/3 built] x\r";
    let long = bar.repeat(16 * MIB / bar.len());
    assert_eq!(feed(&long), (1, MIB - 1, 16 * MIB as u64));
    let returns = vec![b'\r'; 16 * MIB];
    assert_eq!(feed(&returns), (0, 0, 0));
    let erased = b"\x1b[K\r".repeat(4 * MIB);
    assert_eq!(feed(&erased), (0, 0, 0));
}

#[test]
fn blocks_without_end() {
    let block = b"\x1b[G\x1b[2F\x1b[J[1/2 built]\r\nbuilding x\r\n";
    let count = 4 * MIB / block.len();
    let (lines, redraws, total) = feed(&block.repeat(count));
    assert_eq!((lines, redraws), (2, 2 * (count - 1)));
    assert_eq!(total, (count * block.len()) as u64);
    // One of two lines is drawn over, again and again: the other one is given away at last.
    let block = b"\x1b[2Aa\n\n";
    let count = MIB / block.len();
    let (lines, _, total) = feed(&[b"a\nb\n", block.repeat(count).as_slice()].concat());
    assert!(lines < count / 100, "{lines}");
    assert!(total <= 4 + (count * block.len()) as u64);
}

#[test]
fn lines_that_nothing_draws_over_are_pushed_out() {
    let mut bytes = b"\x1b[A".to_vec();
    for n in 0..MAX_HELD_LINES {
        bytes.extend_from_slice(format!("{n}\n").as_bytes());
    }
    let mut lines = Vec::new();
    let mut assembler = LineAssembler::default();
    let mut sink = |found: Found<'_>| {
        if let Found::Line { visible, .. } = found {
            lines.push(render(visible));
        }
    };
    assembler.push(&bytes, &mut sink);
    // The line above is one of the rows that are known.
    let known = MAX_HELD_LINES - 1;
    assembler.push(b"last\n", &mut sink);
    assembler.assert_bounded();
    assert!(
        lines.len() <= 2 && MAX_HELD_LINES - lines.len() <= known,
        "{lines:?}"
    );
    let mut lines = 0;
    let mut assembler = LineAssembler::default();
    let long = [b"x".repeat(1000), b"\n".to_vec()].concat();
    assembler.push(&[b"\x1b[A".to_vec(), long.repeat(80)].concat(), &mut |_| {
        lines += 1;
    });
    assembler.assert_bounded();
    // 80 lines of 1001 bytes, of four rows each: as many are held as fit 100 rows.
    assert_eq!(lines, 80 - (MAX_HELD_LINES / 4));
}

#[test]
fn escapes_without_end() {
    let numbers = [b"\x1b[".to_vec(), vec![b'1'; MIB]].concat();
    assert_eq!(feed(&numbers).2, MIB as u64 + 2);
    let escapes = b"\x1b".repeat(MIB);
    assert_eq!(feed(&escapes).0, MIB / MAX_LINE);
    let ups = b"x\x1b[9999A".repeat(MIB / 8);
    let (lines, redraws, _) = feed(&ups);
    assert_eq!(lines + redraws, MIB / 8);
}
