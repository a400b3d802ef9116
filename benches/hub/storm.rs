//! A large fleet's dashboard is killed, is away until all agents wait as long as they ever do, and comes back.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nixfleet::base::backoff::{AWAY, Backoff};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::metrics::{heartbeat, name};
use crate::{House, Outcome, hear, join, say};
use nixfleet::wire::to_dashboard::ToDashboard;

const HOSTS: usize = 10_000;
/// Failed attempts after which an agent's pauses grow no more. After ten minutes it has more.
const ATTEMPTS: u32 = 10;
/// For how many seconds nobody listens, if `NIXFLEET_STORM_SECONDS` does not say. All pauses are at their longest before it
/// begins, so that more of it should change nothing.
const SILENT: u64 = 30;
/// What an attempt may take; as for agents.
const DIAL: Duration = Duration::from_secs(15);
const DEADLINE: Duration = Duration::from_secs(180);

/// How long nobody listens.
fn silence() -> Outcome<Duration> {
    let seconds = match std::env::var("NIXFLEET_STORM_SECONDS") {
        Ok(said) => said.parse()?,
        Err(_) => SILENT,
    };
    Ok(Duration::from_secs(seconds))
}

/// What the agents have done so far.
#[derive(Default)]
struct Count {
    /// Attempts.
    tries: AtomicUsize,
    /// Agents that are where they want to be.
    there: AtomicUsize,
}

/// What an agent wants.
#[derive(Clone, Copy)]
enum Goal {
    /// A connection, and nothing on it.
    Connection,
    /// To be known by this number, and heard.
    Host(usize),
}

/// One agent: its pauses as after minutes without a dashboard, then attempts until one works. It stays there.
async fn persist(count: Arc<Count>, address: SocketAddr, goal: Goal) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
    for _ in 0..ATTEMPTS {
        backoff.next(1.0);
    }
    loop {
        tokio::time::sleep(backoff.next_within(AWAY, fastrand::f64())).await;
        count.tries.fetch_add(1, Ordering::Relaxed);
        let (mut stream, mut socket) = (None, None);
        match goal {
            Goal::Connection => stream = TcpStream::connect(address).await.ok(),
            Goal::Host(n) => {
                let arrived = timeout(DIAL, arrive(address, n, 2)).await;
                socket = arrived.ok().and_then(Result::ok);
            }
        }
        if stream.is_some() || socket.is_some() {
            count.there.fetch_add(1, Ordering::Relaxed);
            std::future::pending::<()>().await;
        }
    }
}

/// The time until all are there.
async fn all(count: &Count, since: Instant) -> Outcome<Duration> {
    while count.there.load(Ordering::Relaxed) < HOSTS {
        if since.elapsed() > DEADLINE {
            let there = count.there.load(Ordering::Relaxed);
            return Err(format!("only {there} of {HOSTS} are there after {DEADLINE:?}").into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(since.elapsed())
}

/// What the pauses alone take: the same agents, and a listener that only takes connections.
async fn floor() -> Outcome<Duration> {
    let address = SocketAddr::from(([127, 0, 0, 1], port()?));
    let count = Arc::new(Count::default());
    let mut agents = JoinSet::new();
    for _ in 0..HOSTS {
        agents.spawn(persist(Arc::clone(&count), address, Goal::Connection));
    }
    tokio::time::sleep(Duration::from_secs(SILENT)).await;
    let listener = TcpListener::bind(address).await?;
    let began = Instant::now();
    agents.spawn(async move {
        // Not kept: this process has the agents' ends already.
        loop {
            drop(listener.accept().await);
        }
    });
    all(&count, began).await
}

/// Comes, tells how it is, and is heard.
async fn arrive(address: SocketAddr, n: usize, beat: u64) -> Outcome<crate::Socket> {
    let mut socket = join(address, name(n)?.as_str(), Vec::new()).await?;
    let message = ToDashboard::Heartbeat(Box::new(heartbeat(n, beat)));
    say(&mut socket, &message).await?;
    hear(&mut socket).await?;
    Ok(socket)
}

/// A port that no connection gets for its own end: who dials such a port while nobody listens may reach itself.
fn port() -> Outcome<u16> {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    (20_000..30_000)
        .find(free)
        .ok_or_else(|| "no port is free".into())
}

/// The whole of it.
pub async fn storm() -> Outcome<()> {
    let silent = silence()?;
    let dir = tempfile::tempdir()?;
    let house = House::start_on(dir.path(), port()?)?;
    let address = house.address;
    let mut sockets = Vec::new();
    for n in 0..HOSTS {
        sockets.push(arrive(address, n, 1).await?);
    }
    // As long as an outage needs to be one of hosts that the store knows.
    tokio::time::sleep(Duration::from_secs(3)).await;
    house.kill()?;
    drop(sockets);
    let count = Arc::new(Count::default());
    let mut agents = JoinSet::new();
    for n in 0..HOSTS {
        agents.spawn(persist(Arc::clone(&count), address, Goal::Host(n)));
    }
    tokio::time::sleep(silent).await;
    let in_vain = count.tries.load(Ordering::Relaxed);
    let started = Instant::now();
    let house = House::start_on(dir.path(), address.port())?;
    let start = started.elapsed();
    let took = all(&count, Instant::now()).await?;
    let online = house.count("\"status\":\"online\"").await?;
    let (resident, most) = house.memory()?;
    let tries = count.tries.load(Ordering::Relaxed) - in_vain;
    drop(house);
    drop(agents);
    let floor = floor().await?;
    println!(
        "storm: {HOSTS} hosts whose dashboard was away for {} s come back within {:.1} s of its listening ({:.2} of what their pauses take by themselves, {:.1} s; limit 20 s), {online} online, {tries} attempts; {:.0} attempts a second while nobody was there; the dashboard listens {:.2} s after its start, {} MiB resident (at most {} MiB)",
        silent.as_secs(),
        took.as_secs_f64(),
        took.as_secs_f64() / floor.as_secs_f64(),
        floor.as_secs_f64(),
        in_vain as f64 / silent.as_secs_f64(),
        start.as_secs_f64(),
        resident >> 20,
        most >> 20
    );
    Ok(())
}
