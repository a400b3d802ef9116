use super::mailbox::Next;
use super::*;

fn organization(name: &str) -> Organization {
    name.parse().unwrap()
}

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn send(subjects: &Subjects, organization: &Organization, subject: &str) -> Result<u32, Refused> {
    subjects.publish(&Outgoing {
        organization,
        subject: subject.parse().unwrap(),
        payload: serde_json::json!({ "n": 1 }),
        reply_to: None,
        from: "web1",
    })
}

/// The subjects of all that waits.
fn heard(seat: &Seat) -> Vec<String> {
    std::iter::from_fn(|| match seat.mailbox.take()? {
        Next::Message(json) => Some(message(&json).unwrap().subject.to_string()),
        Next::Dropped(n) => Some(format!("{n} dropped")),
    })
    .collect()
}

#[test]
fn each_hears_what_it_listens_to_once_and_in_order() {
    let (subjects, own) = (Subjects::default(), Organization::default());
    let all = subjects.read(&own, patterns(&[">"])).unwrap();
    let tasks = subjects.join(&own);
    tasks
        .listen(patterns(&["tasks.*", "tasks.>", "tasks.new"]))
        .unwrap();
    assert_eq!(send(&subjects, &own, "tasks.new"), Ok(2));
    assert_eq!(send(&subjects, &own, "jobs.new"), Ok(1));
    assert_eq!(send(&subjects, &own, "tasks.old"), Ok(2));
    assert_eq!(heard(&all), ["tasks.new", "jobs.new", "tasks.old"]);
    assert_eq!(heard(&tasks), ["tasks.new", "tasks.old"]);
    tasks.listen(patterns(&["jobs.>"])).unwrap();
    assert_eq!(send(&subjects, &own, "tasks.new"), Ok(1));
    assert_eq!(send(&subjects, &own, "jobs.a.b"), Ok(2));
    assert_eq!(heard(&tasks), ["jobs.a.b"]);
    drop(tasks);
    assert_eq!(send(&subjects, &own, "jobs.a.b"), Ok(1));
}

#[test]
fn another_organization_hears_nothing() {
    let subjects = Subjects::default();
    let (acme, other) = (organization("acme"), organization("other"));
    let inside = subjects.read(&acme, patterns(&[">"])).unwrap();
    let outside = subjects
        .read(&other, patterns(&[">", "tasks.new"]))
        .unwrap();
    let unnamed = subjects.read(&organization(""), patterns(&[">"])).unwrap();
    assert_eq!(send(&subjects, &acme, "tasks.new"), Ok(1));
    assert_eq!(heard(&inside), ["tasks.new"]);
    assert!(heard(&outside).is_empty() && heard(&unnamed).is_empty());
}

#[test]
fn what_is_passed_on_is_the_message_of_the_protocol() {
    let (subjects, own) = (Subjects::default(), Organization::default());
    let seat = subjects.read(&own, patterns(&["a.b"])).unwrap();
    let expected = Message {
        subject: "a.b".parse().unwrap(),
        payload: serde_json::json!({ "text": "\u{1b}[31m\"quoted\"\n", "list": [1, 2.5, null] }),
        reply_to: Some("_reply.x.1".parse().unwrap()),
        from: "operator \"ann\"".into(),
    };
    let sent = subjects.publish(&Outgoing {
        organization: &own,
        subject: expected.subject.clone(),
        payload: expected.payload.clone(),
        reply_to: expected.reply_to.clone(),
        from: &expected.from,
    });
    assert_eq!(sent, Ok(1));
    let Some(Next::Message(json)) = seat.mailbox.take() else {
        panic!("nothing");
    };
    assert_eq!(message(&json).unwrap(), expected);
}

#[test]
fn limits() {
    let (subjects, own) = (Subjects::default(), Organization::default());
    let large = subjects.publish(&Outgoing {
        organization: &own,
        subject: "a".parse().unwrap(),
        payload: "x".repeat(MAX_PAYLOAD - 1).into(),
        reply_to: None,
        from: "web1",
    });
    assert_eq!(large, Err(Refused::TooLarge(MAX_PAYLOAD + 1)));
    let seat = subjects.join(&own);
    seat.listen(patterns(&["kept"])).unwrap();
    let many: Vec<Pattern> = (0..=MAX_PATTERNS)
        .map(|n| format!("a.{n}").parse().unwrap())
        .collect();
    assert_eq!(seat.listen(many), Err(Refused::TooManyPatterns));
    assert_eq!(send(&subjects, &own, "kept"), Ok(1));
    let readers: Vec<Seat> = (0..MAX_READERS)
        .map(|_| subjects.read(&own, patterns(&["x"])).unwrap())
        .collect();
    let refused = subjects.read(&own, patterns(&["x"])).unwrap_err();
    assert_eq!(refused, Refused::TooManyReaders);
    drop(readers);
    assert!(subjects.read(&own, patterns(&["x"])).is_ok());
    let mut refused = None;
    for _ in 0..1000 {
        refused = send(&subjects, &own, "kept").err();
        if refused.is_some() {
            break;
        }
    }
    assert!(
        refused
            .unwrap()
            .to_string()
            .contains("100 messages a second")
    );
    assert!(heard(&seat).len() <= 257);
}

#[test]
fn nothing_is_left_of_those_who_left() {
    let subjects = Subjects::default();
    for n in 0..100 {
        let own = organization(&format!("o{n}"));
        let seat = subjects.join(&own);
        seat.listen(patterns(&["a.*", "_reply.x.*", ">"])).unwrap();
        assert_eq!(send(&subjects, &own, "a.b").unwrap_or(1), 1);
    }
    let state = lock(&subjects.0);
    assert!(state.listeners.is_empty() && state.by_root.is_empty());
}
