//! Terminal control bytes: what of a line is shown.
//!
//! The rule, for one line's bytes without its end (`\n` and the `\r`s before it):
//! - A carriage return begins a new segment. Shown is the last segment that shows anything: text, or an erasure
//!   (`ESC[K`, `ESC[J`), which shows as nothing. `50%\r100%` shows `100%`; `50%\r` and `50%\r ESC[0m` show `50%`;
//!   `50%\r ESC[K` shows nothing. (A terminal would keep what a shorter segment does not cover; a log should not.)
//! - SGR (`ESC[…m`, colours) is kept. Every other escape is dropped, of a hyperlink (OSC 8) only the link.
//! - A backspace takes the character before it. Other C0 and C1 controls but TAB are dropped.
//! - Bytes that are no UTF-8 become U+FFFD.

use std::borrow::Cow;

use crate::run::event::LineMark;
use crate::run::records::line;

const ESC: u8 = 0x1b;
const BEL: u8 = 0x07;

/// What an escape sequence is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    /// Colours and weights.
    Sgr,
    /// Erases a part of the line or screen.
    Erase,
    /// Anything else.
    Other,
}

/// What a segment between carriage returns shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shows {
    Nothing,
    Erasure,
    Text,
}

/// The escape sequence at the start of `bytes`, which begin with ESC, and its length. None if it does not end in them.
fn escape(bytes: &[u8]) -> Option<(Escape, usize)> {
    let kind = *bytes.get(1)?;
    match kind {
        b'[' => {
            let mut at = 2;
            while matches!(bytes.get(at)?, 0x30..=0x3f) {
                at += 1;
            }
            let parameters = &bytes[2..at];
            let intermediate = at;
            while matches!(bytes.get(at)?, 0x20..=0x2f) {
                at += 1;
            }
            let plain =
                at == intermediate && parameters.iter().all(|byte| matches!(byte, b'0'..=b';'));
            match bytes[at] {
                b'm' if plain => Some((Escape::Sgr, at + 1)),
                b'K' | b'J' if plain => Some((Escape::Erase, at + 1)),
                0x40..=0x7e => Some((Escape::Other, at + 1)),
                // Broken off: what follows is text again.
                _ => Some((Escape::Other, at)),
            }
        }
        // Strings: OSC, DCS, SOS, PM, APC.
        b']' | b'P' | b'X' | b'^' | b'_' => {
            let at = 2 + memchr::memchr2(BEL, ESC, bytes.get(2..)?)?;
            let len = if bytes[at] == BEL {
                at + 1
            } else if *bytes.get(at + 1)? == b'\\' {
                at + 2
            } else {
                // Another escape breaks the string off.
                at
            };
            Some((Escape::Other, len))
        }
        0x20..=0x2f => {
            let mut at = 2;
            while matches!(bytes.get(at)?, 0x20..=0x2f) {
                at += 1;
            }
            Some((Escape::Other, at + usize::from(bytes[at] >= 0x30)))
        }
        0x30..=0x7e => Some((Escape::Other, 2)),
        _ => Some((Escape::Other, 1)),
    }
}

/// How many bytes to drop for the escape at the start of `bytes`: of one that never ends, only its introduction, so that
/// no text hides behind it.
fn skip(bytes: &[u8]) -> (Escape, usize) {
    escape(bytes).unwrap_or((Escape::Other, bytes.len().min(2)))
}

/// What `segment` shows.
pub(super) fn shows(segment: &[u8]) -> Shows {
    let (mut at, mut shown) = (0, Shows::Nothing);
    while let Some(&byte) = segment.get(at) {
        match byte {
            ESC => {
                let (kind, len) = skip(&segment[at..]);
                if kind == Escape::Erase {
                    shown = Shows::Erasure;
                }
                at += len;
            }
            b'\t' | 0x20..=0x7e | 0x80.. => return Shows::Text,
            _ => at += 1,
        }
    }
    shown
}

/// Whether the last escape sequence of `bytes` is not whole; if so, where it begins. Looks at no more than 256 bytes.
pub(super) fn unfinished_escape(bytes: &[u8]) -> Option<usize> {
    let from = bytes.len().saturating_sub(256);
    let start = from + memchr::memrchr(ESC, &bytes[from..])?;
    escape(&bytes[start..]).is_none().then_some(start)
}

/// `bytes` without the escape sequences at their start.
pub(super) fn after_escapes(mut bytes: &[u8]) -> &[u8] {
    while bytes.first() == Some(&ESC) {
        bytes = &bytes[skip(bytes).1..];
    }
    bytes
}

/// The text that a line shows, by the rule of this module. Its only control characters are TAB and the ESC of SGR.
pub fn render(raw: &[u8]) -> String {
    let end = raw
        .iter()
        .rposition(|byte| !matches!(byte, b'\r' | b'\n'))
        .map_or(0, |last| last + 1);
    let line = &raw[..end];
    let plain = |byte: &u8| matches!(byte, b'\t' | 0x20..=0x7e);
    if line.iter().all(plain) {
        return String::from_utf8_lossy(line).into_owned();
    }
    let mut start = 0;
    let mut segment_end = line.len();
    while let Some(cr) = memchr::memrchr(b'\r', &line[..segment_end]) {
        if shows(&line[cr + 1..segment_end]) != Shows::Nothing {
            start = cr + 1;
            break;
        }
        segment_end = cr;
    }
    // Segments that show nothing may still end a colour.
    decode(&line[start..])
}

/// The text of a line from its raw bytes and its mark.
pub fn line_text(raw: &[u8], mark: &LineMark) -> String {
    let len = (mark.len as usize).min(raw.len());
    render(&line(raw.get(mark.skip as usize..len).unwrap_or_default()))
}

fn decode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    // A backspace takes no byte of an SGR sequence.
    let mut floor = 0;
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let text = rest
            .iter()
            .position(|byte| !matches!(byte, b'\t' | 0x20..=0x7e | 0x80..))
            .unwrap_or(rest.len());
        out.extend(
            String::from_utf8_lossy(&rest[..text])
                .chars()
                .filter(|char| !matches!(char, '\u{80}'..='\u{9f}')),
        );
        at += text;
        match bytes.get(at) {
            Some(&ESC) => {
                let (kind, len) = skip(&bytes[at..]);
                if kind == Escape::Sgr {
                    out.push_str(&String::from_utf8_lossy(&bytes[at..at + len]));
                    floor = out.len();
                }
                at += len;
            }
            Some(0x08) => {
                if out.len() > floor {
                    out.pop();
                }
                at += 1;
            }
            Some(_) => at += 1,
            None => break,
        }
    }
    out
}

/// The text without SGR.
pub fn strip(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = memchr::memchr(ESC, &bytes[at..]).map_or(bytes.len(), |found| at + found);
        out.extend_from_slice(&bytes[at..end]);
        at = end;
        if at < bytes.len() {
            at += skip(&bytes[at..]).1;
        }
    }
    Cow::Owned(String::from_utf8_lossy(&out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        assert_eq!(render(raw.as_bytes()), expected, "{raw:?}");
    }

    #[test]
    fn redraws() {
        check("plain\r\n", "plain");
        check("plain\r\r\r\n", "plain");
        check("50%\r100%\r\n", "100%");
        check("50%\r", "50%");
        check("50%\r\u{1b}[0m\n", "50%\u{1b}[0m");
        check("50%\r\u{1b}[K\n", "");
        check("50%\r\u{1b}[K\rdone\n", "done");
        check("a\r\u{1b}[Kb\r\u{1b}[m", "b\u{1b}[m");
    }

    #[test]
    fn escapes() {
        check(
            "\u{1b}[31;1merror:\u{1b}[0m x",
            "\u{1b}[31;1merror:\u{1b}[0m x",
        );
        check("\u{1b}[38:5:1mx\u{1b}[2J\u{1b}[1;1Hy", "\u{1b}[38:5:1mxy");
        check("\u{1b}[>4;1mx\u{1b}[?25l\u{1b}[1 mz", "xz");
        check("\u{1b}]8;;file://a\u{7}link\u{1b}]8;;\u{1b}\\!", "link!");
        check(
            "\u{1b}]0;title\u{7}\u{1b}P1$r\u{1b}\\\u{1b}cx\u{1b}(By",
            "xy",
        );
        check("\u{1b}]52;c;secret", "52;c;secret");
        check("\u{1b}[12\u{7}x", "x");
        check("a\u{7}\u{0}\u{b}b\u{7f}\tc", "ab\tc");
        check("ab\u{8}c\u{1b}[1m\u{8}d", "ac\u{1b}[1md");
        check("a\u{9b}31mb", "a31mb");
        check("ü ‘x’ 漢", "ü ‘x’ 漢");
        assert_eq!(render(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(strip("\u{1b}[31;1merror:\u{1b}[0m x"), "error: x");
        assert_eq!(strip("x"), "x");
        let mark = LineMark {
            len: 9,
            skip: 4,
            ago: 0,
        };
        assert_eq!(line_text(b"50%\r100%\n", &mark), "100%");
        assert_eq!(line_text(b"50", &mark), "");
    }

    proptest! {
        #[test]
        fn nothing_but_colours_gets_through(raw in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(ESC), Just(b'['), Just(b'm'), Just(b'\r'), Just(b']')], 0..80)) {
            let text = render(&raw);
            let bare = strip(&text);
            prop_assert!(!bare.contains(|char: char| char.is_control() && char != '\t'), "{text:?}");
            let mut rest = text.as_str();
            while let Some(at) = rest.find('\u{1b}') {
                let (kind, len) = escape(&rest.as_bytes()[at..]).unwrap();
                prop_assert_eq!(kind, Escape::Sgr);
                rest = &rest[at + len..];
            }
        }
    }
}
