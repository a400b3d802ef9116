//! The escapes that move the cursor to another line or erase what stands there (ECMA-48, as xterm and Linux read it).

const ESC: u8 = 0x1b;
/// The longest escape that is waited for, in bytes; no program's is longer. What is longer moves nothing.
pub(super) const MAX_ESCAPE: usize = 64;

/// What an escape does to the cursor and the lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// Up that many lines (`CSI n A`); to their start (`CSI n F`).
    Up { lines: u64, left: bool },
    /// Down that many lines (`CSI n B`); to their start (`CSI n E`).
    Down { lines: u64, left: bool },
    /// Erases from the cursor to the end of the screen (`CSI J`).
    EraseBelow,
    /// Erases from the cursor to the end of its line (`CSI K`), or the whole line (`CSI 2 K`).
    EraseLine { whole: bool },
    /// To a column (`CSI n G`): the first one, or another.
    Column { left: bool },
    /// Nothing of this.
    Other,
}

/// What stands at the start of bytes that begin with ESC.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// A control sequence of that length.
    Whole(Move, usize),
    /// The bytes end in it.
    Cut,
    /// No control sequence.
    None,
}

/// Reads the control sequence at the start of `bytes`, which begin with ESC.
pub(super) fn escape(bytes: &[u8]) -> Escape {
    match bytes.get(1) {
        None => return Escape::Cut,
        Some(b'[') => {}
        Some(_) => return Escape::None,
    }
    let known = &bytes[..bytes.len().min(MAX_ESCAPE)];
    let Some(end) = known[2..]
        .iter()
        .position(|byte| !matches!(byte, 0x20..=0x3f))
    else {
        return if known.len() < MAX_ESCAPE {
            Escape::Cut
        } else {
            Escape::None
        };
    };
    let parameters = &known[2..2 + end];
    let last = known[2 + end];
    if !matches!(last, 0x40..=0x7e) {
        return Escape::None;
    }
    let Some(number) = number(parameters) else {
        return Escape::Whole(Move::Other, end + 3);
    };
    // Of moves, 0 means 1.
    let lines = number.max(1);
    let kind = match (last, number) {
        (b'A', _) => Move::Up { lines, left: false },
        (b'F', _) => Move::Up { lines, left: true },
        (b'B', _) => Move::Down { lines, left: false },
        (b'E', _) => Move::Down { lines, left: true },
        (b'G', _) => Move::Column { left: number <= 1 },
        (b'J', 0) => Move::EraseBelow,
        (b'K', 0 | 2) => Move::EraseLine { whole: number == 2 },
        _ => Move::Other,
    };
    Escape::Whole(kind, end + 3)
}

/// One decimal number, 0 if there is none. What is no single number is a parameter of something else.
fn number(parameters: &[u8]) -> Option<u64> {
    parameters.iter().try_fold(0_u64, |number, byte| {
        byte.is_ascii_digit().then(|| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(byte - b'0'))
        })
    })
}

/// Where `bytes` first go up or back to the start of the line, or end in an escape that may; the length if they do neither.
pub(super) fn first_move(bytes: &[u8]) -> (usize, bool) {
    for at in memchr::memchr_iter(ESC, bytes) {
        match escape(&bytes[at..]) {
            Escape::Whole(Move::Up { .. } | Move::Column { left: true }, _) => return (at, true),
            Escape::Cut => return (at, false),
            Escape::Whole(..) | Escape::None => {}
        }
    }
    (bytes.len(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: &str, expected: Move) {
        let text = format!("{bytes}x\u{1b}[9A");
        assert_eq!(
            escape(text.as_bytes()),
            Escape::Whole(expected, bytes.len()),
            "{bytes:?}"
        );
        for end in 1..bytes.len() {
            assert_eq!(escape(&bytes.as_bytes()[..end]), Escape::Cut, "{bytes:?}");
        }
    }

    #[test]
    fn sequences() {
        let up = |lines, left| Move::Up { lines, left };
        check("\u{1b}[A", up(1, false));
        check("\u{1b}[0A", up(1, false));
        check("\u{1b}[12F", up(12, true));
        check("\u{1b}[99999999999999999999999A", up(u64::MAX, false));
        let (lines, left) = (3, true);
        check("\u{1b}[3E", Move::Down { lines, left });
        let left = false;
        check("\u{1b}[3B", Move::Down { lines, left });
        check("\u{1b}[J", Move::EraseBelow);
        check("\u{1b}[0J", Move::EraseBelow);
        check("\u{1b}[2J", Move::Other);
        check("\u{1b}[K", Move::EraseLine { whole: false });
        check("\u{1b}[2K", Move::EraseLine { whole: true });
        check("\u{1b}[1K", Move::Other);
        check("\u{1b}[G", Move::Column { left: true });
        check("\u{1b}[7G", Move::Column { left: false });
        check("\u{1b}[?2026h", Move::Other);
        check("\u{1b}[31;1m", Move::Other);
        check("\u{1b}[1;2A", Move::Other);
        check("\u{1b}[5;1H", Move::Other);
    }

    #[test]
    fn what_is_none() {
        for bytes in ["\u{1b}]0;x", "\u{1b}c", "\u{1b}\u{1b}[A", "\u{1b}[3\nA"] {
            assert_eq!(escape(bytes.as_bytes()), Escape::None, "{bytes:?}");
        }
        let long = format!("\u{1b}[{}A", "1".repeat(MAX_ESCAPE));
        assert_eq!(escape(long.as_bytes()), Escape::None);
        assert_eq!(escape(&long.as_bytes()[..MAX_ESCAPE - 1]), Escape::Cut);
        assert_eq!(escape(&long.as_bytes()[..MAX_ESCAPE]), Escape::None);
    }

    #[test]
    fn the_first_one_that_counts() {
        for (bytes, expected) in [
            ("a\u{1b}[31mb\n", (8, false)),
            ("a\u{1b}[31m\u{1b}[2A", (6, true)),
            ("a\u{1b}[31m\u{1b}[2", (6, false)),
            ("a\u{1b}[7G\u{1b}[K\u{1b}[1G", (8, true)),
            ("a\u{1b}", (1, false)),
            ("", (0, false)),
        ] {
            assert_eq!(first_move(bytes.as_bytes()), expected, "{bytes:?}");
        }
    }
}
