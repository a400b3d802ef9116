//! The dashboard in a process of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

use nixfleet::base::secret::Secret;
use nixfleet::dashboard::access::digest::digest;
use nixfleet::dashboard::access::{Access, AccessSettings, Role};
use nixfleet::dashboard::store::Store;
use nixfleet::dashboard::{Settings, run};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::{API_TOKEN, Outcome, TOKEN};

/// The dashboard in a process of its own: prints its address, ends with its input.
pub async fn serve(dir: &Path, port: u16) -> Outcome<()> {
    let store = Store::open(dir).await?;
    let token = digest(API_TOKEN);
    // After a restart it is there.
    store
        .create_token("bench", Role::Viewer, &token, None)
        .await?;
    store.close().await;
    let listener = std::net::TcpListener::bind(("127.0.0.1", port))?;
    println!("{}", listener.local_addr()?);
    let access = Access::new(AccessSettings {
        agent_token: Secret::new(TOKEN),
        session: Duration::from_secs(60),
        https: false,
        trusted_proxies: Vec::new(),
    });
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    let mut tasks = JoinSet::new();
    tasks.spawn_blocking(move || {
        let _ = std::io::stdin().read_line(&mut String::new());
        stop.cancel();
    });
    run(Settings::new(dir.to_owned(), access), listener, shutdown).await?;
    Ok(())
}

pub struct House {
    /// Its own folder, unless somebody else keeps it.
    dir: Option<TempDir>,
    pub child: Child,
    stdin: Option<ChildStdin>,
    pub address: SocketAddr,
}

impl House {
    pub fn start() -> Outcome<Self> {
        let dir = tempfile::tempdir()?;
        let mut house = Self::start_on(dir.path(), 0)?;
        house.dir = Some(dir);
        Ok(house)
    }

    /// On a folder that may have been another one's, at a port or any.
    pub fn start_on(dir: &Path, port: u16) -> Outcome<Self> {
        let dir = dir.to_str().ok_or("a folder whose name is no text")?;
        Self::spawn(&["--serve", dir, &port.to_string()])
    }

    /// A server that does nothing but answer, for comparison.
    pub fn bare() -> Outcome<Self> {
        Self::spawn(&["--echo"])
    }

    fn spawn(args: &[&str]) -> Outcome<Self> {
        let program = std::env::current_exe()?;
        let mut child = Command::new("sh")
            .args([
                "-c",
                "ulimit -n 20000 2>/dev/null || ulimit -n 8192; exec \"$0\" \"$@\"",
            ])
            .arg(program)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdin = child.stdin.take();
        let mut line = String::new();
        let stdout = child.stdout.take().ok_or("no standard output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        Ok(Self {
            address: line.trim().parse()?,
            dir: None,
            stdin,
            child,
        })
    }

    /// Ends it as a power cut would.
    pub fn kill(mut self) -> Outcome<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// How often `part` is in the list of hosts.
    pub async fn count(&self, part: &str) -> Outcome<usize> {
        let mut stream = TcpStream::connect(self.address).await?;
        let request = format!(
            "GET /api/hosts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_TOKEN}\r\nConnection: close\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(String::from_utf8_lossy(&answer).matches(part).count())
    }

    /// Resident bytes now, and at most so far.
    pub fn memory(&self) -> Outcome<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            let line = status.lines().find(|line| line.starts_with(name))?;
            line.split_whitespace().nth(1)?.parse::<u64>().ok()
        };
        let kib = |name| field(name).ok_or("no memory in /proc");
        Ok((kib("VmRSS:")? * 1024, kib("VmHWM:")? * 1024))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            let _ = stdin.write_all(b"\n");
        }
        let _ = self.child.wait();
        drop(self.dir.take());
    }
}
