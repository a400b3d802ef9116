//! Ten thousand hosts with resources: an hour of their history as fast as it goes, and a minute of them at their real speed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use nixfleet::dashboard::metrics::Recorder;
use nixfleet::dashboard::metrics::ladder::RUNGS;
use nixfleet::dashboard::metrics::series::Sample;
use nixfleet::dashboard::metrics::writer::{KEEP, restore, round};
use nixfleet::dashboard::store::Store;
use nixfleet::dashboard::store::commit::Commit;
use nixfleet::dashboard::store::hosts::Beat;
use nixfleet::run::id::HostName;
use nixfleet::wire::resources::{Amount, Disk, GpuKind, Resources};
use nixfleet::wire::to_dashboard::{Heartbeat, Register, ToDashboard};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::{API_TOKEN, House, Outcome, floor, hear, join, say};

const HOSTS: usize = 10_000;
/// Seconds between a host's heartbeats.
const INTERVAL: usize = 30;
/// Seconds of simulated time.
const HOUR: u64 = 3600;
/// When it begins, in milliseconds.
const START: u64 = 1_769_846_400_000;
/// Seconds that are watched at real speed, after all have come.
const WATCHED: u64 = 60;

/// The name of a host.
pub fn name(n: usize) -> Outcome<HostName> {
    Ok(format!("host{n}.rack{}.example.org", n % 40).parse()?)
}

/// A usual server's heartbeat: no two are alike.
pub fn heartbeat(n: usize, beat: u64) -> Heartbeat {
    let noise = |salt: u64, range: u64| {
        let mixed = (n as u64 * 7919 + beat * 104_729 + salt).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> 40) % range
    };
    let amount = |total: u64, salt| Amount {
        total,
        available: total * (20 + noise(salt, 60)) / 100,
    };
    let disk = |mount: &str, total: u64, salt| Disk {
        mount: mount.into(),
        amount: amount(total, salt),
        store: mount == "/nix",
    };
    let load = noise(1, 800) as f64 / 100.0;
    Heartbeat {
        n: beat,
        generation: format!("{n:032x}-nixos-system-host{n}-25.11"),
        resources: Some(Resources {
            age_ms: 900,
            load: Some([load, 1.0, 0.5]),
            cores: Some(8),
            cores_available: Some((8.0 - load).max(0.0)),
            memory: Some(amount(64_000_000_000, 2)),
            swap: Some(amount(8_000_000_000, 3)),
            disks: vec![
                disk("/", 500_000_000_000, 4),
                disk("/nix", 900_000_000_000, 5),
            ],
            uptime_s: Some(beat * 30),
            gpu: Some(GpuKind::None),
            temperature: Some(40.0 + noise(6, 300) as f64 / 10.0),
            ..Resources::default()
        }),
        ..Heartbeat::default()
    }
}

/// CPU seconds of a process so far, and its resident and most resident bytes.
fn usage(pid: &str) -> Outcome<(f64, u64, u64)> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or("")
        .split_whitespace()
        .collect();
    let ticks = |at: usize| {
        fields
            .get(at)
            .and_then(|field| field.parse::<f64>().ok())
            .unwrap_or(0.0)
    };
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name))?;
        line.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    // Ticks are hundredths of a second on every Linux.
    let seconds = (ticks(11) + ticks(12)) / 100.0;
    Ok((
        seconds,
        kib("VmRSS:").unwrap_or(0) * 1024,
        kib("VmHWM:").unwrap_or(0) * 1024,
    ))
}

/// An hour of all hosts' history and signs of life through recorder and store.
pub async fn simulated() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path()).await?;
    let names: Vec<HostName> = (0..HOSTS).map(name).collect::<Outcome<_>>()?;
    for part in names.chunks(1000) {
        let commit = Commit {
            hosts: part
                .iter()
                .map(|host| (host.clone(), Register::default()))
                .collect(),
            now: START,
            ..Commit::default()
        };
        store.commit(&commit).await?;
    }
    let empty = store.used().await?;
    let recorder = Recorder::default();
    let (cpu, resident, _) = usage("self")?;
    let began = Instant::now();
    let (mut longest, mut history) = (Duration::ZERO, Duration::ZERO);
    for second in 0..HOUR {
        let now = START + second * 1000;
        let mut beats = Vec::with_capacity(HOSTS / INTERVAL + 1);
        let first = (second as usize) % INTERVAL;
        for n in (first..HOSTS).step_by(INTERVAL) {
            let heartbeat = heartbeat(n, second);
            recorder.record(&names[n], now, &Sample::of(&heartbeat));
            beats.push(Beat {
                host: names[n].clone(),
                heartbeat: Some(Arc::new(heartbeat)),
                last_seen_at: Some(now),
                status: "online",
            });
        }
        store.save_beats(&beats, &[]).await?;
        if second % 3 == 0 {
            let at = Instant::now();
            if round(&recorder, &store, now, KEEP, false).await {
                return Err("the store takes no metrics".into());
            }
            longest = longest.max(at.elapsed());
            history += at.elapsed();
        }
    }
    round(&recorder, &store, START + HOUR * 1000, KEEP, false).await;
    let took = began.elapsed();
    let (after, now_resident, _) = usage("self")?;
    let grown = store.used().await? - empty;
    let mut rows = [0_u64; RUNGS.len()];
    for (rung, rows) in rows.iter_mut().enumerate() {
        store.each_metric(rung, 0, |_, _, _| *rows += 1).await?;
    }
    let total: u64 = rows.iter().sum();
    let per_host = rows.map(|n| n as f64 / HOSTS as f64);
    println!(
        "history: an hour of {HOSTS} hosts at {INTERVAL} s in {:.1} s; {:.1} s of CPU for signs of life and history ({:.2} % of a core at real speed); rounds of the writer {:.1} s in all, the longest {:.0} ms",
        took.as_secs_f64(),
        after - cpu,
        (after - cpu) * 100.0 / HOUR as f64,
        history.as_secs_f64(),
        longest.as_secs_f64() * 1e3,
    );
    println!(
        "history: rows for each host {per_host:.1?} ({total} in all); the database has grown by {:.1} MB, {:.0} bytes a row; resident {} MiB more",
        grown as f64 / 1e6,
        grown as f64 / total as f64,
        now_resident.saturating_sub(resident) >> 20
    );
    let at = Instant::now();
    let again = Recorder::default();
    restore(&again, &store, START + HOUR * 1000).await?;
    println!(
        "history: made again after a restart in {:.2} s",
        at.elapsed().as_secs_f64()
    );
    let at = Instant::now();
    let found = store
        .metrics(&names[77], 1, (START / 60_000, START / 60_000 + 59))
        .await?;
    println!(
        "history: an hour of minutes of one host ({} rows) read in {:.1} ms",
        found.len(),
        at.elapsed().as_secs_f64() * 1e3
    );
    Ok(())
}

/// All hosts on sockets of their own, at their real speed.
pub async fn live() -> Outcome<()> {
    // First, and gone again: both at once would be more files than a process may have open.
    let floor = bare().await?;
    let house = House::start()?;
    let pid = house.child.id().to_string();
    let mut sockets = Vec::new();
    for n in 0..HOSTS {
        let mut socket = join(house.address, name(n)?.as_str(), Vec::new()).await?;
        say(
            &mut socket,
            &ToDashboard::Heartbeat(Box::new(heartbeat(n, 1))),
        )
        .await?;
        hear(&mut socket).await?;
        sockets.push(socket);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let cost = paced(&pid, async |n, second| {
        let beat = ToDashboard::Heartbeat(Box::new(heartbeat(n, second)));
        say(&mut sockets[n], &beat).await?;
        hear(&mut sockets[n]).await?;
        Ok(())
    })
    .await?;
    let (_, resident, most) = usage(&pid)?;
    println!(
        "fleet: {HOSTS} hosts on sockets at {INTERVAL} s for {WATCHED} s: {cost:.1} % of a core, bare TCP {floor:.1} %, ratio {:.1}; {} MiB resident (at most {} MiB); limits 5 % and 200 MB",
        cost / floor,
        resident >> 20,
        most >> 20
    );
    let mut times = Vec::new();
    let mut len = 0;
    for _ in 0..20 {
        let at = Instant::now();
        len = list(house.address).await?;
        times.push(at.elapsed());
    }
    times.sort_unstable();
    let (_, _, most) = usage(&pid)?;
    println!(
        "fleet: GET /api/hosts answers {:.1} MB in {:.0} ms (median of 20; the best {:.0} ms); limit 50 ms; at most {} MiB resident meanwhile",
        len as f64 / 1e6,
        times[times.len() / 2].as_secs_f64() * 1e3,
        times[0].as_secs_f64() * 1e3,
        most >> 20
    );
    Ok(())
}

/// A heartbeat of each host every [`INTERVAL`], for [`WATCHED`] seconds; percent of a core that the process `pid` needs.
async fn paced(pid: &str, mut beat: impl AsyncFnMut(usize, u64) -> Outcome<()>) -> Outcome<f64> {
    let (before, _, _) = usage(pid)?;
    let began = Instant::now();
    for second in 0..WATCHED {
        for n in ((second as usize % INTERVAL)..HOSTS).step_by(INTERVAL) {
            beat(n, second + 2).await?;
        }
        let next = Duration::from_secs(second + 1);
        tokio::time::sleep(next.saturating_sub(began.elapsed())).await;
    }
    let (after, _, _) = usage(pid)?;
    Ok((after - before) * 100.0 / began.elapsed().as_secs_f64())
}

/// What the sockets alone cost: as many bytes, as often, over TCP and nothing else.
async fn bare() -> Outcome<f64> {
    let house = House::bare()?;
    let mut streams = Vec::new();
    for _ in 0..HOSTS {
        streams.push(TcpStream::connect(house.address).await?);
    }
    let message = serde_json::to_vec(&ToDashboard::Heartbeat(Box::new(heartbeat(1, 1))))?;
    paced(&house.child.id().to_string(), async |n, _| {
        floor::exchange(&mut streams[n], &message).await
    })
    .await
}

/// The bytes of `GET /api/hosts`, counted.
async fn list(address: std::net::SocketAddr) -> Outcome<usize> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!(
        "GET /api/hosts HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {API_TOKEN}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut buffer = vec![0; 1 << 20];
    let (mut len, mut start) = (0, Vec::new());
    loop {
        match stream.read(&mut buffer).await? {
            0 => break,
            n => {
                if start.len() < 12 {
                    start.extend_from_slice(&buffer[..n.min(12)]);
                }
                len += n;
            }
        }
    }
    if start.starts_with(b"HTTP/1.1 200") {
        Ok(len)
    } else {
        Err(format!("not answered: {}", String::from_utf8_lossy(&start)).into())
    }
}
