use super::*;
use tokio::task::JoinSet;

fn message(subject: &str, payload: Value) -> Message {
    Message {
        subject: subject.parse().unwrap(),
        payload,
        reply_to: None,
        from: "web2".into(),
    }
}

fn connected(subjects: &Subjects) -> (mpsc::Receiver<ToDashboard>, Option<ToDashboard>) {
    let (queue, received) = mpsc::channel(MAX_MESSAGES);
    let first = subjects.connected(queue, true);
    (received, first)
}

async fn next(received: &mut mpsc::Receiver<ToDashboard>) -> Publish {
    match received.recv().await {
        Some(ToDashboard::Publish(publish)) => *publish,
        other => panic!("{other:?}"),
    }
}

fn subject(text: &str) -> Subject {
    text.parse().unwrap()
}

#[tokio::test]
async fn without_a_connection_nothing_is_sent_or_kept() {
    let subjects = Subjects::new(Vec::new());
    let sent = subjects.publish(subject("a"), Value::Null, None).await;
    assert_eq!(sent, Err(MessageError::NotConnected));
    let (queue, _received) = mpsc::channel(1);
    assert_eq!(subjects.connected(queue, false), None);
    let sent = subjects.publish(subject("a"), Value::Null, None).await;
    assert_eq!(sent, Err(MessageError::Unsupported));
    let large = "x".repeat(MAX_PAYLOAD);
    let sent = subjects.publish(subject("a"), large.into(), None).await;
    assert_eq!(sent, Err(MessageError::TooLarge(MAX_PAYLOAD + 2)));
}

#[tokio::test]
async fn an_agent_that_neither_listens_nor_asks_subscribes_to_nothing() {
    let subjects = Subjects::silent();
    assert_eq!(connected(&subjects).1, None);
}

#[tokio::test]
async fn what_became_of_a_message_is_told_to_whom_it_concerns() {
    let limit = Duration::from_secs(1);
    let handlers =
        ["a.*", "b.>", "a.*"].map(|text| Arc::new(Handler::new(text.parse().unwrap(), limit)));
    let subjects = Subjects::new(handlers.to_vec());
    let (mut received, first) = connected(&subjects);
    let Some(ToDashboard::Subscribe(subscribe)) = first else {
        panic!("{first:?}");
    };
    let patterns: Vec<&str> = subscribe.patterns.iter().map(Pattern::as_str).collect();
    assert_eq!(patterns[..2], ["a.*", "b.>"]);
    assert!(patterns.len() == 3 && patterns[2].starts_with("_reply."));
    let (one, two, ()) = tokio::join!(
        subjects.publish(subject("a.b"), Value::Null, None),
        subjects.publish(subject("a.c"), Value::Null, None),
        async {
            let (first, second) = (next(&mut received).await, next(&mut received).await);
            subjects.published(Published {
                id: second.id,
                delivered: 0,
                refused: Some("no".into()),
            });
            subjects.published(Published {
                id: 999,
                delivered: 9,
                refused: None,
            });
            subjects.published(Published {
                id: first.id,
                delivered: 3,
                refused: None,
            });
        }
    );
    assert_eq!((one, two), (Ok(3), Err(MessageError::Refused("no".into()))));
    subjects.deliver(message("a.b", 1.into()), 10);
    subjects.deliver(message("c", 1.into()), 10);
    subjects.lost(4);
    assert_eq!(subjects.n_dropped(), 4);
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_once_or_end_at_their_deadline() {
    let subjects = Subjects::new(Vec::new());
    let (mut received, _) = connected(&subjects);
    let second = Duration::from_secs(1);
    let (answered, ()) = tokio::join!(subjects.request(subject("ask"), 1.into(), second), async {
        let asked = next(&mut received).await;
        subjects.published(Published {
            id: asked.id,
            delivered: 1,
            refused: None,
        });
        let address = asked.reply_to.unwrap();
        subjects.deliver(message(address.as_str(), 2.into()), 10);
        subjects.deliver(message(address.as_str(), 3.into()), 10);
    });
    assert_eq!(answered.unwrap().payload, 2);
    let (nobody, ()) = tokio::join!(subjects.request(subject("ask"), 1.into(), second), async {
        let asked = next(&mut received).await;
        subjects.published(Published {
            id: asked.id,
            delivered: 0,
            refused: None,
        });
    });
    assert_eq!(nobody, Err(MessageError::NobodyListens(subject("ask"))));
    let late = subjects.request(subject("ask"), 1.into(), second).await;
    assert_eq!(late, Err(MessageError::NoAnswer(second)));
    let silent = subjects.publish(subject("ask"), 1.into(), None).await;
    assert_eq!(silent, Err(MessageError::NoAnswer(ANSWER)));
    let state = subjects.lock();
    assert!(state.published.is_empty() && state.replies.is_empty());
}

#[tokio::test]
async fn who_waits_when_the_connection_ends_is_told() {
    let subjects = Subjects::new(Vec::new());
    let (mut received, _) = connected(&subjects);
    let minute = Duration::from_secs(60);
    let (published, asked, ()) = tokio::join!(
        subjects.publish(subject("a"), Value::Null, None),
        subjects.request(subject("b"), Value::Null, minute),
        async {
            next(&mut received).await;
            next(&mut received).await;
            subjects.disconnected();
        }
    );
    assert_eq!(published, Err(MessageError::Disconnected));
    assert_eq!(asked, Err(MessageError::Disconnected));
}

#[tokio::test(start_paused = true)]
async fn only_so_much_is_under_way_at_once() {
    let subjects = Subjects::new(Vec::new());
    let (mut received, _) = connected(&subjects);
    let mut tasks = JoinSet::new();
    for _ in 0..20 {
        let subjects = Arc::clone(&subjects);
        tasks.spawn(async move {
            let payload = "x".repeat(60 * 1024);
            subjects.publish(subject("a"), payload.into(), None).await
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut waiting = Vec::new();
    while let Ok(ToDashboard::Publish(publish)) = received.try_recv() {
        waiting.push(publish.id);
    }
    assert_eq!(waiting.len(), 8, "8 x 61 KiB are less than 512 KiB");
    for id in waiting {
        subjects.published(Published {
            id,
            delivered: 1,
            refused: None,
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(received.try_recv().is_ok());
}
