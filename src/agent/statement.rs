//! What a program that uses the agent as a library says of itself in heartbeats.

use std::collections::BTreeMap;

/// The most numbers that are sent.
pub const MAX_METRICS: usize = 32;
/// The longest name of one, in bytes.
pub const MAX_METRIC_NAME: usize = 64;
/// The longest text, in characters.
pub const MAX_STATUS: usize = 200;

/// A sentence and some numbers. Heartbeats read it and never wait for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Statement {
    /// The sentence.
    pub status_text: Option<String>,
    /// The numbers by name.
    pub metrics: BTreeMap<String, f64>,
}

impl Statement {
    /// Sets the sentence, cut to [`MAX_STATUS`] characters; an empty one takes it back.
    pub fn say(&mut self, text: &str) {
        let text: String = text
            .chars()
            .filter(|letter| !letter.is_control())
            .take(MAX_STATUS)
            .collect();
        self.status_text = (!text.is_empty()).then_some(text);
    }

    /// Sets one number.
    ///
    /// # Errors
    /// It is not finite, the name is empty or too long, or there are too many.
    pub fn set(&mut self, name: &str, value: f64) -> Result<(), String> {
        if name.is_empty() || name.len() > MAX_METRIC_NAME || name.contains(char::is_control) {
            return Err(format!(
                "the metric `{}` has no good name; write 1 to {MAX_METRIC_NAME} bytes without control characters",
                name.escape_default()
            ));
        }
        if !value.is_finite() {
            return Err(format!(
                "the metric `{name}` is {value}; only finite numbers are sent"
            ));
        }
        if self.metrics.len() >= MAX_METRICS && !self.metrics.contains_key(name) {
            return Err(format!(
                "the metric `{name}` is one too many; at most {MAX_METRICS} are sent"
            ));
        }
        self.metrics.insert(name.to_owned(), value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_or_cut() {
        let mut statement = Statement::default();
        statement.say(&"x\n".repeat(300));
        assert_eq!(
            statement.status_text.as_deref(),
            Some("x".repeat(MAX_STATUS).as_str())
        );
        statement.say("");
        assert_eq!(statement.status_text, None);
        for n in 0..MAX_METRICS {
            statement.set(&n.to_string(), 1.0).unwrap();
        }
        statement.set("0", 2.0).unwrap();
        assert!(
            statement
                .set("more", 1.0)
                .unwrap_err()
                .contains("one too many")
        );
        assert!(statement.set("0", f64::NAN).unwrap_err().contains("finite"));
        assert!(statement.set("", 1.0).is_err() && statement.set("a\nb", 1.0).is_err());
    }
}
