//! Output that is not trusted, kept until there is a better copy.

use sqlx::SqliteConnection;

use super::COLUMNS;
use crate::dashboard::store::StoreError;

async fn empty(
    connection: &mut SqliteConnection,
    table: &str,
    run: &str,
) -> Result<(), StoreError> {
    sqlx::query(&format!("DELETE FROM {table} WHERE run_id = ?1"))
        .bind(run)
        .execute(connection)
        .await?;
    Ok(())
}

async fn copy(
    connection: &mut SqliteConnection,
    from: &str,
    to: &str,
    run: &str,
) -> Result<(), StoreError> {
    let sql = format!(
        "INSERT INTO {to} (run_id, {COLUMNS}) SELECT run_id, {COLUMNS} FROM {from} WHERE run_id = ?1"
    );
    sqlx::query(&sql).bind(run).execute(connection).await?;
    Ok(())
}

/// Puts all output of `run` aside.
pub(in crate::dashboard::store) async fn set_aside(
    connection: &mut SqliteConnection,
    run: &str,
) -> Result<(), StoreError> {
    empty(connection, "output_aside", run).await?;
    copy(connection, "output", "output_aside", run).await?;
    empty(connection, "output", run).await
}

/// Puts what was set aside in the place of all output of `run`.
pub(in crate::dashboard::store) async fn take_back(
    connection: &mut SqliteConnection,
    run: &str,
) -> Result<(), StoreError> {
    empty(connection, "output", run).await?;
    copy(connection, "output_aside", "output", run).await?;
    empty(connection, "output_aside", run).await
}

/// Removes what was set aside.
pub(in crate::dashboard::store) async fn drop_aside(
    connection: &mut SqliteConnection,
    run: &str,
) -> Result<(), StoreError> {
    empty(connection, "output_aside", run).await
}
