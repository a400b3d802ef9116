//! The ladder of metrics: rows by rung, bucket and host, packed.

use futures_util::TryStreamExt as _;
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use super::values::{parts, values};
use super::{Store, StoreError, int, parsed, uint};
use crate::dashboard::metrics::bucket::Bucket;
use crate::dashboard::metrics::packed::unpack;
use crate::dashboard::metrics::recorder::Closed;
use crate::run::id::HostName;

/// About so many rows one transaction removes; all hosts' rows of one bucket at least.
const REMOVED: i64 = 2000;

fn bucket(row: &SqliteRow) -> Result<Option<(u64, Bucket)>, StoreError> {
    // A row that cannot be read is a gap; `doctor` counts them.
    let packed: &[u8] = row.try_get("packed")?;
    let number = uint(row, "bucket")?;
    Ok(unpack(packed).map(|stats| (number, stats)))
}

impl Store {
    /// Writes buckets in one transaction; one that is there already is replaced. Those of hosts that are not known are left out.
    ///
    /// # Errors
    /// Nothing is written then. See [`StoreError`].
    pub async fn save_metrics(&self, rows: &[Closed]) -> Result<(), StoreError> {
        let mut write = self.writer.begin().await?;
        for part in parts(rows) {
            if insert(&mut write, part).await? < part.len() as u64 {
                // Hosts whose first rows these are have no number yet; those that were removed meanwhile get none.
                number(&mut write, part).await?;
                insert(&mut write, part).await?;
            }
        }
        write.commit().await?;
        Ok(())
    }

    /// A host's buckets `first` to `last` of a rung.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn metrics(
        &self,
        host: &HostName,
        rung: usize,
        (first, last): (u64, u64),
    ) -> Result<Vec<(u64, Bucket)>, StoreError> {
        // Rows lie by time: each bucket is looked up by itself.
        let rows = sqlx::query(
            "WITH RECURSIVE wanted (bucket) AS (SELECT ?2 UNION ALL SELECT bucket + 1 FROM wanted WHERE bucket < ?3)
             SELECT metrics.bucket, metrics.packed FROM metric_hosts CROSS JOIN wanted CROSS JOIN metrics
             ON metrics.rung = ?1 AND metrics.bucket = wanted.bucket AND metrics.host = metric_hosts.id
             WHERE metric_hosts.hostname = ?4",
        )
        .bind(int(rung as u64))
        .bind(int(first))
        .bind(int(last))
        .bind(host.as_str())
        .fetch_all(&self.readers)
        .await?;
        rows.iter()
            .filter_map(|row| bucket(row).transpose())
            .collect()
    }

    /// Gives all hosts' buckets of a rung from `first` on to `take`, in the order of time.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn each_metric(
        &self,
        rung: usize,
        first: u64,
        mut take: impl FnMut(&HostName, u64, &Bucket),
    ) -> Result<(), StoreError> {
        // One at a time: a large fleet has hundreds of thousands.
        let mut rows = sqlx::query(
            "SELECT hostname, bucket, packed FROM metrics JOIN metric_hosts ON id = host
             WHERE rung = ?1 AND bucket >= ?2 AND hostname IS NOT NULL ORDER BY rung, bucket, host",
        )
        .bind(int(rung as u64))
        .bind(int(first))
        .fetch(&self.readers);
        while let Some(row) = rows.try_next().await? {
            if let Some((number, stats)) = bucket(&row)? {
                take(&parsed(&row, "hostname")?, number, &stats);
            }
        }
        Ok(())
    }

    /// The newest bucket of a rung.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn newest_metrics(&self, rung: usize) -> Result<Option<u64>, StoreError> {
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT max(bucket) FROM metrics WHERE rung = ?1")
                .bind(int(rung as u64))
                .fetch_one(&self.readers)
                .await?;
        Ok(newest.and_then(|newest| u64::try_from(newest).ok()))
    }

    /// Removes the oldest buckets of a rung, as far as they are before `before`; not many at a time, so that no commit waits
    /// for long. Answers whether there may be more.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remove_metrics(&self, rung: usize, before: u64) -> Result<bool, StoreError> {
        let row = |skip: i64| {
            sqlx::query_scalar::<_, i64>(
                "SELECT bucket FROM metrics WHERE rung = ?1 AND bucket < ?2 ORDER BY bucket LIMIT 1 OFFSET ?3",
            )
            .bind(int(rung as u64))
            .bind(int(before))
            .bind(skip)
            .fetch_optional(&self.readers)
        };
        if row(0).await?.is_none() {
            return Ok(false);
        }
        let last = row(REMOVED).await?;
        sqlx::query("DELETE FROM metrics WHERE rung = ?1 AND bucket < ?2")
            .bind(int(rung as u64))
            .bind(last.map_or(int(before), |last| int(before).min(last + 1)))
            .execute(&self.writer)
            .await?;
        Ok(last.is_some())
    }

    /// Removes the rows of hosts that are gone, a rung of one host in a transaction.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub async fn remove_orphaned_metrics(&self) -> Result<(), StoreError> {
        let gone: Vec<i64> =
            sqlx::query_scalar("SELECT id FROM metric_hosts WHERE hostname IS NULL")
                .fetch_all(&self.readers)
                .await?;
        for id in gone {
            for rung in 0..crate::dashboard::metrics::ladder::N_RUNGS {
                sqlx::query(
                    "DELETE FROM metrics WHERE rung = ?1 AND host = ?2 AND bucket IN (
                       WITH RECURSIVE there (bucket) AS (
                         SELECT min(bucket) FROM metrics WHERE rung = ?1
                         UNION ALL SELECT (SELECT min(bucket) FROM metrics WHERE rung = ?1 AND bucket > there.bucket)
                         FROM there WHERE there.bucket IS NOT NULL)
                       SELECT bucket FROM there WHERE bucket IS NOT NULL)",
                )
                .bind(int(rung as u64))
                .bind(id)
                .execute(&self.writer)
                .await?;
            }
            sqlx::query("DELETE FROM metric_hosts WHERE id = ?1")
                .bind(id)
                .execute(&self.writer)
                .await?;
        }
        Ok(())
    }
}

/// Writes the rows of hosts that have a number. Answers how many there are.
async fn insert(write: &mut SqliteConnection, rows: &[Closed]) -> Result<u64, StoreError> {
    let text = format!(
        "WITH new (host, rung, bucket, packed) AS ({})
         INSERT INTO metrics (rung, bucket, host, packed)
         SELECT new.rung, new.bucket, metric_hosts.id, new.packed
         FROM new CROSS JOIN metric_hosts ON metric_hosts.hostname = new.host
         WHERE true
         ON CONFLICT (rung, bucket, host) DO UPDATE SET packed = excluded.packed",
        values(rows.len(), 4)
    );
    let mut query = sqlx::query(&text);
    for row in rows {
        query = query
            .bind(row.host.as_str())
            .bind(int(row.rung as u64))
            .bind(int(row.bucket))
            .bind(row.packed.as_slice());
    }
    Ok(query.execute(write).await?.rows_affected())
}

/// Gives numbers to those hosts that are known and have none.
async fn number(write: &mut SqliteConnection, rows: &[Closed]) -> Result<(), StoreError> {
    let text = format!(
        "WITH new (host) AS ({})
         INSERT INTO metric_hosts (hostname)
         SELECT DISTINCT host FROM new
         WHERE host NOT IN (SELECT hostname FROM metric_hosts WHERE hostname IS NOT NULL)
           AND host IN (SELECT hostname FROM hosts)",
        values(rows.len(), 1)
    );
    let mut query = sqlx::query(&text);
    for row in rows {
        query = query.bind(row.host.as_str());
    }
    query.execute(write).await?;
    Ok(())
}
