//! All recordings, told in another way: the same run must come of it.
//!
//! How many bytes there were and their checksum differ where bytes do, and are left out then; line numbers only where lines are
//! added. So is progress, of which there is
//! one event for each state of the bar; the counters at the end are compared.

use super::corpus::{Recording, data, names};
use super::*;

/// Numbers that look random: the same ones for a seed.
struct Seed(u64);

impl Seed {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn told<'a>(reads: impl IntoIterator<Item = &'a [u8]>, exit: Option<i32>) -> String {
    let mut out = Vec::new();
    report(reads, exit, None, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The events without progress and without what the bytes themselves decide, which is named by `without` too.
fn meaning(bytes: &[u8], exit: Option<i32>, without: &[&str]) -> Vec<Value> {
    told([bytes], exit)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &Value| event["event"] != "progress")
        .map(|mut event| {
            if let Some(event) = event.as_object_mut() {
                for name in ["bytes", "crc32c"].iter().chain(without) {
                    event.remove(*name);
                }
            }
            event
        })
        .collect()
}

/// Each recording must mean the same after `change`, which answers None where it does not apply.
fn check(change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) {
    check_without(&[], change);
}

fn check_without(without: &[&str], change: impl Fn(&str, &[u8]) -> Option<Vec<u8>>) {
    let mut changed = 0;
    for name in names() {
        let exit = Recording::of(&name).exit();
        let bytes = fs::read(data().join(format!("{name}.raw"))).unwrap();
        if let Some(other) = change(&name, &bytes) {
            changed += usize::from(other != bytes);
            let (expected, found) = (
                meaning(&bytes, exit, without),
                meaning(&other, exit, without),
            );
            for (expected, found) in expected.iter().zip(&found) {
                assert_eq!(found, expected, "{name}");
            }
            assert_eq!(found.len(), expected.len(), "{name}");
        }
    }
    assert!(changed >= 5, "{changed}");
}

/// The lines with their ends.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

#[test]
fn any_cut_into_reads() {
    for name in names() {
        let exit = Recording::of(&name).exit();
        let bytes = fs::read(data().join(format!("{name}.raw"))).unwrap();
        let expected = told([bytes.as_slice()], exit);
        assert!(told(bytes.chunks(1), exit) == expected, "{name} by bytes");
        for seed in 1..=3 {
            let mut random = Seed(seed);
            let (mut reads, mut rest) = (Vec::new(), bytes.as_slice());
            while !rest.is_empty() {
                let limit = if random.below(4) == 0 { 3 } else { 4095 };
                let (read, after) = rest.split_at((1 + random.below(limit)).min(rest.len()));
                reads.push(read);
                rest = after;
            }
            assert!(told(reads, exit) == expected, "{name} by seed {seed}");
        }
    }
}

#[test]
fn other_ends_of_lines() {
    let with = |bytes: &[u8], end: &[u8]| {
        let mut out = Vec::new();
        for line in lines(bytes) {
            let text = line.strip_suffix(b"\n").map(|text| {
                let end = text.iter().rposition(|byte| *byte != b'\r');
                &text[..end.map_or(0, |end| end + 1)]
            });
            out.extend_from_slice(text.unwrap_or(line));
            if text.is_some() {
                out.extend_from_slice(end);
            }
        }
        Some(out)
    };
    check(|_, bytes| with(bytes, b"\n"));
    check(|_, bytes| with(bytes, b"\r\n"));
    check(|_, bytes| with(bytes, b"\r\r\n"));
}

/// Where in a line's text an escape may stand: not within another one.
fn places(line: &[u8]) -> Vec<usize> {
    let mut places = Vec::new();
    let mut at = 0;
    while at < line.len() && !matches!(line[at], b'\r' | b'\n') {
        places.push(at);
        if line[at] == 0x1b {
            at += 1 + line[at..]
                .iter()
                .skip(1)
                .position(u8::is_ascii_alphabetic)
                .unwrap_or(0);
        }
        at += 1;
        while at < line.len() && (0x80..0xc0).contains(&line[at]) {
            at += 1;
        }
    }
    places.push(at);
    places
}

/// A record is never coloured.
#[test]
fn colours_around_lines() {
    check(|_, bytes| {
        let mut out = Vec::new();
        for line in lines(bytes) {
            if line.starts_with(b"@nix ") || line.starts_with(b"\r\x1b[K@nix ") {
                out.extend_from_slice(line);
                continue;
            }
            let places = places(line);
            let end = places.last().copied().unwrap_or(0);
            out.extend_from_slice(b"\x1b[0;32m");
            out.extend_from_slice(&line[..end]);
            out.extend_from_slice(b"\x1b[0m");
            out.extend_from_slice(&line[end..]);
        }
        Some(out)
    });
}

/// How a line begins says what it is: no program colours a part of that. What follows may be.
const BEGINNING: usize = 72;

#[test]
fn colours_inside_lines() {
    for seed in 1..=3 {
        check(|_, bytes| {
            let mut random = Seed(seed);
            let mut out = Vec::new();
            for line in lines(bytes) {
                let mut from = 0;
                if !line.starts_with(b"@nix ") && !line.starts_with(b"\r\x1b[K@nix ") {
                    for at in places(line) {
                        let word = at > BEGINNING && line[at - 1] == b' ';
                        if word && random.below(3) == 0 {
                            out.extend_from_slice(&line[from..at]);
                            out.extend_from_slice(
                                [b"\x1b[35;1m".as_slice(), b"\x1b[0m"][random.below(2)],
                            );
                            from = at;
                        }
                    }
                }
                out.extend_from_slice(&line[from..]);
            }
            Some(out)
        });
    }
}

/// The bar is drawn once more before a line: as it was last drawn, or empty. Between the lines of one message Nix draws none,
/// and none outlives the process that drew it.
#[test]
fn redraws_between_lines() {
    check(|name, bytes| {
        let mut random = Seed(name.len() as u64);
        let mut out = Vec::new();
        let mut bar: &[u8] = b"";
        for line in lines(bytes) {
            if line
                .windows(32)
                .any(|part| part == b"building the system configuration".get(..32).unwrap())
            {
                bar = b"";
            }
            let continues = line
                .iter()
                .find(|byte| **byte != b'\r')
                .is_none_or(|byte| matches!(byte, b' ' | b'\n'));
            if !continues && !line.starts_with(b"@nix ") && random.below(2) == 0 {
                out.push(b'\r');
                out.extend_from_slice(bar);
                out.extend_from_slice(b"\x1b[0m\x1b[K\r\x1b[K");
            }
            if let Some(last) = line
                .split(|byte| *byte == b'\r')
                .rfind(|part| part.starts_with(b"[\x1b["))
            {
                bar = last;
            }
            out.extend_from_slice(line);
        }
        Some(out)
    });
}

/// Types that later versions of Nix may add.
const UNKNOWN: [&str; 4] = [
    r#"{"action":"start","id":77777777777,"level":5,"parent":0,"text":"x","type":9999}"#,
    r#"{"action":"result","fields":["x",1],"id":77777777777,"type":9999}"#,
    r#"{"action":"stop","id":77777777777}"#,
    r#"{"action":"start","fields":[],"id":77777777778,"level":3,"parent":0,"payload":{},"text":"","type":114}"#,
];

/// An action that is not known is a line for people: whatever it is, nothing of it is hidden.
const UNKNOWN_ACTION: &str = r#"{"action":"zzz","new":[{}]}"#;

/// A recording with these records among its own ones, behind the first one.
fn with_records(name: &str, bytes: &[u8], records: &[&str]) -> Option<Vec<u8>> {
    let recording = Recording::of(name);
    if !recording.has("json") || recording.has("list") {
        return None;
    }
    let mut random = Seed(name.len() as u64);
    let (mut out, mut seen) = (Vec::new(), false);
    for line in lines(bytes) {
        // What begins with another record than Nix's is a builder's.
        let first = !seen;
        seen |= line.starts_with(b"@nix ");
        if !first && line.starts_with(b"@nix ") && random.below(3) == 0 {
            let record = records[random.below(records.len())];
            out.extend_from_slice(format!("@nix {record}\r\n").as_bytes());
        }
        out.extend_from_slice(line);
    }
    Some(out)
}

#[test]
fn unknown_records_in_the_output() {
    // That they were there is told at the end.
    check_without(&["unknown_records"], |name, bytes| {
        with_records(name, bytes, &UNKNOWN)
    });
    // There are more lines then.
    let without = ["line", "lines", "phases"];
    check_without(&without, |name, bytes| {
        with_records(name, bytes, &[UNKNOWN_ACTION])
    });
}

#[test]
fn unknown_records_beside_the_output() {
    for (name, exit) in [
        ("nix2.34-ng-switch-sidechannel-pty", 0),
        ("nix2.34-ng-builderr-sidechannel-pty", 1),
    ] {
        let bytes = fs::read(data().join(format!("{name}.raw"))).unwrap();
        let records = fs::read_to_string(data().join(format!("{name}.json"))).unwrap();
        let mut random = Seed(1);
        let mut more = String::new();
        for line in records.lines() {
            more.push_str(UNKNOWN[random.below(UNKNOWN.len())]);
            more.push('\n');
            more.push_str(UNKNOWN_ACTION);
            more.push('\n');
            more.push_str(line);
            more.push('\n');
        }
        let summary = |records: &str| {
            let mut out = Vec::new();
            report([bytes.as_slice()], Some(exit), Some(records), &mut out).unwrap();
            let text = String::from_utf8(out).unwrap();
            let (events, last) = text.trim_end().rsplit_once('\n').unwrap();
            let mut last: Value = serde_json::from_str(last).unwrap();
            let unknown = last.as_object_mut().unwrap().remove("unknown_records");
            (events.to_owned(), last, unknown.is_some())
        };
        let (events, last, none) = summary(&records);
        assert!(!none, "{name}");
        assert_eq!(summary(&more), (events, last, true), "{name}");
    }
}

/// Where the output ends is where the supervisor was killed, or the host: what came before means what it meant.
#[test]
fn any_end() {
    for name in names().iter().step_by(7) {
        let bytes = fs::read(data().join(format!("{name}.raw"))).unwrap();
        let phases = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| line.contains(r#""event":"phase""#))
                .map(str::to_owned)
                .collect()
        };
        let whole = phases(&told([bytes.as_slice()], None));
        let mut random = Seed(3);
        for _ in 0..20 {
            let end = random.below(bytes.len().max(1));
            let text = told([&bytes[..end]], None);
            // Phases that the end itself decides are those before a marker that did not come.
            let found = phases(&text);
            assert!(found.first() == whole.first(), "{name} {end}");
            let summary: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
            let builds = &summary["builds"];
            let count = |of: &str| builds[of].as_u64().unwrap();
            assert!(
                count("planned") >= count("done") + count("failed"),
                "{name} {end}"
            );
        }
    }
}
