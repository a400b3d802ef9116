//! Heartbeats on rhythm: whatever else the agent waits for, none of them is late.
//!
//! `NIXFLEET_RHYTHM_SECONDS` sets how long it is watched; some seconds by default.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nixfleet::wire::to_dashboard::{Heartbeat, ToDashboard};
use tokio_tungstenite::tungstenite::Message;

use crate::played::Peer;

/// Of the agents here.
pub const INTERVAL: Duration = Duration::from_secs(1);
/// How far a gap between heartbeats may be off, beside what the machine itself is late.
const OFF: Duration = Duration::from_millis(100);

/// How long it is watched.
pub fn seconds() -> u64 {
    std::env::var("NIXFLEET_RHYTHM_SECONDS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(8)
}

/// The next heartbeat, when it came, and its bytes.
pub async fn heartbeat(peer: &mut Peer) -> (Heartbeat, Instant, usize) {
    loop {
        if let Message::Text(text) = peer.next().await {
            let at = Instant::now();
            if let ToDashboard::Heartbeat(beat) = serde_json::from_str(&text).unwrap() {
                return (*beat, at, text.len());
            }
        }
    }
}

/// How late this machine lets anybody be, in microseconds: a thread that only wants to sleep, and its worst so far.
struct Machine(Arc<AtomicU64>, Arc<AtomicBool>);

impl Machine {
    fn watch() -> Self {
        let (worst, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let machine = Self(worst.clone(), over.clone());
        std::thread::spawn(move || {
            let nap = Duration::from_millis(10);
            while !over.load(Ordering::Relaxed) {
                let began = Instant::now();
                std::thread::sleep(nap);
                let late = began.elapsed().saturating_sub(nap).as_micros();
                worst.fetch_max(late as u64, Ordering::Relaxed);
            }
        });
        machine
    }

    fn late(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.1.store(true, Ordering::Relaxed);
    }
}

/// Watches the rhythm, and passes on each heartbeat with the time since the first one. Answers how late the machine was.
pub async fn keeps(
    peer: &mut Peer,
    seconds: u64,
    mut each: impl FnMut(Heartbeat, Duration),
) -> Duration {
    let (began, machine) = (Instant::now(), Machine::watch());
    let (beat, mut before, _) = heartbeat(peer).await;
    each(beat, began.elapsed());
    let mut worst = Duration::ZERO;
    while began.elapsed() < Duration::from_secs(seconds) {
        let (beat, at, _) = heartbeat(peer).await;
        let gap = at - before;
        let off = gap.abs_diff(INTERVAL);
        worst = worst.max(off);
        assert!(
            off < OFF + machine.late() * 2,
            "{gap:?} between two heartbeats; the machine is late by {:?}",
            machine.late()
        );
        before = at;
        each(beat, began.elapsed());
    }
    println!(
        "{seconds} s: no gap off by more than {worst:?}, the machine by {:?}",
        machine.late()
    );
    machine.late()
}
