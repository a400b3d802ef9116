use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(pattern: &str, heard: &[&str], not_heard: &[&str]) {
    let parsed: Pattern = pattern.parse().unwrap();
    for (subjects, expected) in [(heard, true), (not_heard, false)] {
        for subject in subjects {
            let subject: Subject = subject.parse().unwrap();
            assert_eq!(
                parsed.matches(&subject),
                expected,
                "{pattern} and {subject}"
            );
        }
    }
}

#[test]
fn patterns_and_what_they_hear() {
    check("tasks", &["tasks"], &["task", "tasks.new", "Tasks"]);
    check(
        "tasks.new",
        &["tasks.new"],
        &["tasks", "tasks.new.x", "tasks.old"],
    );
    check(
        "tasks.*",
        &["tasks.new", "tasks.old"],
        &["tasks", "tasks.new.x", "jobs.new"],
    );
    check("*.new", &["tasks.new", "jobs.new"], &["new", "a.b.new"]);
    check("a.*.c", &["a.b.c", "a.x.c"], &["a.c", "a.b.b.c"]);
    check("a.>", &["a.b", "a.b.c.d"], &["a", "b.a"]);
    check(">", &["a", "a.b.c"], &["_reply.1.2", "_x"]);
    check("*", &["a"], &["a.b", "_x"]);
    check("*.>", &["a.b"], &["a", "_reply.x.1"]);
    check(
        "_reply.k1.*",
        &["_reply.k1.7"],
        &["_reply.k2.7", "_reply.k1"],
    );
    check(
        "_reply.k1.>",
        &["_reply.k1.7", "_reply.k1.7.8"],
        &["_reply.k2.7"],
    );
    check("a._b.*", &["a._b.c"], &[]);
}

#[test]
fn what_is_no_subject_says_why() {
    for (text, part) in [
        ("", "empty token"),
        ("a..b", "empty token"),
        (".a", "empty token"),
        ("a.", "empty token"),
        ("a b", "character that no token has"),
        ("a\nb", "character that no token has"),
        ("<b>", "character that no token has"),
        ("ü", "character that no token has"),
        ("a.*", "wildcards are for those who listen"),
        ("a.>", "wildcards are for those who listen"),
        ("a.b*", "character that no token has"),
        (&"a".repeat(257), "longer than 256 bytes"),
        (&["a"; 17].join("."), "more than 16 tokens"),
    ] {
        let error = text.parse::<Subject>().unwrap_err().to_string();
        assert!(
            error.starts_with("subject `") && error.contains(part),
            "{error}"
        );
        assert!(!error.contains('\n') && error.len() < 300, "{error}");
    }
    assert!("a".repeat(256).parse::<Subject>().is_ok());
    assert!(["a"; 16].join(".").parse::<Subject>().is_ok());
}

#[test]
fn what_is_no_pattern_says_why() {
    for (text, part) in [
        ("a.>.b", "`>` before its end"),
        (">.a", "`>` before its end"),
        ("a.b*", "character that no token has"),
        ("a.**", "character that no token has"),
        ("_reply.>", "replies of others"),
        ("_reply.*.x", "replies of others"),
        ("", "empty token"),
    ] {
        let error = text.parse::<Pattern>().unwrap_err().to_string();
        assert!(
            error.starts_with("pattern `") && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn organizations() {
    for good in ["", "acme", "a-b_c.d"] {
        assert!(good.parse::<Organization>().is_ok(), "{good}");
    }
    for bad in ["a b", "a/b", "ü", &"a".repeat(65)] {
        assert!(bad.parse::<Organization>().is_err(), "{bad}");
    }
}

/// The same question, answered the slow way.
fn slowly(pattern: &[&str], subject: &[&str]) -> bool {
    match (pattern, subject) {
        ([], []) | ([">"], [_, ..]) => true,
        (["*", pattern @ ..], [_, subject @ ..]) => slowly(pattern, subject),
        ([wanted, pattern @ ..], [token, subject @ ..]) if wanted == token => {
            slowly(pattern, subject)
        }
        _ => false,
    }
}

proptest! {
    #[test]
    fn matching_is_what_its_definition_says(
        pattern in "[ab*](\\.[ab*]){0,4}(\\.>)?",
        subject in "[ab](\\.[ab]){0,5}",
    ) {
        let parsed: Pattern = pattern.parse().unwrap();
        let named: Subject = subject.parse().unwrap();
        let tokens = |text: &'_ str| text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let (left, right) = (tokens(&pattern), tokens(&subject));
        let left: Vec<&str> = left.iter().map(String::as_str).collect();
        let right: Vec<&str> = right.iter().map(String::as_str).collect();
        prop_assert_eq!(parsed.matches(&named), slowly(&left, &right));
        // What is looked up by its root is found by it.
        if parsed.matches(&named) {
            prop_assert!(parsed.root().is_none_or(|root| root == named.root()));
        }
        // Every subject hears itself.
        prop_assert!(Pattern::from(named.clone()).matches(&named));
    }

    #[test]
    fn any_text_is_taken_or_refused(text in "\\PC{0,300}") {
        let parsed = (text.parse::<Subject>(), text.parse::<Pattern>());
        if let (Ok(subject), Ok(pattern)) = parsed {
            prop_assert!(pattern.matches(&subject));
        }
    }
}
