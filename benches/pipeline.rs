//! How fast a run's output goes from the terminal to the journal, against a floor measured in the same run.
//!
//! `cargo bench --bench pipeline`. Two figures: bytes per second of a real supervisor (terminal, lines, phases, journal on
//! disk) against a bare reader of the same terminal; lines per second of assembler and tracker against a bare search for
//! newlines. Both readers get the same program on the same kind of terminal and ask for as many bytes at once. They take
//! turns, and each pair is compared by itself: on a busy machine the pairs differ, the ratios much less.
//!
//! `cargo bench --bench pipeline -- slowed PROGRAM ARG…` tells instead how much longer a command takes under a supervisor than
//! with its output thrown away: a rebuild, for example. The command must do the same work each time.
//!
//! Environment: `PIPELINE_MB` (200), `PIPELINE_LINE` (80, bytes of a line), `PIPELINE_ROUNDS` (7),
//! `PIPELINE_JOURNAL_MB` (256, the journal's limit: of it, half is the head, and the rest is written in parts).

#![expect(clippy::expect_used, reason = "a measurement that cannot be made ends")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::resource::{UsageWho, getrusage};
use nixfleet::agent::pty::{Pty, ReadOutcome};
use nixfleet::agent::run_dir::{RunDir, SupervisorRequest};
use nixfleet::run::event::MAX_OUTPUT_CHUNK;
use nixfleet::run::id::RunId;
use nixfleet::run::kind::{RebuildTool, RunKind};
use nixfleet::run::lines::{Found, LineAssembler};
use nixfleet::run::tracker::Tracker;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

/// Lines as a build prints them, about `bytes` of them.
fn sample(bytes: usize) -> Vec<u8> {
    let width = setting("PIPELINE_LINE", 80).max(2);
    let mut out = Vec::with_capacity(bytes + width);
    let words = "  CC  src/libstore/build/derivation-goal.o -O2 -pipe -fstack-protector-strong ";
    let mut number = 0_u64;
    while out.len() < bytes {
        let start = out.len();
        out.extend_from_slice(number.to_string().as_bytes());
        while out.len() - start < width - 1 {
            out.extend_from_slice(words.as_bytes());
        }
        out.truncate(start + width - 1);
        out.push(b'\n');
        number += 1;
    }
    out
}

fn writer(bytes: usize) -> Vec<String> {
    let me = std::env::current_exe().expect("own path");
    let me = me.to_str().expect("a path in UTF-8").to_owned();
    vec![me, "write".into(), bytes.to_string()]
}

fn write(bytes: usize) {
    let block = sample(1 << 20);
    let mut out = std::io::stdout().lock();
    let mut left = bytes;
    while left > 0 {
        let now = left.min(block.len());
        out.write_all(&block[..now])
            .expect("a terminal that takes it");
        left -= now;
    }
    out.flush().expect("a terminal that takes it");
}

/// What a round took, in seconds: by the clock, and of CPU in reader and writer together. On a busy machine only the
/// second is worth comparing.
#[derive(Clone, Copy)]
struct Took {
    clock: f64,
    cpu: f64,
}

/// CPU seconds of this process and of those that it has waited for.
fn cpu() -> f64 {
    let all = [UsageWho::RUSAGE_SELF, UsageWho::RUSAGE_CHILDREN];
    let used = all.map(|who| getrusage(who).expect("a usage"));
    let times = used
        .iter()
        .flat_map(|used| [used.user_time(), used.system_time()]);
    times
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .sum()
}

fn timed(work: impl FnOnce()) -> Took {
    let (began, before) = (Instant::now(), cpu());
    work();
    Took {
        clock: began.elapsed().as_secs_f64(),
        cpu: cpu() - before,
    }
}

/// A reader that does nothing with the bytes.
fn bare(bytes: usize) -> Took {
    timed(|| assert_eq!(read_bare(&writer(bytes)), bytes))
}

/// Reads what the command writes to a terminal; returns how much.
fn read_bare(argv: &[String]) -> usize {
    let mut command = Command::new(&argv[0]);
    command.args(&argv[1..]);
    let mut pty = Pty::spawn(command).expect("a terminal");
    let mut buffer = vec![0; MAX_OUTPUT_CHUNK];
    let mut read = 0;
    loop {
        match pty.read(&mut buffer).expect("a readable terminal") {
            ReadOutcome::Bytes(n) => read += n,
            ReadOutcome::Nothing => {
                let mut fds = [PollFd::new(pty.fd(), PollFlags::POLLIN)];
                poll(&mut fds, PollTimeout::from(1000_u16)).ok();
            }
            ReadOutcome::End => break,
        }
    }
    while pty.try_wait().expect("an end").is_none() {
        std::thread::yield_now();
    }
    read
}

/// A supervisor in a process of its own does all of its work, until the journal is durable.
fn supervised(bytes: usize) -> Took {
    supervise(writer(bytes), |dir| {
        let files = std::fs::read_dir(dir).expect("a run directory");
        let sizes = files.map(|file| file.and_then(|file| file.metadata()).expect("a file").len());
        let limit = setting("PIPELINE_JOURNAL_MB", 256) * 1_000_000;
        assert!(sizes.sum::<u64>() as usize > bytes.min(limit / 2));
    })
}

/// Times the supervisor of that command; `check` sees the run's directory afterwards.
fn supervise(argv: Vec<String>, check: impl FnOnce(&Path)) -> Took {
    let state = tempfile::tempdir().expect("a temporary directory");
    let request = SupervisorRequest {
        run: RunId::new(),
        command: "switch".parse().expect("a name"),
        kind: kind(),
        argv,
        env: Vec::new(),
        inherit_env: true,
        cwd: None,
        timeout_s: None,
        grace_s: 10,
        journal_max: setting("PIPELINE_JOURNAL_MB", 256) as u64 * 1_000_000,
        requested_by: String::new(),
        gc_root: None,
    };
    let dir = RunDir::create(state.path(), &request).expect("a run directory");
    // Nobody deletes a journal while a run goes on: that is not timed.
    let took = timed(|| {
        let status = Command::new(std::env::current_exe().expect("own path"))
            .arg("supervise")
            .arg(dir.path())
            .stdin(Stdio::null())
            .status()
            .expect("a supervisor");
        assert!(status.success());
    });
    check(dir.path());
    took
}

/// How much longer a command takes against output that is thrown away: under a supervisor, and with a terminal that is read
/// and nothing else. Compared is the least of each, because whatever else the machine does can only add to it.
fn slowed(argv: &[String]) {
    let bare = || {
        timed(|| {
            let status = Command::new(&argv[0])
                .args(&argv[1..])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .expect("a program");
            assert!(status.success(), "{argv:?}: {status}");
        })
    };
    let terminal = || {
        timed(|| {
            read_bare(argv);
        })
    };
    let ours = || supervise(argv.to_vec(), |_| ());
    let ways: [&dyn Fn() -> Took; 3] = [&bare, &terminal, &ours];
    let mut least = [Took {
        clock: f64::INFINITY,
        cpu: f64::INFINITY,
    }; 3];
    for round in 0..setting("PIPELINE_ROUNDS", 7).max(1) {
        for way in (0..3).map(|way| (way + round) % 3) {
            let took = ways[way]();
            least[way].clock = least[way].clock.min(took.clock);
            least[way].cpu = least[way].cpu.min(took.cpu);
        }
    }
    let [floor, terminal, ours] = least;
    for (what, took) in [
        ("output thrown away", floor),
        ("a terminal, only read", terminal),
        ("supervised", ours),
    ] {
        println!(
            "{what}: {:.2} s, {:.2} s CPU; {:.3} and {:.3} of the first",
            took.clock,
            took.cpu,
            took.clock / floor.clock,
            took.cpu / floor.cpu,
        );
    }
}

fn kind() -> RunKind {
    RunKind::Rebuild {
        tool: RebuildTool::NixosRebuild,
        action: "switch".into(),
    }
}

fn lines(bytes: usize) {
    let data = sample(bytes);
    let mib = data.len() as f64 / 1e6;
    let began = Instant::now();
    let floor = data
        .chunks(4096)
        .map(|read| memchr::memchr_iter(b'\n', read).count())
        .sum::<usize>();
    let floor_s = began.elapsed().as_secs_f64();

    let mut tracker = Tracker::new(&kind());
    let mut found = Vec::new();
    tracker.start(&mut found);
    let mut assembler = LineAssembler::default();
    let mut count = 0;
    let began = Instant::now();
    for read in data.chunks(4096) {
        assembler.push(read, &mut |piece| {
            if let Found::Line { visible, .. } = piece {
                count += 1;
                tracker.line(count, visible, &mut found);
            }
        });
    }
    let ours_s = began.elapsed().as_secs_f64();
    assert_eq!(count, floor as u64);
    println!(
        "lines: assembler and tracker {:.1} M lines/s, {:.0} MB/s; bare newline search {:.1} M lines/s; ratio {:.2}",
        count as f64 / ours_s / 1e6,
        mib / ours_s,
        floor as f64 / floor_s / 1e6,
        floor_s / ours_s,
    );
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.get(1).map(String::as_str) {
        Some("write") => return write(arguments[2].parse().expect("a number")),
        Some("supervise") => {
            let code = nixfleet::agent::supervise::run(Path::new(&arguments[2]));
            std::process::exit(code.expect("a run"));
        }
        Some("slowed") if arguments.len() > 2 => return slowed(&arguments[2..]),
        _ => {}
    }
    let bytes = setting("PIPELINE_MB", 200) * 1_000_000;
    lines(bytes);
    let rate = |took: Took| bytes as f64 / took.clock / 1e6;
    let lines = |took: Took| bytes as f64 / setting("PIPELINE_LINE", 80).max(2) as f64 / took.clock;
    let (mut by_clock, mut by_cpu) = (Vec::new(), Vec::new());
    for round in 1..=setting("PIPELINE_ROUNDS", 7).max(1) {
        // Whoever comes second meets what the first one left: caches, a disk that still writes.
        let (floor, ours) = if round % 2 == 1 {
            let floor = bare(bytes);
            (floor, supervised(bytes))
        } else {
            let ours = supervised(bytes);
            (bare(bytes), ours)
        };
        println!(
            "round {round}: bare reader {:.0} MB/s ({:.2} s CPU), supervisor {:.0} MB/s, {:.0} lines/s ({:.2} s CPU)",
            rate(floor),
            floor.cpu,
            rate(ours),
            lines(ours),
            ours.cpu,
        );
        by_clock.push(floor.clock / ours.clock);
        by_cpu.push(floor.cpu / ours.cpu);
    }
    println!(
        "supervisor / bare reader, median of the pairs: {:.2} of its bytes/s (target 0.80); {:.2} by CPU time, writing the journal included",
        median(&mut by_clock),
        median(&mut by_cpu),
    );
}

fn median(ratios: &mut [f64]) -> f64 {
    ratios.sort_by(f64::total_cmp);
    ratios[ratios.len() / 2]
}
