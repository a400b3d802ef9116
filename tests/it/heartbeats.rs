//! Nothing delays a heartbeat: not a long command, not a flood of output, not a metric that hangs.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::Fleet;

/// A window of which the rhythm is promised.
const WINDOW: Duration = Duration::from_secs(5);
/// Heartbeats in any such window at an interval of one second.
const BEATS: usize = 4;

/// Times of heartbeats as the dashboard counted them, watched until `done`.
fn watch(fleet: &Fleet, host: &str, mut done: impl FnMut(Duration) -> bool) -> Vec<Instant> {
    let start = Instant::now();
    let (mut beats, mut last) = (Vec::new(), None);
    while !done(start.elapsed()) {
        let body = fleet.api.get(&format!("/api/hosts/{host}")).body;
        let count = body["heartbeats"].as_u64().unwrap();
        let age = Duration::from_millis(body["last_heartbeat_age_ms"].as_u64().unwrap());
        let before = *last.get_or_insert(count);
        for _ in before..count {
            beats.push(Instant::now().checked_sub(age).unwrap());
        }
        last = Some(count);
        assert_eq!(body["status"], "online", "{body}");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The windows end when the watching did.
    beats.push(Instant::now());
    beats
}

#[track_caller]
fn check_rhythm(beats: &[Instant]) {
    let (end, beats) = beats.split_last().unwrap();
    assert!(beats.len() >= BEATS, "{} heartbeats", beats.len());
    for (index, beat) in beats.iter().enumerate() {
        // The window that opens right after this beat is the emptiest one near it.
        if *beat + WINDOW > *end {
            break;
        }
        let inside = beats[index + 1..]
            .iter()
            .filter(|next| **next <= *beat + WINDOW)
            .count();
        assert!(
            inside >= BEATS,
            "{inside} heartbeats in the 5 s after heartbeat {index}"
        );
    }
}

#[test]
fn during_a_long_command() {
    let fleet = Fleet::start();
    let _agent = fleet.agent(
        "web1",
        "[commands.wait]\nargv = [\"/bin/sleep\", \"30\"]\ndescription = \"waits\"\n",
    );
    let run = fleet.run("web1", "wait");
    let mut looked = false;
    let beats = watch(&fleet, "web1", |elapsed| {
        if elapsed > Duration::from_secs(3) && !looked {
            let body = fleet.api.get("/api/hosts/web1").body;
            assert_eq!(body["activity"]["command"], "wait", "{body}");
            assert_eq!(body["activity"]["run"], run.as_str(), "{body}");
            looked = true;
        }
        elapsed > Duration::from_secs(29)
    });
    assert!(looked);
    check_rhythm(&beats);
    assert_eq!(fleet.finished(&run)["state"], "succeeded");
}

#[test]
fn while_a_metric_hangs() {
    let fleet = Fleet::start();
    let dir = fleet.path("stasysmo");
    std::fs::create_dir(&dir).unwrap();
    for name in ["cpu", "ram", "swap", "load", "timestamp", "snapshot"] {
        let made = Command::new("mkfifo").arg(dir.join(name)).status().unwrap();
        assert!(made.success());
    }
    let _agent = fleet.agent(
        "web1",
        &format!("[metrics]\nstasysmo_paths = [\"{}\"]\n", dir.display()),
    );
    let beats = watch(&fleet, "web1", |elapsed| elapsed > Duration::from_secs(8));
    check_rhythm(&beats);
    assert!(fleet.api.get("/api/hosts/web1").body["metrics"].is_null());
}

/// Two hundred connections, each of which asks ten times a second.
#[test]
fn while_hundreds_ask_the_local_api() {
    use std::io::{Read as _, Write as _};
    let fleet = Fleet::start();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let agent = fleet.agent("web1", &format!("[local_api]\nlisten = \"{address}\"\n"));
    let answered = std::sync::atomic::AtomicU64::new(0);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let mut stream = std::net::TcpStream::connect(address).unwrap();
                let mut bytes = [0; 16 * 1024];
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    stream
                        .write_all(b"GET /metrics HTTP/1.1\r\nAccept: text/plain\r\n\r\n")
                        .unwrap();
                    let length = stream.read(&mut bytes).unwrap();
                    assert!(bytes[..length].starts_with(b"HTTP/1.1 200 OK"));
                    answered.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
        }
        let beats = watch(&fleet, "web1", |elapsed| elapsed > Duration::from_secs(8));
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        check_rhythm(&beats);
    });
    let answered = answered.into_inner();
    assert!(answered > 200, "{answered} answers: {}", agent.output());
    println!("{answered} answers in 8 s");
}

#[test]
fn metrics_are_fresh_or_null() {
    let fleet = Fleet::start();
    let dir = fleet.path("stasysmo");
    std::fs::create_dir(&dir).unwrap();
    let write = |timestamp: u64| {
        for (name, value) in [
            ("cpu", "12"),
            ("ram", "48.5"),
            ("swap", "0"),
            ("load", "1.24"),
        ] {
            std::fs::write(dir.join(name), format!("{value}\n")).unwrap();
        }
        std::fs::write(dir.join("timestamp"), format!("{timestamp}\n")).unwrap();
    };
    let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
    write(now);
    let _agent = fleet.agent(
        "web1",
        &format!("[metrics]\nstasysmo_paths = [\"{}\"]\n", dir.display()),
    );
    let metrics = crate::support::process::wait_until("metrics", || {
        let body = fleet.api.get("/api/hosts/web1").body;
        (!body["metrics"].is_null()).then(|| body["metrics"].clone())
    });
    assert_eq!(
        metrics,
        serde_json::json!({"cpu": 12.0, "ram": 48.5, "swap": 0.0, "load": 1.24})
    );
    write(now - 60);
    crate::support::process::wait_until("no metrics", || {
        fleet.api.get("/api/hosts/web1").body["metrics"]
            .is_null()
            .then_some(())
    });
}

/// The flood is here because its rhythm and its bytes are one promise.
#[test]
fn during_a_flood_that_arrives_byte_for_byte() {
    const LINES: u64 = 2_500_000;
    const TEXT: &str = "output that makes this line eighty characters long, as many lines are";
    let fleet = Fleet::start();
    let program = fleet.script(
        "flood",
        &format!("#!/bin/sh\nseq -f '%09.0f {TEXT}' 1 {LINES}\n"),
    );
    let agent = fleet.agent(
        "web1",
        &format!(
            "[commands.flood]\nargv = [\"{}\"]\ndescription = \"prints 200 MB\"\n",
            program.display()
        ),
    );
    let run = fleet.run("web1", "flood");
    let start = Instant::now();
    let mut finished = None;
    let beats = watch(&fleet, "web1", |elapsed| {
        assert!(
            elapsed < Duration::from_secs(300),
            "the flood takes too long"
        );
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        if Fleet::is_over(&body) {
            finished.get_or_insert((start.elapsed(), body));
        }
        finished.is_some() && elapsed > WINDOW
    });
    let (took, body) = finished.unwrap();
    assert_eq!(body["state"], "succeeded", "{body}");
    check_rhythm(&beats);

    let (mut crc, mut bytes) = (0, 0_u64);
    fleet
        .api
        .download(&format!("/api/runs/{run}/log.txt"), |part| {
            crc = crc32c::crc32c_append(crc, part);
            bytes += part.len() as u64;
        });
    let mut expected = 0;
    let mut total = 0_u64;
    for number in 1..=LINES {
        let line = format!("{number:09} {TEXT}\n");
        expected = crc32c::crc32c_append(expected, line.as_bytes());
        total += line.len() as u64;
    }
    assert_eq!((bytes, crc), (total, expected));
    assert_eq!(body["lines"].as_u64(), Some(LINES));

    let mib = |bytes: u64| bytes / (1024 * 1024);
    let dashboard = fleet.dashboard.as_ref().unwrap();
    let (agent_peak, dashboard_peak) = (mib(agent.memory("VmHWM")), mib(dashboard.memory("VmHWM")));
    println!(
        "\nsummary: {} MB in {:.1} s; peak memory: agent {agent_peak} MiB, dashboard {dashboard_peak} MiB",
        total / 1_000_000,
        took.as_secs_f64()
    );
    assert!(agent_peak < 20, "the agent took {agent_peak} MiB");
    assert!(
        dashboard_peak < 150,
        "the dashboard took {dashboard_peak} MiB"
    );
}
