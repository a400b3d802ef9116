//! Secrets: read from files, hidden in `Debug`, never in an error text.

use std::fmt;
use std::path::Path;

/// The longest secret that a file may hold, in bytes. A longer file is surely the wrong one.
pub const MAX_SECRET: usize = 4096;

/// What such a file of an earlier agent begins with.
const VARIABLE: &str = "NIXFLEET_TOKEN=";

/// A secret text. `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that is at hand.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads the file's first line, without the newline. `NIXFLEET_TOKEN=…` is read as what follows: earlier agents' modules
    /// took the token as a file of environment variables.
    ///
    /// # Errors
    /// A file that is missing, unreadable, empty, not UTF-8, or longer than [`MAX_SECRET`]; the text names the file only.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let bytes = std::fs::read(path).with_context(|| {
            format!(
                "cannot read the secret file {}; check the path and its permissions",
                path.display()
            )
        })?;
        anyhow::ensure!(
            bytes.len() <= MAX_SECRET,
            "the secret file {} is longer than {MAX_SECRET} bytes; is it the right file?",
            path.display()
        );
        let text = String::from_utf8(bytes)
            .map_err(|_| anyhow::anyhow!("the secret file {} is not text", path.display()))?;
        let line = text.lines().next().unwrap_or_default().trim();
        let line = line.strip_prefix(VARIABLE).map_or(line, |value| {
            let quoted = |mark| value.strip_prefix(mark)?.strip_suffix(mark);
            quoted('"').or_else(|| quoted('\'')).unwrap_or(value)
        });
        anyhow::ensure!(
            !line.is_empty(),
            "the secret file {} is empty; write the secret into its first line",
            path.display()
        );
        Ok(Self(line.to_owned()))
    }

    /// The secret itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_one_line_and_hides_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        std::fs::write(&path, "s3cret\n").unwrap();
        let secret = Secret::read(&path).unwrap();
        assert_eq!(secret.expose(), "s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(hidden)");
    }

    #[test]
    fn reads_files_of_earlier_agents() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for content in [
            "NIXFLEET_TOKEN=a=b\n",
            "NIXFLEET_TOKEN=\"a=b\"\nX=1\n",
            "NIXFLEET_TOKEN='a=b'",
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(Secret::read(&path).unwrap().expose(), "a=b", "{content}");
        }
    }

    #[test]
    fn refuses_what_cannot_be_a_secret() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        for (content, part) in [
            (Vec::new(), "is empty"),
            (b"\n".to_vec(), "is empty"),
            (b"NIXFLEET_TOKEN=\n".to_vec(), "is empty"),
            (vec![b'x'; MAX_SECRET + 1], "longer than"),
            (vec![0xff, 0xfe], "is not text"),
        ] {
            std::fs::write(&path, content).unwrap();
            let error = Secret::read(&path).unwrap_err().to_string();
            assert!(error.contains(part) && error.contains("token"), "{error}");
        }
    }
}
