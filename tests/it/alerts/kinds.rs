//! The kinds of channels, over real sockets. What exactly each is told is in `tests/data/alerts`.

use std::sync::atomic::Ordering;

use super::bench::{Bench, Host};
use super::smtp::MailServer;
use super::target::{Reply, Target};
use super::{DISK, disk};

#[tokio::test(flavor = "multi_thread")]
async fn mail_is_sent_again_after_a_4xx_as_the_same_mail() {
    let server = MailServer::start().await;
    let channel = format!(
        "[[channel]]\nname = \"mail\"\nkind = \"email\"\nserver = \"{}\"\nencryption = \"none\"\nfrom = \"fleet@example.org\"\nto = [\"ann@example.org\"]\n",
        server.address
    );
    let bench = Bench::start(&format!("{DISK}{channel}")).await;
    server.busy.store(2, Ordering::SeqCst);
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    let tries = [
        server.next().await,
        server.next().await,
        server.next().await,
    ];
    assert!(tries[0].starts_with("451\n") && tries[1].starts_with("451\n"));
    let taken = tries[2].strip_prefix("250\n").unwrap();
    assert_eq!(tries[0].strip_prefix("451\n"), Some(taken));
    let alert = bench
        .alert(|alert| alert["deliveries"][0]["state"] == "sent")
        .await;
    let id = alert["deliveries"][0]["delivery"].as_str().unwrap();
    assert!(
        taken.contains(&format!("Message-ID: <{id}@example.org>")),
        "{taken}"
    );
    assert!(
        taken.contains("Subject: Warning: web1: the disk / is 95 % full"),
        "{taken}"
    );
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_is_not_told_again_because_the_receiver_does_not_end_its_connection() {
    let (server, target) = (MailServer::start().await, Target::start().await);
    server.is_rude.store(true, Ordering::SeqCst);
    target.answer(Reply::Unfinished(200));
    let channels = format!(
        "[[channel]]\nname = \"mail\"\nkind = \"email\"\nserver = \"{}\"\nencryption = \"none\"\nfrom = \"fleet@example.org\"\nto = [\"ann@example.org\"]\n\
         [[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}\"\n",
        server.address,
        target.base()
    );
    let bench = Bench::start(&format!("{DISK}{channels}")).await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    assert!(server.next().await.starts_with("250\n"));
    target.next().await;
    let states = ["sent", "sent"];
    bench
        .alert(|alert| [0, 1].map(|n| &alert["deliveries"][n]["state"]) == states)
        .await;
    server.nothing_more().await;
    target.nothing_more().await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_costs_the_others_no_mail() {
    let server = MailServer::start().await;
    let channel = |name: &str, to: &str| {
        format!(
            "[[channel]]\nname = \"{name}\"\nkind = \"email\"\nserver = \"{}\"\nencryption = \"none\"\nfrom = \"fleet@example.org\"\nto = [{to}]\n",
            server.address
        )
    };
    let some = channel("some", "\"gone@example.org\", \"ann@example.org\"");
    let none = channel("none", "\"gone@example.org\"");
    let bench = Bench::start(&format!("{DISK}{some}{none}")).await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    assert!(server.next().await.starts_with("250\n"));
    let states = ["sent", "failed"];
    bench
        .alert(|alert| [0, 1].map(|n| &alert["deliveries"][n]["state"]) == states)
        .await;
    server.nothing_more().await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_matrix_room_gets_each_transaction_under_one_id() {
    let target = Target::start().await;
    let channel = format!(
        "[[channel]]\nname = \"room\"\nkind = \"matrix\"\nurl = \"{}\"\nroom = \"!abc:example.org\"\nsecret_file = \"SECRET\"\n",
        target.base()
    );
    let bench = Bench::start(&format!("{DISK}{channel}")).await;
    target.answer(Reply::Status(502, ""));
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    let first = target.next().await;
    target.answer(Reply::Status(200, ""));
    let second = target.skip_to_last().await;
    assert_eq!(second.line, first.line);
    let id = first.header("x-nixfleet-delivery").unwrap();
    let expected = format!(
        "PUT /_matrix/client/v3/rooms/%21abc%3Aexample%2Eorg/send/m.room.message/{id} HTTP/1.1"
    );
    assert_eq!(first.line, expected);
    let bearer = format!("Bearer {}", super::bench::SECRET);
    assert_eq!(first.header("authorization"), Some(bearer.as_str()));
    target.nothing_more().await;
    // The secret is nowhere to be read.
    for path in ["/api/alerts", "/api/alerts/channels"] {
        let answer = bench.get(path).await.to_string();
        assert!(!answer.contains(super::bench::SECRET), "{answer}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_do_not_wait_for_each_other() {
    let (ntfy, slack) = (Target::start().await, Target::start().await);
    let address = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(address.path(), format!("{}/T/B/X\n", slack.base())).unwrap();
    let channels = format!(
        "[[channel]]\nname = \"ntfy\"\nkind = \"ntfy\"\nurl = \"{}/fleet\"\n[[channel]]\nname = \"slack\"\nkind = \"slack\"\nurl_file = \"{}\"\n",
        ntfy.base(),
        address.path().display()
    );
    let bench = Bench::start(&format!("{DISK}{channels}")).await;
    ntfy.answer(Reply::Never);
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    let told = slack.next().await;
    assert_eq!(told.line, "POST /T/B/X HTTP/1.1");
    assert!(
        told.json()["text"]
            .as_str()
            .unwrap()
            .starts_with("*Warning: web1:"),
        "{}",
        told.body
    );
    let first = ntfy.next().await;
    assert_eq!(first.line, "POST / HTTP/1.1");
    assert_eq!(first.json()["topic"], "fleet");
    web1.beat(&disk(5)).await;
    slack.next().await;
    ntfy.answer(Reply::Status(200, ""));
    bench
        .channel(|channel| channel["name"] == "ntfy" && channel["queued"] == 0)
        .await;
    slack.nothing_more().await;
    bench.stop().await;
}
