//! The list of a large fleet: how long it takes, and how long it keeps heartbeats waiting.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nixfleet::dashboard::fleet::Fleet;
use nixfleet::dashboard::live::Live;
use nixfleet::dashboard::store::hosts::HostRow;
use nixfleet::run::id::HostName;
use nixfleet::wire::to_dashboard::{Heartbeat, OfferedCommand, Register};

use crate::Outcome;

const HOSTS: usize = 3000;
const CALLS: usize = 100;

fn host(n: usize) -> Outcome<HostRow> {
    let name = format!("host{n}.rack{}.example.org", n % 40);
    let commands = ["switch", "boot", "try", "build", "pull", "update", "reboot"];
    let offered = |command: &str| -> Outcome<OfferedCommand> {
        Ok(OfferedCommand {
            name: command.parse()?,
            description: format!("Does what {command} does on this host"),
            changes_host: true,
            takes_args: false,
        })
    };
    let generation = format!("{n:032x}-nixos-system-host{n}-25.11.20251101.abcdef0");
    Ok(HostRow {
        host: name.parse()?,
        register: Some(Register {
            hostname: name,
            host_type: "nixos".into(),
            nixpkgs_version: "25.11.20251101.abcdef0".into(),
            generation: generation.clone(),
            heartbeat_interval: 30,
            protocol: Some(3),
            commands: commands.into_iter().map(offered).collect::<Outcome<_>>()?,
            ..Register::default()
        }),
        heartbeat: Some(Heartbeat {
            n: 1,
            generation,
            ..Heartbeat::default()
        }),
        last_seen_at: Some(1_769_847_330_250),
        status: Some("online".into()),
        comment: "in the cellar, second shelf".into(),
        tags: Vec::new(),
    })
}

/// Times `Fleet::hosts`, and what another thread waits for the fleet meanwhile.
pub fn list() -> Outcome<()> {
    let rows: Outcome<Vec<HostRow>> = (0..HOSTS).map(host).collect();
    let fleet = Fleet::new(rows?, 3, Live::default());
    let (other, stop) = (fleet.clone(), AtomicBool::new(false));
    let name: HostName = "host7.rack7.example.org".parse()?;
    let waiting = || {
        let mut waits = Vec::new();
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            std::hint::black_box(other.peer(&name));
            waits.push(began.elapsed());
            std::thread::sleep(Duration::from_micros(50));
        }
        waits.sort_unstable();
        waits
    };
    let (mut calls, waits) = std::thread::scope(|scope| {
        let waiter = scope.spawn(waiting);
        let mut calls = Vec::new();
        for _ in 0..CALLS {
            let began = Instant::now();
            std::hint::black_box(fleet.hosts());
            calls.push(began.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        (calls, waiter.join())
    });
    calls.sort_unstable();
    let waits = waits.map_err(|_| "the waiting thread failed")?;
    let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
    println!(
        "hosts: {HOSTS} listed in {:.2} ms (median); others wait for the fleet at most {:.2} ms (p99 {:.2} ms); limit 5 ms",
        ms(calls.get(CALLS / 2)),
        ms(waits.last()),
        ms(waits.get(waits.len() * 99 / 100)),
    );
    Ok(())
}
