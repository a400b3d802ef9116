//! Titles and texts, made by templates in Jinja's language. They can do nothing but write: no files, no includes, and a
//! limit of work.

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use super::message::{Event, Message, Notice};

/// The longest template, in bytes.
const MAX_TEMPLATE: usize = 8192;
/// Steps that one template may take.
const FUEL: u64 = 50_000;
/// The longest title, in characters.
const MAX_TITLE: usize = 200;
/// The longest text, in characters.
const MAX_TEXT: usize = 1800;
/// The longest body, in bytes.
const MAX_BODY: usize = 64 * 1024;

const TITLE: &str = "{% if event == 'recovered' %}Recovered{% elif event == 'test' %}Test{% else %}{{ severity | title }}{% endif %}: \
{% if host %}{{ host }}: {% endif %}{{ summary }}";
const TEXT: &str = "{% if event == 'recovered' %}It is over after {{ duration }}.\
{% elif event == 'test' %}A test of this channel by NixFleet.\
{% else %}Rule \"{{ rule }}\", since {{ started_at }}.{% endif %}\
{% if url %}\n{{ url }}{% endif %}";

/// What a channel writes; what is none is the usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Templates {
    title: Option<String>,
    text: Option<String>,
    /// The whole body of a webhook.
    body: Option<String>,
    /// What that is.
    pub content_type: Option<String>,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    notice: &'a Notice,
    title: &'a str,
    text: &'a str,
    delivery: &'a str,
}

fn render(template: &str, facts: impl Serialize) -> Result<String, String> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    let rendered = environment.render_str(template, facts);
    rendered.map_err(|error| {
        let line = error.line().map(|line| format!(" in its line {line}"));
        let what = error.detail().map_or_else(
            || error.kind().to_string(),
            |detail| format!("{}: {detail}", error.kind()),
        );
        format!("{what}{}", line.unwrap_or_default())
    })
}

/// At most `limit` characters, on one line or more.
fn cut(text: &str, limit: usize, one_line: bool) -> String {
    let shown = |letter: char| {
        if letter == '\n' && !one_line || !letter.is_control() {
            letter
        } else {
            ' '
        }
    };
    let mut cut: String = text.trim().chars().take(limit).map(shown).collect();
    if text.trim().chars().count() > limit {
        cut.pop();
        cut.push('…');
    }
    cut
}

impl Templates {
    /// Tries each template on an example.
    ///
    /// # Errors
    /// Which one does not work, where, and what can be written.
    pub fn check(
        title: Option<String>,
        text: Option<String>,
        body: Option<String>,
        content_type: Option<String>,
    ) -> Result<Self, String> {
        if let Some(name) = &content_type
            && hyper::http::HeaderValue::from_str(name).is_err()
        {
            return Err(String::from(
                "content_type: write it such as \"application/json\"",
            ));
        }
        let templates = Self {
            title,
            text,
            body,
            content_type,
        };
        let all = [
            ("title", &templates.title),
            ("text", &templates.text),
            ("body", &templates.body),
        ];
        for (key, template) in all {
            let Some(template) = template else { continue };
            if template.len() > MAX_TEMPLATE {
                return Err(format!(
                    "{key}: the template has more than {MAX_TEMPLATE} bytes"
                ));
            }
            let events = [Event::Firing, Event::Recovered, Event::Test];
            // Many alerts have no number, no object and no run: a template must do without.
            for notice in events
                .into_iter()
                .flat_map(|event| [Notice::example(event), Notice::bare(event)])
            {
                let whole = Whole {
                    notice: &notice,
                    title: "title",
                    text: "text",
                    delivery: "id",
                };
                render(template, &whole).map_err(|why| {
                    format!(
                        "{key}: the template does not work: {why}; it may use event, severity, rule, on, host, object, summary, value, run, started_at, recovered_at, duration, alert, url"
                    )
                })?;
            }
        }
        Ok(templates)
    }

    /// The notice in words. What a template cannot do is said in the usual words.
    pub fn message(&self, notice: Notice) -> Message {
        let words = |template: &Option<String>, usual: &str| {
            let own = template.as_deref().map(|own| render(own, &notice));
            if let Some(Err(why)) = &own {
                tracing::warn!(rule = %notice.rule, "a channel's template does not work: {why}");
            }
            own.and_then(Result::ok)
                .or_else(|| render(usual, &notice).ok())
                .unwrap_or_else(|| notice.summary.clone())
        };
        Message {
            title: cut(&words(&self.title, TITLE), MAX_TITLE, true),
            text: cut(&words(&self.text, TEXT), MAX_TEXT, false),
            notice,
        }
    }

    /// The body of a webhook, where a template makes it.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn body(&self, message: &Message, delivery: &str) -> Option<Result<String, String>> {
        let template = self.body.as_deref()?;
        let whole = Whole {
            notice: &message.notice,
            title: &message.title,
            text: &message.text,
            delivery,
        };
        let body = render(template, &whole).map_err(|why| format!("the template `body`: {why}"));
        Some(body.and_then(|body| {
            if body.len() > MAX_BODY {
                return Err(format!(
                    "the template `body` makes more than {MAX_BODY} bytes"
                ));
            }
            Ok(body)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn templates(title: &str, text: &str) -> Result<Templates, String> {
        Templates::check(Some(title.into()), Some(text.into()), None, None)
    }

    #[test]
    fn the_usual_words() {
        let words = |event| {
            let message = Templates::default().message(Notice::example(event));
            format!("{}\n{}", message.title, message.text)
        };
        expect_test::expect![[r#"
            Info: web1: the disk / is 93 % full
            Rule "test", since 1970-01-01T00:00:00.000Z.
            https://fleet.example.org/hosts/web1"#]]
        .assert_eq(&words(Event::Firing));
        expect_test::expect![[r"
            Recovered: web1: the disk / is 93 % full
            It is over after 1 min.
            https://fleet.example.org/hosts/web1"]]
        .assert_eq(&words(Event::Recovered));
        let test = Templates::default().message(Notice::test(0, None));
        assert_eq!(test.title, "Test: this channel works");
    }

    #[test]
    fn own_words_on_one_line_and_not_too_long() {
        let own = templates("{{ host | upper }}\n{{ value }}", "{{ 'x' * 9000 }}").unwrap();
        let message = own.message(Notice::example(Event::Firing));
        assert_eq!(message.title, "WEB1 93.0");
        assert_eq!(message.text.chars().count(), MAX_TEXT);
        assert!(message.text.ends_with('…'));
    }

    #[test]
    fn a_template_that_does_not_work_says_where_and_what_there_is() {
        for (title, parts) in [
            ("{{ hots }}", ["undefined value", "line 1"]),
            ("\n{{ host", ["syntax error", "line 2"]),
            ("{% include 'x' %}", ["not work", "it may use event"]),
            (
                "{% for i in range(9999999) %}x{% endfor %}",
                ["not work", "title:"],
            ),
        ] {
            let error = templates(title, "").unwrap_err();
            assert!(parts.iter().all(|part| error.contains(part)), "{error}");
        }
    }

    #[test]
    fn a_host_that_writes_markup_stays_text() {
        let mut notice = Notice::example(Event::Firing);
        notice.summary = String::from("{{ host }}\u{1b}[2J <b>");
        let message = Templates::default().message(notice);
        assert_eq!(message.title, "Info: web1: {{ host }} [2J <b>");
    }
}
