use std::collections::BTreeSet;

use axum::http::StatusCode;
use tokio::time::timeout;

use super::ROUTES;
use crate::dashboard::testing::{Agent, House, SOON, register};
use crate::run::id::RunId;

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
        let path = path
            .replace("{host}", "web1")
            .replace("{id}", &run)
            .replace("{name}", "pager");
        let response = house.open(&method.to_uppercase(), &path, &[], "{}").await;
        let known = response.status() == StatusCode::NO_CONTENT
            || response.headers().contains_key("content-type");
        assert_ne!(
            response.status(),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method} {path}"
        );
        // A route that is missing answers 404 without our words.
        assert!(known, "{method} {path}: {}", response.status());
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
        (
            "GET",
            "/api/alerts?state=open",
            "",
            400,
            "invalid",
            "firing, recovered",
        ),
        (
            "GET",
            "/api/alerts?limit=501",
            "",
            400,
            "invalid",
            "between 1 and 500",
        ),
        (
            "GET",
            "/api/alerts?before=x",
            "",
            400,
            "invalid",
            "alert's id",
        ),
        (
            "GET",
            "/api/alerts?host=..",
            "",
            400,
            "invalid",
            "host name",
        ),
        (
            "POST",
            "/api/alerts/channels/pager/test",
            "",
            404,
            "not_found",
            "no channel `pager`",
        ),
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
