//! Bad requests: a table of what attackers try, and what a seeded generator makes of it.

use fastrand::Rng;
use nixfleet::run::id::RunId;
use serde_json::{Value, json};

use super::oversized::oversized;

/// How many requests the generator adds to the table.
const MADE_UP: usize = 1100;
/// A store path as a system's, of a system that is not there.
const SYSTEM: &str = "/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-web1-26.05";

/// `NIXFLEET_TEST_SEED`, or another one each time.
pub fn seed() -> u64 {
    let given = std::env::var("NIXFLEET_TEST_SEED").ok();
    given.map_or_else(|| fastrand::u64(..), |text| text.parse().unwrap())
}

/// A request to start a command.
pub fn start(command: &str, args: &[&str]) -> Vec<u8> {
    line(&start_value(command, &json!(args)))
}

fn start_value(command: &str, args: &Value) -> Value {
    json!({"request": "start", "run": {
        "run": RunId::new().to_string(), "command": command, "args": args, "requested_by": "ann"
    }})
}

fn line(value: &Value) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(value).unwrap();
    bytes.push(b'\n');
    bytes
}

/// What no kind of argument takes.
const INJECTED: [&str; 12] = [
    "--option",
    "-x",
    "--flake=/tmp/evil",
    "-",
    "a\nb",
    "a\rb",
    "a\0b",
    "\u{1b}]0;x\u{7}",
    "\n",
    "-c\nrm -rf /",
    "--help",
    "\u{9b}2J",
];

/// What the kinds that are more than text do not take either.
const UNTYPED: [&str; 24] = [
    "",
    ".",
    "..",
    "../../etc",
    "./x",
    "etc/passwd/../..",
    "a b",
    "a;b",
    "; reboot",
    "$(reboot)",
    "`reboot`",
    "a|b",
    "a&&b c",
    "a>b",
    "a'b",
    "a\"b",
    "{a,b}",
    "~root/x y",
    "*",
    "%s%n",
    "ü",
    "path:../x",
    "git+file:x",
    "\u{202e}x",
];

fn systems() -> Vec<String> {
    let hash = &SYSTEM["/nix/store/".len()..];
    vec![
        SYSTEM.into(),
        format!("{SYSTEM}/bin/switch-to-configuration"),
        format!("{SYSTEM}/.."),
        format!("/nix/store/../..{SYSTEM}"),
        format!("/nix/store//{hash}"),
        format!("/nix/store/./{hash}"),
        hash.into(),
        "/nix/store".into(),
        "/nix/store/".into(),
        "/etc".into(),
        "/run/current-system".into(),
        "/nix/var/nix/profiles/system".into(),
        "/proc/self/root".into(),
        "/tmp/nixos-system-x".into(),
    ]
}

/// Requests that are wrong whatever is in them.
fn table() -> Vec<Vec<u8>> {
    let run = RunId::new();
    let mut all: Vec<Vec<u8>> = Vec::new();
    for text in [
        "",
        "\n",
        "\0",
        "null",
        "true",
        "1",
        "-0",
        "1e999",
        "\"offer\"",
        "[]",
        "{}",
        "[[]]",
        "{",
        "}",
        "\u{feff}{}",
        "offer",
        "OFFER",
        "GET / HTTP/1.1\r\n\r\n",
        "{\"request\":null}",
        "{\"request\":1}",
        "{\"request\":[]}",
        "{\"request\":{}}",
        "{\"request\":\"\"}",
        "{\"request\":\"Offer\"}",
        "{\"request\":\"offer \"}",
        "{\"request\":\"shell\",\"command\":\"sh\"}",
        "{\"request\":\"offer\",\"x\":1}",
        "{\"request\":\"offer\",\"request\":\"list\"}",
        "{\"request\":\"offer\"}{\"request\":\"list\"}",
        "{\"request\":\"offer\"}\n{\"request\":\"list\"}\n",
        "{\"request\":\"offer\"}\n\n",
        "{\"request\":\"offer\"} x",
        "{\"request\":\"offer\",}",
        "{'request':'offer'}",
        "{\"request\":\"off\\u0000er\"}",
        "{\"request\":\"x\\nWARN run 1: all is well\\u001b[2J\"}",
        "{\"request\":\"start\"}",
        "{\"request\":\"start\",\"run\":null}",
        "{\"request\":\"start\",\"run\":{}}",
        "{\"request\":\"start\",\"run\":[]}",
        "{\"request\":\"stop\"}",
        "{\"request\":\"conclude\"}",
        "{\"request\":\"release\"}",
        "{\"request\":\"release\",\"run\":\"../../etc\"}",
        "{\"request\":\"release\",\"run\":\"*\"}",
        "{\"request\":\"conclude\",\"run\":\"\"}",
        "{\"request\":\"conclude\",\"run\":0}",
        "{\"request\":\"\u{fffd}\"}",
    ] {
        all.push(text.as_bytes().to_vec());
    }
    for bytes in [
        b"\xff\xfe\x00".as_slice(),
        b"\x80",
        b"\x7fELF\x02\x01\x01",
        b"{\"request\":\"\xc3\x28\"}",
    ] {
        all.push(bytes.to_vec());
    }
    // Runs that are not there, named in every way.
    for id in [
        run.to_string(),
        run.to_string().to_uppercase(),
        format!("urn:uuid:{run}"),
        "0".repeat(32),
    ] {
        all.push(line(&json!({"request": "conclude", "run": id})));
        all.push(line(
            &json!({"request": "stop", "run": id, "by": "ann", "force": true}),
        ));
    }
    let id = run.to_string();
    for id in [
        format!("{id}/"),
        format!("{id}/.."),
        format!("./{id}"),
        format!("{id}\0"),
        format!(" {id}"),
        format!("{id}\n"),
    ] {
        for request in ["conclude", "release"] {
            all.push(line(&json!({"request": request, "run": id})));
        }
        let mut value = start_value("good", &json!([]));
        value["run"]["run"] = json!(id);
        all.push(line(&value));
    }
    all.push(line(
        &json!({"request": "stop", "run": id, "by": "x".repeat(1025), "force": true}),
    ));
    all.push(line(
        &json!({"request": "stop", "run": id, "by": "ann", "force": "yes"}),
    ));
    // A good command with something beside it.
    for (key, value) in [
        ("argv", json!(["sh"])),
        ("env", json!([["LD_PRELOAD", "/tmp/x.so"]])),
        ("cwd", json!("/")),
        ("kind", json!("plain")),
        ("user", json!("root")),
        ("state_dir", json!("/etc")),
        ("gc_root", json!("/etc/passwd")),
        ("group", json!(0)),
    ] {
        let mut inner = start_value("good", &json!([]));
        inner["run"][key] = value.clone();
        all.push(line(&inner));
        let mut outer = start_value("good", &json!([]));
        outer[key] = value;
        all.push(line(&outer));
    }
    for key in ["run", "command", "args", "requested_by"] {
        for value in [
            json!(null),
            json!(1),
            json!({}),
            json!([[]]),
            json!([1]),
            json!(true),
        ] {
            let mut wrong = start_value("good", &json!([]));
            wrong["run"][key] = value;
            all.push(line(&wrong));
        }
        let mut less = start_value("good", &json!([]));
        less["run"].as_object_mut().unwrap().remove(key);
        all.push(line(&less));
    }
    for command in [
        "",
        "sh",
        "/bin/sh",
        "good ",
        " good",
        "good;reboot",
        "good\nreboot",
        "../good",
        "Good",
        "g\u{f6}\u{f6}d",
        "--help",
        "stop",
        "steps",
        "supervise",
        "good\0",
        "*",
        "go",
        "goood",
    ] {
        all.push(start(command, &[]));
    }
    all.extend([
        start("good", &[""]),
        start("good", &["x"]),
        start("with-host", &[]),
        start("with-host", &["a", "b"]),
    ]);
    for args in INJECTED {
        all.push(start("free", &[args]));
        all.push(start("free", &["fine", args]));
        for kind in ["flake", "host", "generation", "system", "text"] {
            all.push(start(&format!("with-{kind}"), &[args]));
        }
    }
    for arg in UNTYPED {
        for kind in ["flake", "host", "generation", "system"] {
            all.push(start(&format!("with-{kind}"), &[arg]));
        }
    }
    for system in systems() {
        all.push(start("with-system", &[&system]));
    }
    let long = "a".repeat(5000);
    all.push(start("free", &[&long]));
    all.push(start("free", &["a"; 65]));
    oversized(&mut all);
    all
}

/// The table and what the generator makes of it, in any order.
pub fn requests(seed: u64) -> Vec<Vec<u8>> {
    let mut rng = Rng::with_seed(seed);
    let mut all = table();
    for _ in 0..MADE_UP {
        all.push(made_up(&mut rng));
    }
    rng.shuffle(&mut all);
    all
}

fn made_up(rng: &mut Rng) -> Vec<u8> {
    match rng.u8(..6) {
        // Any bytes.
        0 => (0..rng.usize(..400)).map(|_| rng.u8(..)).collect(),
        // A good request, cut.
        1 => {
            let whole = start("good", &[]);
            // Without the newline and the last brace at least.
            whole[..rng.usize(..whole.len() - 2)].to_vec()
        }
        // A request that offers nothing to start, with some bytes changed.
        2 => {
            let mut bytes = start("no-such-command", &["x"]);
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
            bytes
        }
        // Other commands.
        3 => {
            let name: String = (0..rng.usize(1..80)).map(|_| rng.lowercase()).collect();
            start(&format!("x{name}"), &[])
        }
        // Arguments with something bad somewhere in them.
        4 => {
            let kind = ["flake", "host", "generation", "system"][rng.usize(..4)];
            let bad = [
                ';', '\n', ' ', '$', '`', '|', '\'', '"', '\\', '\0', '\u{1b}', '\u{202e}', '<',
            ];
            let mut text: String = (0..rng.usize(..40)).map(|_| rng.alphanumeric()).collect();
            text.insert(rng.usize(..=text.len()), bad[rng.usize(..bad.len())]);
            start(&format!("with-{kind}"), &[&text])
        }
        // Options and control characters for commands that take any text.
        _ => {
            let mut text: String = (0..rng.usize(..40)).map(|_| rng.char('!'..='~')).collect();
            if rng.bool() {
                text.insert(0, '-');
            } else {
                text.insert(rng.usize(..=text.len()), rng.char('\0'..='\u{1f}'));
            }
            start(["free", "with-text"][rng.usize(..2)], &[&text])
        }
    }
}
