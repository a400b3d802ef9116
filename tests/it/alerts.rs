//! D6: alerts are told, whatever becomes of whoever is to be told and of the dashboard; over real sockets, with a real store.

mod bench;
mod kinds;
mod smtp;
mod target;

use std::time::Duration;

use bench::{Bench, Host};
use serde_json::{Value, json};
use target::{Reply, Target};

/// A disk that is too full, and one that is not.
fn disk(percent: u64) -> Value {
    json!({"disks": [{"mount": "/", "total": 100, "available": 100 - percent}]})
}

const DISK: &str = "[[alert]]\nname = \"disk\"\non = \"disk\"\nfor = \"0s\"\n";

fn hook(target: &Target, more: &str) -> String {
    format!(
        "[[channel]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"{}/hook\"\n{more}\n",
        target.base()
    )
}

/// What arrived, as `event host object`.
fn shown(body: &Value) -> String {
    let alert = &body["alert"];
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    format!(
        "{} {} {}",
        text(&body["event"]),
        text(&alert["host"]),
        text(&alert["object"])
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_and_its_recovery_are_told_once_and_signed() {
    let target = Target::start().await;
    let bench = Bench::start(&format!(
        "{DISK}{}",
        hook(&target, "secret_file = \"SECRET\"")
    ))
    .await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    let told = target.next().await;
    assert_eq!(shown(&told.json()), "firing web1 /");
    assert_eq!(
        told.json()["title"],
        "Warning: web1: the disk / is 95 % full"
    );
    assert_eq!(
        told.header("x-nixfleet-delivery"),
        told.json()["delivery"].as_str()
    );
    assert_eq!(told.header("content-type"), Some("application/json"));
    told.check_signature(bench::SECRET);
    // More of the same is no news.
    for percent in [96, 97] {
        web1.beat(&disk(percent)).await;
    }
    let alert = bench.alert(|alert| alert["state"] == "firing").await;
    assert_eq!(alert["id"], told.json()["alert"]["id"]);
    web1.beat(&disk(50)).await;
    let over = target.next().await;
    assert_eq!(shown(&over.json()), "recovered web1 /");
    assert_eq!(over.json()["alert"]["id"], alert["id"]);
    assert_ne!(over.json()["delivery"], told.json()["delivery"]);
    let over = bench.alert(|alert| alert["state"] == "recovered").await;
    let told = over["deliveries"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{over}");
    bench
        .alert(|alert| alert["deliveries"][1]["state"] == "sent")
        .await;
    target.nothing_more().await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_answers_500_is_down_or_slow_gets_each_alert_once_under_one_id() {
    let target = Target::start().await;
    let bench = Bench::start(&format!("{DISK}{}", hook(&target, ""))).await;
    target.answer(Reply::Status(500, ""));
    let mut web1 = Host::join(&bench, "web1").await;
    let mut web2 = Host::join(&bench, "web2").await;
    web1.beat(&disk(95)).await;
    let first = target.next().await;
    assert_eq!(shown(&first.json()), "firing web1 /");
    // While it is not well, more happens; it waits for its turn.
    web2.beat(&disk(96)).await;
    bench.wait_queued(2).await;
    web1.beat(&disk(10)).await;
    bench.wait_queued(3).await;
    let again = target.next().await;
    assert_eq!(again.body, first.body, "every try is the same");
    // It takes the request and says nothing, for longer than the deadline.
    target.answer(Reply::Never);
    let slow = target.skip_to_last().await;
    assert_eq!(slow.body, first.body);
    // Nobody listens at all.
    let port = target.port();
    target.stop().await;
    let failing = bench
        .channel(|channel| {
            channel["last_error"]
                .as_str()
                .is_some_and(|why| why.starts_with("cannot connect"))
        })
        .await;
    assert_eq!(failing["queued"], 3);
    let target = Target::start_on(port).await;
    let told = [
        target.next().await,
        target.next().await,
        target.next().await,
    ];
    assert_eq!(told[0].body, first.body);
    let shown: Vec<String> = told.iter().map(|told| shown(&told.json())).collect();
    assert_eq!(
        shown,
        ["firing web1 /", "firing web2 /", "recovered web1 /"]
    );
    bench.wait_queued(0).await;
    target.nothing_more().await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_survives_a_restart_and_keeps_its_id() {
    let target = Target::start().await;
    target.answer(Reply::Status(503, ""));
    let mut bench = Bench::start(&format!("{DISK}{}", hook(&target, ""))).await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    let first = target.next().await;
    drop(web1);
    bench.restart().await;
    target.answer(Reply::Status(204, ""));
    let after = target.skip_to_last().await;
    assert_eq!(after.body, first.body);
    bench.wait_queued(0).await;
    // It still fires, is not told again, and its end is.
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    bench.restart().await;
    target.nothing_more().await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(5)).await;
    let over = target.next().await;
    assert_eq!(shown(&over.json()), "recovered web1 /");
    assert_eq!(over.json()["alert"]["id"], first.json()["alert"]["id"]);
    target.nothing_more().await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_final_a_redirect_is_not_followed_and_a_pause_is_kept() {
    let target = Target::start().await;
    let elsewhere = Target::start().await;
    let bench = Bench::start(&format!("{DISK}{}", hook(&target, ""))).await;
    let mut web1 = Host::join(&bench, "web1").await;
    let location = format!("location: {}/\r\n", elsewhere.base());
    target.answer(Reply::Status(307, Box::leak(location.into_boxed_str())));
    web1.beat(&disk(95)).await;
    target.next().await;
    let alert = bench
        .alert(|alert| alert["deliveries"][0]["state"] == "failed")
        .await;
    let why = alert["deliveries"][0]["error"].as_str().unwrap();
    assert!(why.contains("redirects are not followed"), "{why}");
    // The end of what was never told is not told either.
    web1.beat(&disk(5)).await;
    bench.alert(|alert| alert["state"] == "recovered").await;
    target.answer(Reply::Status(429, "retry-after: 1\r\n"));
    web1.beat(&disk(95)).await;
    let first = target.next().await;
    let asked = tokio::time::Instant::now();
    assert_eq!(shown(&first.json()), "firing web1 /");
    target.answer(Reply::Status(200, ""));
    let second = target.next().await;
    assert!(
        asked.elapsed() >= Duration::from_millis(900),
        "{:?}",
        asked.elapsed()
    );
    assert_eq!(second.body, first.body);
    target.nothing_more().await;
    elsewhere.nothing_more().await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_try_brings_is_given_up_and_shown() {
    let target = Target::start().await;
    target.answer(Reply::Status(500, ""));
    let mut bench = Bench::with(&format!("{DISK}{}", hook(&target, "")), |pace| {
        pace.give_up = Duration::from_millis(300);
    })
    .await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    let alert = bench
        .alert(|alert| alert["deliveries"][0]["state"] == "failed")
        .await;
    let why = alert["deliveries"][0]["error"].as_str().unwrap();
    assert!(
        why.starts_with("given up after") && why.ends_with("it answered 500"),
        "{why}"
    );
    assert_eq!(
        bench.channel(|channel| channel["failed"] == 1).await["queued"],
        0
    );
    bench.restart().await;
    bench.channel(|channel| channel["failed"] == 1).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_hold_back_all_but_what_is_critical() {
    let target = Target::start().await;
    let quiet = bench::quiet_now();
    let rules = format!(
        "{DISK}quiet = \"{quiet}\"\n[[alert]]\nname = \"reboot\"\non = \"reboot_needed\"\nfor = \"0s\"\nseverity = \"critical\"\nquiet = \"{quiet}\"\n"
    );
    let bench = Bench::start(&format!("{rules}{}", hook(&target, ""))).await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&disk(95)).await;
    bench.wait_queued(1).await;
    let mut both = disk(95);
    both["reboot_for"] = json!(["kernel"]);
    web1.beat(&both).await;
    assert_eq!(target.next().await.json()["alert"]["rule"], "reboot");
    // It is over before the night is: nobody hears of it.
    both["disks"][0]["available"] = json!(90);
    web1.beat(&both).await;
    let alert = bench
        .alert(|alert| alert["rule"] == "disk" && alert["state"] == "recovered")
        .await;
    assert_eq!(alert["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(alert["deliveries"][0]["state"], "dropped");
    bench.wait_queued(0).await;
    target.nothing_more().await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_configuration_nothing_is_sent_and_everything_is_kept() {
    let bench = Bench::start("").await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&json!({})).await;
    web1.fail_a_run(&bench).await;
    let alert = bench.alert(|alert| alert["rule"] == "run failed").await;
    assert_eq!(alert["summary"], "switch failed: building: hello failed");
    assert_eq!(alert["object"], "switch");
    assert_eq!(alert["deliveries"], json!([]));
    let run = alert["run"].as_str().unwrap();
    assert_eq!(
        bench.get(&format!("/api/runs/{run}")).await["state"],
        "failed"
    );
    assert_eq!(
        bench.get("/api/alerts/channels").await,
        json!({"channels": []})
    );
    // It goes away without a word: offline after its deadline, which is shorter in this test.
    drop(web1);
    bench
        .alert(|alert| alert["rule"] == "offline" && alert["severity"] == "critical")
        .await;
    let mut web1 = Host::join(&bench, "web1").await;
    web1.beat(&json!({})).await;
    bench
        .alert(|alert| alert["rule"] == "offline" && alert["state"] == "recovered")
        .await;
    let firing = bench.get("/api/alerts?state=firing&host=web1").await;
    assert_eq!(firing["alerts"].as_array().unwrap().len(), 1, "{firing}");
    let severity = firing["alerts"][0]["severity"].as_str().unwrap();
    let counted = format!("nixfleet_alerts_firing{{severity=\"{severity}\"}} 1");
    let figures = bench.get("/metrics").await;
    let figures = figures.as_str().unwrap();
    assert!(figures.lines().any(|line| line == counted), "{figures}");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_of_a_channel_says_what_came_of_it() {
    let target = Target::start().await;
    let bench = Bench::start(&hook(&target, "title = \"own: {{ summary }}\"")).await;
    let tested = bench.post("/api/alerts/channels/hook/test").await;
    assert_eq!(tested["outcome"], "sent", "{tested}");
    let told = target.next().await;
    assert_eq!(told.json()["event"], "test");
    assert_eq!(told.json()["title"], "own: this channel works");
    assert_eq!(told.json()["delivery"], tested["delivery"]);
    target.answer(Reply::Status(403, ""));
    let tested = bench.post("/api/alerts/channels/hook/test").await;
    assert_eq!(tested["outcome"], "failed");
    assert_eq!(
        tested["error"],
        "it answered 403; check the channel's secret"
    );
    target.next().await;
    target.answer(Reply::Never);
    let tested = bench.post("/api/alerts/channels/hook/test").await;
    assert!(
        tested["error"]
            .as_str()
            .unwrap()
            .starts_with("no answer within"),
        "{tested}"
    );
    bench
        .channel(|channel| {
            channel["last_error"]
                .as_str()
                .is_some_and(|why| why.starts_with("no answer"))
        })
        .await;
    bench.stop().await;
}
