use expect_test::{ExpectFile, expect_file};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::http::{Request, Uri};

use super::*;
use crate::dashboard::alerts::message::{Event, Notice};
use crate::dashboard::alerts::rules::Severity;
use crate::dashboard::alerts::template::Templates;

const DELIVERY: &str = "7f1d9c1e-3a52-4a46-9a0b-1d5f0f7a2b11";

/// A message from a host that tries to be more than text.
fn message(event: Event) -> Message {
    let notice = Notice {
        severity: Severity::Critical,
        alert: "019a0000-0000-7000-8000-000000000001".into(),
        rule: "disk".into(),
        on: "disk".into(),
        summary: "the disk /<b>&\"*@everyone is 93 % full".into(),
        run: String::new(),
        recovered_at: if event == Event::Recovered {
            "1970-01-01T00:01:00.000Z".into()
        } else {
            String::new()
        },
        ..Notice::example(event)
    };
    Templates::default().message(notice)
}

/// Method, address, headers and body as text.
async fn shown(request: Result<Request<Full<Bytes>>, String>) -> String {
    use std::fmt::Write as _;
    let (parts, body) = request.unwrap().into_parts();
    let mut text = format!("{} {}\n", parts.method, parts.uri);
    for (name, value) in &parts.headers {
        if name != "user-agent" {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    let json: Result<serde_json::Value, _> = serde_json::from_str(&body);
    let body = json.map_or(body, |json| serde_json::to_string_pretty(&json).unwrap());
    text + "\n" + &body + "\n"
}

async fn check(request: Result<Request<Full<Bytes>>, String>, golden: ExpectFile) {
    golden.assert_eq(&shown(request).await);
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[tokio::test]
async fn what_each_kind_is_told() {
    let (firing, recovered) = (message(Event::Firing), message(Event::Recovered));
    let secret = Secret::new("s3cret");
    let some = Some(&secret);
    let url = uri("https://example.org/hook?x=1");
    let usual = Templates::default();
    let webhook =
        |message| webhook::request(&url, some, &usual, message, DELIVERY, 1_700_000_000_999);
    check(
        webhook(&firing),
        expect_file!["../../../../tests/data/alerts/webhook-firing.txt"],
    )
    .await;
    check(
        webhook(&recovered),
        expect_file!["../../../../tests/data/alerts/webhook-recovered.txt"],
    )
    .await;
    let topic = uri("https://ntfy.example.org/sub/fleet");
    let ntfy = ntfy::request(&topic, some, &firing, DELIVERY);
    check(ntfy, expect_file!["../../../../tests/data/alerts/ntfy.txt"]).await;
    let hook = uri("https://hooks.example.org/services/T/B/X");
    let slack = slack::request(&hook, &slack::slack(&firing), DELIVERY);
    check(
        slack,
        expect_file!["../../../../tests/data/alerts/slack.txt"],
    )
    .await;
    let discord = slack::request(&hook, &slack::discord(&firing), DELIVERY);
    check(
        discord,
        expect_file!["../../../../tests/data/alerts/discord.txt"],
    )
    .await;
    let server = uri("https://matrix.example.org");
    let matrix = matrix::request(&server, "!a/b:example.org", some, &firing, DELIVERY);
    check(
        matrix,
        expect_file!["../../../../tests/data/alerts/matrix.txt"],
    )
    .await;
}

#[test]
fn mail_has_the_deliverys_id_and_no_header_from_a_host() {
    let mut told = message(Event::Firing);
    told.title = String::from("Grüße\r\nBcc: evil@example.org");
    let from = "Fleet <fleet@example.org>".parse().unwrap();
    let to = [
        "ann@example.org".parse().unwrap(),
        "Bob <bob@example.org>".parse().unwrap(),
    ];
    let mail = email::letter(&from, &to, &told, DELIVERY).unwrap();
    let text = String::from_utf8(mail.formatted()).unwrap();
    expect_file!["../../../../tests/data/alerts/email.txt"].assert_eq(&text.replace('\r', ""));
    assert!(!text.contains("\r\nBcc:"), "{text}");
}

#[tokio::test]
async fn a_body_of_ones_own() {
    let own = Templates::check(
        None,
        None,
        Some("{{ {'id': delivery, 'what': title, 'bad': event == 'firing'} | tojson }}".into()),
        Some("application/vnd.own+json".into()),
    );
    let url = uri("http://127.0.0.1:9/");
    let request = webhook::request(
        &url,
        None,
        &own.unwrap(),
        &message(Event::Firing),
        DELIVERY,
        5,
    );
    let text = shown(request).await;
    assert!(
        text.contains("content-type: application/vnd.own+json"),
        "{text}"
    );
    assert!(text.contains(&format!("\"id\": \"{DELIVERY}\"")), "{text}");
    assert!(
        text.contains("\"bad\": true") && !text.contains("signature"),
        "{text}"
    );
}

#[tokio::test]
async fn a_body_that_cannot_do_without_a_number_is_refused_and_never_costs_an_alert() {
    let check = |body: &str| Templates::check(None, None, Some(body.into()), None);
    let error = check("{{ value | round(1) }}").unwrap_err();
    assert!(
        error.contains("body: the template does not work"),
        "{error}"
    );
    let own =
        check("{% if value %}{{ value | round(1) }}{% endif %}{{ [1][number | default(0)] }}");
    own.unwrap();
    // One that fails on these very facts.
    let own = check("{% if rule == 'disk' %}{{ 'x' | round(1) }}{% endif %}").unwrap();
    let url = uri("http://127.0.0.1:9/");
    let request = webhook::request(&url, None, &own, &message(Event::Firing), DELIVERY, 5);
    let text = shown(request).await;
    assert!(text.contains("\"rule\": \"disk\""), "{text}");
}

#[test]
fn a_signature_is_what_openssl_says() {
    // printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac key
    let signature = webhook::signature(&Secret::new("key"), 1_700_000_000, "{\"a\":1}").unwrap();
    assert_eq!(
        signature,
        "t=1700000000,v1=a438e398bfafc57e4396bb7fc2304422f0f768e965d073ca313cb52e22e6ad03"
    );
}

#[test]
fn what_an_answer_means() {
    let meant = |status| {
        outcome(&Answer {
            status,
            retry_after: Some(Duration::from_secs(7)),
        })
    };
    for status in [200, 202, 204, 299] {
        assert_eq!(meant(status), Outcome::Sent);
    }
    for status in [408, 429, 500, 502, 503, 599] {
        let why = format!("it answered {status}");
        let after = Some(Duration::from_secs(7));
        assert_eq!(meant(status), Outcome::Retry { why, after });
    }
    for status in [301, 307, 400, 401, 403, 404, 410, 422] {
        assert!(matches!(meant(status), Outcome::Refused { .. }), "{status}");
    }
}

#[test]
fn secrets_are_read_at_the_start_named_when_missing_and_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    let settings = |key: &str, kind: &str| -> ChannelSettings {
        let room = if kind == "matrix" {
            "room = \"!r:m\"\nurl = \"https://m\"\n"
        } else {
            ""
        };
        toml::from_str(&format!(
            "name = \"c\"\nkind = \"{kind}\"\n{room}{key} = {:?}\n",
            file.display().to_string()
        ))
        .unwrap()
    };
    let open = |key, kind| Channel::open(settings(key, kind), Duration::from_secs(1));
    let error = format!("{:#}", open("url_file", "slack").unwrap_err());
    assert!(
        error.starts_with("channel `c`: url_file: cannot read the secret file"),
        "{error}"
    );
    let error = format!("{:#}", open("secret_file", "matrix").unwrap_err());
    assert!(
        error.starts_with("channel `c`: secret_file: cannot read the secret file"),
        "{error}"
    );
    std::fs::write(&file, "ftp://s3cret.example.org").unwrap();
    let error = format!("{:#}", open("url_file", "slack").unwrap_err());
    assert!(
        error.contains("write an address that begins with") && !error.contains("s3cret"),
        "{error}"
    );
    std::fs::write(&file, "https://example.org/s3cret").unwrap();
    let channel = open("url_file", "slack").unwrap();
    assert!(!format!("{channel:?}").contains("s3cret"), "{channel:?}");
}
