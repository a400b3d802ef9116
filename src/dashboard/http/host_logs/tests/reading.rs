use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{LOGS, push, texts};
use crate::dashboard::http::host_logs::MAX_LINES;
use crate::dashboard::testing::{Agent, House, Journal, register};

#[tokio::test]
async fn lines_since_a_time_or_an_answer_come_once_and_in_order() {
    let house = House::start().await;
    let (status, _) = house.ask("GET", LOGS, "").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    house
        .ask("POST", "/api/hosts", r#"{"hostname":"web1"}"#)
        .await;
    let empty = house.get(LOGS).await;
    assert_eq!((&empty["run"], &empty["lines"]), (&Value::Null, &json!([])));
    let a = json!({"command": "a", "lines": ["a1"]});
    let (run_a, _) = push(&house, &a).await;
    let (run_b, _) = push(&house, &json!({"command": "b", "lines": ["b1"]})).await;
    let next = |answer: &Value| answer["next"].as_str().unwrap().to_owned();
    // From the start of time, which is what an empty answer says.
    let all = house.get(&format!("{LOGS}?since={}", next(&empty))).await;
    assert_eq!(texts(&all), ["a1", "b1"]);
    assert_eq!(all["lines"][0]["run"], run_a);
    assert_eq!(all["run"], run_b);
    push(
        &house,
        &json!({"command": "b", "lines": ["b2"], "done": true}),
    )
    .await;
    push(&house, &json!({"command": "a", "lines": ["a2"]})).await;
    push(&house, &json!({"command": "c", "lines": ["c1"]})).await;
    let more = house.get(&format!("{LOGS}?since={}", next(&all))).await;
    assert_eq!(texts(&more), ["a2", "b2", "c1"]);
    let none = house.get(&format!("{LOGS}?since={}", next(&more))).await;
    assert_eq!(texts(&none), Vec::<&str>::new());
    push(&house, &json!({"command": "a", "lines": ["a3"]})).await;
    let last = house.get(&format!("{LOGS}?since={}", next(&none))).await;
    assert_eq!(texts(&last), ["a3"]);
    // The newest run alone without a time, and nothing after all that was.
    assert_eq!(texts(&house.get(LOGS).await), ["c1"]);
    let late = house.get("/api/hosts/web1/logs?since=4102444800000").await;
    assert_eq!(texts(&late), Vec::<&str>::new());
    let (status, answer) = house.ask("GET", &format!("{LOGS}?since=soon"), "").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer.contains("milliseconds since 1970"), "{answer}");
}

#[tokio::test]
async fn a_time_finds_the_first_line_and_answers_are_bounded() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    // The n-th record of the journal is of millisecond 1999 + n.
    let mut journal = Journal::new(run);
    let mut records = journal.started();
    for n in 2..=1500 {
        records.extend(journal.output(format!("{n}\n").as_bytes()));
    }
    agent.send(journal.frame(&records)).await;
    agent.acked(1500).await;
    let from = house.get(&format!("{LOGS}?since=3490")).await;
    let found = texts(&from);
    assert_eq!((found.len(), found[0]), (10, "1491"));
    let all = house
        .get(&format!("{LOGS}?since=1970-01-01T00:00:00Z"))
        .await;
    assert_eq!(texts(&all).len(), MAX_LINES);
    let path = format!("{LOGS}?since={}", all["next"].as_str().unwrap());
    let rest = house.get(&path).await;
    assert_eq!((texts(&rest).len(), texts(&rest)[0]), (499, "1002"));
    let tail = house.get(LOGS).await;
    assert_eq!((texts(&tail).len(), texts(&tail)[999]), (MAX_LINES, "1500"));
}
