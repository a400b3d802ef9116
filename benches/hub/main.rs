//! What the dashboard costs: heartbeats a second, lines a second through hub and store, bytes per idle connection.
//! Each figure stands beside a floor that is measured in the same run: what the machine does without the dashboard.
//!
//! `cargo bench --bench hub --no-default-features --features dashboard`; with `-- metrics` only what ten thousand hosts with
//! resources cost, which takes some minutes; with `-- storm` only how long they take to be back after an outage.

mod floor;
mod hosts;
mod house;
mod metrics;
mod storm;

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use nixfleet::run::event::{LineMark, RunEvent};
use nixfleet::run::id::{RunId, Seq};
use nixfleet::wire::to_agent::ToAgent;
use nixfleet::wire::to_dashboard::{Heartbeat, KnownRun, Register, ToDashboard};
use nixfleet::wire::{MAX_BATCH, MAX_IN_FLIGHT, frame, record};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use house::{House, serve};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const TOKEN: &str = "bench";
/// A token for the API.
const API_TOKEN: &str = "bench-api";
/// Connections that beat.
const BEATERS: usize = 50;
const BEATS: u64 = 400;
/// Output of the one run that floods.
const FLOOD: usize = 64 * 1024 * 1024;
/// Idle connections, after some to warm up.
const WARM: usize = 200;
const IDLE: usize = 2000;

#[tokio::main]
async fn main() -> Outcome<()> {
    let args: Vec<String> = std::env::args().collect();
    match &args[1..] {
        [how, dir, port] if how == "--serve" => return serve(Path::new(dir), port.parse()?).await,
        [how] if how == "--echo" => return floor::serve().await,
        _ => {}
    }
    if args.iter().any(|arg| arg == "metrics") {
        metrics::simulated().await?;
        return metrics::live().await;
    }
    if args.iter().any(|arg| arg == "storm") {
        return storm::storm().await;
    }
    hosts::list()?;
    beats().await?;
    flood().await?;
    memory().await
}

async fn join(address: SocketAddr, host: &str, runs: Vec<KnownRun>) -> Outcome<Socket> {
    let mut request = format!("ws://{address}/ws").into_client_request()?;
    let bearer = format!("Bearer {TOKEN}").parse()?;
    request.headers_mut().insert("authorization", bearer);
    let config = WebSocketConfig::default()
        .read_buffer_size(1024)
        .write_buffer_size(0);
    let (mut socket, _) = connect_async_with_config(request, Some(config), true).await?;
    let register = Register {
        hostname: host.into(),
        host_type: "nixos".into(),
        heartbeat_interval: 30,
        protocol: Some(3),
        runs,
        ..Register::default()
    };
    say(&mut socket, &ToDashboard::Register(Box::new(register))).await?;
    hear(&mut socket).await?;
    Ok(socket)
}

async fn say(socket: &mut Socket, message: &ToDashboard) -> Outcome<()> {
    let text = serde_json::to_string(message)?;
    Ok(socket.send(Message::text(text)).await?)
}

async fn hear(socket: &mut Socket) -> Outcome<ToAgent> {
    loop {
        match socket.next().await.ok_or("closed")?? {
            Message::Text(text) => return Ok(serde_json::from_str(text.as_str())?),
            Message::Close(frame) => return Err(format!("closed: {frame:?}").into()),
            _ => {}
        }
    }
}

fn beat(n: u64) -> ToDashboard {
    ToDashboard::Heartbeat(Box::new(Heartbeat {
        n,
        generation: "0123456789abcdef".into(),
        ..Heartbeat::default()
    }))
}

/// Heartbeats, each acknowledged before the next, against lines echoed by a bare TCP server.
async fn beats() -> Outcome<()> {
    let house = House::start()?;
    let mut sockets = Vec::new();
    for n in 0..BEATERS {
        sockets.push(join(house.address, &format!("host{n}"), Vec::new()).await?);
    }
    let mut tasks = JoinSet::new();
    let began = Instant::now();
    for mut socket in sockets {
        tasks.spawn(async move {
            for n in 1..=BEATS {
                say(&mut socket, &beat(n)).await?;
                hear(&mut socket).await?;
            }
            Outcome::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let total = BEATERS as u64 * BEATS;
    let beats = total as f64 / began.elapsed().as_secs_f64();

    let message = serde_json::to_vec(&beat(1))?;
    let floor = floor::echo(message, BEATERS, BEATS).await?;
    println!(
        "heartbeats: {beats:.0}/s acknowledged; bare TCP echo {floor:.0}/s; ratio {:.2}",
        beats / floor
    );
    Ok(())
}

/// Text like a build log's.
fn log_line(n: usize) -> String {
    let hash = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!(
        "[{n:>7}] CC src/module_{:03}/file_{n}.o -O2 -fPIC {hash:016x}\n",
        n % 977
    )
}

/// One agent that floods, against bare inserts of the same bytes into SQLite, a commit for each frame.
async fn flood() -> Outcome<()> {
    let run = RunId::new();
    let (mut frames, mut n_lines, mut n_bytes, mut seq) = (Vec::new(), 0, 0_usize, 0);
    while n_bytes < FLOOD {
        let (mut records, first) = (Vec::new(), seq + 1);
        while records.len() + 70 * 1024 < MAX_BATCH {
            let (mut raw, mut lines) = (Vec::new(), Vec::new());
            while raw.len() < 60 * 1024 {
                let line = log_line(n_lines + lines.len());
                lines.push(LineMark {
                    len: line.len() as u64,
                    skip: 0,
                    ago: 0,
                });
                raw.extend_from_slice(line.as_bytes());
            }
            seq += 1;
            let event = RunEvent::Output {
                at: 1,
                offset: n_bytes as u64,
                first_line: n_lines as u64 + 1,
                lines,
                tail_skip: 0,
            };
            if let RunEvent::Output { lines, .. } = &event {
                n_lines += lines.len();
            }
            record::encode(Seq(seq), &event, &raw, &mut records)?;
            n_bytes += raw.len();
        }
        let frame = frame::encode(run, Seq(first), Seq(seq), &records)?;
        frames.push((seq, records.len(), frame));
    }
    let house = House::start()?;
    let known = KnownRun {
        run,
        command: "switch".parse()?,
        last_seq: Seq(seq),
        alive: true,
    };
    let mut socket = join(house.address, "flood", vec![known]).await?;
    let began = Instant::now();
    let mut open = std::collections::VecDeque::new();
    let mut in_flight = 0;
    let acked = |open: &mut std::collections::VecDeque<(u64, usize)>, upto: u64| {
        let mut freed = 0;
        while open.front().is_some_and(|(last, _)| *last <= upto) {
            freed += open.pop_front().map_or(0, |(_, len)| len);
        }
        freed
    };
    for (last, len, frame) in frames {
        while in_flight + len > MAX_IN_FLIGHT {
            if let ToAgent::RunAck(ack) = hear(&mut socket).await? {
                assert!(!ack.rewind, "nothing is lost on loopback");
                in_flight -= acked(&mut open, ack.seq.0);
            }
        }
        in_flight += len;
        open.push_back((last, len));
        socket.send(Message::binary(frame)).await?;
    }
    while in_flight > 0 {
        if let ToAgent::RunAck(ack) = hear(&mut socket).await? {
            in_flight -= acked(&mut open, ack.seq.0);
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let (_, peak) = house.memory()?;
    let floor = floor::inserts(n_bytes).await?;
    let rate = n_bytes as f64 / seconds / 1e6;
    println!(
        "lines: {:.0}/s, {rate:.1} MB/s committed and acknowledged; bare SQLite inserts of the same bytes {floor:.1} MB/s; ratio {:.2}; peak memory {} MiB",
        n_lines as f64 / seconds,
        rate / floor,
        peak >> 20
    );
    Ok(())
}

/// What an idle connection costs the dashboard.
async fn memory() -> Outcome<()> {
    let house = House::start()?;
    let mut sockets = Vec::new();
    let mut settled = async |from: usize, to: usize| {
        for n in from..to {
            let mut socket = join(house.address, &format!("idle{n}"), Vec::new()).await?;
            say(&mut socket, &beat(1)).await?;
            hear(&mut socket).await?;
            sockets.push(socket);
        }
        // Two rounds of saving heartbeats.
        tokio::time::sleep(Duration::from_secs(2)).await;
        house.memory()
    };
    let (warm, _) = settled(0, WARM).await?;
    let (full, _) = settled(WARM, WARM + IDLE).await?;
    let each = full.saturating_sub(warm) as f64 / IDLE as f64 / 1024.0;
    println!(
        "memory: {each:.1} KiB per idle connection ({IDLE} of them; {} MiB with all); limit 12 KiB; ratio {:.2}",
        full >> 20,
        each / 12.0
    );
    Ok(())
}
