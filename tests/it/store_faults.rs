//! What happens to the store: a full disk, a lock that somebody holds, damage. Nothing that was acknowledged is lost, and
//! whoever runs the dashboard reads in one line what is wrong and what to do.

mod beside;
mod damaged;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;
use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::support::Fleet;
use crate::support::process::wait_until;

/// Lines that a run prints before it waits for the test, and in all.
const FIRST: usize = 200;
const LINES: usize = 20_000;

/// What the run prints: 2 MB that do not become much smaller by compression.
fn text() -> String {
    let mut text = String::new();
    let mut number = 88_172_645_463_325_252_u64;
    for line in 0..LINES {
        write!(text, "{line}").unwrap();
        for _ in 0..6 {
            number ^= number << 13;
            number ^= number >> 7;
            number ^= number << 17;
            write!(text, " {number:016x}").unwrap();
        }
        text.push('\n');
    }
    text
}

/// A command `tell` that prints the first lines, waits for the file `go`, prints the others, and makes the file `told`.
fn telling(fleet: &Fleet) -> String {
    let file = fleet.path("text");
    fs::write(&file, text()).unwrap();
    let (file, go, told) = (file.display(), fleet.path("go"), fleet.path("told"));
    let (go, told) = (go.display(), told.display());
    let script = format!(
        "#!/bin/sh\nhead -n {FIRST} '{file}'\nwhile [ ! -e '{go}' ]; do sleep 0.05; done\ntail -n +{} '{file}'\ntouch '{told}'\nexit 3\n",
        FIRST + 1
    );
    let program = fleet.script("tell", &script);
    format!(
        "[commands.tell]\nargv = [\"{}\"]\ndescription = \"tells\"\n",
        program.display()
    )
}

fn stop(fleet: &mut Fleet) {
    let mut dashboard = fleet.dashboard.take().unwrap();
    dashboard.signal(Signal::SIGTERM);
    assert!(dashboard.wait().success(), "{}", dashboard.output());
}

/// Waits until `/health` has that status, and answers its body.
#[track_caller]
fn health(fleet: &Fleet, status: u16) -> Value {
    wait_until(&format!("/health to answer {status}"), || {
        let answer = fleet.api.get("/health");
        (answer.status == status).then_some(answer.body)
    })
}

/// Waits for two more heartbeats of an online host.
#[track_caller]
fn heartbeats_go_on(fleet: &Fleet) {
    let count = || {
        let host = fleet.api.get("/api/hosts/web1").body;
        assert_eq!(host["status"], "online", "{host}");
        host["heartbeats"].as_u64().unwrap()
    };
    let before = count();
    wait_until("two more heartbeats", || {
        (count() >= before + 2).then_some(())
    });
}

#[track_caller]
fn wait_for_lines(fleet: &Fleet, run: &str, lines: usize) {
    wait_until(&format!("{lines} lines"), || {
        let body = fleet.api.get(&format!("/api/runs/{run}")).body;
        (body["lines"].as_u64().unwrap_or(0) >= lines as u64).then_some(())
    });
}

/// Waits for the end of `run`, whose output must be all there, each line once.
#[track_caller]
fn ends_whole(fleet: &Fleet, run: &str) {
    let finished = fleet.finished(run);
    assert_eq!(finished["exit_code"], 3, "{finished}");
    wait_for_lines(fleet, run, LINES);
    let (expected, found) = (text(), fleet.log(run));
    assert!(
        found == expected.as_bytes(),
        "{} bytes are stored, {} were written",
        found.len(),
        expected.len()
    );
}

/// A small file system of its own at `at`, until it is dropped.
struct Disk(PathBuf);

impl Disk {
    /// None, said aloud, where this user may not mount.
    fn mount(at: &Path, options: &str) -> Option<Self> {
        let done = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(at)
            .output();
        if done.as_ref().is_ok_and(|done| done.status.success()) {
            return Some(Self(at.to_owned()));
        }
        println!("skipped: no tmpfs can be mounted here: {done:?}");
        None
    }

    fn remount(&self, options: &str) {
        let done = std::process::Command::new("mount")
            .args(["-o", &format!("remount,{options}")])
            .arg(&self.0)
            .status();
        assert!(done.unwrap().success());
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount")
            .arg("-l")
            .arg(&self.0)
            .status();
    }
}

/// Writes zeros to `path` until the disk is full.
fn fill(path: &Path) {
    use std::io::Write as _;
    let mut file = fs::File::create(path).unwrap();
    for size in [65536, 4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// Another process's connection to the database: this one's.
fn with_database<T>(fleet: &Fleet, work: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
    let options = SqliteConnectOptions::new()
        .filename(fleet.path("dashboard/nixfleet.db"))
        .busy_timeout(Duration::from_secs(20));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async {
            let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
            let done = work(&mut connection).await;
            connection.close().await.unwrap();
            done
        })
}

#[test]
fn a_full_disk_is_told_and_everything_arrives_once_there_is_room() {
    let mut fleet = Fleet::start();
    stop(&mut fleet);
    let dir = fleet.path("dashboard");
    let database = fs::read(dir.join("nixfleet.db")).unwrap();
    let Some(_disk) = Disk::mount(&dir, "size=8m,mode=700") else {
        return;
    };
    fs::write(dir.join("nixfleet.db"), database).unwrap();
    fleet.start_dashboard();
    let _agent = fleet.agent("web1", &telling(&fleet));
    let run = fleet.run("web1", "tell");
    wait_for_lines(&fleet, &run, FIRST);
    assert_eq!(health(&fleet, 200)["status"], "ok");
    fill(&dir.join("ballast"));
    fs::write(fleet.path("go"), "").unwrap();
    let body = health(&fleet, 503);
    assert!(body["reason"].as_str().unwrap().contains("full"), "{body}");
    wait_until("the command's end", || {
        fleet.path("told").exists().then_some(())
    });
    heartbeats_go_on(&fleet);
    // Whoever reads is answered.
    let answer = fleet.api.get(&format!("/api/runs/{run}"));
    assert_eq!(
        (answer.status, &answer.body["state"]),
        (200, &"running".into())
    );
    let answer = fleet.api.get(&format!("/api/runs/{run}/log?limit=3"));
    assert_eq!(
        answer.body["lines"].as_array().unwrap().len(),
        3,
        "{}",
        answer.body
    );
    assert_eq!(fleet.api.get("/login").status, 200);
    let answer = fleet.api.get("/metrics");
    let metrics = answer.body.as_str().unwrap();
    assert!(metrics.contains("nixfleet_store_healthy 0"), "{metrics}");
    // Also when it is started anew.
    fleet.kill_dashboard();
    fleet.start_dashboard();
    fs::remove_file(dir.join("ballast")).unwrap();
    ends_whole(&fleet, &run);
    health(&fleet, 200);
}

#[test]
fn a_lock_that_somebody_holds_delays_but_loses_nothing() {
    let fleet = Fleet::start();
    let _agent = fleet.agent("web1", &telling(&fleet));
    let run = fleet.run("web1", "tell");
    wait_for_lines(&fleet, &run, FIRST);
    with_database(&fleet, async |connection| {
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut *connection)
            .await
            .unwrap();
        fs::write(fleet.path("go"), "").unwrap();
        let body = health(&fleet, 503);
        assert!(body["reason"].as_str().unwrap().contains("lock"), "{body}");
        // Longer than the busy timeout: commits fail.
        wait_until("a failed commit", || {
            let answer = fleet.api.get("/metrics");
            let metrics = answer.body.as_str().unwrap();
            (!metrics.contains("nixfleet_store_commit_failures_total 0")).then_some(())
        });
        heartbeats_go_on(&fleet);
        let answer = fleet.api.get(&format!("/api/runs/{run}/log?limit=3"));
        assert_eq!(
            answer.body["lines"].as_array().unwrap().len(),
            3,
            "{}",
            answer.body
        );
        sqlx::query("ROLLBACK").execute(connection).await.unwrap();
    });
    ends_whole(&fleet, &run);
    health(&fleet, 200);
}
