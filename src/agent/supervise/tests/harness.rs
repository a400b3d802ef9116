//! Starts supervisors and reads what they leave.

use std::process::{Child, Command, Stdio};
use std::thread::sleep;

use super::*;
use crate::agent::journal::JournalReader;
use crate::run::event::Outcome;
use crate::run::id::RunId;
use crate::run::kind::RebuildTool;
use crate::run::view::RunView;
use crate::wire::record::Record;

pub(super) const RUN_DIR: &str = "TEST_RUN_DIR";
pub(super) const FILE_LIMIT: &str = "TEST_FILE_LIMIT";

/// Not a test: the supervisor's process.
#[test]
#[ignore = "the other tests start it"]
fn as_supervisor() {
    let Some(dir) = std::env::var_os(RUN_DIR) else {
        return;
    };
    if let Some(limit) = std::env::var(FILE_LIMIT).ok().and_then(|n| n.parse().ok()) {
        use nix::sys::resource::{Resource, getrlimit, setrlimit};
        let (_, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
        setrlimit(Resource::RLIMIT_FSIZE, limit, hard).unwrap();
        // As if somebody had freed some space: the limit goes when the file `freed` comes.
        let freed = Path::new(&dir).join("freed");
        std::thread::spawn(move || {
            while !freed.exists() {
                sleep(Duration::from_millis(10));
            }
            setrlimit(Resource::RLIMIT_FSIZE, hard, hard).unwrap();
        });
    }
    let code = match run(Path::new(&dir)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("{error:#}");
            2
        }
    };
    std::process::exit(code);
}

pub(super) struct Setup {
    pub(super) dir: RunDir,
    _state: tempfile::TempDir,
}

impl Setup {
    /// Asks for something else, before the supervisor is started.
    pub(super) fn rewrite(&self, request: &SupervisorRequest) {
        let text = serde_json::to_vec(request).unwrap();
        std::fs::write(self.dir.path().join("request.json"), text).unwrap();
    }
}

pub(super) fn setup(argv: &[&str], change: impl FnOnce(&mut SupervisorRequest)) -> Setup {
    let state = tempfile::tempdir().unwrap();
    let mut request = SupervisorRequest {
        run: RunId::new(),
        command: "probe".parse().unwrap(),
        kind: RunKind::Plain,
        argv: argv.iter().map(ToString::to_string).collect(),
        env: Vec::new(),
        inherit_env: true,
        cwd: None,
        timeout_s: None,
        grace_s: 1,
        journal_max: crate::agent::run_dir::DEFAULT_JOURNAL_MAX,
        requested_by: "mba".into(),
        gc_root: None,
    };
    change(&mut request);
    let dir = RunDir::create(state.path(), &request).unwrap();
    Setup { dir, _state: state }
}

pub(super) fn shell(script: &str, change: impl FnOnce(&mut SupervisorRequest)) -> Setup {
    setup(&["/bin/sh", "-c", script], change)
}

pub(super) fn rebuild(request: &mut SupervisorRequest) {
    request.kind = RunKind::Rebuild {
        tool: RebuildTool::NixosRebuild,
        action: "switch".into(),
    };
}

pub(super) fn command(dir: &RunDir) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "agent::supervise::tests::harness::as_supervisor"])
        .args(["--ignored", "--nocapture"])
        .env(RUN_DIR, dir.path())
        .env("NIXFLEET_TOKEN", "secret")
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

pub(super) fn start(dir: &RunDir) -> Child {
    command(dir).spawn().unwrap()
}

/// Waits until `done`, at most 30 s.
#[track_caller]
pub(super) fn until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        sleep(Duration::from_millis(5));
    }
}

pub(super) fn records(dir: &RunDir) -> Vec<Record> {
    let mut reader = JournalReader::open(&dir.journal(), Seq(0)).unwrap();
    let mut all = Vec::new();
    while let Some(batch) = reader.read_batch(1 << 20).unwrap() {
        all.extend(batch.records());
    }
    all
}

pub(super) fn output(records: &[Record]) -> Vec<u8> {
    records
        .iter()
        .flat_map(|record| record.raw.clone())
        .collect()
}

pub(super) fn view(records: &[Record]) -> RunView {
    let mut view = RunView::default();
    for record in records {
        view.apply(&record.event, record.raw.len() as u64);
    }
    view
}

pub(super) fn outcome_of(records: &[Record]) -> Outcome {
    match &records.last().unwrap().event {
        RunEvent::Finished { outcome, .. } => outcome.clone(),
        other => panic!("no end: {other:?}"),
    }
}

#[track_caller]
pub(super) fn finished(dir: &RunDir) -> Vec<Record> {
    let done = start(dir).wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(done.status.success(), "{errors}");
    records(dir)
}
