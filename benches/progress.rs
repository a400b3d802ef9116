//! How fast a rebuild's output becomes phases, counters and notices, against a bare split of the same bytes into lines in the
//! same run.
//!
//! `cargo bench --bench progress --no-default-features --features agent`. Four streams, each made up in the forms that Nix
//! 2.34 prints: a builder's lines, the same on a terminal with Nix's bar between them, records of `json-log-path`, and the
//! plan of a large rebuild with all its builds, as text and as records, whole and half as large: what is linear takes half.
//! Environment: `PROGRESS_MB` (100, of text), `PROGRESS_RECORDS` (2,000,000), `PROGRESS_PLAN` (150,000 derivations).

#![expect(clippy::expect_used, reason = "a measurement that cannot be made ends")]

use std::fmt::Write as _;

use nix::sys::resource::{UsageWho, getrusage};
use nixfleet::run::kind::{RebuildTool, RunKind};
use nixfleet::run::lines::{Found, LineAssembler};
use nixfleet::run::tracker::Tracker;

/// What a read of a terminal returns at most.
const READ: usize = 4095;

fn setting(name: &str, default: usize) -> usize {
    std::env::var(name)
        .ok()
        .and_then(|value| value.parse().ok())
        .unwrap_or(default)
}

fn tracker() -> Tracker {
    let mut tracker = Tracker::new(&RunKind::Rebuild {
        tool: RebuildTool::NixosRebuild,
        action: "switch".into(),
    });
    tracker.start(&mut Vec::new());
    tracker
}

/// CPU seconds of this process: other programs' work does not count.
fn cpu() -> f64 {
    let used = getrusage(UsageWho::RUSAGE_SELF).expect("a usage");
    [used.user_time(), used.system_time()]
        .map(|time| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6)
        .iter()
        .sum()
}

/// Seconds that a bare split takes, and how many lines it finds.
fn split(bytes: &[u8]) -> (f64, u64) {
    let began = cpu();
    let lines = bytes
        .chunks(READ)
        .map(|read| memchr::memchr_iter(b'\n', read).count() as u64)
        .sum();
    (cpu() - began, lines)
}

/// Seconds that assembler and tracker take, with everything that they tell taken as the supervisor takes it.
fn follow(bytes: &[u8], lines: u64) -> (f64, Tracker) {
    let mut tracker = tracker();
    let mut assembler = LineAssembler::default();
    let mut found = Vec::new();
    let mut count = 0;
    let began = cpu();
    for read in bytes.chunks(READ) {
        assembler.push(read, &mut |piece| match piece {
            Found::Line { visible, .. } => {
                count += 1;
                tracker.line(count, visible, &mut found);
            }
            Found::Redraw { visible } => tracker.redraw(count + 1, visible, &mut found),
        });
        found.clear();
    }
    let took = cpu() - began;
    assert_eq!(count, lines);
    (took, tracker)
}

/// Seconds that the tracker takes for records of one Nix process.
fn records(text: &str) -> (f64, Tracker) {
    let mut tracker = tracker();
    let mut found = Vec::new();
    let mut now = 1_000_000;
    let began = cpu();
    for (number, json) in text.lines().enumerate() {
        // Some thousand records a second, as a fast Nix writes them.
        now += u64::from(number % 4 == 0);
        tracker.set_now(now);
        tracker.side_record(1, json.as_bytes(), &mut found);
        if number % 1024 == 0 {
            tracker.take_built();
            found.clear();
        }
    }
    (cpu() - began, tracker)
}

fn report(what: &str, unit: &str, bytes: usize, count: u64, floor: f64, ours: f64) {
    println!(
        "{what}: {:.2} M {unit}/s, {:.0} MB/s; bare split {:.2} M lines/s; ratio {:.3}",
        count as f64 / ours / 1e6,
        bytes as f64 / ours / 1e6,
        count as f64 / floor / 1e6,
        floor / ours,
    );
}

/// Lines as a compiler prints them.
fn build_lines(bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 100);
    let mut number = 0;
    while out.len() < bytes {
        number += 1;
        let line = format!(
            "[{:3}%] Building CXX object src/libstore/CMakeFiles/store.dir/goal-{number}.cc.o -O2\n",
            number % 100
        );
        out.extend_from_slice(line.as_bytes());
    }
    out
}

/// The same on a terminal: each line above the bar, and the bar drawn again (Nix src/libmain/progress-bar.cc).
fn terminal(bytes: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes + 400);
    let mut number = 0;
    while out.len() < bytes {
        number += 1;
        let line = format!(
            "\r\x1b[Khello> [{0:3}%] Building CXX object src/libstore/store.dir/goal-{number}.cc.o\x1b[0m\r\n\
             \r[\x1b[34;1m1\x1b[0m/\x1b[32;1m{1}\x1b[0m/112 built, 3/47/90 copied (214.3/1229.0 MiB)] building \
             \x1b[1mhello-2.12\x1b[0m (buildPhase): [{0:3}%] Building CXX object\x1b[0m\x1b[K",
            number % 100,
            number / 10_000,
        );
        out.extend_from_slice(line.as_bytes());
    }
    out.extend_from_slice(b"\r\x1b[K\n");
    out
}

/// An id as Nix makes them: the process and a counter.
const FIRST: u64 = 40_935_333_298_176;

fn push(out: &mut String, record: std::fmt::Arguments<'_>) {
    out.write_fmt(record).expect("memory");
    out.push('\n');
}

fn begin_group(out: &mut String) {
    push(
        out,
        format_args!(
            r#"{{"action":"start","id":{FIRST},"level":3,"parent":0,"text":"evaluating derivation 'path:.#nixosConfigurations.host.config.system.build.toplevel'","type":0}}"#
        ),
    );
    end(out, FIRST);
    for (id, kind) in [(1, 102), (2, 103), (3, 104)] {
        push(
            out,
            format_args!(
                r#"{{"action":"start","id":{},"level":0,"parent":0,"text":"","type":{kind}}}"#,
                FIRST + id
            ),
        );
    }
}

fn begin_build(out: &mut String, number: u64) {
    push(
        out,
        format_args!(
            r#"{{"action":"start","fields":["/nix/store/{number:032}-hello-{number}.drv","",1,1],"id":{},"level":3,"parent":0,"text":"building '/nix/store/{number:032}-hello-{number}.drv'","type":105}}"#,
            FIRST + 100 + number
        ),
    );
}

fn count_builds(out: &mut String, done: u64, expected: u64, running: u64) {
    push(
        out,
        format_args!(
            r#"{{"action":"result","fields":[{done},{expected},{running},0],"id":{},"type":105}}"#,
            FIRST + 3
        ),
    );
}

fn end(out: &mut String, id: u64) {
    push(out, format_args!(r#"{{"action":"stop","id":{id}}}"#));
}

/// A large rebuild's mix: of 100 records 95 count, 3 are builders' lines, 2 begin or end something.
fn mixed(count: usize) -> String {
    let mut out = String::with_capacity(count * 90);
    begin_group(&mut out);
    let download = FIRST + 50;
    push(
        &mut out,
        format_args!(
            r#"{{"action":"start","fields":["https://cache.example.org/nar/x.nar.xz"],"id":{download},"level":4,"parent":0,"text":"downloading","type":101}}"#
        ),
    );
    let rounds = count as u64 / 100;
    for round in 0..rounds {
        begin_build(&mut out, round);
        count_builds(&mut out, round, rounds, 1);
        for line in 0..3 {
            push(
                &mut out,
                format_args!(
                    r#"{{"action":"result","fields":["[{line:3}%] Building CXX object src/libstore/store.dir/goal.cc.o"],"id":{},"type":101}}"#,
                    FIRST + 100 + round
                ),
            );
        }
        for step in 0..93 {
            push(
                &mut out,
                format_args!(
                    r#"{{"action":"result","fields":[{},1000000000,0,0],"id":{download},"type":105}}"#,
                    (round * 93 + step) * 4096
                ),
            );
        }
        count_builds(&mut out, round + 1, rounds, 0);
        end(&mut out, FIRST + 100 + round);
    }
    out
}

/// The list of what will be built, and then one `building` line for each.
fn plan_text(count: u64) -> Vec<u8> {
    let mut out =
        format!("building the system configuration...\nthese {count} derivations will be built:\n");
    for number in 0..count {
        push(
            &mut out,
            format_args!("  /nix/store/{number:032}-hello-{number}.drv"),
        );
    }
    for number in 0..count {
        push(
            &mut out,
            format_args!("building '/nix/store/{number:032}-hello-{number}.drv'..."),
        );
    }
    out.into_bytes()
}

/// The same as records: all builds are begun before the first one ends, as many as a farm has machines.
fn plan_records(count: u64) -> String {
    const AT_ONCE: u64 = 1000;
    let mut out = String::new();
    begin_group(&mut out);
    for number in 0..count + AT_ONCE {
        if number < count {
            begin_build(&mut out, number);
        }
        let done = (number + 1).saturating_sub(AT_ONCE);
        let begun = (number + 1).min(count);
        count_builds(&mut out, done, count, begun - done);
        if done > 0 {
            end(&mut out, FIRST + 100 + done - 1);
        }
    }
    out
}

fn main() {
    let bytes = setting("PROGRESS_MB", 100) * 1_000_000;
    for (what, data) in [
        ("builders' lines", build_lines(bytes)),
        ("terminal with bar", terminal(bytes)),
    ] {
        let (floor, lines) = split(&data);
        let (ours, _) = follow(&data, lines);
        report(what, "lines", data.len(), lines, floor, ours);
    }

    let stream = mixed(setting("PROGRESS_RECORDS", 2_000_000));
    let (floor, count) = split(stream.as_bytes());
    let (ours, tracker) = records(&stream);
    let builds = tracker.progress().builds.expect("counters");
    assert_eq!((builds.done, builds.planned), (count / 100, count / 100));
    report("records", "records", stream.len(), count, floor, ours);

    let whole = setting("PROGRESS_PLAN", 150_000) as u64;
    let mut took = [[0.0; 2]; 2];
    for (size, count) in [whole / 2, whole].into_iter().enumerate() {
        let text = plan_text(count);
        let (ours, tracker) = follow(&text, 2 * count + 2);
        let builds = tracker.progress().builds.expect("counters");
        assert_eq!((builds.running, builds.planned), (1, count));
        took[0][size] = ours;
        let (ours, tracker) = records(&plan_records(count));
        let builds = tracker.progress().builds.expect("counters");
        assert_eq!((builds.done, builds.planned), (count, count));
        took[1][size] = ours;
    }
    for (what, [half, whole_s]) in ["text", "records"].into_iter().zip(took) {
        println!(
            "plan of {whole} derivations as {what}: {whole_s:.2} s; half of it: {half:.2} s, ratio {:.2}",
            whole_s / half
        );
    }
}
