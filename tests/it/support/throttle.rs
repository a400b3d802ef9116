//! A slow link: a proxy that passes on what one side sends no faster than it may.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A proxy on a port of its own.
pub struct Throttle {
    pub address: SocketAddr,
    rate: Arc<AtomicU64>,
}

impl Throttle {
    /// Passes on to `target`; what clients send at `bytes_per_second`, the answers at once.
    pub fn start(target: String, bytes_per_second: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let rate = Arc::new(AtomicU64::new(bytes_per_second));
        let own = Arc::clone(&rate);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(&target) else {
                    continue;
                };
                let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
                let unlimited = Arc::new(AtomicU64::new(u64::MAX));
                let limited = Arc::clone(&own);
                std::thread::spawn(move || pass(client, server, &limited));
                std::thread::spawn(move || pass(ends.1, ends.0, &unlimited));
            }
        });
        Self { address, rate }
    }

    /// From now on.
    pub fn set_rate(&self, bytes_per_second: u64) {
        self.rate.store(bytes_per_second, Ordering::Relaxed);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, rate: &AtomicU64) {
    let mut piece = [0; 4096];
    let mut due = Instant::now();
    while let Ok(n) = from.read(&mut piece) {
        if n == 0 || to.write_all(&piece[..n]).is_err() {
            break;
        }
        let rate = rate.load(Ordering::Relaxed);
        if rate < u64::MAX {
            due = due.max(Instant::now()) + Duration::from_secs_f64(n as f64 / rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
