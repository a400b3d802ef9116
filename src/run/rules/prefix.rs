//! What every match of a regular expression begins with.

/// The literal text that each match of the anchored `pattern` begins with, and whether that is the whole pattern.
/// Empty if there is none. It may be shorter than it could be, never longer.
pub(super) fn literal_prefix(pattern: &str) -> (String, bool) {
    let mut prefix = String::new();
    let Some(body) = pattern.strip_prefix('^') else {
        return (prefix, false);
    };
    if has_alternatives(body) {
        return (prefix, false);
    }
    let mut chars = body.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => match chars.next() {
                // `\d`, `\b`: no character of its own.
                Some(escaped) if !escaped.is_ascii_alphanumeric() => prefix.push(escaped),
                _ => return (prefix, false),
            },
            // The character before it may be missing.
            '?' | '*' | '{' => {
                prefix.pop();
                return (prefix, false);
            }
            '+' | '.' | '[' | '(' | ')' | '^' | '$' => return (prefix, false),
            literal => prefix.push(literal),
        }
    }
    (prefix, true)
}

/// Whether a `|` stands outside of all groups: then `^` anchors only the first of them.
fn has_alternatives(body: &str) -> bool {
    let (mut depth, mut class) = (0_u32, false);
    let mut chars = body.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => {
                chars.next();
            }
            ']' => class = false,
            _ if class => {}
            '[' => class = true,
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            '|' if depth == 0 => return true,
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, prefix: &str, whole: bool) {
        assert_eq!(
            literal_prefix(pattern),
            (prefix.to_owned(), whole),
            "{pattern}"
        );
    }

    #[test]
    fn prefixes() {
        check("^error:", "error:", true);
        check(r"^a\.\.\. \(s\)", "a... (s)", true);
        check(r"^these (\d+) x:", "these ", false);
        check(r"^these \d+ x:", "these ", false);
        check("^ab?c", "a", false);
        check("^ab*", "a", false);
        check("^ab{2}", "a", false);
        check("^ab+c", "ab", false);
        check(r"^a\.?", "a", false);
        check("^a.c", "a", false);
        check("^a[bc]", "a", false);
        check("^a$", "a", false);
        check("^a|b", "", false);
        check("^a(b|c)", "a", false);
        check("^a[|]", "a", false);
        check(r"^a\|b", "a|b", true);
        check("^(?:a|b)c", "", false);
        check("(?i)^a", "", false);
        check("a", "", false);
        check("^", "", true);
        check("^é", "é", true);
    }
}
