use std::io::Write as _;

use axum::body::Body;
use axum::http::{Request, Response};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::dashboard::testing::{Agent, House, jump};
use crate::wire::push::MAX_JSON;

/// Makes a key of `host`.
async fn key(house: &House, host: &str, key: &str) {
    let host = host.parse().unwrap();
    house
        .app
        .store
        .create_push_key(&host, &digest(key))
        .await
        .unwrap();
}

async fn send(house: &House, key: &str, coding: Option<&str>, body: Vec<u8>) -> Response<Body> {
    let mut request = Request::builder().method("POST").uri("/api/v1/heartbeat");
    if !key.is_empty() {
        request = request.header("X-API-Key", key);
    }
    if let Some(coding) = coding {
        request = request.header("Content-Encoding", coding);
    }
    let request = request.body(Body::from(body)).unwrap();
    let router = crate::dashboard::http::router(house.app.clone());
    router.oneshot(request).await.unwrap()
}

async fn push(house: &House, key: &str, body: &Value) -> (u16, Value) {
    read(send(house, key, None, body.to_string().into_bytes()).await).await
}

async fn read(response: Response<Body>) -> (u16, Value) {
    let status = response.status().as_u16();
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX)
        .await
        .unwrap();
    (status, serde_json::from_slice(&bytes).unwrap())
}

#[tokio::test]
async fn a_host_that_pushes_is_online_by_its_interval_and_offline_after_it() {
    let house = House::start().await;
    key(&house, "sensor", "k3y").await;
    let body = json!({
        "hostname": "another", "interval": 10, "os_version": "Alpine",
        "metrics": {"cpu": "5.5", "ram": 40, "swap": 0, "load": 0.5}
    });
    let (status, taken) = push(&house, "k3y", &body).await;
    assert_eq!(
        (status, &taken["hostname"]),
        (200, &"sensor".into()),
        "the key says whose it is"
    );
    let host = house.get("/api/hosts/sensor").await;
    assert_eq!(
        (&host["status"], &host["protocol"]),
        (&"online".into(), &0.into()),
        "{host}"
    );
    assert_eq!(
        (&host["metrics"]["cpu"], &host["os_version"]),
        (&5.5.into(), &"Alpine".into())
    );
    assert_eq!(house.ask("GET", "/api/hosts/another", "").await.0, 404);
    jump(std::time::Duration::from_secs(29)).await;
    assert_eq!(house.get("/api/hosts/sensor").await["status"], "online");
    jump(std::time::Duration::from_secs(2)).await;
    house.app.fleet.sweep();
    let host = house.get("/api/hosts/sensor").await;
    assert_eq!(
        (&host["status"], &host["metrics"]),
        (&"offline".into(), &Value::Null)
    );
    push(&house, "k3y", &body).await;
    assert_eq!(house.get("/api/hosts/sensor").await["status"], "online");
    // It is still known after a restart, and expected back.
    house
        .wait("/api/hosts/sensor", |host| host["last_seen"].is_string())
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
    let house = house.restart().await;
    let host = house.get("/api/hosts/sensor").await;
    assert_eq!(
        (&host["status"], &host["os_version"]),
        (&"reconnecting".into(), &"Alpine".into())
    );
    assert_eq!(push(&house, "k3y", &body).await.0, 200);
    assert_eq!(house.get("/api/hosts/sensor").await["status"], "online");
}

#[tokio::test]
async fn a_host_that_only_pushes_takes_no_commands_and_says_so() {
    let house = House::start().await;
    key(&house, "sensor", "k3y").await;
    push(&house, "k3y", &json!({})).await;
    for body in [
        r#"{"command":"switch"}"#,
        r#"{"command":"switch","queue":true}"#,
    ] {
        let (status, said) = house.ask("POST", "/api/hosts/sensor/command", body).await;
        assert_eq!(status, 409, "{said}");
        assert!(said.contains("sensor only pushes heartbeats"), "{said}");
    }
}

#[tokio::test]
async fn a_connection_counts_alone_while_it_stands() {
    let house = House::start().await;
    key(&house, "web1", "k3y").await;
    let (mut agent, _) = Agent::join(&house, crate::dashboard::testing::register("web1")).await;
    agent.beat(1).await;
    house
        .wait("/api/hosts/web1", |host| host["heartbeats"] == 1)
        .await;
    let body = json!({"interval": 60, "os_version": "pushed", "metrics": {"cpu": 9}});
    assert_eq!(push(&house, "k3y", &body).await.0, 200);
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&host["heartbeats"], &host["heartbeat_interval"]),
        (&1.into(), &1.into())
    );
    drop(agent);
    house
        .wait("/api/hosts/web1", |host| host["status"] == "reconnecting")
        .await;
    push(&house, "k3y", &body).await;
    let host = house.get("/api/hosts/web1").await;
    assert_eq!(
        (&host["status"], &host["heartbeat_interval"]),
        (&"online".into(), &60.into())
    );
    assert_eq!(
        (&host["protocol"], &host["os_version"]),
        (&3.into(), &"".into()),
        "what the agent said stays"
    );
    let (mut agent, _) = Agent::join(&house, crate::dashboard::testing::register("web1")).await;
    agent.beat(1).await;
    let host = house
        .wait("/api/hosts/web1", |host| host["heartbeats"] == 3)
        .await;
    assert_eq!(host["heartbeat_interval"], 1);
}

#[tokio::test]
async fn keys_that_are_unknown_or_revoked_are_refused_before_the_body_is_read() {
    let house = House::start().await;
    key(&house, "web1", "k3y").await;
    for wrong in ["", "k3", "k3y2", "test-token", "agent-token"] {
        let (status, said) = push(&house, wrong, &json!({})).await;
        assert_eq!(
            (status, &said["error"]["code"]),
            (401, &"unauthorized".into()),
            "{wrong}"
        );
        assert!(
            said["error"]["hint"]
                .as_str()
                .unwrap()
                .contains("push-key create"),
            "{said}"
        );
    }
    assert_eq!(push(&house, "k3y", &json!({})).await.0, 200);
    house
        .app
        .store
        .revoke_push_keys(&"web1".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(push(&house, "k3y", &json!({})).await.0, 401);
}

#[tokio::test]
async fn compressed_bodies_are_taken_and_bombs_are_not() {
    let house = House::start().await;
    key(&house, "web1", "k3y").await;
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |bytes: &[u8]| zstd::bulk::compress(bytes, 19).unwrap();
    let small = br#"{"metrics":{"cpu":7}}"#;
    for (coding, body) in [
        ("gzip", gzip(small)),
        ("zstd", zstd(small)),
        ("identity", small.to_vec()),
    ] {
        let response = send(&house, "k3y", Some(coding), body).await;
        assert_eq!(response.status(), 200, "{coding}");
        assert_eq!(response.headers()["accept-encoding"], "gzip, zstd");
    }
    assert_eq!(house.get("/api/hosts/web1").await["metrics"]["cpu"], 7.0);
    let bomb = vec![b' '; 50_000_000];
    let small_window = |bytes: &[u8]| {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        let window = zstd::zstd_safe::CParameter::WindowLog(18);
        encoder.set_parameter(window).unwrap();
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    for (coding, body) in [("gzip", gzip(&bomb)), ("zstd", small_window(&bomb))] {
        assert!(body.len() <= MAX_BODY, "{} bytes for {coding}", body.len());
        let (status, said) = read(send(&house, "k3y", Some(coding), body).await).await;
        assert_eq!(status, 413, "{said}");
        assert!(
            said["error"]["message"]
                .as_str()
                .unwrap()
                .contains(&MAX_JSON.to_string())
        );
    }
    let plain = vec![b' '; MAX_BODY + 1];
    for (coding, body, expected) in [
        (None, plain, 413),
        (Some("br"), small.to_vec(), 415),
        (Some("gzip"), small.to_vec(), 400),
        (Some("zstd"), small.to_vec(), 400),
        (Some("zstd"), zstd(&bomb), 400),
        (None, b"[1]".to_vec(), 400),
        (None, br#"{"metrics":{"cpu":"much"}}"#.to_vec(), 400),
    ] {
        let (status, said) = read(send(&house, "k3y", coding, body).await).await;
        assert_eq!(status, expected, "{said}");
    }
}

#[tokio::test]
async fn too_many_pushes_of_one_host_are_told_when_to_come_again() {
    let house = House::start().await;
    key(&house, "web1", "k3y").await;
    key(&house, "web2", "other").await;
    let mut refused = None;
    for _ in 0..100 {
        let response = send(&house, "k3y", None, b"{}".to_vec()).await;
        if response.status() == 429 {
            refused = Some(response);
            break;
        }
    }
    let refused = refused.expect("a limit");
    let seconds: u64 = refused.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=2).contains(&seconds), "{seconds}");
    assert_eq!(push(&house, "other", &json!({})).await.0, 200);
}
