use std::collections::BTreeSet;

use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::time::timeout;

use super::ROUTES;
use crate::dashboard::testing::{Agent, House, Journal, SOON, register};
use crate::run::id::RunId;
use crate::run::phase::RunState;

#[test]
fn the_description_names_exactly_the_routes_and_their_roles() {
    let api: serde_json::Value = serde_json::from_str(super::openapi::OPENAPI).unwrap();
    let mut described = BTreeSet::new();
    for (path, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap();
            described.insert((method.clone(), path.clone(), role.to_owned()));
        }
    }
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path, role)| ((*method).to_owned(), (*path).to_owned(), (*role).to_owned()))
        .collect();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn every_route_of_the_table_is_there() {
    let house = House::start().await;
    let run = RunId::new().to_string();
    for (method, path, _) in ROUTES {
        let path = path.replace("{host}", "web1").replace("{id}", &run);
        let response = house.open(&method.to_uppercase(), &path, &[], "{}").await;
        let kind = response.headers().get("content-type").cloned();
        assert_ne!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}"
        );
        // A route that is missing answers 404 without our words.
        assert!(kind.is_some(), "{method} {path}: {}", response.status());
    }
}

#[tokio::test]
async fn errors_have_a_status_a_code_and_a_hint() {
    let house = House::start().await;
    let (_agent, _) = Agent::join(&house, register("web1")).await;
    let (gone, _) = Agent::join(&house, register("gone")).await;
    drop(gone);
    house
        .app
        .fleet
        .hosts()
        .hosts
        .iter()
        .for_each(|host| assert!(!host.hostname.is_empty()));
    timeout(SOON, async {
        while house.app.fleet.peer(&"gone".parse().unwrap()).is_some() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let unknown = format!("/api/runs/{}", RunId::new());
    let unknown_stop = format!("{unknown}/stop");
    let cases: &[(&str, &str, &str, u16, &str, &str)] = &[
        ("GET", "/api/hosts/nobody", "", 404, "not_found", "nobody"),
        ("GET", "/api/hosts/a%20b", "", 400, "invalid", "host name"),
        (
            "DELETE",
            "/api/hosts/nobody",
            "",
            404,
            "not_found",
            "nobody",
        ),
        (
            "DELETE",
            "/api/hosts/web1",
            "",
            409,
            "conflict",
            "is connected",
        ),
        (
            "POST",
            "/api/hosts/nobody/command",
            r#"{"command":"switch"}"#,
            404,
            "not_found",
            "nobody",
        ),
        (
            "POST",
            "/api/hosts/gone/command",
            r#"{"command":"switch"}"#,
            409,
            "conflict",
            "not connected",
        ),
        (
            "POST",
            "/api/hosts/web1/command",
            r#"{"command":"dance"}"#,
            422,
            "unknown_command",
            "switch, pull",
        ),
        (
            "POST",
            "/api/hosts/web1/command",
            r#"{"command":"rm -rf"}"#,
            422,
            "unknown_command",
            "rm -rf",
        ),
        (
            "POST",
            "/api/hosts/web1/command",
            r#"{"command":"stop"}"#,
            409,
            "conflict",
            "nothing",
        ),
        (
            "POST",
            "/api/hosts/web1/command",
            r#"{"args":[]}"#,
            400,
            "invalid",
            "command",
        ),
        (
            "POST",
            "/api/hosts/web1/command",
            "{",
            400,
            "invalid",
            "JSON",
        ),
        (
            "POST",
            "/api/hosts/web1/command",
            r#"{"command":"switch","args":["a\u0000b"]}"#,
            400,
            "invalid",
            "zero byte",
        ),
        (
            "POST",
            "/api/hosts",
            r#"{"hostname":"<b>"}"#,
            400,
            "invalid",
            "host name",
        ),
        (
            "GET",
            "/api/runs?limit=0",
            "",
            400,
            "invalid",
            "between 1 and 200",
        ),
        (
            "GET",
            "/api/runs?limit=201",
            "",
            400,
            "invalid",
            "between 1 and 200",
        ),
        ("GET", "/api/runs?limit=x", "", 400, "invalid", "limit"),
        (
            "GET",
            "/api/runs?state=done",
            "",
            400,
            "invalid",
            "succeeded",
        ),
        ("GET", "/api/runs?host=..", "", 400, "invalid", "host name"),
        ("GET", "/api/runs?before=x", "", 400, "invalid", "run id"),
        ("GET", "/api/runs/x", "", 400, "invalid", "run id"),
        ("GET", &unknown, "", 404, "not_found", "no run"),
        ("POST", &unknown_stop, "", 404, "not_found", "no run"),
        ("POST", &unknown_stop, "[", 400, "invalid", "force"),
        ("GET", "/ws", "", 401, "unauthorized", "token"),
    ];
    for (method, path, body, status, code, part) in cases {
        let (found, answer) = house.ask(method, path, body).await;
        assert_eq!(found.as_u16(), *status, "{method} {path}: {answer}");
        let json: serde_json::Value = serde_json::from_str(&answer).unwrap();
        assert_eq!(json["error"]["code"], *code, "{answer}");
        assert!(answer.contains(part), "{part} is not in {answer}");
        assert!(!json["error"]["hint"].as_str().unwrap().is_empty());
    }
}

#[tokio::test]
async fn hosts_are_noted_and_forgotten() {
    let house = House::start().await;
    let note = r#"{"hostname":"web9","comment":"in the cellar"}"#;
    let (status, body) = house.ask("POST", "/api/hosts", note).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    let host = house.get("/api/hosts/web9").await;
    assert_eq!(
        (host["status"].as_str(), host["comment"].as_str()),
        (Some("never_seen"), Some("in the cellar"))
    );
    let house = house.restart().await;
    assert_eq!(
        house.get("/api/hosts/web9").await["comment"],
        "in the cellar"
    );
    // What an operator noted stays when the host comes.
    let (agent, _) = Agent::join(&house, register("web9")).await;
    assert_eq!(
        house.get("/api/hosts/web9").await["comment"],
        "in the cellar"
    );
    drop(agent);
    timeout(SOON, async {
        while house.ask("DELETE", "/api/hosts/web9", "").await.0 == StatusCode::CONFLICT {}
    })
    .await
    .unwrap();
    let house = house.restart().await;
    assert_eq!(
        house.ask("GET", "/api/hosts/web9", "").await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn health_and_figures() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    agent.beat(1).await;
    agent.next().await;
    house.start_run(&mut agent, "web1").await;
    let (status, text) = house.ask("GET", "/metrics", "").await;
    assert_eq!(status, StatusCode::OK);
    for line in [
        "nixfleet_hosts{status=\"online\"} 1",
        "nixfleet_runs{state=\"queued\"} 1",
        "nixfleet_agent_connections 1",
        "# TYPE nixfleet_store_commits_total counter",
    ] {
        assert!(
            text.lines().any(|own| own == line),
            "{line} is not in {text}"
        );
    }
    assert_eq!(house.get("/health").await["status"], "ok");
    house.app.store.close().await;
    let (status, _) = house.ask("GET", "/health", "").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
}

/// A reader of server-sent events.
struct Events {
    body: axum::body::BodyDataStream,
    text: String,
}

impl Events {
    async fn open(house: &House, path: &str, last: Option<u64>) -> Self {
        let last = last.map(|last| last.to_string());
        let headers: Vec<(&str, &str)> = last
            .iter()
            .map(|last| ("last-event-id", last.as_str()))
            .collect();
        let response = house.open("GET", path, &headers, "").await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event: its name, id and data; none at the end.
    async fn next(&mut self) -> Option<(String, Option<u64>, serde_json::Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
                let found = field("event: ").map(|name| {
                    let id = field("id: ").map(|id| id.parse().unwrap());
                    let data = serde_json::from_str(field("data: ").unwrap()).unwrap();
                    (name.to_owned(), id, data)
                });
                self.text = rest.to_owned();
                if found.is_some() {
                    return found;
                }
                continue;
            }
            let bytes = timeout(SOON, self.body.next())
                .await
                .expect("silence")?
                .unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next event of that name.
    async fn named(&mut self, name: &str) -> (Option<u64>, serde_json::Value) {
        loop {
            let (own, id, data) = self.next().await.expect("the stream ended");
            if own == name {
                return (id, data);
            }
        }
    }

    /// All lines until `last`, or until the end.
    async fn lines(&mut self, last: u64) -> Vec<(u64, String)> {
        let mut lines = Vec::new();
        while lines.last().is_none_or(|(n, _)| *n < last) {
            let Some((name, id, data)) = self.next().await else {
                break;
            };
            if name == "lines" {
                for line in data["lines"].as_array().unwrap() {
                    let text = line["text"].as_str().unwrap().to_owned();
                    lines.push((line["n"].as_u64().unwrap(), text));
                }
                assert_eq!(
                    id,
                    lines.last().map(|(n, _)| *n),
                    "the id is the last line's number"
                );
            }
        }
        lines
    }
}

fn numbered(from: u64, to: u64) -> Vec<(u64, String)> {
    (from..=to).map(|n| (n, format!("line {n}"))).collect()
}

fn print(from: u64, to: u64) -> Vec<u8> {
    (from..=to)
        .flat_map(|n| format!("line {n}\n").into_bytes())
        .collect()
}

#[tokio::test]
async fn a_run_is_followed_live_and_resumed_without_gap_or_double() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let path = format!("/api/runs/{run}/events");
    let mut journal = Journal::new(run);
    let mut live = Events::open(&house, &path, None).await;
    assert_eq!(live.named("run").await.1["state"], "queued");
    let first = [journal.started(), journal.output(&print(1, 10))].concat();
    agent.send(journal.frame(&first)).await;
    assert_eq!(live.lines(10).await, numbered(1, 10));
    // Somebody who has the first seven, somebody who starts late, and the one who was there.
    let mut resumed = Events::open(&house, &path, Some(7)).await;
    assert_eq!(resumed.lines(10).await, numbered(8, 10));
    let mut late = Events::open(&house, &format!("{path}?from=4"), None).await;
    let partial = journal.output(b"\x1b[32mhalf");
    agent.send(journal.frame(&partial)).await;
    assert_eq!(live.named("partial").await.1["text"], "\u{1b}[32mhalf");
    let mut rest = journal.output(b" done\n");
    for n in 0..50 {
        rest.extend(journal.output(&print(12 + n * 40, 51 + n * 40)));
    }
    rest.extend(journal.finished(RunState::Succeeded));
    agent.send(journal.frame(&rest)).await;
    let mut expected = numbered(1, 2011);
    expected[10].1 = "\u{1b}[32mhalf done".into();
    assert_eq!(late.lines(2011).await, expected[3..]);
    assert_eq!(live.lines(2011).await, expected[10..]);
    assert_eq!(resumed.lines(2011).await, expected[10..]);
    live.named("end").await;
    assert!(live.next().await.is_none(), "nothing after the end");
    // After the end, all of it comes from the store.
    let mut after = Events::open(&house, &path, None).await;
    assert_eq!(after.named("run").await.1["state"], "succeeded");
    assert_eq!(after.lines(u64::MAX).await, expected);
    let mut nothing_new = Events::open(&house, &path, Some(2011)).await;
    assert_eq!(nothing_new.next().await.unwrap().0, "run");
    assert_eq!(nothing_new.next().await.unwrap().0, "end");
}

#[tokio::test]
async fn a_reader_that_does_not_read_loses_nothing_and_stops_nobody() {
    let house = House::start().await;
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    let run = house.start_run(&mut agent, "web1").await;
    let mut slow = Events::open(&house, &format!("/api/runs/{run}/events"), None).await;
    slow.named("run").await;
    let mut journal = Journal::new(run);
    let started = journal.started();
    agent.send(journal.frame(&started)).await;
    agent.acked(1).await;
    for n in 0..100 {
        let record = journal.output(&print(n * 100 + 1, n * 100 + 100));
        agent.send(journal.frame(&record)).await;
        agent.acked(journal.seq).await;
    }
    assert_eq!(slow.lines(10_000).await, numbered(1, 10_000));
}

#[tokio::test]
async fn the_fleet_is_followed_and_a_break_brings_the_runs_that_changed() {
    let house = House::start().await;
    let mut events = Events::open(&house, "/api/events", None).await;
    let (name, _, data) = events.next().await.unwrap();
    assert_eq!(
        (name.as_str(), data["hosts"].as_array().unwrap().len()),
        ("hosts", 0)
    );
    let (mut agent, _) = Agent::join(&house, register("web1")).await;
    agent.beat(1).await;
    agent.next().await;
    while events.named("host").await.1["status"] != "online" {}
    let run = house.start_run(&mut agent, "web1").await;
    let (id, data) = events.named("run").await;
    assert_eq!(
        (data["id"].as_str(), data["state"].as_str()),
        (Some(run.to_string().as_str()), Some("queued"))
    );
    drop(events);
    let mut journal = Journal::new(run);
    let all = [journal.started(), journal.finished(RunState::Succeeded)].concat();
    agent.send(journal.frame(&all)).await;
    agent.acked(2).await;
    let mut events = Events::open(&house, "/api/events", id).await;
    assert_eq!(
        events.named("hosts").await.1["hosts"][0]["hostname"],
        "web1"
    );
    let (newest, data) = events.named("run").await;
    assert_eq!(data["state"], "succeeded");
    assert!(newest > id, "{newest:?} is not after {id:?}");
}
