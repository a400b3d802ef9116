//! What the fuzz targets share: bytes to begin with, made when a target starts, so that none have to be kept in files.

use std::path::Path;

use nixfleet::agent::helper::Request;
use nixfleet::agent::launcher::RunCommand;
use nixfleet::run::event::{LineMark, NoticeKind, Outcome, Progress, RunEvent};
use nixfleet::run::id::{RunId, Seq};
use nixfleet::run::phase::{Phase, RunState};
use nixfleet::run::system::SystemState;
use nixfleet::run::view::RunView;
use nixfleet::wire::{frame, record};

/// Names the directory for a target's seeds; without it there are none.
pub const SEEDS: &str = "NIXFLEET_SEEDS";

/// Writes seeds into the directory that [`SEEDS`] names.
pub fn seed(seeds: impl IntoIterator<Item = Vec<u8>>) {
    let Some(dir) = std::env::var_os(SEEDS) else {
        return;
    };
    for (n, bytes) in seeds.into_iter().enumerate() {
        let path = Path::new(&dir).join(format!("seed-{n}"));
        std::fs::write(&path, bytes).expect("a directory for seeds that can be written");
    }
}

/// What rebuilds print: the bar, texts, records, errors.
pub fn rebuilds() -> Vec<Vec<u8>> {
    [
        "building the system configuration...\r\n\r\x1b[K[1/2/10 built, 3/4 copied (1.0/2.0 MiB)] building \x1b[1mhello-2.12\x1b[0m (buildPhase): x\x1b[K\r\n",
        "these 3 derivations will be built:\n  /nix/store/h-a.drv\nbuilding '/nix/store/h-a.drv'...\ncopying path '/nix/store/h-b' from 'https://c'...\n",
        "error: builder for '/nix/store/h-a.drv' failed with exit code 2;\n       last 2 log lines:\n       > one\n       > two\n",
        "error: Cannot build '/nix/store/h-a.drv'.\n       Reason: builder failed with exit code 2.\n",
        "@nix {\"action\":\"start\",\"id\":1,\"level\":0,\"parent\":0,\"text\":\"\",\"type\":104}\n@nix {\"action\":\"start\",\"fields\":[\"/nix/store/h-a.drv\",\"\",1,1],\"id\":2,\"level\":3,\"parent\":0,\"text\":\"building\",\"type\":105}\n@nix {\"action\":\"result\",\"fields\":[0,1,1,0],\"id\":1,\"type\":105}\n",
        "{\"action\":\"start\",\"id\":1,\"level\":0,\"parent\":0,\"text\":\"\",\"type\":104}\n{\"action\":\"result\",\"fields\":[1,1,0,0],\"id\":1,\"type\":105}\n{\"action\":\"msg\",\"level\":0,\"msg\":\"error: x\"}\n{\"action\":\"result\",\"id\":1,\"payload\":{\"drvPath\":\"/nix/store/h-a.drv\",\"status\":\"Built\"},\"type\":110}\n",
        "activating the configuration...\nrestarting the following units: a.service\nwarning: the following units failed: b.service\nDone. The new configuration is /nix/store/h-nixos\n",
    ]
    .map(|text| text.as_bytes().to_vec())
    .to_vec()
}

/// One event of each kind, with the output beside it.
pub fn events() -> Vec<(RunEvent, Vec<u8>)> {
    let raw = b"building\r\x1b[Kbuilt\nsecond line\nunfinished".to_vec();
    let mark = |len, skip| LineMark { len, skip, ago: 7 };
    let system = || {
        Some(Box::new(SystemState {
            generation: Some(41),
            kernel_changed: Some(true),
            ..SystemState::default()
        }))
    };
    vec![
        (
            RunEvent::Started {
                at: 1,
                argv: vec!["nixos-rebuild".into(), "switch".into()],
                agent_version: "1".into(),
                boot_id: Some("b".into()),
                generation: Some("/nix/store/x".into()),
                system: system(),
            },
            vec![],
        ),
        (
            RunEvent::Phase {
                at: 2,
                phase: Phase::Building,
                line: 1,
            },
            vec![],
        ),
        (
            RunEvent::Output {
                at: 3,
                offset: 0,
                first_line: 1,
                lines: vec![mark(18, 12), mark(12, 0)],
                tail_skip: 3,
            },
            raw,
        ),
        (
            RunEvent::Progress {
                at: 4,
                progress: Progress::default(),
            },
            vec![],
        ),
        (
            RunEvent::Notice {
                at: 5,
                kind: NoticeKind::FailedUnit,
                line: 2,
                text: "nginx.service".into(),
            },
            vec![],
        ),
        (
            RunEvent::Gap {
                at: 6,
                offset: 40,
                bytes: 100,
                lines: 3,
                reason: "no space".into(),
            },
            vec![],
        ),
        (
            RunEvent::StopRequested {
                at: 7,
                by: "ann".into(),
                force: true,
                refused: None,
            },
            vec![],
        ),
        (
            RunEvent::Checkpoint {
                at: 8,
                offset: 140,
                lines: 5,
                crc32c: 1,
                view: Box::new(RunView::default()),
            },
            vec![],
        ),
        (
            RunEvent::Finished {
                at: 9,
                outcome: Outcome {
                    state: RunState::Degraded,
                    exit_code: Some(4),
                    signal: None,
                    reason: Some("units failed".into()),
                    failure: None,
                },
                lines: 5,
                bytes: 140,
                crc32c: 2,
                generation: None,
                system: system(),
            },
            vec![],
        ),
    ]
}

/// One request to the helper of each kind, a line each.
pub fn requests() -> Vec<Vec<u8>> {
    let run = RunId::new();
    let start = |args: &[&str]| Request::Start {
        run: RunCommand {
            run,
            command: "switch".parse().expect("a name"),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            requested_by: "ann".into(),
        },
    };
    let all = [
        Request::Offer {},
        start(&[]),
        start(&["github:owner/repo?ref=main#web1", "web1.lan", "42"]),
        start(&["/nix/store/0123456789abcdfghijklmnpqrsvwxyz-nixos-system-web1-26.05"]),
        start(&["--option", "path:../x", "a;b\n"]),
        Request::Stop {
            run,
            by: "ann".into(),
            force: true,
        },
        Request::List {},
        Request::Conclude { run },
        Request::Release { run },
    ];
    let line = |request: &Request| {
        let mut line = serde_json::to_vec(request).expect("a request");
        line.push(b'\n');
        line
    };
    all.iter().map(line).collect()
}

/// A record of that event.
pub fn record_of(seq: u64, event: &RunEvent, raw: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    record::encode(Seq(seq), event, raw, &mut bytes).expect("an event that fits");
    bytes
}

/// All events as records, numbered from 1.
pub fn records() -> Vec<u8> {
    (1..)
        .zip(events())
        .flat_map(|(seq, (event, raw))| record_of(seq, &event, &raw))
        .collect()
}

/// A frame of such records.
pub fn frame_of(records: &[u8]) -> Vec<u8> {
    let run: RunId = "0199a3f0-7a5c-7d3e-8b1f-2f6c9e4d5a10"
        .parse()
        .expect("an id");
    frame::encode(run, Seq(1), Seq(9), records).expect("a frame")
}
