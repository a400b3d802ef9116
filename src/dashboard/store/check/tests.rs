use super::*;
use crate::dashboard::store::Store;
use crate::dashboard::store::sample::{change, run, store as sample};
use crate::run::phase::RunState::{Failed, Running, Succeeded};

/// What is not well, one line each: level, check and words.
async fn bad(store: &Store) -> Vec<String> {
    let found = store.doctor().await;
    assert!(!found.is_empty());
    found
        .iter()
        .filter(|finding| finding.level > Level::Ok)
        .map(|finding| {
            assert!(finding.todo.is_some(), "{finding:?}");
            format!("{:?} {}: {}", finding.level, finding.check, finding.what)
        })
        .collect()
}

/// The findings after `sql` on a store with three runs, whose second one's chunks are `ab\nc`, `d\n` and `e`.
async fn after(sql: &str) -> Vec<String> {
    let (_dir, store) = sample().await;
    run(&store, Running, 1, &[b"first\n"]).await;
    let id = run(&store, Succeeded, 2, &[b"ab\nc", b"d\n", b"e"]).await;
    run(&store, Failed, 3, &[]).await;
    change(&store, "PRAGMA foreign_keys = OFF").await;
    change(&store, &sql.replace("RUN", &format!("'{id}'"))).await;
    bad(&store).await
}

#[track_caller]
fn one(found: &[String], part: &str) {
    assert!(
        found.len() == 1 && found[0].contains(part),
        "{part}: {found:#?}"
    );
}

#[tokio::test]
async fn a_good_store_is_well() {
    assert_eq!(after("SELECT 1").await, Vec::<String>::new());
}

#[tokio::test]
async fn holes_overlaps_and_damaged_chunks_are_found() {
    for (sql, part) in [
        (
            "DELETE FROM output WHERE run_id = RUN AND offset_bytes = 4",
            "output at byte 6: 2 bytes before it are missing",
        ),
        (
            "DELETE FROM output WHERE run_id = RUN AND offset_bytes = 0",
            "output at byte 4: 4 bytes before it are missing",
        ),
        (
            "UPDATE output SET offset_bytes = 3 WHERE run_id = RUN AND offset_bytes = 4",
            "it overlaps the chunk before it by 1 bytes",
        ),
        (
            "UPDATE output SET first_line = 7 WHERE run_id = RUN AND offset_bytes = 6",
            "its first line is 7, and 3 would follow",
        ),
        (
            "UPDATE output SET bytes = x'00112233' WHERE run_id = RUN AND offset_bytes = 4",
            "output that cannot be read",
        ),
        (
            "UPDATE output SET marks = x'28b52ffd' WHERE run_id = RUN AND offset_bytes = 4",
            "line marks that cannot be read",
        ),
        (
            "UPDATE output SET bytes = (SELECT bytes FROM output WHERE offset_bytes = 0 AND run_id = RUN) WHERE run_id = RUN AND offset_bytes = 4",
            "it holds 4 bytes and 1 lines, and should hold 2 and 1",
        ),
        (
            "UPDATE output SET line_start = 1 WHERE run_id = RUN AND offset_bytes = 4",
            "its line began at byte 1, not 3",
        ),
        (
            "UPDATE output SET tail_visible = 99 WHERE run_id = RUN AND offset_bytes = 6",
            "unfinished line is marked behind its end",
        ),
        (
            "UPDATE output SET n_bytes = -1 WHERE run_id = RUN AND offset_bytes = 6",
            "is negative",
        ),
    ] {
        let found = after(sql).await;
        assert!(
            found
                .iter()
                .any(|line| line.starts_with("Error output") && line.contains(part)),
            "{part}: {found:#?}"
        );
    }
}

#[tokio::test]
async fn sums_that_do_not_fit_the_run_are_found() {
    one(
        &after("UPDATE runs SET view = json_set(view, '$.bytes', 5) WHERE id = RUN").await,
        "Error output: run",
    );
    one(
        &after("UPDATE runs SET view = json_set(view, '$.bytes', 9, '$.lines', 3) WHERE id = RUN")
            .await,
        "2 of 9 bytes and 1 of 3 lines have not arrived",
    );
    // The last chunk is gone: as if it had not arrived.
    one(
        &after("DELETE FROM output WHERE run_id = RUN AND offset_bytes = 6").await,
        "Warning incomplete",
    );
}

#[tokio::test]
async fn runs_that_cannot_be_are_found() {
    one(
        &after("UPDATE runs SET state = 'dreaming' WHERE id = RUN").await,
        "its state `dreaming` is unknown",
    );
    one(
        &after("UPDATE runs SET state = 'failed' WHERE id = RUN").await,
        "said to be `failed` and `succeeded`",
    );
    one(
        &after("UPDATE runs SET view = '{' WHERE id = RUN").await,
        "cannot be read",
    );
    let found = after("UPDATE runs SET hostname = 'gone' WHERE state = 'running'").await;
    assert!(
        found
            .iter()
            .any(|line| line.contains("a row of runs belongs to nothing in hosts")),
        "{found:#?}"
    );
    assert!(
        found
            .iter()
            .any(|line| line.contains("its host gone does not exist")),
        "{found:#?}"
    );
    let found = after("UPDATE output SET run_id = 'nobody' WHERE run_id = RUN").await;
    assert!(
        found
            .iter()
            .any(|line| line.contains("a row of output belongs to nothing in runs")),
        "{found:#?}"
    );
}

#[tokio::test]
async fn a_checksum_is_compared_where_the_schema_has_one() {
    let (_dir, store) = sample().await;
    let id = run(&store, Succeeded, 2, &[b"ab\nc", b"d\n"]).await;
    let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info('runs')")
        .fetch_all(&store.readers)
        .await
        .unwrap();
    if !columns.iter().any(|name| name == "notes") {
        change(
            &store,
            "ALTER TABLE runs ADD COLUMN notes TEXT NOT NULL DEFAULT '{}'",
        )
        .await;
    }
    let note = |crc: u32| {
        format!("UPDATE runs SET notes = json_object('crc32c', {crc}) WHERE id = '{id}'")
    };
    change(&store, &note(crc32c::crc32c(b"ab\ncd\n"))).await;
    assert_eq!(bad(&store).await, Vec::<String>::new());
    change(&store, &note(7)).await;
    one(&bad(&store).await, "and should be 00000007");
    change(
        &store,
        "UPDATE runs SET notes = json_object('doubt', 'two copies differ')",
    )
    .await;
    one(&bad(&store).await, "Warning incomplete: run");
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_one_finding() {
    let (dir, store) = sample().await;
    store.close().await;
    std::fs::write(dir.path().join(NAME), "rubbish").unwrap();
    one(&bad(&store).await, "Error database");
    std::fs::remove_file(dir.path().join(NAME)).unwrap();
    one(&bad(&store).await, "there is none yet");
}

#[tokio::test]
async fn build_times_are_counted_and_cost_no_more_than_an_estimate() {
    let (dir, store) = sample().await;
    let row =
        "INSERT INTO build_times VALUES ('web1', '', 'a', 1, '[5]'), ('web1', '', 'b', 1, 'x')";
    change(&store, row).await;
    one(
        &bad(&store).await,
        "Warning build times: 1 of 2 cannot be read",
    );
    let read = store.build_times().await.unwrap();
    assert_eq!(
        (read.len(), &*read[0].name, &read[0].ms),
        (1, "a", &vec![5])
    );
    // Before the schema that has them.
    change(
        &store,
        "DROP TABLE build_times; DROP TABLE build_log_lines; DROP TABLE build_logs;
         DROP TABLE metrics; DROP TABLE metric_hosts; ALTER TABLE hosts DROP COLUMN tags;
         DROP TABLE host_events; DROP TABLE host_absence;
         DROP TABLE deliveries; DROP TABLE alerts; DROP TABLE alert_cursor; DROP TABLE baselines;
         DROP TABLE push_keys; DROP TABLE agent_keys; DROP TABLE agent_key_changes; DROP TABLE v2_lines; DROP TABLE totp;
         ALTER TABLE api_tokens DROP COLUMN expires_at",
    )
    .await;
    change(&store, "DELETE FROM _sqlx_migrations WHERE version > 3").await;
    assert_eq!(bad(&store).await, Vec::<String>::new());
    store.close().await;
    let store = Store::open(dir.path()).await.unwrap();
    assert_eq!(bad(&store).await, Vec::<String>::new());
}
