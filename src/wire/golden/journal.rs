//! Journal records and their frames.

use super::{check, progress, run};
use crate::run::event::{
    BuildTime, Failure, LineMark, NoticeKind, Outcome, RunEvent, RunningBuild,
};
use crate::run::id::Seq;
use crate::run::phase::{Phase, RunState};
use crate::run::system::SystemState;
use crate::run::view::RunView;
use crate::wire::frame::{Encoding, RunEventsHeader};

#[test]
fn journal_events() {
    check(
        "event_started",
        &RunEvent::Started {
            at: 1,
            argv: vec!["nixos-rebuild".into(), "switch".into()],
            agent_version: "0.1.0".into(),
            boot_id: Some("5f8b3c1e-0000-4000-8000-000000000000".into()),
            generation: Some("/nix/store/abc-nixos-system-web1-25.11".into()),
            system: None,
        },
    );
    check(
        "event_phase",
        &RunEvent::Phase {
            at: 2,
            phase: Phase::Activating,
            line: 10,
        },
    );
    check(
        "event_progress",
        &RunEvent::Progress {
            at: 3,
            progress: progress(),
        },
    );
    let mut progress = progress();
    if let Some(fetches) = &mut progress.fetches {
        fetches.bytes_per_second = 512;
    }
    progress.running.push(RunningBuild {
        name: "hello-2.12".into(),
        host: Some("ssh://builder".into()),
        phase: Some("buildPhase".into()),
        since: 1_700_000_000_000,
    });
    check(
        "event_progress_running",
        &RunEvent::Progress { at: 3, progress },
    );
    check(
        "event_built",
        &RunEvent::Built {
            at: 4,
            builds: vec![
                BuildTime {
                    name: "hello-2.12".into(),
                    ms: 1500,
                    host: None,
                },
                BuildTime {
                    name: "linux-6.12".into(),
                    ms: 3_600_000,
                    host: Some("ssh://builder".into()),
                },
            ],
        },
    );
    check(
        "event_build_log",
        &RunEvent::BuildLog {
            at: 4,
            name: "hello-2.12".into(),
            drv: "/nix/store/7bhw0mm7j9scprczqwsd0p3czjw29wbn-hello-2.12.drv".into(),
            first: 1,
            lines: vec![
                "\u{1b}[1mchecking\u{1b}[0m for gcc... gcc".into(),
                String::new(),
            ],
            rest_dropped: false,
        },
    );
    check(
        "event_build_log_rest_dropped",
        &RunEvent::BuildLog {
            at: 5,
            name: "hello-2.12".into(),
            drv: "/nix/store/7bhw0mm7j9scprczqwsd0p3czjw29wbn-hello-2.12.drv".into(),
            first: 3,
            lines: vec![],
            rest_dropped: true,
        },
    );
    check(
        "event_output",
        &RunEvent::Output {
            at: 4,
            offset: 4096,
            first_line: 11,
            lines: vec![
                LineMark {
                    len: 20,
                    skip: 4,
                    ago: 15,
                },
                LineMark {
                    len: 1,
                    skip: 0,
                    ago: 0,
                },
            ],
            tail_skip: 3,
        },
    );
    check(
        "event_gap",
        &RunEvent::Gap {
            at: 5,
            offset: 8192,
            bytes: 100,
            lines: 2,
            reason: "No space left on device".into(),
        },
    );
    check(
        "event_notice",
        &RunEvent::Notice {
            at: 6,
            kind: NoticeKind::FailedUnit,
            line: 12,
            text: "nginx.service".into(),
        },
    );
    check(
        "event_stop_requested",
        &RunEvent::StopRequested {
            at: 7,
            by: "ann".into(),
            force: false,
            refused: None,
        },
    );
    check(
        "event_stop_refused",
        &RunEvent::StopRequested {
            at: 7,
            by: "ann".into(),
            force: false,
            refused: Some("the activation has begun".into()),
        },
    );
    check(
        "event_finished",
        &RunEvent::Finished {
            at: 8,
            outcome: Outcome {
                state: RunState::Degraded,
                exit_code: Some(4),
                signal: None,
                reason: Some("switching: nginx.service failed".into()),
                failure: None,
            },
            lines: 12,
            bytes: 8292,
            crc32c: 0xdead_beef,
            generation: Some("/nix/store/def-nixos-system-web1-25.11".into()),
            system: None,
        },
    );
    check(
        "event_finished_failure",
        &RunEvent::Finished {
            at: 8,
            outcome: Outcome {
                state: RunState::Failed,
                exit_code: Some(1),
                signal: None,
                reason: Some(
                    "failed while building hello-2.12: builder failed with exit code 2".into(),
                ),
                failure: Some(Box::new(Failure {
                    name: "hello-2.12".into(),
                    drv: Some("/nix/store/abc-hello-2.12.drv".into()),
                    host: None,
                    cause: "builder failed with exit code 2".into(),
                    log: vec!["make: *** [all] Error 2".into()],
                })),
            },
            lines: 12,
            bytes: 8292,
            crc32c: 0xdead_beef,
            generation: None,
            system: None,
        },
    );
    let system = SystemState {
        boot_id: Some("5f0c3a0e-3f6e-4d5c-9a39-0d6a6f1f2b11".into()),
        current: Some("/nix/store/def-nixos-system-web1-25.11".into()),
        profile: Some("/nix/store/def-nixos-system-web1-25.11".into()),
        generation: Some(42),
        kernel_changed: Some(false),
        ..SystemState::default()
    };
    check("system_state", &system);
    check(
        "event_checkpoint",
        &RunEvent::Checkpoint {
            at: 9,
            offset: 8192,
            lines: 11,
            crc32c: 0xdead_beef,
            view: Box::new(RunView::default()),
        },
    );
    check(
        "run_events_header",
        &RunEventsHeader {
            run: run(),
            first_seq: Seq(40),
            last_seq: Seq(41),
            encoding: Encoding::Zstd,
        },
    );
}
