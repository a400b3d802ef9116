//! A link that fails: a TCP proxy whose connections can be cut, delayed, throttled, truncated and stalled half-open.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

#[cfg(test)]
mod tests;

/// Bytes that are read at once.
const BUFFER: usize = 64 * 1024;
/// A throttled direction moves so often.
const SLICE: Duration = Duration::from_millis(10);
/// How long connecting to the other side may take.
const CONNECT: Duration = Duration::from_secs(5);

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// In order: each side reads to the end.
    Fin,
    /// With a reset: what was on its way may be gone.
    Rst,
}

/// A connection that stands and does not move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stall {
    /// What the client sends does not arrive.
    pub to_server: bool,
    /// What the server sends does not arrive.
    pub to_client: bool,
    /// Bytes are taken and thrown away, so that senders notice nothing; else they are not even taken.
    pub swallow: bool,
}

/// How a connection is treated. The default passes everything on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Treatment {
    /// Latency of each piece, and how much of it is added at random.
    pub delay: Option<(Duration, Duration)>,
    /// Bytes a second in each direction.
    pub rate: Option<u32>,
    /// Half-open.
    pub stall: Option<Stall>,
    /// Of the next piece only a part is passed on, then the connection ends.
    pub truncate: Option<Cut>,
    /// The connection ends now; a new one ends at once.
    pub cut: Option<Cut>,
}

#[derive(Debug, Default)]
struct Shared {
    /// For connections that are still to come.
    new: Mutex<Treatment>,
    open: Mutex<Vec<watch::Sender<Treatment>>>,
    accepted: AtomicUsize,
}

/// A running proxy. Its connections end when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    shutdown: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Proxy {
    /// A proxy on a port of its own before `target`. What it decides at random follows from `seed`.
    pub fn start(target: SocketAddr, seed: u64) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let shutdown = CancellationToken::new();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let (theirs, end) = (Arc::clone(&shared), shutdown.clone());
        let thread = std::thread::spawn(move || {
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = end.cancelled() => {}
                    () = serve(listener, target, theirs, seed) => {}
                }
            });
        });
        Self {
            address,
            shared,
            shutdown,
            thread: Some(thread),
        }
    }

    /// Where clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections that were accepted so far.
    pub fn accepted(&self) -> usize {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are open now.
    pub fn open(&self) -> usize {
        let mut open = self.shared.open.lock().unwrap();
        open.retain(|connection| !connection.is_closed());
        open.len()
    }

    /// From here on all connections, open and to come, are treated so.
    pub fn treat_all(&self, treatment: Treatment) {
        *self.shared.new.lock().unwrap() = treatment;
        self.treat_open(treatment);
    }

    /// From here on the open connections are treated so. One that is to end still ends.
    pub fn treat_open(&self, treatment: Treatment) {
        let mut open = self.shared.open.lock().unwrap();
        open.retain(|connection| !connection.is_closed());
        for connection in open.iter() {
            connection.send_modify(|now| {
                *now = Treatment {
                    cut: now.cut.or(treatment.cut),
                    truncate: now.truncate.or(treatment.truncate),
                    ..treatment
                };
            });
        }
    }

    /// Ends the open connections.
    pub fn cut(&self, cut: Cut) {
        self.treat_open(Treatment {
            cut: Some(cut),
            ..Treatment::default()
        });
    }

    /// Everything passes again.
    pub fn heal(&self) {
        self.treat_all(Treatment::default());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shutdown.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, shared: Arc<Shared>, seed: u64) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let Ok((client, _)) = accepted else { continue };
                let number = shared.accepted.fetch_add(1, Ordering::Relaxed) as u64;
                // Registered under the lock of the treatment: a change meanwhile reaches it.
                let new = shared.new.lock().unwrap();
                let (sender, treatment) = watch::channel(*new);
                shared.open.lock().unwrap().push(sender);
                drop(new);
                let random = fastrand::Rng::with_seed(seed ^ number);
                connections.spawn(connection(client, target, treatment, random));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(
    mut client: TcpStream,
    target: SocketAddr,
    treatment: watch::Receiver<Treatment>,
    mut random: fastrand::Rng,
) {
    let Ok(Ok(mut server)) = tokio::time::timeout(CONNECT, TcpStream::connect(target)).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = Direction {
            treatment: treatment.clone(),
            stalled: |stall| stall.to_server,
            random: random.fork(),
        };
        let down = Direction {
            treatment: treatment.clone(),
            stalled: |stall| stall.to_client,
            random,
        };
        let both = async {
            tokio::try_join!(
                up.pump(from_client, to_server),
                down.pump(from_server, to_client)
            )
        };
        tokio::select! {
            cut = asked_to_end(treatment) => cut,
            ended = both => ended.err().unwrap_or(Cut::Fin),
        }
    };
    if end == Cut::Rst {
        let _ = client.set_zero_linger();
        let _ = server.set_zero_linger();
    }
}

async fn asked_to_end(mut treatment: watch::Receiver<Treatment>) -> Cut {
    loop {
        if let Some(cut) = treatment.borrow_and_update().cut {
            return cut;
        }
        if treatment.changed().await.is_err() {
            return Cut::Fin;
        }
    }
}

struct Direction {
    treatment: watch::Receiver<Treatment>,
    stalled: fn(&Stall) -> bool,
    random: fastrand::Rng,
}

impl Direction {
    /// Moves bytes until the reading side ends, which is passed on. An error says how the whole connection ends.
    async fn pump(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> Result<(), Cut> {
        let mut buffer = vec![0; BUFFER];
        loop {
            self.flows().await?;
            let read = tokio::select! {
                read = from.read(&mut buffer) => read,
                changed = self.treatment.changed() => {
                    changed.map_err(|_| Cut::Fin)?;
                    continue;
                }
            };
            match read {
                Ok(0) => return to.shutdown().await.map_err(|_| Cut::Rst),
                // The treatment may have changed in the moment of the read.
                Ok(len) => {
                    if self.flows().await? {
                        self.pass(&buffer[..len], &mut to).await?;
                    }
                }
                Err(_) => return Err(Cut::Rst),
            }
        }
    }

    /// Waits while bytes are held back. Answers whether they pass; else they are swallowed.
    async fn flows(&mut self) -> Result<bool, Cut> {
        loop {
            let stall = self.treatment.borrow_and_update().stall;
            match stall.filter(|stall| (self.stalled)(stall)) {
                None => return Ok(true),
                Some(stall) if stall.swallow => return Ok(false),
                Some(_) => self.treatment.changed().await.map_err(|_| Cut::Fin)?,
            }
        }
    }

    async fn pass(&mut self, bytes: &[u8], to: &mut WriteHalf<'_>) -> Result<(), Cut> {
        let treatment = *self.treatment.borrow();
        let broken = |_: io::Error| Cut::Rst;
        if let Some((latency, jitter)) = treatment.delay {
            tokio::time::sleep(latency + jitter.mul_f64(self.random.f64())).await;
        }
        if let Some(cut) = treatment.truncate {
            let part = self.random.usize(..bytes.len());
            to.write_all(&bytes[..part]).await.map_err(broken)?;
            return Err(cut);
        }
        let Some(rate) = treatment.rate else {
            return to.write_all(bytes).await.map_err(broken);
        };
        let slice = (f64::from(rate) * SLICE.as_secs_f64()) as usize;
        for part in bytes.chunks(slice.max(1)) {
            to.write_all(part).await.map_err(broken)?;
            if self.treatment.borrow().rate.is_some() {
                tokio::time::sleep(SLICE).await;
            }
        }
        Ok(())
    }
}
