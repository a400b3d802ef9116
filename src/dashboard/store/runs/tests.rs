use std::borrow::Cow;

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use crate::dashboard::store::{Store, migrator, to_json};
use crate::run::id::RunId;
use crate::run::phase::RunState;
use crate::run::view::RunView;

/// What an earlier dashboard left: a run that goes on, and one that is over.
#[tokio::test]
async fn runs_of_the_schema_before_go_on_and_stay_over() {
    let dir = tempfile::tempdir().unwrap();
    let options = SqliteConnectOptions::new()
        .filename(dir.path().join("nixfleet.db"))
        .create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options).await.unwrap();
    let before: Vec<_> = migrator()
        .iter()
        .filter(|step| step.version < 3)
        .cloned()
        .collect();
    let before = Migrator {
        migrations: Cow::Owned(before),
        ..Migrator::DEFAULT
    };
    before.run(&mut connection).await.unwrap();
    sqlx::query("INSERT INTO hosts (hostname, created_at) VALUES ('web1', 1)")
        .execute(&mut connection)
        .await
        .unwrap();
    let (going_on, over) = (RunId::new(), RunId::new());
    for (run, state) in [(going_on, RunState::Running), (over, RunState::Failed)] {
        let view = RunView {
            state,
            ..RunView::default()
        };
        sqlx::query(
            "INSERT INTO runs (id, hostname, command, args, requested_by, created_at, state, view, last_seq)
             VALUES (?1, 'web1', 'switch', '[]', 'ann', 1, ?2, ?3, 7)",
        )
        .bind(run.to_string())
        .bind(state.name())
        .bind(to_json(&view).unwrap())
        .execute(&mut connection)
        .await
        .unwrap();
    }
    connection.close().await.unwrap();

    let store = Store::open(dir.path()).await.unwrap();
    let live = store.live_runs().await.unwrap();
    assert_eq!(live.len(), 1);
    assert_eq!((live[0].id, live[0].last_seq.0), (going_on, 7));
    assert_eq!(
        live[0].notes.crc32c, None,
        "nobody computed it from the beginning"
    );
    let over = store.run(over).await.unwrap().unwrap();
    assert!(over.is_complete() && !over.is_incomplete());
}

/// What is applied somewhere stays as it is: a database whose steps have another hash is refused.
#[test]
fn applied_steps_stay_as_they_are() {
    let steps = crate::dashboard::store::MIGRATIONS;
    let found = steps.map(|(version, _, sql)| (version, crc32c::crc32c(sql.as_bytes())));
    assert_eq!(
        found,
        [
            (1, 145_240_170),
            (2, 2_900_900_173),
            (3, 378_760_168),
            (4, 67_160_203),
            (5, 2_091_987_520),
            (6, 1_328_932_513),
            (7, 1_891_267_965),
            (8, 3_843_901_610),
            (9, 492_292_067),
            (10, 2_971_609_182),
            (11, 206_433_119),
            (12, 2_795_376_708),
            (13, 760_578_251),
        ]
    );
}
