//! Subjects: what a message is about, and the patterns by which one listens. Parsed once, then trusted.
//!
//! A subject is a row of tokens between dots, `tasks.web.new`. A pattern is the same, with `*` for any one token and, at its
//! end, `>` for one or more. Subjects whose first token begins with `_` are addresses for replies: no wildcard stands for
//! that token, and a pattern must name the token after it, so that nobody listens to the replies of others.

use crate::run::checked_text::checked_text;

/// The longest subject or pattern, in bytes.
pub const MAX_SUBJECT: usize = 256;
/// The most tokens of a subject or pattern.
pub const MAX_TOKENS: usize = 16;
/// The longest name of an organization, in bytes.
pub const MAX_ORGANIZATION: usize = 64;

/// Why a text is none of these; it says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SubjectError(String);

checked_text!(
    /// What one message is about: no wildcards. Tokens are of letters, digits, `-`, `_`, `:` and `$`.
    ///
    /// ```
    /// use nixfleet::wire::subject::Subject;
    /// assert!("tasks.web.new".parse::<Subject>().is_ok());
    /// let error = "tasks.*".parse::<Subject>().unwrap_err();
    /// assert!(error.to_string().contains("wildcards are for those who listen"));
    /// ```
    Subject,
    SubjectError,
    check_subject
);

checked_text!(
    /// What somebody listens to.
    ///
    /// ```
    /// use nixfleet::wire::subject::{Pattern, Subject};
    /// let pattern: Pattern = "tasks.*.>".parse().unwrap();
    /// let hears = |text: &str| pattern.matches(&text.parse::<Subject>().unwrap());
    /// assert!(hears("tasks.web.new") && hears("tasks.web.new.urgent"));
    /// assert!(!hears("tasks.web") && !hears("jobs.web.new"));
    /// ```
    Pattern,
    SubjectError,
    check_pattern
);

checked_text!(
    /// Whose subjects: agents of different organizations hear nothing of each other. The usual one has no name (`""`).
    /// Letters, digits, `-`, `_` and `.`, at most [`MAX_ORGANIZATION`] bytes.
    #[derive(Default)]
    Organization,
    SubjectError,
    check_organization
);

impl Pattern {
    /// Whether one who listens to this hears a message on `subject`.
    pub fn matches(&self, subject: &Subject) -> bool {
        let mut left = subject.0.split('.');
        for (n, wanted) in self.0.split('.').enumerate() {
            let Some(token) = left.next() else {
                return false;
            };
            let hidden = n == 0 && token.starts_with('_');
            match wanted {
                ">" => return !hidden,
                "*" if hidden => return false,
                "*" => {}
                literal if literal == token => {}
                _ => return false,
            }
        }
        left.next().is_none()
    }

    /// The first token where it is no wildcard, of a reply's address the first two: only subjects that have the same
    /// [`Subject::root`] can match.
    pub fn root(&self) -> Option<&str> {
        let root = root(&self.0);
        (!root.starts_with(['*', '>'])).then_some(root)
    }
}

impl Subject {
    /// What it is looked up by; see [`Pattern::root`].
    pub fn root(&self) -> &str {
        root(&self.0)
    }
}

impl From<Subject> for Pattern {
    fn from(subject: Subject) -> Self {
        Self(subject.0)
    }
}

fn root(text: &str) -> &str {
    let mut dots = memchr::memchr_iter(b'.', text.as_bytes());
    let first = dots.next();
    let end = if text.starts_with('_') {
        dots.next()
    } else {
        first
    };
    &text[..end.unwrap_or(text.len())]
}

fn is_literal(token: &str) -> bool {
    token
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'$'))
}

/// What an error shows of a bad text: escaped, and not all of it.
fn shown(text: &str) -> String {
    text.chars()
        .take(60)
        .flat_map(char::escape_default)
        .collect()
}

/// What subjects and patterns have in common. `kind` is the word in the error.
fn check_tokens(
    text: &str,
    kind: &str,
    allowed: impl Fn(usize, &str, bool) -> Option<&'static str>,
) -> Result<(), SubjectError> {
    let bad = |why: &str| {
        let text = shown(text);
        Err(SubjectError(format!("{kind} `{text}` {why}")))
    };
    if text.len() > MAX_SUBJECT {
        return bad(&format!("is longer than {MAX_SUBJECT} bytes"));
    }
    let n_tokens = text.split('.').count();
    if n_tokens > MAX_TOKENS {
        return bad(&format!("has more than {MAX_TOKENS} tokens"));
    }
    for (n, token) in text.split('.').enumerate() {
        if token.is_empty() {
            return bad("has an empty token; write tokens between dots, such as tasks.web.new");
        }
        if let Some(why) = allowed(n, token, n + 1 == n_tokens) {
            return bad(why);
        }
    }
    Ok(())
}

const CHARACTERS: &str =
    "has a character that no token has; use letters, digits, `-`, `_`, `:` and `$` between dots";

fn check_subject(text: &str) -> Result<(), SubjectError> {
    check_tokens(text, "subject", |_, token, _| {
        if matches!(token, "*" | ">") {
            return Some("has a wildcard; wildcards are for those who listen, name one subject");
        }
        (!is_literal(token)).then_some(CHARACTERS)
    })
}

fn check_pattern(text: &str) -> Result<(), SubjectError> {
    let hidden = text.starts_with('_');
    check_tokens(text, "pattern", |n, token, last| match token {
        "*" | ">" if hidden && n == 1 => {
            Some("listens to the replies of others; name the token after the first one")
        }
        ">" if !last => Some("has `>` before its end; `>` stands for all the rest"),
        ">" | "*" => None,
        literal => (!is_literal(literal)).then_some(CHARACTERS),
    })
}

fn check_organization(text: &str) -> Result<(), SubjectError> {
    let valid = text.len() <= MAX_ORGANIZATION
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    if valid {
        return Ok(());
    }
    Err(SubjectError(format!(
        "organization `{}` is not valid; use letters, digits, `-`, `_` and `.`, at most {MAX_ORGANIZATION} bytes",
        shown(text)
    )))
}

#[cfg(test)]
mod tests;
