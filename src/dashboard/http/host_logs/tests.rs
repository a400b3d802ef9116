mod reading;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::dashboard::testing::{AGENT_TOKEN, API_TOKEN, Agent, House, Journal, jump, register};
use crate::run::phase::RunState;

const LOGS: &str = "/api/hosts/web1/logs";

/// A push with any token and type of content.
async fn post(house: &House, token: &str, path: &str, kind: &str, body: &str) -> (u16, Value) {
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", kind)
        .body(Body::from(body.to_owned()))
        .unwrap();
    let router = crate::dashboard::http::router(house.app.clone());
    let response = router.oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await;
    (status, serde_json::from_slice(&bytes.unwrap()).unwrap())
}

/// A push of an agent that must be taken; answers the run and its lines.
async fn push(house: &House, body: &Value) -> (String, u64) {
    let (status, answer) = post(
        house,
        AGENT_TOKEN,
        LOGS,
        "application/json",
        &body.to_string(),
    )
    .await;
    assert_eq!(status, 200, "{answer}");
    let run = answer["run"].as_str().unwrap().to_owned();
    (run, answer["lines"].as_u64().unwrap())
}

fn texts(answer: &Value) -> Vec<&str> {
    let lines = answer["lines"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn an_agent_pushes_a_run_from_its_first_line_to_its_end() {
    let house = House::start().await;
    let (run, lines) = push(&house, &json!({"lines": ["one", "two\n"]})).await;
    assert_eq!(lines, 2);
    let path = format!("/api/runs/{run}");
    let stored = house.get(&path).await;
    assert_eq!(
        (
            &stored["state"],
            &stored["command"],
            &stored["requested_by"]
        ),
        (&json!("running"), &json!("logs"), &json!("pushed by web1"))
    );
    assert_eq!(stored["phase"], "running");
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&host["status"], &host["activity"]["run"]),
        (&json!("never_seen"), &json!(run))
    );
    // With its id, without it, and after a restart: the same run.
    let id = json!({"run": run, "lines": ["a\nb"]});
    assert_eq!(push(&house, &id).await, (run.clone(), 4));
    assert_eq!(
        push(&house, &json!({"lines": [""]})).await,
        (run.clone(), 5)
    );
    let house = house.restart().await;
    assert_eq!(
        push(&house, &json!({"lines": ["c"]})).await,
        (run.clone(), 6)
    );
    let end = json!({"run": run, "lines": [], "done": true, "exit_code": 3});
    assert_eq!(push(&house, &end).await, (run.clone(), 6));
    let over = house.get(&path).await;
    assert_eq!(
        (&over["state"], &over["exit_code"], &over["reason"]),
        (
            &json!("failed"),
            &json!(3),
            &json!("the program ended with exit status 3")
        )
    );
    let (_, text) = house.ask("GET", &format!("{path}/log.txt"), "").await;
    assert_eq!(text, "one\ntwo\na\nb\n\nc\n");
    assert!(house.get("/api/hosts/web1").await["activity"].is_null());
    let (status, answer) = post(
        &house,
        AGENT_TOKEN,
        LOGS,
        "application/json",
        &id.to_string(),
    )
    .await;
    assert_eq!(status, 409, "{answer}");
    let all = json!({"lines": ["x"], "done": true, "exit_code": 0});
    let (next, _) = push(&house, &all).await;
    assert_ne!(next, run);
    assert_eq!(
        house.get(&format!("/api/runs/{next}")).await["state"],
        "succeeded"
    );
    let (vague, _) = push(&house, &json!({"done": true})).await;
    let vague = house.get(&format!("/api/runs/{vague}")).await;
    assert_eq!(vague["state"], "failed");
    assert!(vague["reason"].as_str().unwrap().contains("exit_code"));
}

#[tokio::test]
async fn a_reader_sees_pushed_lines_live() {
    let house = House::start().await;
    let (run, _) = push(&house, &json!({"lines": ["one"]})).await;
    let run: RunId = run.parse().unwrap();
    let mut reader = house.app.live.watch(run).unwrap();
    let (channel, tips) = (&reader.channel, &mut reader.tips);
    tips.borrow_and_update();
    push(&house, &json!({"lines": ["two", "three"]})).await;
    assert_eq!(tips.borrow_and_update().lines, 3);
    let recent = channel.recent(2, 10).unwrap();
    assert_eq!(recent[1].text, "three");
}

#[tokio::test]
async fn plain_text_takes_the_rest_from_the_query() {
    let house = House::start().await;
    let path = format!("{LOGS}?command=backup&done=true&exit_code=0");
    let body = "one\r\ntwo\n\nlast";
    let (status, answer) = post(
        &house,
        AGENT_TOKEN,
        &path,
        "text/plain; charset=utf-8",
        body,
    )
    .await;
    assert_eq!((status, &answer["lines"]), (200, &json!(4)), "{answer}");
    let run = house
        .get(&format!("/api/runs/{}", answer["run"].as_str().unwrap()))
        .await;
    assert_eq!(
        (&run["state"], &run["command"]),
        (&json!("succeeded"), &json!("backup"))
    );
    assert_eq!(texts(&house.get(LOGS).await), ["one", "two", "", "last"]);
}

#[tokio::test]
async fn what_may_not_be_pushed_is_refused_with_a_reason() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web2")).await;
    let own = house.start_run(&mut agent, "web2").await;
    let (pushed, _) = push(&house, &json!({"lines": ["x"]})).await;
    let web2 = "/api/hosts/web2/logs";
    let with_run = |run: &str| json!({"lines": ["x"], "run": run}).to_string();
    let long = "x".repeat(MAX_PUSH);
    let many = "\n".repeat(MAX_PUSHED_LINES + 1);
    let (json, text) = ("application/json", "text/plain");
    let cases: &[(&str, &str, &str, &str, u16, &str)] = &[
        ("wrong", LOGS, json, "{}", 401, "token"),
        (
            API_TOKEN,
            "/api/hosts/web9/logs",
            json,
            r#"{"lines":["x"]}"#,
            404,
            "web9",
        ),
        (
            AGENT_TOKEN,
            "/api/hosts/a%20b/logs",
            json,
            "{}",
            400,
            "host name",
        ),
        (
            AGENT_TOKEN,
            web2,
            json,
            &with_run(&own.to_string()),
            409,
            "agent's own",
        ),
        (AGENT_TOKEN, web2, json, &with_run(&pushed), 404, "no run"),
        (
            AGENT_TOKEN,
            LOGS,
            json,
            &with_run(&RunId::new().to_string()),
            404,
            "no run",
        ),
        (AGENT_TOKEN, LOGS, json, &with_run("x"), 400, "run id"),
        (
            AGENT_TOKEN,
            LOGS,
            json,
            r#"{"lines":"x"}"#,
            400,
            "not understood",
        ),
        (
            AGENT_TOKEN,
            LOGS,
            json,
            r#"{"command":"rm -rf"}"#,
            400,
            "rm -rf",
        ),
        (
            AGENT_TOKEN,
            LOGS,
            json,
            r#"{"exit_code":0}"#,
            400,
            "without `done`",
        ),
        (AGENT_TOKEN, LOGS, "image/png", "x", 400, "Content-Type"),
        (AGENT_TOKEN, LOGS, text, &(long + "y"), 413, "1048576 bytes"),
        (AGENT_TOKEN, LOGS, text, &many, 413, "20000"),
    ];
    for (token, path, kind, body, status, part) in cases {
        let (found, answer) = post(&house, token, path, kind, body).await;
        assert_eq!(found, *status, "{path}: {answer}");
        let text = answer.to_string();
        assert!(text.contains(part), "{part} is not in {text}");
        assert!(!answer["error"]["hint"].as_str().unwrap().is_empty());
    }
    let unknown = house.ask("GET", "/api/hosts/web9", "").await.0;
    assert_eq!(unknown, StatusCode::NOT_FOUND);
    let stop = format!("/api/runs/{pushed}/stop");
    let (status, answer) = house.ask("POST", &stop, "").await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");
    // The largest that is allowed.
    let body = "x".repeat(MAX_PUSH);
    let (status, answer) = post(&house, API_TOKEN, LOGS, text, &body).await;
    assert_eq!(status, 200, "{answer}");
}

#[tokio::test]
async fn pushed_lines_and_an_agent_do_not_disturb_each_other() {
    let house = House::start().await;
    let (pushed, _) = push(&house, &json!({"lines": ["one"]})).await;
    // The agent does not know the run, which is not lost for that, and does not make the host busy.
    let mut message = register("web1");
    let journal = Journal::new(pushed.parse().unwrap());
    message.runs = vec![journal.known()];
    let (mut agent, registered) = Agent::join(&house, message).await;
    assert!(registered.resume.is_empty());
    let path = format!("/api/runs/{pushed}");
    assert_eq!(house.get(&path).await["state"], "running");
    let run = house.start_run(&mut agent, "web1").await;
    push(&house, &json!({"lines": ["two"]})).await;
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(host["activity"]["run"], run.to_string());
    let mut journal = Journal::new(run);
    let all = [
        journal.started(),
        journal.output(b"x\n"),
        journal.finished(RunState::Succeeded),
    ];
    agent.send(journal.frame(&all.concat())).await;
    agent.acked(3).await;
    assert_eq!(
        push(&house, &json!({"lines": ["three"]})).await,
        (pushed, 3)
    );
}

#[tokio::test]
async fn a_pushed_run_is_lost_after_an_hour_of_silence_and_lives_again() {
    let house = House::start().await;
    let (run, _) = push(&house, &json!({"lines": ["one"]})).await;
    let path = format!("/api/runs/{run}");
    jump(std::time::Duration::from_secs(50 * 60)).await;
    push(&house, &json!({"lines": ["two"]})).await;
    jump(std::time::Duration::from_secs(50 * 60)).await;
    assert_eq!(house.get(&path).await["state"], "running");
    jump(std::time::Duration::from_secs(11 * 60)).await;
    let lost = house.wait(&path, |run| run["state"] == "lost").await;
    assert!(lost["reason"].as_str().unwrap().contains("60 minutes"));
    let more = json!({"run": run, "lines": ["three"]});
    assert_eq!(push(&house, &more).await, (run.clone(), 3));
    assert_eq!(house.get(&path).await["state"], "running");
}
