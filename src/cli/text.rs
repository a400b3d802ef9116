//! Text from hosts is untrusted: what of it reaches the operator's terminal.

use std::borrow::Cow;

use crate::run::ansi;
pub use crate::run::progress_line::duration;

/// Characters that turn the order of what is around them; a name with them could look like another one.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line of output: with its colours where `colour`, and never any other control character but TAB.
pub fn line(text: &str, colour: bool) -> String {
    let rendered: String = ansi::render(text.as_bytes())
        .chars()
        .filter(|letter| !turns(*letter))
        .collect();
    if !rendered.contains('\u{1b}') {
        return rendered;
    }
    if colour {
        // A colour that the line leaves on must not run into the next one.
        return format!("{rendered}\u{1b}[0m");
    }
    ansi::strip(&rendered).into_owned()
}

/// A name or a sentence on one line: control characters are shown, not obeyed.
pub fn plain(text: &str) -> Cow<'_, str> {
    let bad = |letter: char| letter.is_control() || turns(letter);
    if !text.contains(bad) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for letter in text.chars() {
        if bad(letter) {
            shown.extend(letter.escape_default());
        } else {
            shown.push(letter);
        }
    }
    Cow::Owned(shown)
}

/// An age in the largest unit that says enough: `0s`, `59s`, `5m`, `3h`, `12d`.
pub fn age(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `2026-01-31 08:15 UTC` for a time of the API; plain text for what is none.
pub fn minute(rfc3339: &str) -> String {
    match (rfc3339.get(..10), rfc3339.get(11..16)) {
        (Some(day), Some(time)) if rfc3339.ends_with('Z') => {
            plain(&format!("{day} {time} UTC")).into_owned()
        }
        _ => plain(rfc3339).into_owned(),
    }
}

/// Seconds in a time such as `45s`, `90m`, `2h`, `3d`.
pub fn seconds(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no time; write 45s, 90m, 2h or 3d");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text
        .strip_suffix(unit)
        .and_then(|number| number.parse().ok())
        .ok_or_else(wrong)?;
    number.checked_mul(seconds).ok_or_else(wrong)
}

/// Rows under headings, columns aligned, cells made plain, nothing after the last cell.
pub fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<Cow<'_, str>>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| plain(cell)).collect())
        .collect();
    let widths: Vec<usize> = (0..head.len())
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells
                .map(|cell| cell.chars().count())
                .chain([head[column].len()])
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let head = head.iter().map(|name| Cow::Borrowed(*name)).collect();
    for row in std::iter::once(&head).chain(&rows) {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let pad = width.saturating_sub(cell.chars().count()) + 2;
            line.extend(std::iter::repeat_n(' ', pad));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_with_a_unit() {
        for (text, expected) in [
            ("45s", Some(45)),
            ("90m", Some(5400)),
            ("2h", Some(7200)),
            ("7d", Some(604_800)),
            ("2", None),
            ("", None),
            ("h", None),
            ("-2h", None),
            ("2é", None),
            ("18446744073709551615d", None),
        ] {
            assert_eq!(super::seconds(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn only_colours_get_through_and_only_where_wanted() {
        for (text, coloured, without) in [
            ("plain", "plain", "plain"),
            ("\u{1b}[31mred", "\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}x", "x", "x"),
            ("\u{1b}]52;c;ZXZpbA==\u{7}x", "x", "x"),
            ("\u{1b}[2J\u{1b}[1;1Hx", "x", "x"),
            ("a\u{8}b\u{7}", "b", "b"),
            ("\u{9b}31mx", "31mx", "31mx"),
            ("a\u{202e}b\tc", "ab\tc", "ab\tc"),
        ] {
            assert_eq!(line(text, true), coloured, "{text:?}");
            assert_eq!(line(text, false), without, "{text:?}");
        }
    }

    #[test]
    fn names_show_their_control_characters() {
        assert_eq!(plain("web1"), "web1");
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{202e}"), "a\\u{1b}[2Jb\\nc\\u{202e}");
        assert_eq!(plain("Grüße"), "Grüße");
    }

    #[test]
    fn ages_and_durations() {
        for (milliseconds, expected) in [
            (0, "0s"),
            (59_999, "59s"),
            (60_000, "1m"),
            (7_200_000, "2h"),
            (172_800_000, "2d"),
        ] {
            assert_eq!(age(milliseconds), expected);
        }
        for (milliseconds, expected) in [(999, "0s"), (65_000, "1m 05s"), (3_720_000, "1h 02m")] {
            assert_eq!(duration(milliseconds), expected);
        }
    }

    #[test]
    fn tables_are_aligned() {
        let rows = [
            vec!["web1".into(), "on\nline".into()],
            vec!["database".into(), String::new()],
        ];
        let expected = "HOST      STATUS\nweb1      on\\nline\ndatabase\n";
        assert_eq!(table(&["HOST", "STATUS"], &rows), expected);
    }
}
