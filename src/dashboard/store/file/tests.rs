use super::*;
use crate::dashboard::store::{Store, StoreError, sample};

/// Changes a store's directory, and tries to open what is then there.
async fn opened(change: impl FnOnce(&Path)) -> Result<(), StoreError> {
    let (dir, store) = sample::store().await;
    let text = b"x".repeat(2000);
    for _ in 0..50 {
        sample::run(&store, crate::run::phase::RunState::Failed, 1, &[&text]).await;
    }
    store.close().await;
    change(dir.path());
    let opened = Store::open(dir.path()).await;
    if let Ok(store) = &opened {
        store.close().await;
    }
    opened.map(drop)
}

#[track_caller]
fn refused(opened: Result<(), StoreError>, parts: &[&str]) {
    let error = opened.unwrap_err().to_string();
    for part in parts {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
    assert!(
        error.contains(NAME) && error.lines().count() == 1,
        "{error}"
    );
}

fn overwrite(path: &Path, at: u64, bytes: &[u8]) {
    use std::os::unix::fs::FileExt as _;
    let file = OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(bytes, at).unwrap();
}

#[tokio::test]
async fn a_whole_store_opens_again_and_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    opened(|dir| {
        let mode = std::fs::metadata(dir.join(NAME))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let names: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, [NAME], "nothing is left beside it");
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn what_is_no_whole_database_is_named_and_left_as_it_is() {
    let replaced = |content: &'static [u8]| {
        opened(move |dir| std::fs::write(dir.join(NAME), content).unwrap())
    };
    refused(
        replaced(b"").await,
        &["the file is empty", "restore a backup"],
    );
    refused(replaced(b"short").await, &["no SQLite database"]);
    refused(replaced(&[b'#'; 9000]).await, &["no SQLite database"]);
    let cut = opened(|dir| {
        let file = OpenOptions::new().write(true).open(dir.join(NAME)).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    });
    refused(cut.await, &["cut off: it has", "restore a backup"]);
    let middle = opened(|dir| {
        let path = dir.join(NAME);
        let len = std::fs::metadata(&path).unwrap().len();
        overwrite(&path, len / 2, &[0xa5; 12_000]);
    });
    refused(
        middle.await,
        &["the database is damaged", "doctor", "restore a backup"],
    );
    let directory = opened(|dir| {
        std::fs::remove_file(dir.join(NAME)).unwrap();
        std::fs::create_dir(dir.join(NAME)).unwrap();
    });
    refused(directory.await, &["no file"]);
    let gone = opened(|dir| {
        std::fs::rename(dir.join(NAME), dir.join("elsewhere")).unwrap();
        std::fs::write(dir.join("nixfleet.db-wal"), [1; 5000]).unwrap();
    });
    refused(gone.await, &["missing, but its log is there (5000 bytes"]);
    let garbage = opened(|dir| std::fs::write(dir.join("nixfleet.db-wal"), [7; 5000]).unwrap());
    refused(garbage.await, &["nixfleet.db-wal: this log", "damaged"]);
    let foreign = opened(|dir| overwrite(&dir.join(NAME), 68, &[1, 2, 3, 4]));
    refused(foreign.await, &["another program", "0x01020304"]);
}

#[tokio::test]
async fn a_newer_schema_and_another_programs_tables_are_named() {
    let changed = |sql: &'static str| async move {
        let (dir, store) = sample::store().await;
        sample::change(&store, sql).await;
        store.close().await;
        Store::open(dir.path()).await.map(drop)
    };
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (99, 'x', 1, x'00', 0)";
    refused(
        changed(newer).await,
        &["the schema is version 99", "newer nixfleet-dashboard"],
    );
    refused(
        changed("DROP TABLE _sqlx_migrations").await,
        &[
            "another program (its tables: agent_key_ch",
            "alert_cursor, alerts",
        ],
    );
    changed("PRAGMA application_id = 0").await.unwrap();
}

#[tokio::test]
async fn a_log_of_zeros_holds_nothing_and_a_good_one_everything() {
    opened(|dir| std::fs::write(dir.join("nixfleet.db-wal"), [0; 5000]).unwrap())
        .await
        .unwrap();
    let (dir, store) = sample::store().await;
    sample::run(&store, crate::run::phase::RunState::Failed, 1, &[b"x\n"]).await;
    // As after a kill: the log is there, and nobody brings it in.
    let copy = tempfile::tempdir().unwrap();
    for name in [NAME, "nixfleet.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    let wal = copy.path().join("nixfleet.db-wal");
    assert!(wal.metadata().unwrap().len() > 0 && wal_begins_well(&wal).unwrap());
    let again = Store::open(copy.path()).await.unwrap();
    assert_eq!(again.live_runs().await.unwrap().len(), 0);
    let n: i64 = sqlx::query_scalar("SELECT count(*) FROM output")
        .fetch_one(&again.readers)
        .await
        .unwrap();
    assert_eq!(n, 1);
    again.close().await;
    overwrite(&wal_of(copy.path(), dir.path()), 9, &[0xee]);
    refused(
        Store::open(copy.path()).await.map(drop),
        &["this log", "damaged"],
    );
}

/// The log of `from`, once more in `to`.
fn wal_of(to: &Path, from: &Path) -> PathBuf {
    let path = to.join("nixfleet.db-wal");
    std::fs::copy(from.join("nixfleet.db-wal"), &path).unwrap();
    path
}
