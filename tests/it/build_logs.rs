//! What single builds print: from Nix's records in a socket to the API and the command line, while dashboards come and go.

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::run_live::rebuild_config;
use crate::support::Fleet;
use crate::support::process::{program, wait_until};

const A: &str = "/nix/store/00000000000000000000000000000000-a+b-1.0.drv";
const B: &str = "/nix/store/11111111111111111111111111111111-b-2.drv";

/// A rebuild that says where Nix's records go, prints while it waits, and ends when the test says so.
fn waiting(fleet: &Fleet) -> String {
    let (told, end) = (fleet.path("told"), fleet.path("end"));
    let script = format!(
        "#!/bin/sh\necho 'building the system configuration...'\nprintf '%s\\n' \"$NIX_CONFIG\" >{0}.new; mv {0}.new {0}\n\
         while [ ! -e {1} ]; do date -u '+tick %FT%T.%3NZ'; sleep 0.1; done\nexit 1\n",
        told.display(),
        end.display()
    );
    rebuild_config(fleet, &script)
}

/// A Nix process that writes its records.
struct Nix(UnixStream);

impl Nix {
    fn connect(fleet: &Fleet) -> Self {
        let config = wait_until("the program to start", || {
            fs::read_to_string(fleet.path("told")).ok()
        });
        let path = config
            .lines()
            .find_map(|line| line.strip_prefix("json-log-path = "))
            .expect("where the records go");
        Self(UnixStream::connect(PathBuf::from(path)).unwrap())
    }

    fn say(&mut self, record: &Value) {
        self.0.write_all(format!("{record}\n").as_bytes()).unwrap();
    }

    fn start(&mut self, id: u64, kind: u64, fields: &Value) {
        self.say(&json!({"action": "start", "id": id, "level": 3, "parent": 0, "text": "", "type": kind, "fields": fields}));
    }

    fn line(&mut self, id: u64, text: &str) {
        self.say(&json!({"action": "result", "id": id, "type": 101, "fields": [text]}));
    }

    /// Two builds that run.
    fn begin(&mut self) {
        self.start(1, 102, &json!([]));
        self.start(2, 104, &json!([]));
        self.say(&json!({"action": "result", "id": 2, "type": 105, "fields": [0, 2, 2, 0]}));
        self.start(10, 105, &json!([A, "", 1, 1]));
        self.start(11, 105, &json!([B, "ssh://builder", 1, 1]));
    }
}

/// Seconds of the day in `2026-01-01T08:15:30.250Z`.
fn seconds(at: &str) -> f64 {
    let part = |range: std::ops::Range<usize>| at[range].parse::<f64>().unwrap();
    part(11..13) * 3600.0 + part(14..16) * 60.0 + part(17..at.len() - 1)
}

fn encoded(drv: &str) -> String {
    drv.replace('+', "%2B")
}

/// `N text` of every line, asked for in small pages.
fn read(fleet: &Fleet, run: &str, drv: &str) -> Vec<String> {
    let (mut all, mut from) = (Vec::new(), 1);
    loop {
        let path = format!(
            "/api/runs/{run}/builds/log?drv={}&from={from}&limit=7",
            encoded(drv)
        );
        let answer = fleet.api.get(&path);
        if answer.status == 404 {
            return all;
        }
        assert_eq!(answer.status, 200, "{}", answer.body);
        let lines = answer.body["lines"].as_array().unwrap();
        if lines.is_empty() {
            return all;
        }
        let shown = lines
            .iter()
            .map(|line| format!("{} {}", line["n"], line["text"].as_str().unwrap()));
        all.extend(shown);
        from = answer.body["next"].as_u64().unwrap();
    }
}

#[test]
fn each_builds_log_is_read_line_for_line_whatever_was_restarted() {
    let mut fleet = Fleet::start();
    let config = waiting(&fleet);
    let agent = fleet.agent("web1", &config);
    let run = fleet.run("web1", "switch");
    let mut nix = Nix::connect(&fleet);
    nix.begin();
    let mut expected = (Vec::new(), Vec::new());
    let mut say = |nix: &mut Nix, part: u64| {
        for n in part * 20 + 1..=part * 20 + 20 {
            nix.line(10, &format!("\u{1b}[1mline\u{1b}[0m {n}"));
            nix.line(11, &format!("other {n}"));
            expected.0.push(format!("{n} \u{1b}[1mline\u{1b}[0m {n}"));
            expected.1.push(format!("{n} other {n}"));
        }
    };
    say(&mut nix, 0);
    // They are there while the run goes on.
    wait_until("the first lines", || {
        (read(&fleet, &run, A).len() == 20).then_some(())
    });
    let page = fleet
        .api
        .get(&format!("/api/runs/{run}/builds/log?drv={}", encoded(A)))
        .body;
    assert_eq!(
        (&page["complete"], &page["total"]),
        (&json!(false), &json!(20))
    );
    fleet.kill_dashboard();
    say(&mut nix, 1);
    fleet.start_dashboard();
    wait_until("the lines of meanwhile", || {
        (read(&fleet, &run, B).len() == 40).then_some(())
    });
    agent.kill();
    say(&mut nix, 2);
    // An escape that is no colour, and a line that is too long.
    nix.line(11, "\u{1b}]0;title\u{7}x");
    nix.line(11, &"y".repeat(9000));
    let _agent = fleet.agent("web1", &config);
    nix.line(10, "error: it failed");
    nix.say(&json!({"action": "msg", "level": 0, "msg": format!("error: Cannot build '{A}'.\n       Reason: builder failed with exit code 2.")}));
    fs::write(fleet.path("end"), "").unwrap();
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "failed", "{finished}");
    expected.0.push("61 error: it failed".to_owned());
    expected.1.push("61 x".to_owned());
    assert_eq!(read(&fleet, &run, A), expected.0);
    let other = read(&fleet, &run, B);
    assert_eq!(other[..61], expected.1);
    assert!(
        other.len() == 62 && other[61].ends_with("y… (4944 bytes more)"),
        "{}",
        other[61]
    );

    let list = fleet.api.get(&format!("/api/runs/{run}/builds")).body;
    let build = |name: &str, drv: &str, lines: u64| json!({"name": name, "drv": drv, "lines": lines, "rest_dropped": false});
    let builds = json!([build("a+b-1.0", A, 61), build("b-2", B, 62)]);
    assert_eq!(
        list,
        json!({"builds": builds, "more": false, "incomplete": false})
    );
    let page = fleet
        .api
        .get(&format!(
            "/api/runs/{run}/builds/log?drv={}&from=60",
            encoded(A)
        ))
        .body;
    assert_eq!(
        (&page["complete"], &page["next"]),
        (&json!(true), &json!(62))
    );
    // They are no part of the output.
    assert!(!String::from_utf8_lossy(&fleet.log(&run)).contains("other"));

    for (query, status, part) in [
        (
            format!("?drv={}", encoded(A).replace("1.0", "3")),
            404,
            "b-2.drv",
        ),
        ("?drv=".to_owned(), 404, B),
        (String::new(), 400, "write ?drv="),
        (format!("?drv={B}&limit=0"), 400, "`from`"),
        (format!("?drv={B}&from=x"), 400, "digits"),
    ] {
        let answer = fleet.api.get(&format!("/api/runs/{run}/builds/log{query}"));
        assert_eq!(answer.status, status, "{query}: {}", answer.body);
        let hint = answer.body["error"]["hint"].as_str().unwrap();
        assert!(hint.contains(part), "{query}: {hint}");
    }
    let nobody = crate::support::api::Api::new(&fleet.api.base, "no-token");
    assert_eq!(nobody.get(&format!("/api/runs/{run}/builds")).status, 401);

    let token = fleet.path("api-token");
    fs::write(&token, &fleet.api.token).unwrap();
    let nixfleet = |build: &str, more: &[&str]| {
        let mut command = std::process::Command::new(program("nixfleet"));
        command
            .args(["--url", &fleet.api.base, "--token-file"])
            .arg(&token);
        let output = command
            .args(["logs", "web1", "--build", build])
            .args(more)
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let (code, text, _) = nixfleet("b-2", &[]);
    assert_eq!(code, Some(0));
    assert!(
        text.starts_with("other 1\nother 2\n") && text.contains("\nother 60\nx\ny"),
        "{text}"
    );
    let (_, text, _) = nixfleet(A, &["--json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["lines"].as_array().unwrap().len(), 61);
    let (code, _, error) = nixfleet("nothing", &[]);
    assert!(
        code != Some(0) && error.contains("those that have one: a+b-1.0, b-2"),
        "{error}"
    );
}

#[test]
fn a_flood_of_one_build_keeps_nobody_waiting_and_says_where_it_ends() {
    let fleet = Fleet::start();
    let _agent = fleet.agent("web1", &waiting(&fleet));
    let run = fleet.run("web1", "switch");
    let mut nix = Nix::connect(&fleet);
    nix.begin();
    // 40 MiB, more than is kept.
    let text = "z".repeat(1000);
    for n in 0..40_000 {
        nix.line(10, &text);
        if n % 1000 == 0 {
            let host = fleet.api.get("/api/hosts/web1").body;
            let age = host["last_heartbeat_age_ms"].as_u64().unwrap();
            assert!(age < 3000, "no heartbeat for {age} ms");
        }
    }
    nix.line(11, "the other one");
    drop(nix);
    fs::write(fleet.path("end"), "").unwrap();
    let finished = fleet.finished(&run);
    assert_eq!(
        (&finished["state"], &finished["bytes_missing"]),
        (&json!("failed"), &json!(0))
    );
    // What reads the terminal has not waited: each line was read soon after it was printed.
    let log = fleet
        .api
        .get(&format!("/api/runs/{run}/log?limit=5000"))
        .body;
    let lines = log["lines"].as_array().unwrap();
    let waited: Vec<f64> = lines
        .iter()
        .filter_map(|line| {
            let printed = line["text"].as_str()?.strip_prefix("tick ")?;
            // Midnight may lie between the two.
            let waited = seconds(line["at"].as_str()?) - seconds(printed);
            Some((waited + 43_200.0).rem_euclid(86_400.0) - 43_200.0)
        })
        .collect();
    assert!(waited.len() > 5, "{log}");
    let longest = waited.into_iter().fold(0.0, f64::max);
    assert!(longest < 1.5, "a line waited {longest} s");
    let list = fleet.api.get(&format!("/api/runs/{run}/builds")).body;
    assert_eq!(list["incomplete"], true, "{list}");
    let (first, second) = (&list["builds"][0], &list["builds"][1]);
    assert_eq!(
        (&first["drv"], &first["rest_dropped"]),
        (&json!(A), &json!(true))
    );
    assert_eq!(
        (&second["drv"], &second["rest_dropped"], &second["lines"]),
        (&json!(B), &json!(true), &json!(0))
    );
    let kept = first["lines"].as_u64().unwrap();
    assert!((16_000..17_000).contains(&kept), "{kept} lines");
    let path = format!(
        "/api/runs/{run}/builds/log?drv={}&from={}",
        encoded(A),
        kept - 1
    );
    let page = fleet.api.get(&path).body;
    assert_eq!(
        (&page["complete"], &page["rest_dropped"]),
        (&json!(true), &json!(true)),
        "{page}"
    );
}
