//! A store that is damaged: at the start one line and an end, while it runs an error for whoever reads the damage.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use sqlx::Row as _;

use super::{Disk, stop, with_database};
use crate::support::Fleet;
use crate::support::process::{Process, program};

/// Starts the dashboard, which must end with one line that has all `parts`.
#[track_caller]
fn refused(fleet: &Fleet, user: Option<u32>, parts: &[&str]) {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(program("nixfleet-dashboard"));
    command.arg("--config").arg(fleet.path("dashboard.toml"));
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    let mut dashboard = Process::start("dashboard", &mut command);
    let status = dashboard.wait();
    let said = dashboard.output();
    assert_eq!(status.code(), Some(1), "{said}");
    let errors: Vec<_> = said
        .lines()
        .filter(|line| line.contains("nixfleet-dashboard:"))
        .collect();
    assert!(errors.len() == 1 && !said.contains("panicked"), "{said}");
    for part in parts {
        assert!(errors[0].contains(part), "no `{part}` in: {said}");
    }
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[test]
fn a_store_that_is_not_whole_is_named_and_never_replaced_by_an_empty_one() {
    let mut fleet = Fleet::start();
    stop(&mut fleet);
    let dir = fleet.path("dashboard");
    let path = dir.join("nixfleet.db");
    let good = fs::read(&path).unwrap();
    let size = good.len() as u64;
    let damage: &[(&dyn Fn(), &[&str])] = &[
        (
            &|| fs::write(&path, "").unwrap(),
            &["nixfleet.db: the file is empty", "restore a backup"],
        ),
        (
            &|| fs::write(&path, "not a database").unwrap(),
            &[
                "nixfleet.db: this is no SQLite database",
                "restore a backup",
            ],
        ),
        (
            &|| fs::write(&path, &good[..good.len() / 2]).unwrap(),
            &["nixfleet.db: the file is cut off", "restore a backup"],
        ),
        (
            &|| overwrite(&path, size / 2, &vec![0xa5; good.len() / 3]),
            &[
                "nixfleet.db: the database is damaged",
                "doctor",
                "restore a backup",
            ],
        ),
        (
            &|| overwrite(&path, 100, &[0xa5; 900]),
            &["nixfleet.db", "damaged", "restore a backup"],
        ),
        (
            &|| fs::write(dir.join("nixfleet.db-wal"), [7; 9000]).unwrap(),
            &["nixfleet.db-wal: this log", "damaged"],
        ),
        (
            &|| {
                fs::remove_file(&path).unwrap();
                fs::create_dir(&path).unwrap();
            },
            &["nixfleet.db: this is no file"],
        ),
        (
            &|| {
                fs::rename(&path, fleet.path("away")).unwrap();
                fs::write(dir.join("nixfleet.db-wal"), [7; 9000]).unwrap();
            },
            &["nixfleet.db: the file is missing, but its log is there"],
        ),
    ];
    for (change, parts) in damage {
        change();
        let before = fs::read(&path).ok();
        refused(&fleet, None, parts);
        assert!(
            fs::read(&path).ok() == before,
            "the file is left as it is: {parts:?}"
        );
        let _ = fs::remove_dir(&path);
        let _ = fs::remove_file(dir.join("nixfleet.db-wal"));
        fs::write(&path, &good).unwrap();
    }
    with_database(&fleet, async |connection| {
        sqlx::query("UPDATE _sqlx_migrations SET version = 4711 WHERE version = 1")
            .execute(connection)
            .await
            .unwrap();
    });
    refused(
        &fleet,
        None,
        &[
            "the schema is version 4711",
            "run the newer nixfleet-dashboard",
        ],
    );
    fs::write(&path, &good).unwrap();
    fleet.start_dashboard();
    assert_eq!(
        fleet.api.get("/api/hosts").status,
        200,
        "the token is still there"
    );
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut fleet = Fleet::start();
    stop(&mut fleet);
    let dir = fleet.path("dashboard");
    let path = dir.join("nixfleet.db");
    if nix::unistd::geteuid().is_root() {
        // A user to whom nothing belongs, and who may go everywhere.
        for open in [fleet.dir.path(), &dir] {
            fs::set_permissions(open, fs::Permissions::from_mode(0o777)).unwrap();
        }
        fs::set_permissions(fleet.path("agent-token"), fs::Permissions::from_mode(0o644)).unwrap();
        let _ = fs::remove_file(dir.join("nixfleet.lock"));
        refused(
            &fleet,
            Some(65534),
            &[
                "nixfleet.db: cannot read it",
                "readable for the dashboard's user",
            ],
        );
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        refused(
            &fleet,
            Some(65534),
            &["nixfleet.db: cannot write it", "belongs to user 0", "65534"],
        );
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        fs::remove_file(dir.join("nixfleet.lock")).unwrap();
        refused(
            &fleet,
            Some(65534),
            &["dashboard: cannot write it", "belongs to user 0"],
        );
    } else {
        println!("skipped: only root can start the dashboard as another user");
    }
    let good = fs::read(&path).unwrap();
    let Some(disk) = Disk::mount(&dir, "size=8m,mode=700") else {
        return;
    };
    fs::write(&path, &good).unwrap();
    disk.remount("ro");
    refused(
        &fleet,
        None,
        &[
            "dashboard: cannot write it",
            "file system is read-only",
            "mount it writable",
        ],
    );
    let doctor = Command::new(program("nixfleet-dashboard"))
        .arg("--config")
        .arg(fleet.path("dashboard.toml"))
        .args(["doctor", "--json"])
        .output()
        .unwrap();
    assert!(doctor.status.success(), "{doctor:?}");
    disk.remount("rw");
    fleet.start_dashboard();
}

#[test]
fn a_log_that_is_gone_after_a_kill_is_told() {
    let mut fleet = Fleet::start();
    let _agent = fleet.agent("web1", "");
    fleet.dashboard.as_ref().unwrap().signal(Signal::SIGKILL);
    fleet.dashboard.as_mut().unwrap().wait();
    for name in ["nixfleet.db-wal", "nixfleet.db-shm"] {
        fs::remove_file(fleet.path("dashboard").join(name)).unwrap();
    }
    fleet.start_dashboard();
    let said = fleet.dashboard.as_ref().unwrap().output();
    assert!(
        said.contains("its log nixfleet.db-wal is not there"),
        "{said}"
    );
    fleet.wait_online("web1");
}

#[test]
fn damage_under_a_running_dashboard_concerns_only_who_reads_it() {
    let fleet = Fleet::start();
    let program = fleet.script("noise", "#!/bin/sh\nhead -c 150000 /dev/urandom | base64\n");
    let more = format!(
        "[commands.noise]\nargv = [\"{}\"]\ndescription = \"prints noise\"\n",
        program.display()
    );
    let _agent = fleet.agent("web1", &more);
    let runs: Vec<String> = (0..2)
        .map(|_| {
            let run = fleet.run("web1", "noise");
            fleet.finished(&run);
            run
        })
        .collect();
    // A piece in the middle of a chunk lies in a page that holds nothing else.
    let piece = with_database(&fleet, async |connection| {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut *connection)
            .await
            .unwrap();
        let row = sqlx::query(
            "SELECT bytes FROM output WHERE run_id = ?1 ORDER BY length(bytes) DESC LIMIT 1",
        )
        .bind(&runs[0])
        .fetch_one(connection)
        .await
        .unwrap();
        let bytes: Vec<u8> = row.get(0);
        bytes[bytes.len() / 2..][..64].to_vec()
    });
    let path = fleet.path("dashboard/nixfleet.db");
    let file = fs::read(&path).unwrap();
    let at = file
        .windows(piece.len())
        .position(|window| window == piece)
        .unwrap() as u64;
    overwrite(&path, at / 4096 * 4096, &[0xa5; 4096]);
    let answer = fleet
        .api
        .get(&format!("/api/runs/{}/log?limit=5000", runs[0]));
    assert_eq!(answer.status, 500, "{}", answer.body);
    assert_eq!(
        answer.body["error"]["code"], "store_damaged",
        "{}",
        answer.body
    );
    assert!(
        answer.body["error"]["hint"]
            .as_str()
            .unwrap()
            .contains("doctor"),
        "{}",
        answer.body
    );
    let answer = fleet
        .api
        .get(&format!("/api/runs/{}/log?limit=5000", runs[1]));
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(fleet.api.get("/health").status, 200);
    let next = fleet.run("web1", "noise");
    assert_eq!(fleet.finished(&next)["state"], "succeeded");
    let doctor = Command::new(crate::support::process::program("nixfleet-dashboard"))
        .arg("--config")
        .arg(fleet.path("dashboard.toml"))
        .arg("doctor")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout).into_owned();
    assert_eq!(doctor.status.code(), Some(1), "{said}");
    assert!(
        said.contains(&format!("run {}, output at byte", runs[0])),
        "{said}"
    );
    assert!(!said.contains(&runs[1]) && !said.contains(&next), "{said}");
}
