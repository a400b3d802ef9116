use std::fs;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use super::service::FileId;
use super::*;

/// A host with a unit, and this process's program in it.
struct Host {
    dir: tempfile::TempDir,
    own: Own,
}

const UNIT: &str = "etc/systemd/system/nixfleet-agent.service";

impl Host {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut host = Self {
            dir,
            own: Own {
                name: "nixfleet-agent".into(),
                id: FileId(0, 0),
            },
        };
        let id = host.file("usr/bin/nixfleet-agent", "program");
        host.own.id = id;
        host.unit("/usr/bin/nixfleet-agent");
        host
    }

    /// Writes a file as an installation does: a new one takes the name.
    fn file(&self, path: &str, text: &str) -> FileId {
        let path = self.dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let beside = path.with_extension("new");
        fs::write(&beside, text).unwrap();
        fs::rename(&beside, &path).unwrap();
        let metadata = fs::metadata(path).unwrap();
        FileId(metadata.dev(), metadata.ino())
    }

    fn unit(&self, program: &str) {
        self.file(
            UNIT,
            &format!("[Service]\nExecStart={program} --config x\n"),
        );
    }

    fn service(&self) -> Service {
        Service::new(
            "nixfleet-agent.service".into(),
            self.dir.path(),
            self.own.clone(),
        )
    }

    fn observe(&self) -> Observation {
        self.service().observe()
    }

    fn difference(&self, first: &Observation) -> Option<String> {
        self.observe().difference(first, &self.own)
    }
}

#[test]
fn what_makes_a_difference() {
    let host = Host::new();
    let first = host.observe();
    assert_eq!(host.difference(&first), None);
    // The same under another name.
    host.file("usr/bin/other", "another program");
    host.unit("-/usr/bin/../bin/nixfleet-agent");
    let changed = host.difference(&first);
    assert_eq!(changed.as_deref(), Some("the unit file has changed"));
    host.unit("/usr/bin/nixfleet-agent");
    assert_eq!(host.difference(&first), None);
    // Replaced in place. The old file is kept, or its number might be used again.
    let path = |name: &str| host.dir.path().join(name);
    fs::hard_link(path("usr/bin/nixfleet-agent"), path("kept")).unwrap();
    host.file("usr/bin/nixfleet-agent", "newer program");
    let changed = host.difference(&first);
    assert_eq!(
        changed.as_deref(),
        Some("/usr/bin/nixfleet-agent is another program than the running one")
    );
    // Not there just now: that is no program to start.
    fs::remove_file(path("usr/bin/nixfleet-agent")).unwrap();
    assert_eq!(host.difference(&first), None);
    assert!(!host.observe().can_start());
    fs::remove_file(path(UNIT)).unwrap();
    let changed = host.difference(&first);
    assert_eq!(changed.as_deref(), Some("the unit file was removed"));
    assert!(host.observe().can_start());
}

#[test]
fn the_first_directory_counts_and_links_are_followed() {
    let host = Host::new();
    let first = host.observe();
    host.file("lib/systemd/system/nixfleet-agent.service", "ignored");
    assert_eq!(host.difference(&first), None);
    // As NixOS has it: a link into the store, and a store path of its own for each version.
    let unit = host.dir.path().join(UNIT);
    let store = "nix/store/b-agent/bin/nixfleet-agent";
    host.file("unit", &format!("[Service]\nExecStart=/{store}\n"));
    host.file(store, "newer program");
    fs::remove_file(&unit).unwrap();
    symlink(host.dir.path().join("unit"), &unit).unwrap();
    let changed = host.difference(&first).unwrap();
    assert!(changed.contains("/nix/store/b-agent/bin"), "{changed}");
}

#[test]
fn a_wrapper_is_compared_with_itself() {
    let host = Host::new();
    host.file("usr/bin/start-agent", "#!/bin/sh");
    host.unit("/usr/bin/start-agent");
    let first = host.observe();
    fs::hard_link(
        host.dir.path().join("usr/bin/start-agent"),
        host.dir.path().join("kept"),
    )
    .unwrap();
    host.file("usr/bin/start-agent", "#!/bin/bash");
    assert_eq!(host.difference(&first), None, "a script may be edited");
    let host = Host::new();
    host.file("nix/store/a-start/bin/start", "#!/bin/sh");
    host.unit("/nix/store/a-start/bin/start");
    let first = host.observe();
    assert_eq!(host.difference(&first), None);
    host.file("nix/store/b-start/bin/start", "#!/bin/sh");
    host.unit("/nix/store/b-start/bin/start");
    let changed = host.difference(&first);
    assert_eq!(
        changed.as_deref(),
        Some("the unit starts /nix/store/b-start/bin/start now")
    );
}

#[test]
fn only_steadily_only_idle_and_only_after_a_life() {
    let host = Host::new();
    let first = host.observe();
    let start = Instant::now();
    let mut decision = Decision::new(host.own.clone(), first.clone(), None, start);
    let mut at = |seconds: u64, observed: &Observation, idle| {
        decision.look(observed, idle, start + Duration::from_secs(seconds))
    };
    host.unit("/usr/bin/nixfleet-agent --more");
    let changed = host.observe();
    assert_eq!(at(1, &changed, true), Step::Stay, "just now");
    assert_eq!(at(30, &changed, true), Step::Stay, "a young process");
    assert_eq!(at(70, &first, true), Step::Stay, "as it was");
    assert_eq!(at(75, &changed, true), Step::Stay, "again");
    host.unit("/usr/bin/nixfleet-agent --less");
    let other = host.observe();
    assert_eq!(at(84, &other, true), Step::Stay, "yet another one");
    assert_eq!(at(93, &other, true), Step::Stay, "9 s");
    assert_eq!(at(94, &other, false), Step::Stay, "a run goes on");
    assert_eq!(
        at(95, &other, true),
        Step::Exit("the unit file has changed".into())
    );
}

#[test]
fn what_did_not_help_is_said_once_and_not_done_again() {
    let host = Host::new();
    host.file("opt/nixfleet-agent", "newer program");
    host.unit("/opt/nixfleet-agent");
    let observed = host.observe();
    let start = Instant::now();
    let tried = Some(observed.marker());
    let mut decision = Decision::new(host.own.clone(), observed.clone(), tried, start);
    let late = start + Duration::from_secs(100);
    let Step::Warn(why) = decision.look(&observed, true, late) else {
        panic!("no warning");
    };
    assert_eq!(
        why,
        "/opt/nixfleet-agent is another program than the running one"
    );
    for seconds in [5, 10, 60, 600] {
        let step = decision.look(&observed, true, late + Duration::from_secs(seconds));
        assert_eq!(step, Step::Stay);
    }
    // A further version is another matter.
    host.unit("/opt/nixfleet-agent --newer");
    let newer = host.observe();
    assert_eq!(decision.look(&newer, true, late), Step::Stay);
    let step = decision.look(&newer, true, late + STEADY);
    assert!(matches!(step, Step::Exit(_)), "{step:?}");
}

#[tokio::test(start_paused = true)]
async fn the_agent_exits_when_it_is_idle() {
    let host = Host::new();
    let state = tempfile::tempdir().unwrap();
    let token = CancellationToken::new();
    let idle = AtomicBool::new(false);
    let watching = watch(
        Some(host.service()),
        state.path().to_owned(),
        || idle.load(Ordering::Relaxed),
        token.clone(),
    );
    let start = Instant::now();
    let ended = tokio::join!(
        async {
            watching.await;
            start.elapsed()
        },
        async {
            tokio::time::sleep(Duration::from_secs(70)).await;
            host.unit("/usr/bin/nixfleet-agent --more");
            tokio::time::sleep(Duration::from_secs(100)).await;
            assert!(!token.is_cancelled(), "in the middle of a run");
            idle.store(true, Ordering::Relaxed);
        }
    );
    assert!(token.is_cancelled());
    let seconds = ended.0.as_secs();
    assert!((170..=176).contains(&seconds), "{seconds} s");
    let marker = fs::read_to_string(state.path().join(MARKER)).unwrap();
    assert_eq!(marker, host.observe().marker());
}

#[tokio::test(start_paused = true)]
async fn an_agent_that_is_no_service_stays() {
    let token = CancellationToken::new();
    let watching = watch(None, PathBuf::from("/no"), || true, token.clone());
    let waited = tokio::time::timeout(Duration::from_secs(1000), watching).await;
    assert!(waited.is_err() && !token.is_cancelled());
}
