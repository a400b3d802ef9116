use std::net::SocketAddr;
use std::sync::Mutex;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::*;
use crate::agent::status::tests::told;

const DEADLINE: Duration = Duration::from_secs(20);
const HURRY: Times = Times {
    between: Duration::from_millis(40),
    one_try: Duration::from_millis(400),
    refused: Duration::from_millis(600),
};

/// What a back-end got.
#[derive(Debug, Clone)]
struct Got {
    head: String,
    body: Vec<u8>,
    at: Instant,
}

/// A back-end that answers as it is told, one answer after the other, the last one for ever. An empty answer is silence.
struct Fake {
    address: SocketAddr,
    got: Arc<Mutex<Vec<Got>>>,
    _tasks: JoinSet<()>,
}

impl Fake {
    async fn start(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self::on(listener, answers)
    }

    fn on(listener: TcpListener, answers: &[&str]) -> Self {
        let address = listener.local_addr().unwrap();
        let got = Arc::new(Mutex::new(Vec::new()));
        let (log, answers) = (Arc::clone(&got), answers.iter().map(|a| (*a).to_owned()));
        let answers: Vec<String> = answers.collect();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut silent = Vec::new();
            for at in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let request = receive(&mut stream).await;
                log.lock().unwrap().push(request);
                let answer = &answers[at.min(answers.len() - 1)];
                if answer.is_empty() {
                    silent.push(stream);
                } else {
                    stream.write_all(answer.as_bytes()).await.unwrap();
                    if answer.contains("keep-alive") {
                        silent.push(stream);
                    }
                }
            }
        });
        Self {
            address,
            got,
            _tasks: tasks,
        }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    async fn wait_for(&self, n: usize) -> Vec<Got> {
        timeout(DEADLINE, async {
            while self.got().len() < n {
                sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
        self.got()
    }
}

async fn receive(stream: &mut TcpStream) -> Got {
    let at = Instant::now();
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
        assert!(
            stream.read_buf(&mut bytes).await.unwrap() > 0,
            "a whole head"
        );
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("Content-Length: "))
        .unwrap();
    while bytes.len() < end + length.parse::<usize>().unwrap() {
        assert!(
            stream.read_buf(&mut bytes).await.unwrap() > 0,
            "a whole body"
        );
    }
    Got {
        head,
        body: bytes.split_off(end),
        at,
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const BROKEN: &str = "HTTP/1.1 500 Oops\r\nContent-Length: 6\r\n\r\nbroken";

fn backend(address: SocketAddr, change: impl FnOnce(&mut config::Push)) -> Backend {
    let mut push = config::Push {
        address: Address::try_from(format!("http://{address}/api/v1/heartbeat")).unwrap(),
        key_file: None,
        interval: Duration::from_millis(100),
        compression: Compression::Auto,
    };
    change(&mut push);
    Backend::new(push, None, facts::Host::default(), HURRY)
}

/// Runs back-ends until it is dropped.
struct Running {
    states: Vec<watch::Receiver<local_api::Push>>,
    _stop: tokio_util::sync::DropGuard,
    _tasks: JoinSet<()>,
}

impl Running {
    fn start(backends: Vec<Backend>) -> Self {
        let status = Arc::new(told().status);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let states = backends.iter().map(Backend::state).collect();
        for backend in backends {
            tasks.spawn(backend.run(Arc::clone(&status), stop.clone()));
        }
        Self {
            states,
            _stop: stop.drop_guard(),
            _tasks: tasks,
        }
    }

    async fn until(
        &mut self,
        at: usize,
        is: impl FnMut(&local_api::Push) -> bool,
    ) -> local_api::Push {
        timeout(DEADLINE, self.states[at].wait_for(is))
            .await
            .unwrap()
            .unwrap()
            .clone()
    }
}

#[tokio::test]
async fn a_heartbeat_goes_out_with_its_key_and_its_host() {
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, "k3y\n").unwrap();
    let fake = Fake::start(&[OK]).await;
    let mut running = Running::start(vec![backend(fake.address, |push| {
        push.key_file = Some(key.clone());
    })]);
    let got = fake.wait_for(1).await.remove(0);
    assert!(
        got.head.starts_with("POST /api/v1/heartbeat HTTP/1.1\r\n"),
        "{}",
        got.head
    );
    assert!(got.head.contains("X-API-Key: k3y\r\n"), "{}", got.head);
    assert!(got.head.contains("Connection: close\r\n"));
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!((&body["hostname"], &body["n"]), (&"web1".into(), &1.into()));
    let state = running.until(0, |state| state.delivered >= 2).await;
    assert!(state.healthy && state.error.is_none() && state.last_success.is_some());
    // A new key needs no restart.
    std::fs::write(&key, "other").unwrap();
    timeout(DEADLINE, async {
        while !fake.got().last().unwrap().head.contains("X-API-Key: other") {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn three_tries_apart_and_then_it_has_failed_until_the_next_one() {
    let fake = Fake::start(&[BROKEN, BROKEN, BROKEN, BROKEN, OK]).await;
    let mut running = Running::start(vec![backend(fake.address, |push| {
        push.interval = Duration::from_millis(500);
    })]);
    let state = running.until(0, |state| state.failed == 1).await;
    assert_eq!(state.error.as_deref(), Some("status 500 (broken)"));
    let got = fake.got();
    assert_eq!(got.len(), 3, "three tries");
    for pair in got.windows(2) {
        assert!(pair[1].at - pair[0].at >= HURRY.between);
    }
    let state = running.until(0, |state| state.delivered == 1).await;
    assert!(state.healthy && state.error.is_none());
    let got = fake.got();
    assert_eq!(got.len(), 5, "the next push succeeds with its second try");
    assert!(
        got[3].at - got[0].at >= Duration::from_millis(490),
        "its interval"
    );
}

#[tokio::test]
async fn a_silent_back_end_and_one_that_is_down_delay_nobody() {
    let good = Fake::start(&[OK]).await;
    let silent = Fake::start(&[""]).await;
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let down = free.local_addr().unwrap();
    drop(free);
    let mut running = Running::start(vec![
        backend(silent.address, |_| {}),
        backend(down, |_| {}),
        backend(good.address, |_| {}),
    ]);
    let began = Instant::now();
    running.until(2, |state| state.delivered >= 10).await;
    assert!(
        began.elapsed() < Duration::from_secs(3),
        "{:?}",
        began.elapsed()
    );
    let state = running.until(0, |state| state.failed > 0).await;
    assert!(
        state.error.unwrap().starts_with("no answer within"),
        "a deadline for each try"
    );
    let state = running.until(1, |state| state.failed > 0).await;
    assert!(state.error.unwrap().contains("refused"));
    // It comes up: pushes arrive again by themselves.
    let up = Fake::on(TcpListener::bind(down).await.unwrap(), &[OK]);
    running.until(1, |state| state.healthy).await;
    assert!(!up.got().is_empty());
}

#[tokio::test]
async fn a_refused_key_is_not_tried_again_at_once() {
    let fake = Fake::start(&["HTTP/1.1 401 No\r\nContent-Length: 3\r\n\r\nno!", OK]).await;
    let mut running = Running::start(vec![backend(fake.address, |_| {})]);
    let state = running.until(0, |state| state.failed == 1).await;
    let error = state.error.unwrap();
    assert!(
        error.starts_with("401: it refused the key (no!)"),
        "{error}"
    );
    let got = fake.wait_for(2).await;
    assert!(got[1].at - got[0].at >= HURRY.refused, "left alone");
    running.until(0, |state| state.healthy).await;
}

#[tokio::test]
async fn come_again_later_is_heeded() {
    let later = "HTTP/1.1 429 Slow\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    let fake = Fake::start(&[later, OK]).await;
    let mut running = Running::start(vec![backend(fake.address, |_| {})]);
    running.until(0, |state| state.healthy).await;
    let got = fake.got();
    assert_eq!(got.len(), 2);
    assert!(got[1].at - got[0].at >= Duration::from_secs(1));
}

#[tokio::test]
async fn bodies_are_compressed_once_the_back_end_says_that_it_takes_them() {
    let takes = "HTTP/1.1 200 OK\r\nAccept-Encoding: gzip, zstd\r\nContent-Length: 0\r\n\r\n";
    let not = "HTTP/1.1 415 No\r\nContent-Length: 0\r\n\r\n";
    let fake = Fake::start(&[takes, takes, not, OK]).await;
    let _running = Running::start(vec![backend(fake.address, |_| {})]);
    let got = fake.wait_for(4).await;
    let compressed: Vec<bool> = got[..4]
        .iter()
        .map(|got| got.head.contains("Content-Encoding: zstd\r\n"))
        .collect();
    assert_eq!(compressed, [false, true, true, false]);
    let body = zstd::bulk::decompress(&got[1].body, 64 * 1024).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["hostname"], "web1");
}

#[tokio::test]
async fn once_says_where_and_why() {
    let status = told().status;
    let fake = Fake::start(&[OK]).await;
    backend(fake.address, |_| {}).once(&status).await.unwrap();
    assert_eq!(fake.got().len(), 1);
    let broken = Fake::start(&[BROKEN]).await;
    let error = backend(broken.address, |_| {})
        .once(&status)
        .await
        .unwrap_err();
    let expected = format!(
        "http://{}/api/v1/heartbeat: status 500 (broken)",
        broken.address
    );
    assert_eq!(error.to_string(), expected);
    let missing = |push: &mut config::Push| push.key_file = Some("/nowhere/key".into());
    let error = backend(fake.address, missing)
        .once(&status)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("/nowhere/key"), "{error}");
}

#[tokio::test]
async fn a_refusal_is_told_though_the_connection_does_not_end() {
    let with_length =
        "HTTP/1.1 401 No\r\nConnection: keep-alive\r\nContent-Length: 9\r\n\r\nwrong key";
    let without = "HTTP/1.1 401 No\r\nConnection: keep-alive\r\n\r\nwrong key";
    for answer in [with_length, without] {
        let fake = Fake::start(&[answer]).await;
        let status = told().status;
        let mut backend = backend(fake.address, |_| {});
        backend.times.one_try = Duration::from_secs(5);
        let error = backend.once(&status).await.unwrap_err().to_string();
        assert!(
            error.contains("401: it refused the key (wrong key)"),
            "{error}"
        );
        assert_eq!(fake.got().len(), 1);
    }
}
