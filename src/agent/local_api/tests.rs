use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::*;
use crate::agent::health::Health;
use crate::agent::metrics::Sample;
use crate::agent::status::tests::{Told, metrics, told};

mod load;
mod text;

const DEADLINE: Duration = Duration::from_secs(20);

/// An API at an address of its own.
struct Served {
    address: SocketAddr,
    health: tokio::sync::watch::Sender<Health>,
    sample: tokio::sync::watch::Sender<Sample>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Served {
    async fn start(change: impl FnOnce(&mut Door)) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut door = Door::configured(Listen::Tcp(address), None);
        change(&mut door);
        let Told {
            status,
            health,
            sample,
            ..
        } = told();
        let api = Arc::new(Api::new(Arc::new(status)));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(api, door, stop.clone()));
        let served = Self {
            address,
            health,
            sample,
            stop,
            tasks,
        };
        timeout(DEADLINE, async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        served
    }

    /// Sends `request` as it is and answers all that comes until the connection ends.
    async fn raw(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(DEADLINE, stream.read_to_string(&mut answer))
            .await
            .unwrap()
            .unwrap();
        answer
    }

    /// The status and the body of a `GET` with further header lines.
    async fn get(&self, path: &str, headers: &str) -> (u16, String) {
        let request = format!("GET {path} HTTP/1.1\r\nConnection: close\r\n{headers}\r\n");
        split(&self.raw(&request).await)
    }

    async fn json(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.get(path, "Host: localhost:1\r\n").await;
        (status, serde_json::from_str(&body).unwrap())
    }
}

fn split(answer: &str) -> (u16, String) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(
        head.contains(&format!("Content-Length: {}", body.len())),
        "{head}"
    );
    (head[9..12].parse().unwrap(), body.to_owned())
}

#[tokio::test]
async fn every_path_answers_and_what_is_unknown_is_null() {
    let served = Served::start(|_| {}).await;
    let (code, health) = served.json("/health").await;
    assert_eq!((code, health["status"].as_str()), (503, Some("unhealthy")));
    assert_eq!(health["reason"], "not connected yet");
    served.health.send_modify(|health| {
        health.connected = true;
        health.acknowledges = true;
        health.last_ack = Some(Instant::now());
    });
    let (code, health) = served.json("/health").await;
    assert_eq!((code, health["status"].as_str()), (200, Some("healthy")));
    assert!(health["timestamp"].as_str().unwrap().ends_with('Z'));
    let (code, status) = served.json("/status").await;
    assert_eq!((code, &status["success"]), (200, &Value::Bool(true)));
    let data = &status["data"];
    assert_eq!(
        (&data["hostname"], &data["system"]["platform"]),
        (&"web1".into(), &"nixos".into())
    );
    assert_eq!(data["resources"]["cpu_percent"], Value::Null);
    assert_eq!(data["agent"]["connected"], true);
    let (code, agent) = served.json("/agent/status").await;
    assert_eq!(code, 200);
    let data = &agent["data"];
    assert_eq!(
        (&data["running"], &data["interval"]),
        (&true.into(), &10.into())
    );
    assert_eq!(data["monitor_url"], "ws://dash.lan/ws");
    for (key, value) in [
        ("connected", true.into()),
        ("healthy", true.into()),
        ("seconds_since_ack", 0.into()),
        ("reconnect_attempts", Value::from(0)),
    ] {
        assert_eq!(data["connection"][key], value, "{key}");
    }
    let (code, all) = served.json("/metrics").await;
    assert_eq!((code, &all["data"]["metrics"]), (200, &Value::Null));
    let (code, none) = served.json("/nothing").await;
    assert_eq!((code, &none["success"]), (404, &Value::Bool(false)));
}

#[tokio::test]
async fn a_collector_that_fails_leaves_the_last_values_with_their_age() {
    let served = Served::start(|_| {}).await;
    served
        .sample
        .send_replace(Sample::for_test(Some(metrics())));
    let fresh = served.json("/metrics").await.1["data"].clone();
    assert_eq!(
        (&fresh["metrics"]["cpu"], &fresh["metrics_age_ms"]),
        (&12.34.into(), &0.into())
    );
    served.sample.send_replace(Sample::for_test(None));
    let (code, cached) = served.json("/metrics").await;
    assert_eq!(code, 200);
    assert_eq!(cached["data"]["metrics"], fresh["metrics"]);
    assert!(cached["data"]["metrics_age_ms"].is_u64(), "{cached}");
    let text = served.get("/metrics?format=prometheus", "").await.1;
    assert!(
        !text.contains("stasysmo_cpu"),
        "nothing old is drawn as new: {text}"
    );
}

#[tokio::test]
async fn one_connection_takes_many_requests_also_several_at_once() {
    let served = Served::start(|_| {}).await;
    let last = "GET /agent/status HTTP/1.1\r\nConnection: close\r\n\r\n";
    let answer = served
        .raw(&format!(
            "GET /health HTTP/1.1\r\n\r\nHEAD /status HTTP/1.1\r\n\r\n{last}"
        ))
        .await;
    let heads: Vec<&str> = answer
        .match_indices("HTTP/1.1 ")
        .map(|(at, head)| &answer[at + head.len()..][..3])
        .collect();
    assert_eq!(heads, ["503", "200", "200"], "{answer}");
    assert_eq!(
        answer.matches("\"success\":true").count(),
        1,
        "HEAD has no body: {answer}"
    );
    assert_eq!(answer.matches("Connection: keep-alive").count(), 2);
    // A head in pieces, the last one after a pause.
    let mut stream = TcpStream::connect(served.address).await.unwrap();
    for piece in ["GE", "T /health HT", "TP/1.0\r\n", "\r\n"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(split(&answer).0, 503);
}

#[tokio::test]
async fn what_is_no_question_is_refused() {
    let served = Served::start(|_| {}).await;
    for (request, status) in [
        (
            "POST /health HTTP/1.1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            405,
        ),
        (
            "GET /health HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
            413,
        ),
        (
            "GET /health HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            413,
        ),
        ("hello\r\n\r\n", 400),
        (
            "GET /health HTTP/1.1\r\nHost: evil.example:9470\r\nConnection: close\r\n\r\n",
            403,
        ),
    ] {
        let answer = served.raw(request).await;
        assert_eq!(split(&answer).0, status, "{request}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(8200));
    assert_eq!(split(&served.raw(&long).await).0, 431);
    for host in ["localhost", "127.0.0.1:9470", "[::1]:9470", "LOCALHOST:1"] {
        let code = served.get("/status", &format!("Host: {host}\r\n")).await.0;
        assert_eq!(code, 200, "{host}");
    }
}

#[tokio::test]
async fn a_token_opens_and_nothing_else() {
    let served = Served::start(|door| door.token = Some(Secret::new("s3cret"))).await;
    for (header, status) in [
        ("", 401),
        ("Authorization: Bearer s3cre\r\n", 401),
        ("Authorization: Bearer s3cret2\r\n", 401),
        ("Authorization: Basic s3cret\r\n", 401),
        ("Authorization: bearer s3cret\r\n", 200),
        ("Host: web1.lan\r\nAuthorization: Bearer s3cret\r\n", 200),
    ] {
        assert_eq!(served.get("/status", header).await.0, status, "{header}");
    }
}

#[tokio::test]
async fn the_own_socket_is_the_users_replaces_an_old_one_and_goes_with_the_agent() {
    let dir = tempfile::tempdir().unwrap();
    let path = own_socket(dir.path());
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let stop = CancellationToken::new();
    let mut tasks = JoinSet::new();
    let api = Arc::new(Api::new(Arc::new(told().status)));
    tasks.spawn(serve(api, Door::own(dir.path()), stop.clone()));
    let mut stream = timeout(DEADLINE, async {
        loop {
            match UnixStream::connect(&path).await {
                Ok(stream) => break stream,
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    })
    .await
    .unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    stream
        .write_all(b"GET /agent/status HTTP/1.0\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert_eq!(split(&answer).0, 200);
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap();
    assert!(!path.exists());
    let door = Door::own(Path::new("/nowhere"));
    assert!(listen::bind(&door.listen, door.mode).await.is_err());
    std::fs::write(&path, "").unwrap();
    let bound = listen::bind(&Listen::Unix(path.clone()), 0o600).await;
    let error = bound.err().unwrap();
    assert!(error.to_string().contains("something else"), "{error}");
}

#[tokio::test]
async fn an_end_does_not_wait_for_idle_connections() {
    let mut served = Served::start(|_| {}).await;
    let _idle = TcpStream::connect(served.address).await.unwrap();
    served.stop.cancel();
    timeout(DEADLINE, served.tasks.join_next()).await.unwrap();
}
