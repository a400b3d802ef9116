//! What operators said of hosts' being away.

use std::collections::HashMap;

use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError, int, parsed, to_json, uint};
use crate::base::clock::Millis;
use crate::run::id::HostName;

/// A time in which a host may be away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceRow {
    /// When it was announced, by the dashboard's clock.
    pub since: Millis,
    /// When it ends.
    pub until: Millis,
    /// What for.
    pub reason: String,
    /// Who announced it.
    pub by: String,
}

/// What operators said of one host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AbsenceRow {
    /// Whether its absence is expected; none leaves it to what kind of device it is.
    pub expected: Option<bool>,
    /// The maintenance that goes on, or that ended while no dashboard was there to see it.
    pub maintenance: Option<MaintenanceRow>,
}

impl Store {
    /// All that was said, by host.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn absences(&self) -> Result<HashMap<HostName, AbsenceRow>, StoreError> {
        let rows = sqlx::query(
            "SELECT hostname, expected, since, coalesce(until, 0) AS until, coalesce(reason, '') AS reason,
                    coalesce(set_by, '') AS set_by FROM host_absence",
        )
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .map(|row| {
                let since: Option<i64> = row.try_get("since")?;
                let maintenance = match since {
                    None => None,
                    Some(_) => Some(MaintenanceRow {
                        since: uint(row, "since")?,
                        until: uint(row, "until")?,
                        reason: row.try_get("reason")?,
                        by: row.try_get("set_by")?,
                    }),
                };
                let absence = AbsenceRow {
                    expected: row.try_get("expected")?,
                    maintenance,
                };
                Ok((parsed(row, "hostname")?, absence))
            })
            .collect()
    }

    /// Keeps the maintenance of a host in place of the one before; none ends it.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_maintenance(
        &self,
        host: &HostName,
        maintenance: Option<&MaintenanceRow>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let mut write = self.writer.begin().await?;
        name(&mut write, host, now).await?;
        sqlx::query(
            "INSERT INTO host_absence (hostname, since, until, reason, set_by) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (hostname) DO UPDATE SET since = excluded.since, until = excluded.until,
                                                  reason = excluded.reason, set_by = excluded.set_by",
        )
        .bind(host.as_str())
        .bind(maintenance.map(|own| int(own.since)))
        .bind(maintenance.map(|own| int(own.until)))
        .bind(maintenance.map(|own| own.reason.as_str()))
        .bind(maintenance.map(|own| own.by.as_str()))
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    /// Keeps whether a host's absence is expected.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn set_expected(
        &self,
        host: &HostName,
        expected: Option<bool>,
        now: Millis,
    ) -> Result<(), StoreError> {
        let mut write = self.writer.begin().await?;
        name(&mut write, host, now).await?;
        sqlx::query(
            "INSERT INTO host_absence (hostname, expected) VALUES (?1, ?2)
             ON CONFLICT (hostname) DO UPDATE SET expected = excluded.expected",
        )
        .bind(host.as_str())
        .bind(expected)
        .execute(&mut *write)
        .await?;
        write.commit().await?;
        Ok(())
    }

    /// Forgets maintenances that are over, each named by its host and its end.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn end_maintenances(&self, ended: &[(HostName, Millis)]) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE host_absence SET since = NULL, until = NULL, reason = NULL, set_by = NULL
             FROM json_each(?1) AS ended
             WHERE hostname = ended.value ->> 0 AND until = ended.value ->> 1",
        )
        .bind(to_json(&ended)?)
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

/// A host that has just registered may not be written yet.
async fn name(
    connection: &mut SqliteConnection,
    host: &HostName,
    now: Millis,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO hosts (hostname, created_at) VALUES (?1, ?2) ON CONFLICT DO NOTHING")
        .bind(host.as_str())
        .bind(int(now))
        .execute(connection)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dashboard::store::sample::store;

    #[tokio::test]
    async fn what_was_said_is_kept_until_something_else_is_said_or_the_host_goes() {
        let (_dir, store) = store().await;
        let host: HostName = "web2".parse().unwrap();
        let disk = MaintenanceRow {
            since: 5,
            until: 9,
            reason: "new disk".into(),
            by: "ann".into(),
        };
        store.set_maintenance(&host, Some(&disk), 5).await.unwrap();
        store.set_expected(&host, Some(true), 6).await.unwrap();
        let both = AbsenceRow {
            expected: Some(true),
            maintenance: Some(disk.clone()),
        };
        assert_eq!(store.absences().await.unwrap()[&host], both);
        // Another one than the one that is over.
        store.end_maintenances(&[(host.clone(), 8)]).await.unwrap();
        assert_eq!(store.absences().await.unwrap()[&host], both);
        store.end_maintenances(&[(host.clone(), 9)]).await.unwrap();
        let over = AbsenceRow {
            maintenance: None,
            ..both
        };
        assert_eq!(store.absences().await.unwrap()[&host], over);
        store.set_maintenance(&host, Some(&disk), 5).await.unwrap();
        store.set_maintenance(&host, None, 5).await.unwrap();
        store.set_expected(&host, None, 6).await.unwrap();
        assert_eq!(
            store.absences().await.unwrap()[&host],
            AbsenceRow::default()
        );
        store.delete_host(&host).await.unwrap();
        assert_eq!(store.absences().await.unwrap(), HashMap::new());
    }
}
