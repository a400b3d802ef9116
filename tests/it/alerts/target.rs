//! An HTTP server that is told alerts, and answers as a test wants it to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::bench::SOON;

/// How requests are answered.
#[derive(Clone, Copy)]
pub enum Reply {
    /// With a status, and header lines.
    Status(u16, &'static str),
    /// With a status, and then without end.
    Unfinished(u16),
    /// Not at all.
    Never,
}

/// A request.
pub struct Told {
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

/// The server.
pub struct Target {
    address: SocketAddr,
    reply: Arc<Mutex<Reply>>,
    requests: tokio::sync::Mutex<mpsc::UnboundedReceiver<Told>>,
    tasks: JoinSet<()>,
}

impl Target {
    pub async fn start() -> Self {
        Self::start_on(0).await
    }

    pub async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let reply = Arc::new(Mutex::new(Reply::Status(200, "")));
        #[expect(clippy::disallowed_methods, reason = "a test sends few requests")]
        let (sender, requests) = mpsc::unbounded_channel();
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&reply);
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, Arc::clone(&shared), sender.clone()));
            }
        });
        Self {
            address,
            reply,
            requests: tokio::sync::Mutex::new(requests),
            tasks,
        }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on, requests are answered so.
    pub fn answer(&self, reply: Reply) {
        *self.reply.lock().unwrap() = reply;
    }

    /// The next request.
    pub async fn next(&self) -> Told {
        let mut requests = self.requests.lock().await;
        let next = tokio::time::timeout(SOON, requests.recv()).await;
        next.expect("nothing was told").unwrap()
    }

    /// The first request that comes after those that have come already.
    pub async fn skip_to_last(&self) -> Told {
        while self.requests.lock().await.try_recv().is_ok() {}
        self.next().await
    }

    /// Nothing comes for longer than any pause between tries is.
    pub async fn nothing_more(&self) {
        let mut requests = self.requests.lock().await;
        let next = tokio::time::timeout(Duration::from_millis(700), requests.recv()).await;
        if let Ok(Some(told)) = next {
            panic!("told once more: {}", told.body);
        }
    }

    /// Nobody listens any more when this returns.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

impl Told {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut headers = self.headers.iter();
        headers
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// The signature is the secret's, of this body, at about this time.
    pub fn check_signature(&self, secret: &str) {
        use hmac::{Hmac, Mac as _};
        let header = self.header("x-nixfleet-signature").unwrap();
        let (at, hex) = header
            .strip_prefix("t=")
            .unwrap()
            .split_once(",v1=")
            .unwrap();
        let now = nixfleet::base::clock::now() / 1000;
        assert!(now.abs_diff(at.parse().unwrap()) < 60, "{header}");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}.{}", self.body).as_bytes());
        let bytes: Vec<u8> = (0..hex.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
            .collect();
        mac.verify_slice(&bytes).unwrap();
    }
}

async fn serve(stream: TcpStream, reply: Arc<Mutex<Reply>>, requests: mpsc::UnboundedSender<Told>) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.unwrap();
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        if stream.read_line(&mut header).await.unwrap() < 3 {
            break;
        }
        let (name, value) = header.trim().split_once(':').unwrap();
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, n)| n.parse().unwrap())];
    stream.read_exact(&mut body).await.unwrap();
    let told = Told {
        line: line.trim().to_owned(),
        headers,
        body: String::from_utf8(body).unwrap(),
    };
    // Said and answered in one moment: after `answer`, whatever comes is answered so.
    let reply = {
        let reply = reply.lock().unwrap();
        let _ = requests.send(told);
        *reply
    };
    match reply {
        Reply::Status(status, more) => {
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n{more}\r\nok");
            let _ = stream.write_all(answer.as_bytes()).await;
        }
        Reply::Unfinished(status) => {
            let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\no");
            let _ = stream.write_all(answer.as_bytes()).await;
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
        Reply::Never => {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    }
}
