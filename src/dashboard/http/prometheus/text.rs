//! Prometheus' text format: families with their help, samples with their labels.

use std::fmt::Write as _;

use crate::dashboard::hub::counters::Histogram;

/// The longest value of a label, in characters. Hosts name themselves, their commands and their disks.
pub const MAX_LABEL: usize = 200;

/// What a family's numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows until the dashboard starts again.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// Labels and their values.
pub type Labels<'a> = &'a [(&'a str, &'a str)];

/// The text in the making.
#[derive(Debug, Default)]
pub struct Text(String);

/// One family. Its head is written with its first sample: a family without any leaves nothing.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
    kind: Kind,
    help: &'a str,
    begun: bool,
}

impl Text {
    /// Begins a family. No two may have one name.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Kind, help: &'a str) -> Family<'a> {
        Family {
            text: &mut self.0,
            name,
            kind,
            help,
            begun: false,
        }
    }

    /// All that was written.
    pub fn finish(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// A sample.
    pub fn sample(&mut self, labels: Labels<'_>, value: f64) {
        self.line("", labels, &number(value));
    }

    /// A sample that counts things.
    pub fn count(&mut self, labels: Labels<'_>, value: u64) {
        self.line("", labels, &value.to_string());
    }

    /// The only sample of a family without labels.
    pub fn only(mut self, value: f64) {
        self.sample(&[], value);
    }

    /// The same, of one that counts things.
    pub fn only_count(mut self, value: u64) {
        self.count(&[], value);
    }

    /// All samples of one histogram.
    pub fn histogram(&mut self, labels: Labels<'_>, histogram: &Histogram) {
        let buckets = histogram.buckets();
        for (bound, n) in &buckets {
            let bound = number(*bound);
            let with: Vec<_> = labels.iter().copied().chain([("le", &*bound)]).collect();
            self.line("_bucket", &with, &n.to_string());
        }
        self.line("_sum", labels, &number(histogram.sum()));
        let all = buckets.last().map_or(0, |(_, n)| *n);
        self.line("_count", labels, &all.to_string());
    }

    // Writing to a String cannot fail.
    fn line(&mut self, suffix: &str, labels: Labels<'_>, value: &str) {
        let (name, text) = (self.name, &mut *self.text);
        if !self.begun {
            self.begun = true;
            let kind = match self.kind {
                Kind::Counter => "counter",
                Kind::Gauge => "gauge",
                Kind::Histogram => "histogram",
            };
            let _ = writeln!(text, "# HELP {name} {}\n# TYPE {name} {kind}", self.help);
        }
        let _ = write!(text, "{name}{suffix}");
        for (n, (label, value)) in labels.iter().enumerate() {
            text.push(if n == 0 { '{' } else { ',' });
            let _ = write!(text, "{label}=\"");
            escape(text, value);
            text.push('"');
        }
        if !labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {value}");
    }
}

fn number(value: f64) -> String {
    if value == f64::INFINITY {
        return "+Inf".into();
    }
    value.to_string()
}

/// A label's value: what would end it is escaped, what nobody can see is left out, what is too long is cut.
fn escape(text: &mut String, value: &str) {
    for letter in value.chars().take(MAX_LABEL) {
        match letter {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            letter if letter.is_control() => {}
            letter => text.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_samples_and_labels() {
        let mut text = Text::default();
        let mut family = text.family("a_total", Kind::Counter, "Things.");
        family.count(&[("host", "web1"), ("what", "a\"b\\c\nd\u{7}")], 3);
        family.sample(&[], 0.25);
        text.family("never", Kind::Gauge, "Nothing.");
        text.family("one", Kind::Gauge, "One.").only(f64::INFINITY);
        let expected = "# HELP a_total Things.\n# TYPE a_total counter\n\
             a_total{host=\"web1\",what=\"a\\\"b\\\\c\\nd\"} 3\na_total 0.25\n\
             # HELP one One.\n# TYPE one gauge\none +Inf\n";
        assert_eq!(text.finish(), expected);
    }

    #[test]
    fn a_label_is_cut() {
        let mut text = String::new();
        escape(&mut text, &"ä\"".repeat(MAX_LABEL));
        assert_eq!(text.matches('ä').count(), MAX_LABEL / 2);
        assert!(text.ends_with("ä\\\""));
    }
}
