//! A mail server that takes one mail a connection, and says no as often as a test wants it to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::bench::SOON;

/// The server.
pub struct MailServer {
    pub address: SocketAddr,
    /// How many mails it turns away before it takes one.
    pub busy: Arc<AtomicU32>,
    /// Whether it leaves a good-bye unanswered.
    pub is_rude: Arc<AtomicBool>,
    mails: Mutex<mpsc::Receiver<String>>,
    _tasks: JoinSet<()>,
}

impl MailServer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, mails) = mpsc::channel(100);
        let busy = Arc::new(AtomicU32::new(0));
        let mut tasks = JoinSet::new();
        let is_rude = Arc::new(AtomicBool::new(false));
        let shared = (Arc::clone(&busy), Arc::clone(&is_rude));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(serve(stream, shared.clone(), sender.clone()));
            }
        });
        Self {
            address,
            busy,
            is_rude,
            mails: Mutex::new(mails),
            _tasks: tasks,
        }
    }

    /// The next mail, and whether it was taken: its first line says so.
    pub async fn next(&self) -> String {
        let mut mails = self.mails.lock().await;
        let next = tokio::time::timeout(SOON, mails.recv()).await;
        next.expect("no mail").unwrap()
    }

    /// None comes for longer than any pause between tries is.
    pub async fn nothing_more(&self) {
        let mut mails = self.mails.lock().await;
        let next = tokio::time::timeout(Duration::from_millis(700), mails.recv()).await;
        assert!(next.is_err(), "sent once more: {next:?}");
    }
}

async fn serve(
    stream: TcpStream,
    (busy, is_rude): (Arc<AtomicU32>, Arc<AtomicBool>),
    mails: mpsc::Sender<String>,
) {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    let mut mail = None::<String>;
    stream.write_all(b"220 test ESMTP\r\n").await.unwrap();
    loop {
        line.clear();
        if stream.read_line(&mut line).await.unwrap_or(0) == 0 {
            return;
        }
        let answer = if let Some(text) = &mut mail {
            if line != ".\r\n" {
                *text += &line;
                continue;
            }
            let turned_away = busy
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                .is_ok();
            let verdict = if turned_away { "451" } else { "250" };
            mails.send(format!("{verdict}\n{text}")).await.unwrap();
            mail = None;
            format!("{verdict} done\r\n")
        } else {
            match line.get(..4).unwrap_or_default() {
                "EHLO" => String::from("250-test\r\n250 8BITMIME\r\n"),
                "DATA" => {
                    mail = Some(String::new());
                    String::from("354 go on\r\n")
                }
                "RCPT" if line.contains("gone@") => String::from("550 no such user\r\n"),
                "QUIT" if is_rude.load(Ordering::SeqCst) => continue,
                "QUIT" => String::from("221 bye\r\n"),
                _ => String::from("250 ok\r\n"),
            }
        };
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}
