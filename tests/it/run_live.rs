//! A run seen live from outside: phases, lines, bytes, and a stream that resumes without a hole or a double.

use serde_json::Value;

use crate::support::Fleet;

/// Prints what a rebuild prints, in the words of nixos-rebuild-ng, Nix's bar and switch-to-configuration.
const REBUILD: &str = r"#!/bin/sh
printf 'building the system configuration...\n'
sleep 0.2
printf '\r[0/2 built] \033[0m\033[K'
sleep 0.2
printf '\r[\033[34;1m1\033[0m/\033[32;1m0\033[0m/2 built] building \033[1mhello-2.12\033[0m (buildPhase): \033[32mok\033[0m\033[0m\033[K'
sleep 0.2
printf '\r[\033[34;1m1\033[0m/\033[32;1m1\033[0m/2 built] building \033[1mworld-1.0\033[0m\033[0m\033[K'
sleep 0.2
printf '\r\033[Kstopping the following units: a.service\n'
printf 'activating the configuration...\n'
printf 'setting up /etc...\n'
sleep 0.2
printf 'restarting the following units: a.service\n'
printf 'caf\351 \033]8;;http://x\033\\link\033]8;;\033\\ \033[1;31mred\033[0m\n'
printf 'Done. The new configuration is\n/nix/store/00000000000000000000000000000000-nixos-system-web1-26.05\n'
";

pub fn rebuild_config(fleet: &Fleet, script: &str) -> String {
    let program = fleet.script("nixos-rebuild", script);
    format!(
        "[rebuild]\ntool = \"nixos-rebuild\"\nprogram = \"{}\"\nflake = \"/etc/nixos#web1\"\n",
        program.display()
    )
}

#[test]
fn a_rebuild_is_live_and_stays() {
    let fleet = Fleet::start();
    let _agent = fleet.agent("web1", &rebuild_config(&fleet, REBUILD));
    let run = fleet.run("web1", "switch");

    let (mut numbers, mut texts, mut states, mut ended) =
        (Vec::new(), Vec::new(), Vec::new(), false);
    let mut partials = 0;
    fleet.api.events(
        &format!("/api/runs/{run}/events"),
        None,
        |name, id, data| {
            match name {
                "lines" => {
                    for line in data["lines"].as_array().unwrap() {
                        numbers.push(line["n"].as_u64().unwrap());
                        texts.push(line["text"].as_str().unwrap().to_owned());
                    }
                    assert_eq!(id, Some(numbers.last().unwrap().to_string().as_str()));
                }
                "run" => states.push(data["state"].as_str().unwrap().to_owned()),
                "partial" => partials += 1,
                "end" => ended = true,
                other => panic!("an event {other}"),
            }
            !ended
        },
    );
    let finished = fleet.finished(&run);
    assert_eq!(finished["state"], "succeeded", "{finished}");
    let phases: Vec<&str> = finished["phases"]
        .as_array()
        .unwrap()
        .iter()
        .map(|phase| phase["phase"].as_str().unwrap())
        .collect();
    assert_eq!(
        phases,
        ["evaluating", "building", "activating", "switching"],
        "{finished}"
    );
    assert_eq!(finished["exit_code"], 0);
    assert_eq!(finished["progress"]["builds"]["planned"], 2, "{finished}");
    assert!(partials > 0, "the bar was never shown");
    assert_eq!(states.last().unwrap(), "succeeded");

    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(finished["lines"].as_u64(), numbers.last().copied());
    assert!(
        texts.contains(&"activating the configuration...".to_owned()),
        "{texts:?}"
    );
    // Colours stay, other escapes and broken UTF-8 do not reach a reader.
    assert!(
        texts.contains(&"caf\u{fffd} link \u{1b}[1;31mred\u{1b}[0m".to_owned()),
        "{texts:?}"
    );

    let log = fleet.log(&run);
    assert_eq!(log.len() as u64, finished["bytes"].as_u64().unwrap());
    let text = String::from_utf8_lossy(&log);
    assert!(
        text.contains("\r[0/2 built] \u{1b}[0m\u{1b}[K"),
        "redraws are kept: {text:?}"
    );
    assert!(
        log.windows(5).any(|part| part == b"caf\xe9 "),
        "bytes are kept"
    );

    let page = fleet
        .api
        .get(&format!("/api/runs/{run}/log?from=2&limit=3"))
        .body;
    let part: Vec<u64> = page["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["n"].as_u64().unwrap())
        .collect();
    assert_eq!(part, [2, 3, 4]);
    assert_eq!(page["next"], 5);
}

#[test]
fn a_stream_resumes_after_its_last_event() {
    let fleet = Fleet::start();
    let script = "#!/bin/sh\ni=0\nwhile [ $i -lt 400 ]; do i=$((i+1)); echo line $i; [ $((i % 100)) = 0 ] && sleep 0.1; done\nexit 0\n";
    let program = fleet.script("count", script);
    let _agent = fleet.agent(
        "web1",
        &format!(
            "[commands.count]\nargv = [\"{}\"]\ndescription = \"counts\"\n",
            program.display()
        ),
    );
    let run = fleet.run("web1", "count");
    let path = format!("/api/runs/{run}/events");
    let mut lines: Vec<Value> = Vec::new();
    let (mut last, mut ended, mut connections) = (None::<String>, false, 0);
    while !ended {
        connections += 1;
        assert!(lines.len() <= 400, "lines came again: {:?}", lines.last());
        fleet
            .api
            .events(&path, last.clone().as_deref(), |name, id, data| {
                if name == "lines" {
                    lines.extend(data["lines"].as_array().unwrap().iter().cloned());
                    last = id.map(str::to_owned);
                    // Drop the connection after every batch.
                    return false;
                }
                ended = name == "end";
                !ended
            });
    }
    let texts: Vec<&str> = lines
        .iter()
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (1..=400).map(|number| format!("line {number}")).collect();
    assert_eq!(texts, expected);
    assert!(connections > 1, "one connection proves nothing");
}

#[test]
fn every_outcome_is_what_happened() {
    let fleet = Fleet::start();
    let script = r#"#!/bin/sh
case "$1" in
  switch)
    echo 'building the system configuration...'; echo 'activating the configuration...'
    echo 'warning: the following units failed: nginx.service'
    echo "Command '/nix/store/x/bin/switch-to-configuration switch' returned non-zero exit status 4."
    exit 4 ;;
  boot)
    echo 'building the system configuration...'
    printf "error: attribute 'nope' missing\n       at /etc/nixos/flake.nix:3:5:\n"
    exit 1 ;;
  build) kill -9 $$ ;;
  test)
    echo 'activating the configuration...'
    echo 'Warning: the new NixOS configuration has an ‘init’ that is'
    exit 100 ;;
esac
"#;
    let _agent = fleet.agent("web1", &rebuild_config(&fleet, script));
    for (command, state, code, reason) in [
        ("switch", "degraded", Some(4), "nginx.service"),
        ("boot", "failed", Some(1), "attribute 'nope' missing"),
        ("build", "failed", None, "signal"),
        ("try", "reboot_required", Some(100), "reboot"),
    ] {
        let run = fleet.run("web1", command);
        let finished = fleet.finished(&run);
        assert_eq!(finished["state"], state, "{finished}");
        assert_eq!(finished["exit_code"].as_i64(), code, "{finished}");
        assert!(
            finished["reason"].as_str().unwrap().contains(reason),
            "{finished}"
        );
    }
}

#[test]
fn the_command_line_follows_a_real_agent() {
    let fleet = Fleet::start();
    let _agent = fleet.agent("web1", &rebuild_config(&fleet, REBUILD));
    let token = fleet.path("api-token");
    std::fs::write(&token, &fleet.api.token).unwrap();
    let nixfleet = |args: &[&str]| {
        let output = std::process::Command::new(crate::support::process::program("nixfleet"))
            .args(["--url", &fleet.api.base, "--token-file"])
            .arg(&token)
            .args(args)
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let followed = nixfleet(&["switch", "web1"]);
    assert!(
        followed.contains("activating the configuration...\n"),
        "{followed}"
    );
    // No terminal: not even colours.
    assert!(!followed.contains('\u{1b}'), "{followed:?}");
    assert_eq!(
        nixfleet(&["logs", "web1"]),
        followed,
        "what was followed is what stays"
    );
    let runs: Value = serde_json::from_str(&nixfleet(&["runs", "web1", "--json"])).unwrap();
    assert_eq!(runs["runs"][0]["state"], "succeeded", "{runs}");
    assert!(nixfleet(&["hosts"]).contains("web1"));
}
