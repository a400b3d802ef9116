//! What is usual for a host's metrics, as rules for what is unusual have learnt it.

use sqlx::Row;

use super::{Store, StoreError, parsed, to_json};
use crate::run::id::HostName;

impl Store {
    /// All of it: host, metric, and what `dashboard::alerts::baseline` wrote.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn baselines(&self) -> Result<Vec<(HostName, String, String)>, StoreError> {
        let rows = sqlx::query("SELECT hostname, metric, hours FROM baselines")
            .fetch_all(&self.readers)
            .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    parsed(row, "hostname")?,
                    row.try_get("metric")?,
                    row.try_get("hours")?,
                ))
            })
            .collect()
    }

    /// Keeps what has been learnt, in one transaction. What is of hosts that are no more is left out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn save_baselines(
        &self,
        rows: &[(HostName, &'static str, String)],
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO baselines (hostname, metric, hours)
             SELECT new.value ->> 0, new.value ->> 1, new.value ->> 2 FROM json_each(?1) AS new
             WHERE new.value ->> 0 IN (SELECT hostname FROM hosts)
             ON CONFLICT (hostname, metric) DO UPDATE SET hours = excluded.hours",
        )
        .bind(to_json(&rows)?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}
