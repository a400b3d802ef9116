//! Reading a TOML configuration file, with errors that name the file, the line, the key and what to write instead.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// Why a configuration file cannot be used. The text is meant for the person who wrote the file.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// The file is missing or unreadable.
    #[error("{}: cannot read the configuration: {source}; check the path and its permissions", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The text is not TOML, or a key or value is wrong.
    #[error("{}:{line}: {message}", path.display())]
    Invalid {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: usize,
        /// What is wrong and what to write instead.
        message: String,
    },
}

/// Reads `path` as `T`. `T` denies unknown fields; an unknown key's error suggests the nearest known one.
///
/// # Errors
/// See [`ConfigFileError`].
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<T, ConfigFileError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigFileError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text).map_err(|(line, message)| ConfigFileError::Invalid {
        path: path.to_owned(),
        line,
        message,
    })
}

/// As [`read`], for a text at hand; the error is the line and the message.
///
/// # Errors
/// The line, counted from 1, and what is wrong.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, (usize, String)> {
    toml::from_str(text).map_err(|error: toml::de::Error| {
        let start = error.span().map_or(0, |span| span.start.min(text.len()));
        let line = memchr::memchr_iter(b'\n', &text.as_bytes()[..start]).count() + 1;
        (line, explain(error.message()))
    })
}

/// Turns serde's `unknown field` into a suggestion; other messages stay as they are.
fn explain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field `") else {
        return message.to_owned();
    };
    let Some((key, expected)) = rest.split_once('`') else {
        return message.to_owned();
    };
    let known: Vec<&str> = expected
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|name| !name.is_empty())
        .collect();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), *name))
        .min()
        .filter(|(distance, name)| *distance <= name.len().max(key.len()) / 2);
    match nearest {
        Some((_, name)) => format!("unknown key `{key}`; did you mean `{name}`?"),
        None => format!("unknown key `{key}`; known keys here: {}", known.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Sample {
        url: Option<String>,
        interval: Option<u32>,
        rebuild: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only its parsing is looked at")]
    struct Inner {
        flake: Option<String>,
    }

    #[track_caller]
    fn check(text: &str, line: usize, part: &str) {
        let (at, message) = parse::<Sample>(text).unwrap_err();
        assert_eq!(at, line, "{message}");
        assert!(message.contains(part), "{message}");
    }

    #[test]
    fn errors_name_line_key_and_nearest_key() {
        check(
            "url = \"x\"\nintervall = 3\n",
            2,
            "unknown key `intervall`; did you mean `interval`?",
        );
        check("[rebuild]\n\nflakes = \"x\"", 3, "did you mean `flake`?");
        check(
            "qqqqqqqqqqqq = 1",
            1,
            "known keys here: url, interval, rebuild",
        );
        check("interval = \"soon\"", 1, "invalid type");
        check("url = ", 1, "");
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = read::<Sample>(Path::new("/nowhere/agent.toml")).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("/nowhere/agent.toml: cannot read the configuration"),
            "{error}"
        );
    }
}
